"""Cases: the ways in which a condition comes true, or doesn't, one for each of its parts that can decide it."""

from __future__ import annotations

from typing import Final

from dsl.predicate import And, Compare, IsIn, Not, Or, Predicate

__all__ = ["Case", "cases"]

Case = tuple[tuple[Predicate, bool], ...]
"""Conditions, and whether each is to hold."""
_MOST: Final = 12


def cases(condition: Predicate, *, holds: bool) -> list[Case]:
    """For `a & b` not to hold: a alone doesn't, b alone doesn't. For `a | b` to hold: a alone does, b alone does.

    The first one is the plainest. Each begins with the whole condition: what is unknown doesn't hold.
    """
    return [((condition, holds), *case) for case in _cases(condition, holds)[:_MOST]]


def _cases(condition: Predicate, holds: bool) -> list[Case]:
    match condition:
        case And(parts) | Or(parts) if parts:
            all_alike = isinstance(condition, And) == holds  # else one part decides, and the others are the other way
            first = [_cases(part, holds if all_alike else not holds)[0] for part in parts]
            found: list[Case] = []
            for place, part in enumerate(parts):
                for case in _cases(part, holds):
                    parts_of = [case if other == place else each for other, each in enumerate(first)]
                    found.append(tuple(pair for each in parts_of for pair in each))
            return list(dict.fromkeys(found))
        case IsIn(left, values) if holds:
            return [((Compare(left, "eq", value), True),) for value in values]
        case Not(part):
            return _cases(part, not holds)
        case _:
            return [((condition, holds),)]
