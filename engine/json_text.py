"""JSON from outside: read so that one value of it which nobody can keep costs itself alone, and told by its place."""

from __future__ import annotations

import json
import re
from math import isnan
from sys import float_info
from typing import Any, cast

__all__ = ["parsed", "suspicious", "unfit"]

_SIGNS = (b"\x00", b"NaN", b"Infinity")
_ESCAPES = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
# Where a value may begin: in the midst of a text, as a UUID with `8e123` in it, no number stands.
_NUMBERS = re.compile(rb"(?:\A|[:\[,\s])-?\d(?:[\d.]*[eE]\+?\d{3}|\d{299})")
_DIGITS = 300


def parsed(text: bytes | str) -> Any:
    """What it says. Raises ValueError for what is no JSON, or is nested past what can be read.

    A whole number of more than 4,300 digits, for which Python would read none of the text around it, is infinite, which `unfit` tells.
    """
    try:
        return _loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def suspicious(body: bytes) -> bool:
    """Whether JSON needs a closer look by `unfit`: for NUL, half of a surrogate pair, NaN, Infinity, numbers past the largest."""
    return (
        any(sign in body for sign in _SIGNS) or _ESCAPES.search(body) is not None or _NUMBERS.search(body) is not None
    )


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


def _loads(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return json.loads(text, parse_int=_whole)


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < _DIGITS else float(digits)


def _wrong(value: object) -> str | None:
    if isinstance(value, str):
        if "\x00" in value:
            return "a NUL character"
        if any("\ud800" <= mark <= "\udfff" for mark in value):
            return "half of a surrogate pair"
    elif isinstance(value, float) and isnan(value):
        return "a number that is none (NaN)"
    elif isinstance(value, int | float) and abs(value) > float_info.max:
        return "a number that is past the largest, or infinite"
    return None
