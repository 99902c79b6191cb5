"""What a test gives a walk, tried before it is used: what fits nowhere would let a test pass for the wrong reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, cast

from dsl.channels import Sending
from dsl.journey import Journey
from dsl.states import State
from dsl.testing.fields import Given, named

__all__ = ["amount", "box_that_sends", "holidays_of", "lines", "one_of", "person", "reached_by"]


def person(given: object) -> dict[str, Any]:
    """A customer's facts. Raises TypeError for what holds none."""
    if not isinstance(given, Mapping):
        raise TypeError(f'a customer is her facts, customer(country="FR"), not {given!r}')
    return named(cast("Given", given))


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


def box_that_sends(given: State, journey: type[Journey]) -> State:
    """A box of the journey's own that sends. Raises ValueError for another."""
    if getattr(journey, given.name, None) is not given:
        raise ValueError(f"`{given.name}` is no box of {journey.__name__}: name one of its own, {journey.__name__}.…")
    if not given.channels:
        raise ValueError(
            f"`{given.name}` sends nothing, so nothing of it can be kept back: name a box that sends, or a channel"
        )
    return given


def amount(word: str, given: object) -> float:
    """A number, as JSON has it: conditions are asked about no Decimal. Raises TypeError for what is none."""
    if isinstance(given, Decimal):
        given = int(given) if given.is_finite() and given == given.to_integral_value() else float(given)
    if isinstance(given, bool) or not isinstance(given, int | float) or not isfinite(given):
        raise TypeError(f"{word}= takes a number, not {given!r}")
    return given


def one_of(word: str, given: str, there: Sequence[str]) -> str:
    """One of the words that there are. Raises ValueError for another."""
    if given not in there:
        raise ValueError(f"{word}={given!r}: there are {', '.join(there)}")
    return given
