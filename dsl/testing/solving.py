"""Solving: facts for which conditions hold, or don't. Values at the border come first, so that a border which moves is noticed.

Nothing is proved here: values are tried that the conditions themselves name, and those just beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice, product
from typing import Any, Final, cast

from dsl.expression import Aggregate, Constant, Expression, Facts, Field, Since, Times, Until
from dsl.facts import facts
from dsl.nodes import Node
from dsl.predicate import And, Compare, Contains, IsIn, Matches, Or, Predicate
from dsl.testing.cases import Case
from dsl.testing.purchases import Purchases, purchases
from dsl.values import Scalar

__all__ = ["Known", "Wanted", "nodes", "payload_for", "payloads", "solved"]

_TRIES: Final = 3_000
_OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A condition that is to hold at a moment, or not to."""

    condition: Predicate
    holds: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a customer: what she has bought, where that matters, and what differs from before."""

    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    purchases: Purchases | None = None


def solved(
    wanted: Sequence[Wanted],
    customer: Mapping[str, Any],
    orders: Sequence[Mapping[str, Any]],
    base: datetime,
    texts: Sequence[str] = (),
) -> Known | None:
    """What must become known of the customer, at `base`, for all of `wanted` to come true later; None: nothing was found."""
    parts = [part for each in wanted for part in _parts(each)]
    fields: dict[str, Any] = {}
    bought: Purchases | None = None
    for group in _apart(parts):
        found = _one(group, customer, orders, base, texts)
        if found is None:
            return None
        fields |= found.fields
        bought = found.purchases or bought
    return Known(fields, bought)


def payloads(
    conditions: Sequence[Predicate | None], now: datetime, texts: Sequence[str] = ()
) -> dict[tuple[bool, ...], dict[str, Any]]:
    """A payload for each pattern of which conditions hold that can be; None holds always. The emptiest payload comes first."""
    asked = [condition for condition in conditions if condition is not None]
    values = _values((leaf, value) for each in asked for leaf, value in _named(each, now, texts))
    found: dict[tuple[bool, ...], dict[str, Any]] = {}
    for row in islice(product(*values.values()), _TRIES):
        payload = {leaf.name: value for leaf, value in zip(values, row, strict=True) if value is not None}
        known = Facts(payload=payload)
        found.setdefault(tuple(each is None or each.evaluate(known, now) for each in conditions), payload)
    return found


def payload_for(case: Case, now: datetime, texts: Sequence[str] = ()) -> dict[str, Any] | None:
    """A payload of which the case is true."""
    pool = payloads([condition for condition, _ in case], now, texts)
    return pool.get(tuple(holds for _, holds in case))


def nodes(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for name in node.children:
        child: object = getattr(node, name)
        for each in cast("tuple[object, ...]", child) if isinstance(child, tuple) else (child,):
            if isinstance(each, Node):
                yield from nodes(each)


def _parts(wanted: Wanted) -> Iterator[Wanted]:
    """The parts which must come true each by itself."""
    whole = wanted.condition
    if isinstance(whole, And if wanted.holds else Or):
        for part in whole.parts:
            yield from _parts(Wanted(part, wanted.holds, wanted.now))
    else:
        yield wanted


def _asks(wanted: Wanted) -> set[str]:
    """What a condition hangs on: fields by their names, and all orders as one."""
    return {
        leaf.moment.name if isinstance(leaf, Since | Until) else leaf.name if isinstance(leaf, Field) else "orders()"
        for leaf in wanted.condition.operands()
    }


def _apart(parts: Sequence[Wanted]) -> list[list[Wanted]]:
    """Conditions in groups that have nothing in common: each is solved by itself."""
    groups: list[tuple[set[str], list[Wanted]]] = []
    for part in parts:
        asks, members = _asks(part), [part]
        apart: list[tuple[set[str], list[Wanted]]] = []
        for other, theirs in groups:
            if asks & other:
                asks, members = asks | other, [*theirs, *members]
            else:
                apart.append((other, theirs))
        groups = [*apart, (asks, members)]
    return [members for _, members in groups]


def _one(
    group: Sequence[Wanted],
    customer: Mapping[str, Any],
    orders: Sequence[Mapping[str, Any]],
    base: datetime,
    texts: Sequence[str],
) -> Known | None:
    named = [pair for each in group for pair in _named(each.condition, each.now, texts)]
    values = _values((leaf, value) for leaf, value in named if leaf.source != "order")  # orders are made up as such
    counted = [(aggregate, each.now) for each in group for aggregate in _aggregates(each.condition)]
    lines: list[Purchases | None] = [None]
    if counted:
        named_amounts = [pair for each in group for pair in _amounts(each.condition)]
        lines = [*purchases(counted, named_amounts, base, _line), None]
    tried = 0
    for bought in lines:
        held = bought.lines(base) if bought is not None else orders
        for row in product(*values.values()):
            tried += 1
            if tried > _TRIES:
                return None
            fields = {leaf.name: value for leaf, value in zip(values, row, strict=True)}
            known = facts({**customer, **fields}, held)
            if all(each.condition.evaluate(known, each.now) == each.holds for each in group):
                return Known(fields, bought)
    return None


def _line(condition: Predicate, now: datetime) -> dict[str, Any] | None:
    """An order's line that meets a condition on lines."""
    values = _values(_named(condition, now, ()))
    for row in islice(product(*values.values()), _TRIES):
        line = {leaf.name: value for leaf, value in zip(values, row, strict=True) if value is not None}
        if condition.evaluate(Facts(line=line), now):
            return line
    return None


def _aggregates(condition: Predicate) -> list[Aggregate]:
    return [leaf for leaf in condition.operands() if isinstance(leaf, Aggregate)]


def _amounts(condition: Predicate) -> Iterator[tuple[Aggregate, float]]:
    """What an aggregate is compared with."""
    for node in nodes(condition):
        if isinstance(node, Compare):
            for side, other in ((node.left, node.right), (node.right, node.left)):
                leaf, factor = _unscaled(side)
                if isinstance(leaf, Aggregate) and isinstance(other, Constant):
                    yield leaf, float(cast("float", other.literal)) / factor
        elif isinstance(node, IsIn) and isinstance(node.left, Aggregate):
            for value in node.values:
                yield node.left, float(cast("float", value.literal))


def _unscaled(side: Expression) -> tuple[Expression, float]:
    factor = 1.0
    while isinstance(side, Times):
        side, factor = side.expression, factor * (side.factor or 1.0)
    return side, factor


def _values(named: Iterable[tuple[Field, Scalar | None]]) -> dict[Field, list[Scalar | None]]:
    """The values to try for each field: those that were named, then none."""
    found: dict[Field, dict[Scalar | None, None]] = {}
    for leaf, value in named:
        found.setdefault(leaf, {})[value] = None
    return {leaf: [*(value for value in values if value is not None), None] for leaf, values in found.items()}


# --- the values that a condition names --------------------------------------------------------------------------------


def _named(condition: Predicate, now: datetime, texts: Sequence[str]) -> Iterator[tuple[Field, Scalar | None]]:
    """Fields, with the values that are worth trying for them."""
    for node in nodes(condition):
        match node:
            case Compare(left, _, right):
                yield from _beside(left, right, now, texts)
                yield from _beside(right, left, now, texts)
            case IsIn(Field() as leaf, values):
                for value in values:
                    yield leaf, value.literal
                yield from _usual(leaf, now, texts)
            case Contains(Field() as leaf, text, _):
                yield leaf, text
                yield leaf, f"…{text}…"
                yield from _usual(leaf, now, texts)
            case Matches(Field() as leaf, pattern):
                yield from ((leaf, text) for text in (*_samples(pattern), *texts))
                yield leaf, _OTHER
            case Field() if node.source in ("customer", "attribute", "payload", "order"):
                yield from _usual(node, now, texts)
            case _:
                pass


def _beside(side: Expression, other: Expression, now: datetime, texts: Sequence[str]) -> Iterator[tuple[Field, Scalar]]:
    """What a side of a comparison is worth trying as: the other side's constant, and what lies just beside it."""
    leaf, factor = _unscaled(side)
    if not isinstance(other, Constant):
        return
    literal = other.literal
    if isinstance(leaf, Since | Until):
        seconds = float(cast("float", literal)) / factor * (-1 if isinstance(leaf, Since) else 1)
        for more in (0, 1, -1):
            yield leaf.moment, now + timedelta(seconds=seconds + more)
    elif isinstance(leaf, Field) and isinstance(literal, datetime):
        for more in (0, 1, -1):
            yield leaf, literal + timedelta(seconds=more)
    elif isinstance(leaf, Field) and isinstance(literal, bool | str):
        yield leaf, literal
        yield from _usual(leaf, now, texts)
    elif isinstance(leaf, Field):
        amount, step = cast("float", literal) / factor, 0.01 if leaf.name in ("total", "amount", "price") else 1
        for value in (amount, amount - step, amount + step):
            yield leaf, round(value, 6) if value != int(value) else int(value)


def _usual(leaf: Field, now: datetime, texts: Sequence[str]) -> Iterator[tuple[Field, Scalar]]:
    """Values of a kind of which nothing is asked but whether they are there, or that they are others."""
    match leaf.of:
        case "text":
            yield from ((leaf, text) for text in (*texts, _OTHER))
        case "flag":
            yield from ((leaf, value) for value in (True, False))
        case "moment":
            yield from ((leaf, now + timedelta(days=days)) for days in (-400, 400))
        case _:
            yield from ((leaf, value) for value in (1, 0, 2))


def _samples(pattern: str) -> Iterator[str]:
    """Texts that a pattern may be found in: its alternatives, read as plain words."""
    for part in (*re.split(r"\|", re.sub(r"[()^$]|\\b|\?:", "", pattern)), pattern):
        for text in (re.sub(r"\\[bBAZ]|[?*+]", "", part), re.sub(r".[?*]", "", part)):
            plain = re.sub(r"\\(.)", r"\1", text.replace(r"\d", "1").replace(r"\w", "a").replace(r"\s", " "))
            if re.search(pattern, plain, re.IGNORECASE):
                yield plain
