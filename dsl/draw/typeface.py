"""Measuring and fitting text: how wide a line is, where it wraps, and how a name too long for its box is shortened."""

from __future__ import annotations

import unicodedata
from itertools import accumulate, pairwise, takewhile

from dsl.draw.widths import REGULAR, SEMIBOLD

__all__ = ["FAMILY", "clean", "fit", "width", "wrap"]

FAMILY = "'Source Sans Pro', 'Source Sans 3', 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
"""The typeface measured here first; the others are for readers that don't have it."""

_FORBIDDEN = frozenset("\ufffe\uffff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_SIGNS = frozenset("→≥≤><=")
_NARROWER = 4.0
"""By how much a room is narrowed at a time."""
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
    used = (width(letter, size, bold=bold) for letter in text)  # added up once: a condition may have a thousand parts
    so_far = accumulate(used, initial=width("…", size, bold=bold))
    end = sum(1 for _ in takewhile(lambda wide: wide <= room, so_far)) - 1
    return text[: max(end, 0)].rstrip(" _-/.,") + "…"


def wrap(text: str, size: float, room: float, *, lines: int, balanced: bool = False) -> tuple[str, ...]:
    """The text on at most `lines` lines of `room` pixels, the last one shortened where it doesn't fit.

    A number stays with its unit ("3 d"), a comparison with both its sides, a short word with the next one, and what stands in
    brackets together, where there is room for it. `balanced`: lines that end at pauses, or about as long as each other, so that
    none is left with a word alone.
    """
    words = _words(text, size, room)
    found = _filled(words, size, room, lines)
    while balanced and len(found) > 1 and room > _NARROWER and not _at_pauses(found):
        room -= _NARROWER
        again = _filled(words, size, room, lines)
        if len(again) > len(found) or any(line.endswith("…") for line in again):
            break
        found = again
    return found


def _at_pauses(lines: tuple[str, ...]) -> bool:
    """Whether every line ends where a reader pauses: at a comma, or before a bracket."""
    return all(line.endswith(",") or after.startswith("(") for line, after in pairwise(lines))


def _filled(words: list[str], size: float, room: float, lines: int) -> tuple[str, ...]:
    """Each line with as many words as it takes."""
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


def _words(text: str, size: float, room: float) -> list[str]:
    """What no line ends within."""
    words: list[str] = []
    for word in text.split():
        if words and _bound(words[-1].rpartition(" ")[2], word) and width(f"{words[-1]} {word}", size) <= room:
            words[-1] += f" {word}"
        else:
            words.append(word)
    found: list[str] = []
    for word in words:
        within = found and found[-1].startswith("(") and ")" not in found[-1]
        if within and width(_bracket(words, found[-1]), size) <= room:
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


def _bracket(words: list[str], begun: str) -> str:
    """All of a bracket, by how it begins."""
    rest = " ".join(words)
    start = rest.index(begun)
    return rest[start : rest.find(")", start) + 1] or rest[start:]


def _bound(before: str, word: str) -> bool:
    unit = before[-1:].isdigit() and (len(word.rstrip(",)")) <= 1 or word.rstrip(",)") == "min")
    return unit or before in _SIGNS or word in _SIGNS - {"→"} or (len(before) <= 2 and before.isalpha())


def _allowed(c: str) -> bool:
    return unicodedata.category(c) not in {"Cc", "Cs"} and c not in _FORBIDDEN


def _guess(c: str) -> int:
    if unicodedata.combining(c) or unicodedata.category(c) in {"Cf", "Mn", "Me"}:
        return 0
    return 1000 if unicodedata.east_asian_width(c) in {"W", "F"} else _UNKNOWN
