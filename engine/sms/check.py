"""What is said of text messages before one is sent: the letters that make them long, their pictures, and what they cost."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from jinja2 import Environment, TemplateSyntaxError

from dsl.pointing import shown
from dsl.problems import JourneyError
from engine.links import Links
from engine.outgoing import Content
from engine.settings import Settings
from engine.sms.text import Tariff, finished, front, picture_address, plain, segments, wide
from engine.templating.checking import SAMPLE, SAMPLE_FACTS, Use
from engine.templating.rendering import Renderer
from engine.templating.templates import Template, TemplateError, Templates

__all__ = ["Cost", "sms_costs", "sms_problems", "sms_remarks"]

_LARGEST = 5_000_000
"""Bytes of a picture that carriers take (Twilio: 5 MB)."""
_LEXER = Environment(autoescape=False)  # noqa: S701  # it renders nothing
_INSTEAD = {"`": "'", "´": "'", "«": '"', "»": '"', "œ": "oe", "Œ": "OE", "•": "-", "·": "-", "ç": "c"}


@dataclass(frozen=True, slots=True)
class Cost:
    """A text message in one language, for a customer of whom all is known."""

    file: str
    text: str
    media: str
    characters: int
    alphabet: str
    segments: int
    """0 for a picture that goes as MMS."""
    cost: int
    """Thousandths of a cent."""


def sms_costs(settings: Settings, templates: Templates, uses: Sequence[Use], number: str) -> list[Cost]:
    """Every text message of these journeys, as it would go to a number. Templates that can't be rendered are left out."""
    tariff, links = Tariff(settings), Links(settings.public_url, b"trial")
    found: list[Cost] = []
    for template in _templates(templates, uses):
        try:
            content = _sample(templates, links, template)
            picture = picture_address(content.media, template.ref, links.media)
        except TemplateError:
            continue
        mms = tariff.mms(number) if picture else None
        made = finished(content, picture, as_link=mms is None)
        count = segments(made.text) if mms is None else 0
        price = tariff.price(number, made.text) if mms is None else mms
        alphabet = "UCS-2" if wide(made.text) else "GSM-7"
        found.append(Cost(template.file, made.text, made.media, len(made.text), alphabet, count, price))
    return found


def sms_problems(templates: Templates, uses: Sequence[Use]) -> list[JourneyError]:
    """Pictures that aren't there, or that no carrier takes."""
    return [problem for template in _templates(templates, uses) for problem in _pictures(templates, template)]


def sms_remarks(templates: Templates, uses: Sequence[Use]) -> list[JourneyError]:
    """The letters that GSM's alphabet doesn't have, each with its place: they make a text cost more, and refuse nothing."""
    return [remark for template in _templates(templates, uses) for remark in _letters(templates, template)]


def _templates(templates: Templates, uses: Sequence[Use]) -> Iterator[Template]:
    refs = dict.fromkeys(use.ref for use in uses if use.channel == "sms")
    for ref in refs:
        try:
            for language in templates.languages(ref, "sms"):
                yield templates.find(ref, "sms", language)
        except TemplateError:
            continue  # the check of templates says so


def _sample(templates: Templates, links: Links, template: Template) -> Content:
    recipient = replace(SAMPLE, language=template.language)
    return Renderer(templates, links).render("sms", recipient, template.ref, "1234567-12-0", SAMPLE_FACTS)


def _pictures(templates: Templates, template: Template) -> Iterator[JourneyError]:
    try:
        media, _ = front(template)
        if "{{" in media or "{%" in media:
            return
        name = picture_address(media, template.ref, lambda name: name)
    except TemplateError as error:
        if not error.line:  # with a line it is the syntax, which the check of templates tells
            yield _pointed(templates, template, 2, 0, 0, "J160", error.message, "")
        return
    if not name or "://" in name:
        return
    file = templates.folder / name
    if not file.is_file():
        yield _pointed(
            templates, template, 2, 0, 0, "J160", f"there is no picture {name!r}", f"put it at {shown(str(file))}"
        )
    elif file.stat().st_size > _LARGEST:
        text = f"the picture {name!r} has {file.stat().st_size:,} bytes; carriers take {_LARGEST:,}"
        yield _pointed(templates, template, 2, 0, 0, "J160", text, "make it smaller")


def _letters(templates: Templates, template: Template) -> Iterator[JourneyError]:
    told: set[str] = set()
    for line, column, letter in _literal(template):
        if letter in told or not wide(plain(letter)):
            continue
        told.add(letter)
        text = f"{letter!r} is no letter of GSM's alphabet: with it a text message has 70 characters, not 160"
        instead = _INSTEAD.get(letter) or _bare(letter)
        yield _pointed(
            templates, template, line, column, column + 1, "", text,
            f"write {instead}" if instead else "leave it out", _price(templates, template),
        )  # fmt: skip


def _literal(template: Template) -> Iterator[tuple[int, int, str]]:
    """The letters that the author wrote to be read: line and column from 1 and 0, outside of Jinja's own words."""
    try:
        tokens = list(_LEXER.lex(template.source))
    except TemplateSyntaxError:
        return
    line, column = 1, 0
    for _, kind, value in tokens:
        for letter in value:
            if (kind in {"data", "string"} and not letter.isascii()) or (kind == "data" and letter == "`"):
                yield line, column, letter
            line, column = (line + 1, 0) if letter == "\n" else (line, column + 1)


def _price(templates: Templates, template: Template) -> tuple[str, ...]:
    """What the letters cost, where it shows for a customer like the trial one."""
    try:
        text = plain(_sample(templates, Links(templates.brand.url or "https://example.org", b"trial"), template).text)
    except TemplateError:
        return ()
    count, without = segments(text), segments("".join("x" if wide(letter) else letter for letter in text))
    many = "message" if count == 1 else "messages"
    return (f"for {SAMPLE.first_name} it is sent, and paid, as {count} {many}; without such letters as {without}",)


def _bare(letter: str) -> str:
    """The letter without its accent, if that is GSM's."""
    bare = "".join(mark for mark in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(mark))
    return "" if not bare or bare == letter or wide(bare) else bare


def _pointed(
    templates: Templates, template: Template, line: int, start: int, end: int, code: str, text: str, way_out: str,
    notes: tuple[str, ...] = (),
) -> JourneyError:  # fmt: skip
    name, at = template.at(line)
    source = templates.line(name, at)
    return JourneyError(
        code,
        text,
        file=shown(str(templates.folder / name)),
        line=at,
        column=start + 1,
        end_column=(end or max(len(source.rstrip()), 1)) + 1,
        source=source,
        notes=notes,
        help=way_out,
    )
