"""Mails of plain HTML: inlined CSS, a preheader, a text part; and the files that mails carry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from engine.db import Database, table
from engine.links import Links
from engine.outgoing import Content, Recipient
from engine.tables import TemplateVersion
from engine.templating.checking import SAMPLE, SAMPLE_FACTS, Use, check_templates
from engine.templating.context import Brand
from engine.templating.files import read_file
from engine.templating.rendering import Renderer
from engine.templating.templates import Template, TemplateError, Templates

LINKS = Links("https://journeys.example", b"a key")
PIXEL = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
  <title>{{ customer.first_name or "Hello" }}, 10 &amp; more</title>
  <meta name="preheader" content="On {{ orders.top_category or 'cheese' }}">
  <style>
    h1 { color: red }
    @media (max-width: 400px) { h1 { font-size: 20px !important } }
  </style>
</head>
<body class="x">
  <!-- a remark of ours -->
  <!--[if mso]><p>Outlook</p><![endif]-->
  <h1 title="a > b">Dear {{ customer.first_name or "friend" }}</h1>
  <table>
    {% for each in orders.top_categories %}
    <tr><td>{{ loop.index }}</td><td>{{ each }}</td></tr>
    {% endfor %}
  </table>
  {% if orders.count > 3 and orders.total < 99999 %}<p>{{ orders.count }} orders</p>{% endif %}
  <p><a href="{{ link('https://shop.example/t?a=1&amp;b=2', 'terms') }}">The terms</a></p>
  <p><img src="{{ image('logo.gif') }}" alt="Marchand"><img src="{{ image('logo.gif') }}" alt=""></p>
  <p>{{ brand.name }}, {{ brand.address }} <a href="{{ unsubscribe_url }}">no more</a></p>
  {{ attach("terms.pdf") }}{{ attach("terms.pdf") }}
</body>
</html>
"""

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / "journeys" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def templates(tmp_path: Path, write: Write) -> Templates:
    write("win/mail.en.html", PAGE)
    write("win/logo.gif", PIXEL)
    write("win/terms.pdf", b"%PDF-1.7 terms")
    return Templates(
        tmp_path / "journeys", brand=Brand("Marchand & Filles", "12 rue des Halles, Lyon", "https://shop.example")
    )


def render(templates: Templates, ref: str = "win/mail", her: Recipient = SAMPLE, **facts: object) -> Content:
    return Renderer(templates, LINKS).render("email", her, ref, "1-1-0", facts or SAMPLE_FACTS)


def told(templates: Templates, *uses: Use) -> list[str]:
    found = check_templates(templates, uses)
    return [f"{e.code} {e.file.removeprefix(f'{templates.folder}/')}:{e.line}: {e.message}" for e in found]


def test_html_becomes_a_mail(templates: Templates) -> None:
    content = render(templates)
    page = content.html.replace("\n", " ")
    assert content.title == "Camille, 10 & more"
    assert '<h1 title="a > b" style="color: red;">Dear Camille</h1>' in page
    assert "@media (max-width: 400px)" in page
    assert 'name="preheader"' not in page
    assert page.index("overflow:hidden") < page.index("On Wine") < page.index("<h1")
    assert "a remark of ours" not in page
    assert "<p>Outlook</p>" in page
    assert page.count("<tbody>") == 1
    assert page.count(">Tea</td>") == 1
    assert "<p>4 orders</p>" in page
    assert page.count(LINKS.open_pixel("1-1-0")) == 1
    assert [link.url for link in content.links] == ["https://shop.example/t?a=1&b=2"]
    assert "jq" not in content.html + content.text
    assert max(map(len, content.html.split("\n"))) < 998


def test_its_text_is_made_from_what_was_rendered(templates: Templates) -> None:
    text = render(templates).text
    for said in ("Dear Camille", "1  Wine\n", "4 orders", f"The terms <{LINKS.click('1-1-0', 0)}>", "[Marchand]"):
        assert said in text
    for unsaid in ("On Wine", "color", "Outlook", LINKS.open_pixel("1-1-0")):
        assert unsaid not in text
    assert "4 orders" not in render(templates, her=SAMPLE, orders={"count": 1, "total": 5}).text


def test_an_authors_own_text_is_the_text_of_html_and_of_mjml(
    templates: Templates, write: Write, sqlite: Database
) -> None:
    before = render(templates)
    write("win/mail.en.txt", "{{ customer.first_name }}: {{ link('https://shop.example/t?a=1&b=2', 'terms') }}")
    after = render(templates)
    assert after.text == f"Camille: {LINKS.click('1-1-0', 0)}"
    assert (after.html, after.links) == (before.html, before.links), "both parts have one link"
    assert after.template_hash != before.template_hash
    with sqlite.write() as conn:
        templates.keep(conn, [after.template_hash])
        kept = Template.kept(conn.execute(select(table(TemplateVersion))).one())
    assert kept == templates.find("win/mail", "email", "en")
    assert kept.plain is not None
    assert kept.plain.source.startswith("{{ customer.first_name }}")
    write(
        "win/mail.en.mjml",
        "<mjml><mj-head><mj-title>M</mj-title></mj-head><mj-body><mj-section><mj-column><mj-text>M</mj-text>"
        "</mj-column></mj-section></mj-body></mjml>",
    )
    mjml = render(templates)
    assert (mjml.title, mjml.text) == ("M", after.text)
    (templates.folder / "win/mail.en.txt").unlink()
    assert render(templates).text == "M"


def test_mjml_of_the_name_is_the_mail_and_html_is_another_channels(templates: Templates, write: Write) -> None:
    write("win/mail.fr.html", "<title>F</title><p>F</p>")
    assert templates.languages("win/mail", "email") == ["en", "fr"]
    write("win/mail.en.mjml", "<mjml></mjml>")
    assert templates.languages("win/mail", "email") == ["en"]
    assert templates.languages("win/mail", "feed") == ["en", "fr"]
    assert templates.find("win/mail", "email", "fr").file == "win/mail.en.mjml"


def test_pictures_and_attachments_are_carried_once(templates: Templates) -> None:
    picture, attached = render(templates).files
    assert (picture.name, picture.type, picture.data) == ("logo.gif", "image/gif", PIXEL)
    assert render(templates).html.count(f"cid:{picture.content_id}") == 2
    assert (attached.name, attached.type, attached.content_id) == ("terms.pdf", "application/pdf", "")


def test_S4_another_picture_or_attachment_is_another_message(templates: Templates, write: Write) -> None:
    first = render(templates)
    write("win/terms.pdf", b"%PDF-1.7 new terms")
    second = render(templates)
    write("win/logo.gif", PIXEL + b"\0")
    third = render(templates)
    assert len({first.hash, second.hash, third.hash}) == 3
    assert first.html == second.html != third.html


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("image('lgoo.gif')", "there is no file 'lgoo.gif'"),
        ("image('../../secret.gif')", "'../../secret.gif' leads out of the journeys' folder"),
        ("image('/etc/passwd')", "'/etc/passwd' leads out of the journeys' folder"),
        ("image('..\\\\\\\\x.gif')", "is no path of a file"),
        ("image('link.gif')", "'link.gif' leads out of the journeys' folder"),
        ("image('terms.pdf')", "'terms.pdf' is no picture that mail programs show"),
        ("image('')", "'' is no path of a file"),
        ("attach('.')", "there is no file '.'"),
        ("attach('big.bin')", "'big.bin' has 7,000,001 bytes"),
        ("attach('a\\x00b')", "is no path of a file"),
    ],
)
def test_a_file_that_cant_be_carried_has_its_place(
    templates: Templates, write: Write, call: str, problem: str, tmp_path: Path
) -> None:
    """Also in a branch that no trial customer takes."""
    (tmp_path / "secret.gif").write_bytes(PIXEL)
    write("win/big.bin", b"x" * 7_000_001)
    (templates.folder / "win/link.gif").symlink_to(tmp_path / "secret.gif")
    write("win/mail.en.html", PAGE.replace("<h1", "{% if orders.count > 999 %}{{ " + call + " }}{% endif %}<h1"))
    (found,) = told(templates, Use("win/mail", "email", "marketing"))
    assert found.startswith("J169 win/mail.en.html:14: ")
    assert problem in found
    write("win/mail.en.html", PAGE.replace("<h1", "{{ " + call.replace("('", "('' ~ '") + " }}<h1"))
    with pytest.raises(TemplateError, match=r"win/mail.en.html:14: ") as caught:
        render(templates)
    assert caught.value.code == "J169"


def test_files_of_a_neighbouring_folder_are_within(templates: Templates, write: Write) -> None:
    write("brand/logo.gif", PIXEL)
    assert read_file(templates, "win/mail", "../brand/logo.gif", picture=True).data == PIXEL


def test_only_mails_carry_files(templates: Templates, write: Write) -> None:
    write("win/text.en.txt", "{{ attach('terms.pdf') }}")
    (found,) = told(templates, Use("win/text", "sms"))
    assert "there is no name 'attach'" in found


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("{% endif %}", "", "J162 win/mail.en.html:20: {% if … %} is never closed"),
        ("customer.first_name or", "customer.frist_name or", "J161 win/mail.en.html:4: customer has no field"),
        ("<title>", "<tytle>", "J166 win/mail.en.html:1: there is no title"),
        ('<a href="{{ unsubscribe_url }}">no more</a>', "", "J165 win/mail.en.html:1: a marketing mail needs the way out"),
        ('<a href="{{ unsubscribe_url }}', '<a style="display: none" href="{{ unsubscribe_url }}',
         "J165 win/mail.en.html:1: a marketing mail needs the way out"),
        (">no more</a>", "></a>", "J165 win/mail.en.html:1: a marketing mail needs the way out"),
        ("{{ brand.address }}", "Lyon", "J170 win/mail.en.html:1: a marketing mail says who sends it"),
        ("<h1", "<p>{{ 'long ' * 30000 }}</p><h1", "J171 win/mail.en.html:1: this mail has"),
    ],
)  # fmt: skip
def test_each_mistake_in_html_is_told(templates: Templates, write: Write, old: str, new: str, problem: str) -> None:
    assert told(templates, Use("win/mail", "email", "marketing")) == []
    assert old in PAGE
    write("win/mail.en.html", PAGE.replace(old, new, 1))
    found = told(templates, Use("win/mail", "email", "marketing"))
    assert any(each.startswith(problem) for each in found), found


def test_an_address_by_hand_may_be_written_in_its_own_way(templates: Templates, write: Write) -> None:
    write("win/mail.en.html", PAGE.replace("{{ brand.address }}", "12, rue des <b>Halles</b><br>LYON"))
    assert told(templates, Use("win/mail", "email", "marketing")) == []


def test_a_transactional_mail_needs_no_way_out(templates: Templates, write: Write) -> None:
    write("win/mail.en.html", "<title>Your order</title><p>Thank you.</p>")
    assert told(templates, Use("win/mail", "email", "transactional")) == []
    assert len(told(templates, Use("win/mail", "email", "marketing"))) == 1


def test_mistakes_in_the_text_part_have_its_lines(templates: Templates, write: Write) -> None:
    write("win/mail.en.txt", "Hello\n\n{{ customer.frist_name }} {{ unsubscribe_url }}\n")
    (found,) = told(templates, Use("win/mail", "email", "marketing"))
    assert found.startswith("J161 win/mail.en.txt:3: customer has no field 'frist_name'")
    write("win/mail.en.txt", "Hello\n{% if %} {{ unsubscribe_url }}\n")
    (found,) = told(templates, Use("win/mail", "email", "marketing"))
    assert found.startswith("J162 win/mail.en.txt:2: ")
    write("win/mail.en.txt", "Hello\n\n{{ 1 / orders.count }} {{ unsubscribe_url }}\n")
    (found,) = told(templates, Use("win/mail", "email", "marketing"))
    assert found.startswith("J167 win/mail.en.txt:3: ")
    write("win/mail.en.txt", "Hello\n")
    (found,) = told(templates, Use("win/mail", "email", "marketing"))
    assert found == "J165 win/mail.en.txt:1: a marketing mail's text part needs the way out too"


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "{{ 7*7 }}", "jq0x", "<!--jq0x-->"]
)
def test_customers_text_stays_inert_in_html(templates: Templates, name: str) -> None:
    content = render(templates, her=replace(SAMPLE, first_name=name))
    assert "<script" not in content.html
    assert "<img src=x" not in content.html.replace("\n", " ")
    assert "49" not in content.title
    assert name in content.text


def test_mjml_carries_files_too_and_its_tables_are_whole(templates: Templates, write: Write) -> None:
    write(
        "win/mail.en.mjml",
        """<mjml><mj-head>{{ attach("terms.pdf") }}<mj-title>M</mj-title></mj-head><mj-body><mj-section><mj-column>
        <mj-image src="{{ image('logo.gif') }}" alt="Marchand" />
        <mj-table>{% for each in orders.top_categories %}<tr><td>{{ each }}</td></tr>{% endfor %}</mj-table>
        </mj-column></mj-section>{{ attach("terms.pdf") }}</mj-body></mjml>""",
    )
    content = render(templates)
    assert {file.name for file in content.files} == {"logo.gif", "terms.pdf"}
    page = content.html.replace("\n", " ")
    assert page.count("cid:") == 1
    rows = page[: page.index(">Wine</td>")].rpartition("<table")[2]
    assert rows.count("<tbody>") == 1
    assert "<tbody>" not in page[page.index(">Wine</td>") : page.index(">Bread</td>")]
    assert content.text == "[Marchand]\n\nWine\nTea\nBread"
