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

from engine.checking import SAMPLE, SAMPLE_FACTS, Use, check_templates
from engine.context import Brand
from engine.glyphs import printable
from engine.letters import Letters, address_lines
from engine.links import Links
from engine.outgoing import Recipient
from engine.templates import TemplateError, Templates

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
    ("change", "lines"),
    [
        ({}, ("Camille Martin", "12 avenue de la République", "75011 PARIS")),
        ({"country": None}, ("Camille Martin", "12 avenue de la République", "75011 PARIS")),
        ({"country": "DE"}, ("Camille Martin", "12 avenue de la République", "75011 Paris", "GERMANY")),
        (
            {"country": "GB", "city": "London", "postcode": "sw1a 1aa"},
            ("Camille Martin", "12 avenue de la République", "LONDON", "SW1A 1AA", "UNITED KINGDOM"),
        ),
        (
            {"address": "Résidence des Tilleuls, bâtiment C, escalier 4, porte 12"},
            ("Camille Martin", "Résidence des Tilleuls, bâtiment C,", "escalier 4, porte 12", "75011 PARIS"),
        ),
        ({"first_name": "Camille 🦊", "last_name": "Nguyễn"}, None),
    ],
)
def test_address_lines(change: dict[str, Any], lines: tuple[str, ...] | None) -> None:
    made = address_lines(replace(SAMPLE, **change), "FR")
    if lines is None:
        assert made is not None
        assert made[0] == "Camille Nguyễn"
    else:
        assert made == lines


@pytest.mark.parametrize(
    "change",
    [
        {"address": None}, {"address": " \n "}, {"postcode": ""}, {"city": None}, {"first_name": "", "last_name": ""},
        {"first_name": "محمد"}, {"address": "x" * 39}, {"address": "\n".join("abcdef")},
    ],
)  # fmt: skip
def test_S3_an_address_that_is_missing_or_does_not_fit_is_none(change: dict[str, Any], letters: Letters) -> None:
    her = replace(SAMPLE, **change)
    assert address_lines(her, "FR") is None
    with pytest.raises(TemplateError, match="postal address"):
        letters.render(her, "note", "1-1-0", SAMPLE_FACTS)


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
