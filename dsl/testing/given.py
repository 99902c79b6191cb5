"""What a test gives a walk, tried before it is used: what fits nowhere would let a test pass for the wrong reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

from dsl.channels import Sending
from dsl.states import State

__all__ = ["amount", "holidays_of", "lines", "one_of", "person", "reached_by"]


def person(given: object) -> dict[str, Any]:
    """A customer's facts. Raises TypeError for what holds none."""
    if not isinstance(given, Mapping):
        raise TypeError(f'a customer is her facts, customer(country="FR"), not {given!r}')
    return dict(cast("Mapping[str, Any]", given))


def lines(given: object) -> Sequence[Mapping[str, Any]]:
    """Order lines. Raises TypeError for what is none."""
    if isinstance(given, Sequence) and all(isinstance(line, Mapping) for line in cast("Sequence[object]", given)):
        return cast("Sequence[Mapping[str, Any]]", given)
    raise TypeError(f"orders are order lines, orders(3) or [order(45)], not {given!r}")


def holidays_of(given: Iterable[object]) -> set[date]:
    """Public holidays. Raises TypeError for what is no day."""
    found: set[date] = set()
    for day in given:
        if not isinstance(day, date) or isinstance(day, datetime):
            raise TypeError(f"holidays are days, date(2026, 1, 1), not {day!r}")
        found.add(day)
    return found


def reached_by(given: object) -> type[Sending] | State:
    """A channel, or a box. Raises TypeError for what is neither."""
    if isinstance(given, State) or (isinstance(given, type) and issubclass(given, Sending)):
        return given
    raise TypeError(f"she is reached by a channel or a box, Email or WinBack.sms, not by {given!r}")


def amount(word: str, given: object) -> float:
    """A number. Raises TypeError for what is none."""
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal):
        raise TypeError(f"{word}= takes a number, not {given!r}")
    return cast("float", given)


def one_of(word: str, given: str, there: Sequence[str]) -> str:
    """One of the words that there are. Raises ValueError for another."""
    if given not in there:
        raise ValueError(f"{word}={given!r}: there are {', '.join(there)}")
    return given
