"""Letters: read back from the PDF, the QR code by a scanner, and the same bytes at every making."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image
from pypdf import PdfReader

from engine.letters.composing import Letters
from engine.letters.glyphs import printable
from engine.letters.typesetting import Piece, typeset
from engine.links import Links
from engine.outgoing import Recipient
from engine.templating.checking import SAMPLE, SAMPLE_FACTS, Use, check_templates
from engine.templating.context import Brand
from engine.templating.templates import TemplateError, Templates

LINKS = Links("https://journeys.example", b"a key")
BODY = """= A present for #either(customer.first_name, "you")

Dear #customer.first_name #customer.last_name,

it is a while since #date(orders.last_at): #orders.count orders, #money(orders.total).

#answer[Take your 10 %]

Yours, \\
#brand.name
"""
GERMAN = replace(
    SAMPLE, country="DE", address="Bâtiment C\nHauptstraße 5", postcode="10115", city="Berlin", language="de"
)


@pytest.fixture
def letters(tmp_path: Path) -> Letters:
    (tmp_path / "note.en.typ").write_text(BODY, "utf-8")
    brand = Brand("Marchand & Filles", "12 rue des Halles, 69002 Lyon", "https://shop.example")
    return Letters(
        Templates(tmp_path, country="FR", brand=brand), LINKS, ["Marchand & Filles", "12 rue des Halles", "69002 Lyon"]
    )


def words_of(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages).split())


def test_a_letter_has_the_address_the_text_and_the_code(letters: Letters) -> None:
    made = letters.render(SAMPLE, "note", "1-1-0", SAMPLE_FACTS)
    text = words_of(made.pdf)
    for part in (
        "Camille Martin", "12 avenue de la République", "75011 PARIS", "Dear Camille Martin", "1 March 2026: 4 orders, €123.45",
        "Take your 10 %", Links.show_code(LINKS.code("1-1-0")), "journeys.example/l", "Marchand & Filles",
    ):  # fmt: skip
        assert part in text, part
    assert made.lines == ("Camille Martin", "12 avenue de la République", "75011 PARIS")
    assert (made.code, made.pages) == (LINKS.code("1-1-0"), 1)
    assert made.title == "A present for"


def test_K5_a_letter_is_the_same_bytes_when_made_again_and_says_it_is_pdf_a(letters: Letters) -> None:
    first, again = (letters.render(SAMPLE, "note", "1-1-0", SAMPLE_FACTS) for _ in range(2))
    assert first.pdf == again.pdf
    assert first.hash == again.hash
    assert letters.render(SAMPLE, "note", "2-1-0", SAMPLE_FACTS).pdf != first.pdf
    metadata = PdfReader(BytesIO(first.pdf)).metadata
    assert metadata is not None
    assert metadata.creation_date == SAMPLE_FACTS["now"]
    assert b"pdfaid:part>2<" in first.pdf.replace(b" ", b"")


def test_K5_the_qr_code_leads_to_the_pieces_own_answer_page(letters: Letters) -> None:
    (page,) = letters.pictures(SAMPLE, "note", "1-1-0", SAMPLE_FACTS, ppi=150)
    (code,) = zxingcpp.read_barcodes(Image.open(BytesIO(page)))
    assert code.text == LINKS.letter(LINKS.code("1-1-0"))


@pytest.mark.parametrize(("recipient", "left", "top"), [(SAMPLE, 105, 55), (GERMAN, 25, 60)], ids=["FR", "DIN 5008"])
def test_the_address_is_in_the_window(letters: Letters, recipient: Recipient, left: float, top: float) -> None:
    found: dict[str, tuple[float, float]] = {}

    def visit(text: str, cm: list[float], tm: list[float], *_: Any) -> None:
        x, y = tm[4] * cm[0] + tm[5] * cm[2] + cm[4], tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
        if text.strip():
            found[text.strip()] = (x / 72 * 25.4, 297 - y / 72 * 25.4)

    made = letters.render(recipient, "note", "1-1-0", SAMPLE_FACTS)
    PdfReader(BytesIO(made.pdf)).pages[0].extract_text(visitor_text=visit)
    at = next(place for text, place in found.items() if text.startswith(made.lines[-1]))
    assert left - 1 < at[0] < left + 1
    # DIN 5008 form B: the address field is 62.7 to 90 mm from the top; the French window about 45 to 83 mm
    assert top < at[1] < 90
    assert len(made.lines) == (3 if recipient is SAMPLE else 5)


@pytest.mark.parametrize(
    "name", ['#panic("x")', "$x^2$ *b* _i_", "{{ 7 }}", '"]) #x', "\\u{41} @label <l>", "A\nB", "Zoë 🦊"]
)
def test_customers_text_is_no_typst(letters: Letters, name: str) -> None:
    made = letters.render(replace(SAMPLE, first_name=name, last_name="M"), "note", "1-1-0", SAMPLE_FACTS)
    shown = " ".join((printable(name.replace("\n", " ")) or "").split())
    text = words_of(made.pdf)
    assert f"Dear {shown} M," in text.replace("  ", " ") or shown.replace(" ", "") in text.replace(" ", "")


def test_the_answer_panel_comes_by_itself_and_a_long_letter_counts_its_pages(letters: Letters, tmp_path: Path) -> None:
    (tmp_path / "long.en.typ").write_text("= Long\n\n" + "Some words of a long letter.\n\n" * 40, "utf-8")
    made = letters.render(SAMPLE, "long", "1-1-0", SAMPLE_FACTS)
    assert made.pages == 2 == len(PdfReader(BytesIO(made.pdf)).pages)
    assert Links.show_code(made.code) in words_of(made.pdf)
    assert "2 / 2" in words_of(made.pdf)


def test_K5_a_letter_without_an_address_is_refused_with_the_reason(letters: Letters) -> None:
    with pytest.raises(TemplateError, match="postal address is missing or does not fit: there is no town"):
        letters.render(replace(SAMPLE, city=None), "note", "1-1-0", SAMPLE_FACTS)


def test_what_a_letter_cant_show_is_told(letters: Letters) -> None:
    her = replace(SAMPLE, first_name="Zoë 🦊🦊", attributes={"motto": "Ça va ☂?"})
    assert letters.compose(her, "note", "1-1-0", SAMPLE_FACTS).missing == "🦊☂"
    assert letters.compose(SAMPLE, "note", "1-1-0", SAMPLE_FACTS).missing == ""


@pytest.mark.parametrize("layout", ["FR", "DIN", "country"])
def test_the_layout_is_the_projects_or_follows_the_country(letters: Letters, layout: str) -> None:
    made = Letters(letters.templates, LINKS, letters.sender, layout)
    shown = [made.compose(her, "note", "1-1-0", SAMPLE_FACTS).data for her in (SAMPLE, GERMAN)]
    wanted = [layout, layout] if layout != "country" else ["FR", "DIN"]
    assert [data["layout"] for data in shown if data is not None] == wanted


def test_K5_what_says_that_it_is_pdf_a_2b_is_built_as_one(letters: Letters) -> None:
    """What ISO 19005-2 asks for and can be looked up: faces within, colours defined, nothing hidden, run or sent for."""
    made = typeset(
        [
            Piece(
                letters.templates.find("note", "letter", "en"),
                letters.compose(her, "note", f"{n}-1-0", SAMPLE_FACTS).data or {},
            )
            for n, her in enumerate((SAMPLE, GERMAN, SAMPLE))
        ],
        letters.templates.folder,
        SAMPLE_FACTS["now"],
        title="run",
        author="Marchand",
    )
    assert (made.first, made.pages) == ((1, 2, 3), (1, 1, 1))
    reader = PdfReader(BytesIO(made.pdf))
    assert made.pdf.startswith(b"%PDF-1.7")
    assert not reader.is_encrypted
    root: Any = reader.trailer["/Root"]
    (intent,) = root["/OutputIntents"]
    assert intent["/S"] == "/GTS_PDFA1"
    assert intent["/DestOutputProfile"].get_object().get_data()
    assert reader.trailer["/ID"]
    packet = root["/Metadata"].get_object().get_data()
    for part in (b"<pdfaid:part>2<", b"<pdfaid:conformance>B<"):
        assert part in packet
    assert not any(name in root for name in ("/OpenAction", "/AA", "/JavaScript"))
    for page in reader.pages:
        resources: Any = page["/Resources"]
        for name in resources["/Font"]:
            font: Any = resources["/Font"][name]
            (inner,) = font["/DescendantFonts"]
            descriptor: Any = inner.get_object()["/FontDescriptor"]
            assert any(kind in descriptor for kind in ("/FontFile", "/FontFile2", "/FontFile3"))
            assert "/ToUnicode" in font


OFFERS: list[dict[str, Any]] = [
    {"id": "o1", "name": "Crozes-Hermitage 2023", "category": "Wine", "price": 1490, "url": "https://shop.example/1",
     "data": {"text": "Six bottles.", "picture": "bottle.png"}},
    {"id": "o2", "name": "#panic(1) ] *x*", "category": None, "price": "from 9 €", "url": None, "data": None},
    {"id": "o3", "name": "Olive oil", "price": 990},
]  # fmt: skip


def test_a_catalogue_page_has_each_customers_own_products_in_their_order(letters: Letters, tmp_path: Path) -> None:
    (tmp_path / "win").mkdir()
    Image.new("RGB", (60, 40), (120, 20, 40)).save(tmp_path / "win" / "bottle.png")
    (tmp_path / "win" / "page.en.typ").write_text(
        '= For you\n\nDear #customer.first_name,\n\n#catalogue(offers, columns: 3, title: "Yours")\n', "utf-8"
    )
    made = letters.render(SAMPLE, "win/page", "1-1-0", {**SAMPLE_FACTS, "offers": OFFERS})
    text = words_of(made.pdf)
    assert "Crozes-Hermitage 2023" in text
    assert "€14.90" in text
    assert "from 9 €" in text
    assert "#panic(1) ] *x*" in text
    assert text.index("Crozes") < text.index("Olive oil")
    assert len(PdfReader(BytesIO(made.pdf)).pages[0].images) == 1
    other = letters.render(SAMPLE, "win/page", "2-1-0", {**SAMPLE_FACTS, "offers": OFFERS[2:]})
    assert "Crozes" not in words_of(other.pdf)
    without = letters.render(SAMPLE, "win/page", "3-1-0", SAMPLE_FACTS)
    assert "Yours" not in words_of(without.pdf)


def test_an_offers_picture_on_the_web_is_left_out_on_paper_and_stops_no_check(letters: Letters, tmp_path: Path) -> None:
    (tmp_path / "win").mkdir()
    (tmp_path / "win" / "page.en.typ").write_text("= For you\n\n#catalogue(offers)\n", "utf-8")
    assert check_templates(letters.templates, [Use("win/page", "letter", "marketing", offers=2)]) == []
    shown = [{"id": "o", "name": "Tea", "picture": "https://shop.example/tea.png", "price": 990}]
    made = letters.render(SAMPLE, "win/page", "1-1-0", {**SAMPLE_FACTS, "offers": shown})
    assert "€9.90" in words_of(made.pdf)


def test_a_table_in_a_letter_is_the_customers_data(letters: Letters, tmp_path: Path) -> None:
    (tmp_path / "bill.en.typ").write_text(
        "= Yours\n\n#table(columns: (1fr, auto), [What], [Price],\n"
        "  ..customer.lines.map(each => (each.what, money(each.cents))).flatten())\n",
        "utf-8",
    )
    her = replace(SAMPLE, attributes={"lines": [{"what": "Tea #1", "cents": 450}, {"what": "Pot", "cents": 1200}]})
    text = words_of(letters.render(her, "bill", "1-1-0", SAMPLE_FACTS).pdf)
    for part in ("Tea #1", "€4.50", "Pot", "€12.00"):
        assert part in text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Hi #foo", "bad.en.typ:2: there is no name 'foo'"),
        ("*never closed", "bad.en.typ:2: unclosed delimiter"),
        ("#money([x])", "bad.en.typ:2: "),
        ('#import "@preview/cetz:0.3.0": *', "bad.en.typ:2: a letter uses no packages"),
        ("A fox: 🦊", "bad.en.typ:2: PDF/A-2b error: the text"),
        ('#read("/../../etc/passwd")', "bad.en.typ:2: "),
    ],
)
def test_a_mistake_in_a_letter_is_told_with_its_line(letters: Letters, tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "bad.en.typ").write_text(f"= Subject\n{text}\n", "utf-8")
    (found,) = check_templates(letters.templates, [Use("bad", "letter")])
    said = f"{Path(found.file).name}:{found.line}: {found.message}; {found.help}"
    assert said.startswith(problem), said
