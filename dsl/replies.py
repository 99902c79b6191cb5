"""The first word of a reply: what `.keyword("YES")` compares with, for the engine and for an author's tests alike."""

from __future__ import annotations

import re

__all__ = ["first_word"]


def first_word(text: str) -> str:
    """The first word in capitals, without the signs around it: "YES" of "Yes, please". Empty if there is none."""
    found = re.search(r"\w+", text)
    return found[0].upper() if found is not None else ""
