"""Templates: found by language, compiled once, strict about names, and deaf to what customers call themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from engine.db import Database, table
from engine.links import Links
from engine.sms.text import plain
from engine.tables import TemplateVersion
from engine.templating.checking import SAMPLE, SAMPLE_FACTS, Use, check_templates
from engine.templating.context import Brand
from engine.templating.rendering import Renderer
from engine.templating.templates import TemplateError, TemplateMissing, Templates

LINKS = Links("https://journeys.example", b"a key")

MAIL = """<mjml lang="en">
  <mj-head>
    <mj-title>{{ customer.first_name or "Hello" }}, 10 % for you</mj-title>   <!-- our own remark -->
    <mj-preview>On {{ orders.top_category }}</mj-preview>
    <mj-include path="parcours/look.mjml" />
  </mj-head>
  <mj-body mj-class="page">
    <mj-include path="parcours/header.mjml" />
    <mj-section mj-class="card">
      <mj-column>
        <mj-text mj-class="title">Dear {{ customer.first_name }}</mj-text>
        {% if orders.count > 3 and orders.total < 99999 %}
        <mj-text>{{ orders.count }} orders, {{ money(orders.total) }}.
          <a href="{{ link('https://shop.example/t?a=1&amp;b=2', 'terms') }}">The terms</a></mj-text>
        {% endif %}
        <mj-table>{% for each in orders.top_categories %}<tr><td>{{ loop.index }}</td><td>{{ each }}</td></tr>{% endfor %}</mj-table>
        <mj-button href="{{ link('https://shop.example/', 'shop') }}">The shop</mj-button>
        <mj-button mj-class="second" href="{{ link('https://shop.example/', 'shop') }}">The shop again</mj-button>
      </mj-column>
    </mj-section>
    <mj-include path="parcours/footer.mjml" />
  </mj-body>
</mjml>
"""

NAUGHTY = (
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "#panic() $x^2$ *bold* _it_",
    "\u202eevil\u202c",
    "محمد",
    "🦊 Fox",
    "a\r\nBcc: x@example.com",
    '"><img src=x>',
    "O’Brien & Söhne",  # a typographer's apostrophe
    "\x00\x1b[31m",
    "-" * 400,
)

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.fixture
def templates(tmp_path: Path, write: Write) -> Templates:
    write("win/mail.en.mjml", MAIL)
    write("win/text.en.txt", "Hi {{ customer.first_name }}: {{ link('https://shop.example/', 'shop') }} STOP")
    write("win/item.en.html", "<title>For {{ customer.first_name }}</title>\n<p>{{ customer.last_name }}</p>")
    return Templates(tmp_path, brand=Brand("Marchand & Filles", "12 rue des Halles, Lyon", "https://shop.example"))


def told(templates: Templates, *uses: Use, attributes: Sequence[str] = ()) -> list[str]:
    """The problems, each in a line."""
    return [
        f"{error.file.removeprefix(f'{templates.folder}/')}:{error.line}: {error.message}{f'; {error.help}' if error.help else ''}"
        for error in check_templates(templates, uses, attributes)
    ]


def test_the_file_is_the_customers_language_else_the_projects_else_any(templates: Templates, write: Write) -> None:
    write("win/mail.fr.mjml", MAIL.replace("Dear", "Chère"))
    assert templates.find("win/mail", "email", "fr").language == "fr"
    assert templates.find("win/mail", "email", "fr-CA").language == "fr"
    assert templates.find("win/mail", "email", "de").language == "en"
    write("win/only.it.txt", "Ciao")
    assert templates.find("win/only", "sms", "de").language == "it"


def test_a_missing_file_says_where_was_looked_and_what_is_there(templates: Templates) -> None:
    with pytest.raises(TemplateMissing) as caught:
        templates.find("win/maill", "email", "fr")
    said = str(caught.value)
    for part in ("email 'win/maill'", "maill.<language>.mjml", "fr, en", "mail.en.mjml"):
        assert part in said
    with pytest.raises(TemplateError, match="reference is like"):
        templates.find("../etc/passwd", "email", "en")


def test_S4_the_hash_is_of_the_whole_source_and_the_version_is_kept(
    templates: Templates, write: Write, sqlite: Database
) -> None:
    write("win/_part.mjml", "<mj-section><mj-column><mj-text>Part</mj-text></mj-column></mj-section>")
    path = write("win/mail.en.mjml", MAIL.replace('path="parcours/header.mjml"', 'path="_part.mjml"'))
    before = templates.find("win/mail", "email", "en")
    assert "<mj-text>Part</mj-text>" in before.source
    with sqlite.write() as conn:
        templates.keep(conn, [before.hash, before.hash])
        templates.keep(conn, [before.hash])
    write("win/_part.mjml", "<mj-section><mj-column><mj-text>Another</mj-text></mj-column></mj-section>")
    assert templates.find("win/mail", "email", "en").hash != before.hash
    path.write_text("<mjml></mjml>")
    with sqlite.read() as conn:
        kept = conn.execute(select(table(TemplateVersion))).one()
    assert (kept.hash, kept.source, kept.language) == (before.hash, before.source, "en")


def test_placeholders_outlive_mjml_and_the_two_parts_agree_on_links(templates: Templates) -> None:
    content = Renderer(templates, LINKS).render("email", SAMPLE, "win/mail", "1-1-0", SAMPLE_FACTS)
    assert content.title == "Camille, 10 % for you"
    assert [link.url for link in content.links] == ["https://shop.example/t?a=1&b=2", "https://shop.example/"]
    for index in (0, 1):
        assert LINKS.click("1-1-0", index) in content.html
        assert LINKS.click("1-1-0", index) in content.text
    assert LINKS.click("1-1-0", 2) not in content.html
    assert content.html.count(LINKS.open_pixel("1-1-0")) == 1
    assert "4 orders, &#8364;123.45" in content.html
    assert content.html.count(">Tea</td>") == 1
    assert "1  Wine\n2  Tea\n3  Bread\n" in content.text
    assert "jq" not in content.text
    assert "our own remark" not in content.html
    assert "{{" not in content.html + content.text
    assert LINKS.unsubscribe("1-1-0") in content.text
    assert "12 rue des Halles" in content.text
    plain = Renderer(templates, LINKS).render("email", SAMPLE, "win/mail", "1-1-0", {})
    assert "orders," not in plain.html + plain.text
    assert plain.template_hash == content.template_hash != content.hash != plain.hash


@pytest.mark.parametrize("name", NAUGHTY)
def test_customers_text_stays_inert(templates: Templates, name: str) -> None:
    renderer = Renderer(templates, LINKS)
    her = replace(SAMPLE, first_name=name, last_name=name)
    mail = renderer.render("email", her, "win/mail", "1-1-0", SAMPLE_FACTS)
    assert "<script" not in mail.html
    assert "<img src=x" not in mail.html
    assert "\n" not in mail.title
    assert "\u202e" not in mail.html + mail.text + mail.title
    assert "49" not in mail.title
    item = renderer.render("feed", her, "win/item", "1-1-0", {})
    assert "<script" not in item.html
    text = renderer.render("sms", her, "win/text", "1-1-0", {})
    assert "49" not in text.text.partition(":")[0]
    assert "\x00" not in mail.html + item.html + text.text


def test_a_wrong_field_names_file_line_and_the_right_one(templates: Templates, write: Write) -> None:
    write("win/wrong.en.mjml", MAIL.replace("Dear {{ customer.first_name", "Dear {{ customer.frist_name"))
    write("win/wrong.fr.mjml", MAIL.replace("money(", "mony(").replace("orders.count >", "orders.number >"))
    write("win/wrong.en.typ", "= Hello\n\nDear #customer.frist_name,\n")
    first, second, third = told(templates, Use("win/wrong", "email"))
    assert first.startswith(
        "win/wrong.en.mjml:11: customer has no field 'frist_name'; did you mean 'first_name'? known: "
    )
    assert second.startswith(
        "win/wrong.fr.mjml:13: there is no name 'mony'; did you mean 'money'? known: customer, orders"
    )
    assert third.startswith("win/wrong.fr.mjml:12: orders has no field 'number'; known: count, total, last_at")
    (problem,) = told(templates, Use("win/wrong", "letter"))
    assert problem.startswith("win/wrong.en.typ:3: customer has no field 'frist_name'; did you mean 'first_name'?")
    with pytest.raises(TemplateError, match=r"win/wrong.en.mjml:11: customer has no field 'frist_name'"):
        Renderer(templates, LINKS).render("email", SAMPLE, "win/wrong", "1-1-0", SAMPLE_FACTS)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("</mj-column>", "", "20: </mj-section> closes what is not open; what is open is mj-column (opened at win/mail.en.mjml:10)"),
        ("</mj-text>", "</mj-txt>", "13: <mj-text> can't stand inside <mj-text>"),
        ("<mj-button h", "<mj-buton h", "17: MJML has no element <mj-buton>; did you mean 'mj-button'?"),
        ("{% endif %}", "", "12: {% if … %} is never closed; write {% endif %}"),
        ("<mj-table>", "stray <mj-table>", "16: text stands outside of <mj-text>: 'stray'"),
        ("https://shop.example/'", "javascript:alert(1)'", "17: link() leads to http:// and https:// addresses"),
        ("parcours/look.mjml", "parcours/lok.mjml", "5: there is no 'parcours/lok.mjml'; did you mean 'look.mjml'?"),
        ('<mj-title>{{ customer.first_name or "Hello" }}, 10 % for you</mj-title>', "", "there is no title"),
        ("{{ money(orders.total) }}", "{{ money(orders.top_category) }}", "13: "),
        ('<mj-include path="parcours/footer.mjml" />', "", "a marketing mail needs the way out"),
        ("{% if orders.count > 3", '{% include "x" %}{% if orders.count > 3', "12: no Jinja include here"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_its_line(
    templates: Templates, write: Write, old: str, new: str, problem: str
) -> None:
    assert old in MAIL
    write("win/mail.en.mjml", MAIL.replace(old, new, 1))
    found = told(templates, Use("win/mail", "email", "marketing"))
    assert any(problem in each and each.startswith("win/mail.en.mjml:") for each in found), found


def test_what_is_fine_has_no_problems(templates: Templates) -> None:
    uses = [Use("win/mail", "email", "marketing"), Use("win/text", "sms"), Use("win/item", "feed")]
    assert check_templates(templates, uses) == []


def test_an_own_attribute_is_known_if_it_is_declared(templates: Templates, write: Write) -> None:
    write("win/own.en.txt", "Hi {{ customer.tier }}")
    assert "customer has no field 'tier'" in told(templates, Use("win/own", "sms"))[0]
    assert told(templates, Use("win/own", "sms"), attributes=["tier"]) == []
    her = replace(SAMPLE, attributes={"tier": "gold"})
    assert Renderer(templates, LINKS).render("sms", her, "win/own", "1-1-0", {}).text == "Hi gold"


def test_templates_reach_no_machinery(templates: Templates, write: Write) -> None:
    write("win/evil.en.txt", "{{ customer.__class__.__mro__ }}")
    with pytest.raises(TemplateError, match=r"win/evil.en.txt:1"):
        Renderer(templates, LINKS).render("sms", SAMPLE, "win/evil", "1-1-0", {})


def test_dates_and_money_are_written_as_the_language_has_them(templates: Templates, write: Write) -> None:
    for language in ("en", "fr", "de"):
        said = "{{ date(orders.last_at) }} {{ money(orders.total) }}{{ date(none) }}"
        write(f"win/word.{language}.html", f"<title>{said}</title>{said}")
        write(f"win/word.{language}.txt", said)
    facts = {"orders": {"total": 123_450, "last_at": datetime(2026, 2, 28, 23, 30, tzinfo=UTC)}}

    def told(channel: str) -> list[str]:
        renderer = Renderer(templates, LINKS)
        made = (
            renderer.render(channel, replace(SAMPLE, language=each), "win/word", "1-1-0", facts)
            for each in ("en", "fr", "de")
        )
        return [content.text or content.html for content in made]

    # 23:30 in London is the next day where she lives
    wanted = ["1 March 2026 €1,234.50", "1er mars 2026 1\u202f234,50\u00a0€", "1. März 2026 1.234,50\u00a0€"]
    assert told("call") == wanted
    assert [plain(text) for text in told("sms")] == [
        "1 March 2026 €1,234.50",
        "1er mars 2026 1 234,50 €",
        "1. März 2026 1.234,50 €",
    ]


def test_a_mail_takes_less_than_three_milliseconds(templates: Templates) -> None:
    renderer = Renderer(templates, LINKS)
    renderer.render("email", SAMPLE, "win/mail", "1-1-0", SAMPLE_FACTS)
    start = time.process_time()
    for number in range(100):
        renderer.render("email", SAMPLE, "win/mail", f"{number}-1-0", SAMPLE_FACTS)
    assert (time.process_time() - start) / 100 < 0.003
