"""Which characters the letters' face can print: PDF/A refuses a page with one that it can't."""

from __future__ import annotations

import struct
import unicodedata
from functools import lru_cache
from importlib.resources import files

__all__ = ["FONTS", "lost", "printable"]

FONTS = str(files("font_source_sans_pro") / "files")
"""The folder of the face, in its wheel."""


def printable(text: str) -> str | None:
    """The text without what can't be printed (an emoji); None if a letter, a digit or a sign of a script would be lost."""
    covered = _covered()
    if all(ord(each) in covered for each in text):
        return text
    kept: list[str] = []
    for each in unicodedata.normalize("NFC", text):
        if ord(each) in covered:
            kept.append(each)
            continue
        simple = "".join(part for part in unicodedata.normalize("NFKD", each) if ord(part) in covered)
        if not simple and unicodedata.category(each)[0] in "LMN":
            return None
        kept.append(simple)
    return " ".join("".join(kept).split())


def lost(text: str) -> str:
    """The characters of a text that a letter can't show, each once: they are left out, and whoever prints is told."""
    covered = _covered()
    return "".join(
        dict.fromkeys(
            each
            for each in text
            if ord(each) not in covered
            and not each.isspace()
            and not any(ord(part) in covered for part in unicodedata.normalize("NFKD", each))
        )
    )


@lru_cache(maxsize=1)
def _covered() -> frozenset[int]:
    """The code points of the face's `cmap` table, format 4 (OpenType 1.9, "cmap")."""
    font = (files("font_source_sans_pro") / "files" / "SourceSansPro-Regular.ttf").read_bytes()
    tables = {
        font[at : at + 4]: struct.unpack_from(">I", font, at + 8)[0] for at in range(12, 12 + 16 * _u16(font, 4), 16)
    }
    cmap: int = tables[b"cmap"]
    found: set[int] = set()
    for at in range(cmap + 4, cmap + 4 + 8 * _u16(font, cmap + 2), 8):
        start = cmap + int(struct.unpack_from(">I", font, at + 4)[0])
        if _u16(font, start) == 4:  # the format's number
            found |= _segments(font, start)
    return frozenset(found)


def _segments(font: bytes, start: int) -> set[int]:
    double = _u16(font, start + 6)
    ends, starts = start + 14, start + 16 + double
    found: set[int] = set()
    for at in range(0, double, 2):
        first, last = _u16(font, starts + at), _u16(font, ends + at)
        delta, offset = _u16(font, starts + double + at), _u16(font, starts + 2 * double + at)
        for code in range(first, last + 1):
            place = starts + 2 * double + at + offset + 2 * (code - first)
            glyph = _u16(font, place) if offset else (code + delta) & 0xFFFF
            if glyph and code != 0xFFFF:  # the table's own end mark
                found.add(code)
    return found


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")
