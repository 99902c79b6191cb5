"""Letters by their numbers: a mail of them says the same, and what reads no numbers keeps its letters."""

from __future__ import annotations

from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from engine.links import Links
from engine.outgoing import Content
from engine.settings import Settings
from engine.templating.checking import SAMPLE, SAMPLE_FACTS
from engine.templating.numbered import numbered
from engine.templating.rendering import Renderer
from engine.templating.templates import Templates

PAGE = """<html lang="en"><head><title>x</title><style>@media print {{ .a::before {{ content: "{sheet}" }} }}</style></head>
<body><p title="Füße">{body}</p><p>{{{{ unsubscribe_url }}}} {{{{ brand.address }}}}</p></body></html>"""


def made(folder: Path, body: str, *, sheet: str = "–", name: str = "Zoë", last: str = "Ba") -> Content:
    (folder / "t").mkdir(exist_ok=True)
    (folder / "t" / "mail.en.html").write_text(PAGE.format(body=body, sheet=sheet), encoding="utf-8")
    templates = Templates.of(Settings(journeys=folder))
    return Renderer(templates, Links("https://p.example", b"k")).render(
        "email", replace(SAMPLE, first_name=name, last_name=last), "t/mail", "1-1-0", SAMPLE_FACTS
    )


def test_a_page_and_what_it_prints_say_their_letters_by_number(tmp_path: Path) -> None:
    mail = made(
        tmp_path,
        "Grüße, {{ customer.first_name }}: {{ money(1250) }} <b>&amp;</b> {{ customer.last_name }}",
        sheet="-",
        last="<é>",
    )
    assert mail.html.isascii()
    said = unescape(mail.html)
    assert "Grüße, Zoë: €12.50 <b>&</b> <é>" in said
    assert 'title="Füße"' in said
    assert "&lt;&#233;&gt;" in mail.html
    assert "Grüße, Zoë: €12.50 & <é>" in mail.text


def test_a_style_sheet_keeps_its_letters(tmp_path: Path) -> None:
    mail = made(tmp_path, "Grüße")
    assert 'content: "–"' in mail.html
    assert "Gr&#252;&#223;e" in mail.html


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{% filter upper %}Grüße, {{ customer.first_name }}{% endfilter %}", "GRÜSSE, ZOË"),
        ("{% set who %}{{ customer.first_name }}é{% endset %}{{ who|length }}", ">4<"),
        ("{% macro of(x) %}é{{ x }}{% endmacro %}{{ of(customer.first_name)|upper }}", "ÉZOË"),
    ],
)
def test_where_a_template_works_on_what_it_printed_letters_stay_letters(tmp_path: Path, body: str, said: str) -> None:
    assert said in made(tmp_path, body).html


def test_where_a_style_sheet_prints_letters_stay_letters(tmp_path: Path) -> None:
    assert 'content: "Zoë"' in made(tmp_path, "Grüße", sheet="{{ customer.first_name }}").html


@pytest.mark.parametrize(
    "page",
    [
        "\x85 é" + 100 * "x",
        "plain",
        "<style>é",
        '<script type="application/ld+json">{"name": "Café"}</script>',
        "<p>Добрый день, дорогие друзья</p>",
        "<p>您好，您的购物篮在等您</p>",
    ],
)
def test_a_page_whose_numbers_would_say_something_else_or_take_more_room_stays_as_it_is(page: str) -> None:
    assert numbered(page) == page
