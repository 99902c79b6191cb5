"""Names and the like, as people and other systems write them: which characters they may hold."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["bare", "printable", "spaced"]

_BLANK = re.compile(r"[^\S\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]")
_JOINING = re.compile("[\u200c-\u200f]")


def spaced(text: str) -> str:
    """Every blank as a plain space: the no-break ones of web pages and phone numbers, and the wide one of Japanese names."""
    return text if text.isascii() else _BLANK.sub(" ", text)


def printable(text: str) -> bool:
    """Whether it holds no control character, nor what turns the direction of text around it.

    What joins letters, or tells their direction in passing, is none: Persian and Hindi names are written with it, and emoji.
    """
    return text.isprintable() or _JOINING.sub("", text).isprintable()


def bare(text: str) -> str:
    """Without the marks that nobody sees: those of direction, joiners, blanks without a width."""
    return text if text.isascii() else "".join(each for each in text if unicodedata.category(each) != "Cf")
