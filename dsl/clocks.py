"""Clocks: times of the customer's own day, as an author writes them: nine o'clock on workdays, office hours, quiet hours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal, get_args

from dsl import ir
from dsl.problems import LanguageError

__all__ = ["Weekday", "between", "clock", "time_of_day", "weekday", "workdays", "yes"]

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_WEEKDAYS: Final[tuple[str, ...]] = get_args(Weekday)

workdays: Final[tuple[Weekday, ...]] = ("monday", "tuesday", "wednesday", "thursday", "friday")
"""Monday to Friday."""


def between(opens: str, closes: str, *, on: Iterable[Weekday] | None = None, holidays: bool = True) -> ir.Clock:
    """From `opens` to before `closes` on the customer's clock, overnight where it closes first: `between("21:00", "08:00")`.

    `on` some weekdays only; `holidays=False`: not on the public holidays of her country. Raises LanguageError for a time that
    is none, and for a window without length.
    """
    if time_of_day("between", opens) == time_of_day("between", closes):
        raise LanguageError(f"between({opens!r}, {closes!r}) leaves no time", "the second time ends the window")
    return ir.Clock(None, opens, closes, _days("between", on), yes("holidays", holidays))


def clock(at: str, on: Iterable[Weekday] | None, *, holidays: bool) -> ir.Clock:
    """Times of day as `at`, `after` and `until` take them."""
    return ir.Clock(time_of_day("at", at), None, None, _days("at", on), yes("holidays", holidays))


def time_of_day(word: str, text: object) -> str:
    """A time as HH:MM. Raises LanguageError for anything else."""
    if not isinstance(text, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text, re.ASCII):
        raise LanguageError(f"{word} takes a time of day as HH:MM, not {text!r}", 'for example "09:00"')
    return text


def weekday(word: str, name: object) -> int:
    """The number of a weekday, Monday is 0. Raises LanguageError for what is none."""
    if name not in _WEEKDAYS:
        raise LanguageError(f"{word} takes a day of the week, not {name!r}", ", ".join(_WEEKDAYS))
    return _WEEKDAYS.index(str(name))


def yes(word: str, value: object) -> bool:
    """Yes or no. Raises LanguageError for anything else."""
    if not isinstance(value, bool):
        raise LanguageError(f"{word}= takes True or False, not {value!r}")
    return value


def _days(word: str, on: Iterable[Weekday] | None) -> tuple[int, ...] | None:
    if on is None:
        return None
    names = (on,) if isinstance(on, str) else tuple(on)
    if not names:
        raise LanguageError("on= names no day: nothing would ever happen", "for example on=workdays")
    return tuple(sorted({weekday(f"{word}(…, on=)", name) for name in names}))
