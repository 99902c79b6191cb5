"""Implication: whether one condition holds wherever another does. What it says is true; what it doesn't say may be so too.

Both are asked of the same facts at the same moment, and an unknown counts as no. So `total >= 3` implies `total >= 2`, `a & b`
implies `a`, and `country == "FR"` implies `country.is_in(["FR", "GB"])`.
"""

from __future__ import annotations

import operator
from itertools import combinations
from typing import Any, Final

from dsl.expression import Constant
from dsl.predicate import And, Compare, Contains, IsIn, IsMissing, Matches, Not, Operator, Or, Predicate

__all__ = ["excludes_itself", "implies"]

_OPPOSITE: Final[dict[Operator, Operator]] = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
_TURNED: Final[dict[Operator, Operator]] = {"eq": "eq", "ne": "ne", "lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}
_WEAKER: Final[dict[Operator, tuple[Operator, ...]]] = {
    "eq": ("eq", "le", "ge"),
    "ne": ("ne",),
    "lt": ("lt", "le", "ne"),
    "le": ("le",),
    "gt": ("gt", "ge", "ne"),
    "ge": ("ge",),
}
"""Of two values: what else holds where this does."""


def implies(one: Predicate, other: Predicate) -> bool:
    """Whether `other` certainly holds for everyone for whom `one` does."""
    return _Known().implies(_plain(one), _plain(other))


def excludes_itself(condition: Predicate | None) -> bool:
    """Whether two parts of it, which are to hold together, never do: `total > 3` and `total < 2`."""
    parts = condition.parts if isinstance(condition, And) else ()
    return any(implies(one, Not(other)) for one, other in combinations(parts, 2))


class _Known:
    """What was found out of pairs of conditions already: a condition may hold the same part in many places."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, int], bool] = {}

    def implies(self, one: Predicate, other: Predicate) -> bool:
        pair = id(one), id(other)
        if pair not in self._found:
            self._found[pair] = one == other or self._by_parts(one, other)
        return self._found[pair]

    def _by_parts(self, one: Predicate, other: Predicate) -> bool:
        if isinstance(one, Or):
            return all(self.implies(part, other) for part in one.parts)
        if isinstance(other, And):
            return all(self.implies(one, part) for part in other.parts)
        narrower = one.parts if isinstance(one, And) else ()
        wider = other.parts if isinstance(other, Or) else ()
        if narrower or wider:
            return any(self.implies(part, other) for part in narrower) or any(self.implies(one, w) for w in wider)
        return _single(one, other)


def _plain(condition: Predicate, *, holds: bool = True) -> Predicate:
    """The condition, or its opposite, with `~` at single comparisons alone, and lists of values as comparisons."""
    match condition:
        case Not(part):
            return _plain(part, holds=not holds)
        case And(parts) | Or(parts):
            kind = And if isinstance(condition, And) == holds else Or
            return kind(tuple(_plain(part, holds=holds) for part in parts))
        case IsIn(left, values):
            return _plain(Or(tuple(Compare(left, "eq", value) for value in values)), holds=holds)
        case Compare(left, op, right):
            op = op if holds else _OPPOSITE[op]
            if op == "ne" and isinstance(right, Constant) and right.kind == "flag":
                op, right = "eq", Constant("flag", not right.literal)
            return Compare(left, op, right)
        case _:
            return condition if holds else Not(condition)


def _single(one: Predicate, other: Predicate) -> bool:
    """Of two conditions that no `&` or `|` joins."""
    match one, other:
        case _, Not(IsMissing(left)):  # what holds of a value is known of it
            return isinstance(one, Compare | Contains | Matches) and left in (one.left, getattr(one, "right", None))
        case Not(first), Not(second):  # both are unknown of the same customers: the value is missing
            return isinstance(first, Contains) and isinstance(second, Contains) and _contained(second, first)
        case Compare(), Compare():
            return _compared(one, other) or _compared(one, Compare(other.right, _TURNED[other.op], other.left))
        case Compare(left, "eq", Constant(literal=str() as text)), Contains():
            return left == other.left and (
                other.text in text if other.where == "anywhere" else text.startswith(other.text)
            )
        case Contains(), Contains():
            return _contained(one, other)
        case _:
            return False


def _compared(one: Compare, other: Compare) -> bool:
    if one.left != other.left:
        return False
    if one.right == other.right:
        return other.op in _WEAKER[one.op]
    if not isinstance(one.right, Constant) or not isinstance(other.right, Constant):
        return False
    here: Any = one.right.literal
    there: Any = other.right.literal
    if one.op == "eq":
        return bool(getattr(operator, other.op)(here, there))
    below = one.op in ("lt", "le") and other.op in ("lt", "le", "ne") and here < there
    return below or (one.op in ("gt", "ge") and other.op in ("gt", "ge", "ne") and here > there)


def _contained(one: Contains, other: Contains) -> bool:
    if one.left != other.left:
        return False
    if other.where == "start":
        return one.where == "start" and one.text.startswith(other.text)
    return other.text in one.text
