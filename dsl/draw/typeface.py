"""Measuring and fitting text: how wide a line is, where it wraps, and how a name too long for its box is shortened."""

from __future__ import annotations

import unicodedata

from dsl.draw.widths import REGULAR, SEMIBOLD

__all__ = ["FAMILY", "clean", "fit", "width", "wrap"]

FAMILY = "'Source Sans Pro', 'Source Sans 3', 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
"""The typeface measured here first; the others are for readers that don't have it."""

_FORBIDDEN = frozenset("\ufffe\uffff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_UNKNOWN = 620
"""Thousandths of the size for a character that is not in the table: wider than most, so that text never spills."""


def clean(text: str) -> str:
    """The text on one line, without what XML forbids or what would turn the text about it around.

    XML 1.0 forbids control characters, lone surrogates and two non-characters; bidirectional controls go too.
    """
    return " ".join("".join(c if _allowed(c) else " " for c in text).split())


def width(text: str, size: float, *, bold: bool = False) -> float:
    """How wide `text` is in pixels, at a font size in pixels."""
    table = SEMIBOLD if bold else REGULAR
    return sum(table[c] if c in table else _guess(c) for c in text) * size / 1000


def fit(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """The text, shortened with an ellipsis where it is wider than `room` pixels."""
    if width(text, size, bold=bold) <= room:
        return text
    while text and width(text + "…", size, bold=bold) > room:
        text = text[:-1]
    return text.rstrip(" _-/.,") + "…"


def wrap(text: str, size: float, room: float, *, lines: int) -> tuple[str, ...]:
    """The text on at most `lines` lines of `room` pixels, the last one shortened where it doesn't fit.

    A number stays with its unit ("3 d"), and an arrow with what it points to.
    """
    words = _words(text)
    found: list[str] = []
    line = ""
    for index, word in enumerate(words):
        longer = f"{line} {word}" if line else word
        if not line or width(longer, size) <= room:
            line = longer
        elif len(found) == lines - 1:
            line = " ".join([line, *words[index:]])
            break
        else:
            found.append(fit(line, size, room))
            line = word
    return (*found, fit(line, size, room)) if line else tuple(found)


def _words(text: str) -> list[str]:
    words: list[str] = []
    for word in text.split():
        unit = words and words[-1][-1:].isdigit() and len(word.rstrip(",)")) <= 1
        if unit or (words and words[-1] in {"→", "≥", "≤", ">", "<", "="}):
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words


def _allowed(c: str) -> bool:
    return unicodedata.category(c) not in {"Cc", "Cs"} and c not in _FORBIDDEN


def _guess(c: str) -> int:
    if unicodedata.combining(c) or unicodedata.category(c) in {"Cf", "Mn", "Me"}:
        return 0
    return 1000 if unicodedata.east_asian_width(c) in {"W", "F"} else _UNKNOWN
