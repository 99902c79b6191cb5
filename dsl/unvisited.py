"""Unvisited: arrows that ask for fewer visits of a box than everybody there has made."""

from __future__ import annotations

from collections.abc import Iterator

from dsl.bodies import Draft
from dsl.expression import Constant, Field
from dsl.pointing import problem
from dsl.predicate import And, Compare, Predicate
from dsl.problems import JourneyError
from dsl.reach import start_of
from dsl.triggers import Arrow, Conditional, When

__all__ = ["check_unvisited"]


def check_unvisited(draft: Draft) -> Iterator[JourneyError]:
    """J124 for each of them: this visit counts, and everybody was in the first box."""
    start = start_of(draft)
    first = start.name if start is not None else ""
    places: list[tuple[list[Arrow], set[str]]] = [(box.arrows, {box.name, first}) for box in draft.boxes.values()]
    places += [(group.arrows, {first}) for group in draft.stages.values()]
    for arrows, entered in (*places, (draft.anywhere, {first})):
        for arrow in arrows:
            name = _unseen(arrow, entered)
            if name:
                text = f"this arrow is never taken: who is here has been in `{name}` once at least"
                hint = f"this time counts: `self.{name}.visits == 1` holds the first time"
                yield problem("J124", text, arrow.place, help=hint)


def _unseen(arrow: Arrow, entered: set[str]) -> str:
    """The box of these of which an arrow asks for no visit; empty where it asks for none such."""
    on = arrow.trigger
    guard = on.guard if isinstance(on, Conditional | When) else None
    parts: tuple[Predicate | None, ...] = guard.parts if isinstance(guard, And) else (guard,)
    for part in parts:
        match part:
            case Compare(Field(source="journey", name=visits), op, Constant(literal=int() | float() as most)):
                least = most >= 1 if op in ("eq", "le") else most > 1 if op == "lt" else True
                if not least and visits.removeprefix("visits.") in entered:
                    return visits.removeprefix("visits.")
            case _:
                pass
    return ""
