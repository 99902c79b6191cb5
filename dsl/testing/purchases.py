"""Purchases: orders that are made up so that what is counted over them comes out as a condition names it, or just beside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from typing import Any, Final

from dsl.expression import Aggregate
from dsl.predicate import Predicate
from dsl.testing.builders import order, ordered, orders
from dsl.testing.naming import named, span_said
from dsl.times import DAY, Duration

__all__ = ["Lot", "Purchases", "purchases"]

_MOST: Final = 400
"""Orders in a lot, at most."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Some orders, alike: how many, how far apart, how old the newest is, and what each is of."""

    count: int
    every: int
    ago: int
    """Seconds."""
    line: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __str__(self) -> str:
        """As an author writes it."""
        own = [f"ago={_span(self.ago)}", *named(self.line)]
        if self.count == 1:
            return f"order({', '.join(own)})"
        return f"*orders({', '.join([str(self.count), f'every={_span(self.every)}', *own])})"

    def made(self) -> list[Mapping[str, Any]]:
        """The order lines."""
        if self.count == 1:
            return [order(ago=Duration(self.ago), **self.line)]
        return orders(self.count, every=Duration(self.every), ago=Duration(self.ago), **self.line)


@dataclass(frozen=True, slots=True)
class Purchases:
    """All that a customer has bought."""

    lots: tuple[Lot, ...] = ()

    def __str__(self) -> str:
        said = ", ".join(str(lot) for lot in self.lots)
        if len(self.lots) == 1 and said.startswith("*"):
            return said[1:]
        return f"[{said}]"

    def lines(self, base: datetime) -> list[Mapping[str, Any]]:
        """The order lines, of ages that count back from `base`."""
        made = [line for lot in self.lots for line in lot.made()]
        return [{"order_id": f"made-{number}", **line} for number, line in enumerate(ordered(made, base))]


def purchases(
    counted: Sequence[tuple[Aggregate, datetime]],
    amounts: Sequence[tuple[Aggregate, float]],
    base: datetime,
    line_for: Callable[[Predicate, datetime], dict[str, Any] | None],
) -> Iterator[Purchases]:
    """What a customer may have bought by `base`, so that what is `counted` at those moments comes out near the `amounts`."""
    groups: dict[Predicate | None, list[Aggregate]] = {}
    for aggregate, _ in counted:
        groups.setdefault(aggregate.where, []).append(aggregate)
    now = counted[0][1]
    choices: list[list[Lot | None]] = []
    for where, own in groups.items():
        line = line_for(where, now) if where is not None else {}
        if line is None:
            continue
        named = {
            function: [amount for aggregate, amount in amounts if aggregate in own and aggregate.function == function]
            for function in ("count", "sum", "avg", "min", "max", "recency", "rhythm")
        }
        choices.append([*_lots(own, named, line, int((now - base).total_seconds())), None])
    for picked in product(*choices):
        yield Purchases(tuple(lot for lot in picked if lot is not None))


def _lots(
    own: Sequence[Aggregate], named: Mapping[str, Sequence[float]], line: dict[str, Any], later: int
) -> Iterator[Lot]:
    """`later` seconds pass before it is counted."""
    counts = list(dict.fromkeys(count for count in _counts(named) if 0 < count <= _MOST))
    window = min((aggregate.last for aggregate in own if aggregate.last is not None), default=None)
    spaces = [_days(around) for amount in named["rhythm"] for around in (amount, amount - DAY, amount + DAY)]
    ages = [round(age) - later for amount in named["recency"] for age in (amount, amount - 1, amount + 1)]
    fields = [aggregate.field.name for aggregate in own if aggregate.field is not None]
    for count, space, age in product(counts, spaces or [7 * DAY], ages or [DAY]):
        every = space
        if window is not None and not spaces:
            every = min(space, max(1, (window - later - age - 1) // count // 60 * 60))
        if age < 0 or (window is not None and age + later >= window):
            continue
        for amount in _each(named, count):
            more = {name: _amount(name, amount) for name in fields} if amount is not None else {}
            yield Lot(count, every, age, {**line, **more})


def _counts(named: Mapping[str, Sequence[float]]) -> Iterator[int]:
    for amount in named["count"]:
        yield from (round(amount), round(amount) - 1, round(amount) + 1)
    yield from (4, 2) if named["rhythm"] else (1, 3)


def _each(named: Mapping[str, Sequence[float]], count: int) -> list[float | None]:
    """What each order comes to."""
    found: list[float | None] = []
    for amount in named["sum"]:
        found += [amount / count, (amount - 1) / count, (amount + count) / count]
    for function in ("avg", "min", "max"):
        for amount in named[function]:
            found += [amount, amount - 1, amount + 1]
    return found or [None]


def _amount(name: str, amount: float) -> float:
    """In the units of an author: money is in cents within conditions."""
    value = round(amount) / 100 if name == "total" else amount
    return int(value) if value == int(value) else value


def _days(seconds: float) -> int:
    return max(1, round(seconds / DAY)) * DAY


def _span(seconds: int) -> str:
    span = span_said(seconds)
    unit, _, count = span.partition("=")
    return f"{unit}({count})" if "," not in span and seconds % 60 == 0 else f"Duration({seconds})"
