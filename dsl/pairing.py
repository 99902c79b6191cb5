"""Pairing: which box or arrow of one version of a journey is which of another, and which of them changed places."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from itertools import pairwise
from typing import TypeVar, cast

from dsl.expression import Field
from dsl.ir import IR, Answer, Arrow, Stage, State, When

__all__ = ["merged", "moved", "pairs", "renamed", "under"]

Thing = TypeVar("Thing", bound=Hashable)


def renamed(before: IR, after: IR) -> dict[str, str]:
    """The boxes and stages that have another name now, old to new, as one of the two says it (`was`)."""
    old, new = _names(before), _names(after)
    said = [(note.was, name) for name, note in after.notes.items()]
    said += [(name, note.was) for name, note in before.notes.items()]  # the newer one may be the first
    found: dict[str, str] = {}
    for was, name in said:
        gone, came = was in old and was not in new, name in new and name not in old
        if was is not None and name is not None and gone and came and name not in found.values():
            found.setdefault(was, name)
    return found


def _names(ir: IR) -> frozenset[str]:
    return frozenset([*ir.by_name, *(stage.name for stage in ir.stages)])


def under(ir: IR, names: Mapping[str, str]) -> IR:
    """The journey with boxes and stages renamed, wherever they are named."""
    if not names:
        return ir

    def said(value: object) -> object:
        match value:
            case Field(source="journey"):  # how often she entered a box
                counted = value.name.removeprefix("visits.")
                return replace(value, name=f"visits.{names.get(counted, counted)}")
            case tuple():
                return tuple(said(each) for each in cast("tuple[object, ...]", value))
            case _ if is_dataclass(value) and not isinstance(value, type):
                kept = {each.name: getattr(value, each.name) for each in fields(value)}
                return replace(
                    value,
                    **{
                        name: names.get(each, each) if (type(value), name) in _NAMED else said(each)
                        for name, each in kept.items()
                    },
                )
            case _:
                return value

    notes = {names.get(name, name): note for name, note in ir.notes.items()}
    return replace(cast("IR", said(ir)), notes=notes)


_NAMED = frozenset({(Arrow, "to"), (State, "name"), (State, "stage"), (Stage, "name")})
"""Where a box or a stage is named."""


def merged(old: Sequence[State | Stage], new: Sequence[State | Stage]) -> list[str]:
    """All names in the new order, each that is gone behind the one that it stood behind."""
    names = [each.name for each in new]
    for before, gone in pairwise([None, *(each.name for each in old)]):
        if gone is not None and gone not in names:
            names.insert(names.index(before) + 1 if before is not None else 0, gone)
    return names


def pairs(old: Sequence[Arrow], new: Sequence[Arrow]) -> dict[int, int]:
    """For each new arrow the old one that it is, or was made of: the likest first, the nearest of those."""
    liking = sorted(
        (-alike, abs(before - after), before + after, before, after)
        for after, arrow in enumerate(new)
        for before, other in enumerate(old)
        if (alike := _likeness(other, arrow))
    )
    found: dict[int, int] = {}
    for *_, before, after in liking:
        if after not in found and before not in found.values():
            found[after] = before
    return found


def _likeness(old: Arrow, new: Arrow) -> int:
    """How much two arrows are alike: in what fires them and where they lead; 0 where they have neither in common."""
    if old == new:
        return 5
    same = old.on == new.on and (old.guard == new.guard or not isinstance(new.on, When))
    events = [on.event if isinstance(on, Answer) else None for on in (old.on, new.on)]
    kin = type(old.on) is type(new.on) and events[0] == events[1]
    if old.to == new.to:
        return 4 if same else 2 if kin else 0
    return 3 if same else 1 if kin and isinstance(new.on, Answer) else 0


def moved(places: Sequence[tuple[int, Thing]]) -> list[Thing]:
    """Of (place before, what) in the new order, what left the order of the others: as few as can be."""
    ends: list[int] = []
    chains: list[tuple[Thing, ...]] = []
    for place, what in places:
        at = bisect_left(ends, place)
        chain = (*(chains[at - 1] if at else ()), what)
        ends[at : at + 1], chains[at : at + 1] = [place], [chain]
    kept = chains[-1] if chains else ()
    return [what for _, what in places if what not in kept]
