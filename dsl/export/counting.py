"""Counting: a condition on visits as a tree of comparisons, which every interpreter can evaluate by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from dsl.expression import Constant, Expression, Field, Times
from dsl.predicate import And, Compare, IsIn, IsMissing, Not, Operator, Or, Predicate

__all__ = ["Both", "Comparison", "Condition", "Term", "conditions"]

_OPPOSITE: Final[dict[Operator, Operator]] = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}


@dataclass(frozen=True, slots=True)
class Term:
    """A number: how often `box` was entered, times `factor`; without a box, the factor alone."""

    factor: float
    box: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left op right`."""

    left: Term
    op: Operator
    right: Term


@dataclass(frozen=True, slots=True)
class Both:
    """`all` of the parts, or `any` of them; of none: true, or false."""

    join: Literal["all", "any"]
    parts: tuple[Condition, ...]


Condition = Comparison | Both


def conditions(guard: Predicate, *, opposite: bool = False) -> Condition:
    """A condition on visits, without negations: a count is never missing, so each comparison has an opposite.

    Raises ValueError for a condition that asks for anything else.
    """
    match guard:
        case And(parts) | Or(parts):
            together = isinstance(guard, And) != opposite
            return Both("all" if together else "any", tuple(conditions(part, opposite=opposite) for part in parts))
        case Not(part):
            return conditions(part, opposite=not opposite)
        case Compare(left, op, right):
            return Comparison(_term(left), _OPPOSITE[op] if opposite else op, _term(right))
        case IsIn(left, values):
            return Both("all" if opposite else "any", tuple(_equal(left, values, opposite=opposite)))
        case IsMissing():
            return Both("all" if opposite else "any", ())
        case _:
            raise ValueError(f"no condition on visits: {guard.sentence()}")


def _equal(left: Expression, values: tuple[Constant, ...], *, opposite: bool) -> Iterator[Comparison]:
    for value in values:
        yield Comparison(_term(left), "ne" if opposite else "eq", _term(value))


def _term(value: Expression) -> Term:
    match value:
        case Constant(literal=int() | float() as number):
            return Term(number)
        case Field(source="journey", name=name):
            return Term(1, name.removeprefix("visits."))
        case Times(expression, factor):
            inner = _term(expression)
            return Term(inner.factor * factor, inner.box)
        case _:
            raise ValueError(f"no count of visits: {value.sentence()}")
