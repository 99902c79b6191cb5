"""Letters by their numbers: HTML that says `&#8364;` for the euro sign is ASCII, and a mail of it takes less work to send."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

__all__ = ["numbered", "numbered_value", "takes_numbers"]

_SHEET = re.compile(r"<style\b.*?</style>", re.DOTALL | re.IGNORECASE)
_C1 = re.compile(r"[\x80-\x9f]")  # HTML reads their numbers as other letters
_WORKED_ON = re.compile(r"\{%[-+]?\s*(?:filter|call|macro|set\b[^=]*%\})")


def numbered(page: str) -> str:
    """A template's page, whose Jinja is put away. A style sheet reads no numbers, so its letters stay."""
    if page.isascii() or _C1.search(page):
        return page
    out: list[str] = []
    at = 0
    for sheet in _SHEET.finditer(page):
        out += (_ascii(page[at : sheet.start()]), sheet[0])
        at = sheet.end()
    return "".join((*out, _ascii(page[at:])))


def takes_numbers(source: str) -> bool:
    """Whether this Jinja template's letters may be numbers: nothing in it works on what it has printed, and no style sheet prints."""
    return not (_WORKED_ON.search(source) or any("{{" in sheet for sheet in _SHEET.findall(source)))


def numbered_value(value: object) -> object:
    """What such a template prints, as Jinja's `finalize` has it."""
    if value is None:
        return ""
    if not isinstance(value, str) or value.isascii() or _C1.search(value):
        return value
    return Markup(_ascii(escape(value)))  # noqa: S704  # it is escaped in this line


def _ascii(text: str) -> str:
    return text.encode("ascii", "xmlcharrefreplace").decode()
