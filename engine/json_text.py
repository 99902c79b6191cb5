"""JSON from outside: read so that one value of it which nobody can keep costs itself alone, and told by its place."""

from __future__ import annotations

import json
import re
from math import isfinite, isnan
from typing import Any, cast

__all__ = ["parsed", "suspicious", "unfit"]

# JSON that needs a closer look: NUL, half of a surrogate pair, NaN, Infinity, numbers past the largest.
_SUSPICIOUS = re.compile(rb"\x00|\\u0000|\\u[dD][89a-fA-F]|NaN|Infinity|[eE]\+?\d{3}|\d{300}")
_DIGITS = 300


def parsed(text: bytes | str) -> Any:
    """What it says. Raises ValueError for what is no JSON, or is nested past what can be read.

    A whole number past the largest that JSON's readers know is infinite, which `unfit` tells: Python would read none of
    the text around one of more than 4,300 digits.
    """
    try:
        return json.loads(text, parse_int=_whole) if suspicious(text) else json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def suspicious(text: bytes | str) -> bool:
    """Whether JSON needs a closer look by `unfit`."""
    raw = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
    return _SUSPICIOUS.search(raw) is not None


def unfit(value: Any) -> tuple[str, str] | None:
    """Where a value holds text that PostgreSQL can't hold, or a number that JSON doesn't know, and which."""
    todo: list[tuple[str, Any]] = [("", value)]
    while todo:
        where, value = todo.pop()
        wrong = _wrong(value)
        if wrong is not None:
            return where, wrong
        if isinstance(value, dict):
            for name, each in cast("dict[str, Any]", value).items():
                todo.append((f"{where}.{name}".lstrip("."), each))
                todo.append((f"{where} (a name)".lstrip(), name))
        elif isinstance(value, list):
            todo.extend((f"{where}[{index}]", each) for index, each in enumerate(cast("list[Any]", value)))
    return None


def _wrong(value: object) -> str | None:
    if isinstance(value, str):
        if "\x00" in value:
            return "a NUL character"
        if any("\ud800" <= mark <= "\udfff" for mark in value):
            return "half of a surrogate pair"
    elif isinstance(value, float) and not isfinite(value):
        return "a number that is none (NaN)" if isnan(value) else "a number that is past the largest, or infinite"
    return None


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < _DIGITS else float(digits)
