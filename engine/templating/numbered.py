"""Letters by their numbers: HTML that says `&#8364;` for the euro sign is ASCII, and a mail of it takes less work to send."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

__all__ = ["numbered", "numbered_value", "takes_numbers"]

_SHEET = re.compile(r"<(style|script)\b.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_MOST = 1.1  # times as long: where most letters are such (Greek, Chinese), numbers take more room than any encoding
_C1 = re.compile(r"[\x80-\x9f]")  # HTML reads their numbers as other letters
_WORKED_ON = re.compile(r"\{%[-+]?\s*(?:filter|call|macro|set\b[^=]*%\})")


def numbered(page: str) -> str:
    """A template's page, whose Jinja is put away. Style sheets and scripts read no numbers, so their letters stay."""
    if page.isascii() or _C1.search(page):
        return page
    out: list[str] = []
    at = 0
    for sheet in _SHEET.finditer(page):
        out += (_ascii(page[at : sheet.start()]), sheet[0])
        at = sheet.end()
    made = "".join((*out, _ascii(page[at:])))
    return made if len(made) <= _MOST * len(page.encode("utf-8", "replace")) else page


def takes_numbers(source: str) -> bool:
    """Whether this Jinja template's letters may be numbers: nothing in it works on what it has printed, and no sheet or script prints."""
    return not (_WORKED_ON.search(source) or any("{{" in sheet[0] for sheet in _SHEET.finditer(source)))


def numbered_value(value: object) -> object:
    """What such a template prints, as Jinja's `finalize` has it."""
    if value is None:
        return ""
    if not isinstance(value, str) or value.isascii() or _C1.search(value):
        return value
    return Markup(_ascii(escape(value)))  # noqa: S704  # it is escaped in this line


def _ascii(text: str) -> str:
    return text.encode("ascii", "xmlcharrefreplace").decode()
