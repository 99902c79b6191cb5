"""The difference between two journeys, or two versions of one: what was added, removed and changed, box by box.

What customers meet is compared field by field, so that two journeys have no difference exactly where their hashes are one.
What stands there for readers alone (descriptions, labels and bounds of knobs) is told apart from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, cast

from dsl.draw.words import (
    again_words,
    clock_words,
    entry_words,
    goal_words,
    knob_words,
    limit_words,
    percent,
    spaced,
    trigger_words,
)
from dsl.ir import IR, Action, Arrow, Clock, Every, Limit, Stage, State
from dsl.nodes import Node
from dsl.pairing import merged, moved, pairs, renamed, under

__all__ = ["ArrowChange", "Change", "Detail", "Diff", "Owner", "Sign", "diff"]

Sign = Literal["added", "removed", "changed"]
Owner = Literal["box", "stage", "anywhere"]


@dataclass(frozen=True, slots=True)
class Detail:
    """A field that differs, in words: what it was and what it is; None where there was, or is, nothing."""

    name: str
    before: str | None
    after: str | None

    @property
    def sign(self) -> Sign:
        return "added" if self.before is None else "removed" if self.after is None else "changed"


@dataclass(frozen=True, slots=True)
class ArrowChange:
    """An arrow that differs, with its place among its owner's arrows, before and after; `details` where it was changed."""

    sign: Sign
    before: int | None
    after: int | None
    details: tuple[Detail, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A box or a stage that differs, or the arrows from anywhere. `was` is the name that it had before, if another."""

    owner: Owner
    sign: Sign
    name: str
    was: str | None = None
    details: tuple[Detail, ...] = ()
    arrows: tuple[ArrowChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Diff:
    """What differs. `before` has its boxes under the names that they have now, where `after` says what they were."""

    before: IR
    after: IR
    hashes: tuple[str, str]
    settings: tuple[Detail, ...] = ()
    changes: tuple[Change, ...] = ()
    readers: tuple[Detail, ...] = ()
    """What no customer meets."""

    @property
    def same(self) -> bool:
        """Whether both do the same: then they are one version."""
        return not (self.settings or self.changes)

    def change(self, owner: Owner, name: str = "") -> Change | None:
        """What became of one box or stage, or of the arrows from anywhere; None where nothing did."""
        return next((each for each in self.changes if (each.owner, each.name) == (owner, name)), None)


def diff(before: IR, after: IR) -> Diff:
    """Compare two journeys: settings, then boxes in the order of a reader, stages, arrows from anywhere."""
    names = renamed(before, after)
    old = under(before, names)
    settings = tuple(_settings(old, after))
    changes = tuple(_changes(old, after, {new: was for was, new in names.items()}))
    if not settings and not changes:  # else their order follows from what is said already
        settings = (*_places(old.states, after.states), *_places(old.stages, after.stages))
    return Diff(
        old,
        after,
        (before.hash, after.hash),
        settings,
        changes,
        tuple(_for_readers(old, after)),
    )


def _settings(old: IR, new: IR) -> Iterator[Detail]:
    for each in fields(IR):
        if each.name in _SETTINGS:
            yield from _field(
                each.name, getattr(old, each.name), getattr(new, each.name), _setting(each.name, old, new)
            )
    if old.start.name != new.start.name:
        yield Detail("start", spaced(old.start.name), spaced(new.start.name))


def _places(old: Sequence[State | Stage], new: Sequence[State | Stage]) -> Iterator[Detail]:
    """Which boxes stand elsewhere among the others: no customer meets a difference, but it is another version."""
    both = {each.name for each in old} & {each.name for each in new}
    before, after = ([each.name for each in side if each.name in both] for side in (old, new))
    places = {name: place for place, name in enumerate(before)}
    for name in moved([(places[name], name) for name in after]):
        stood, stands = (_behind(side, name) for side in (before, after))
        if stood != stands:
            yield Detail(f"place of {spaced(name)}", stood, stands)


def _behind(names: Sequence[str], name: str) -> str:
    at = names.index(name)
    return f"after {spaced(names[at - 1])}" if at else "first"


_SETTINGS = frozenset(
    each.name
    for each in fields(IR)
    if each.name not in {"states", "anywhere", "stages", "title", "doc", "notes", "knobs"}
)


def _setting(name: str, old: IR, new: IR) -> Callable[[Any], str | None]:
    """How a setting is said."""
    match name:
        case "entry":
            return entry_words
        case "again":
            return again_words
        case "goal":
            return lambda goal: goal_words(old if goal is old.goal else new) or None
        case "holdout":
            return lambda share: percent(share) if share else None
        case _:
            return _said


def _changes(old: IR, new: IR, were: Mapping[str, str]) -> Iterator[Change]:
    for state in merged(old.states, new.states):
        yield from _owner("box", old.by_name.get(state), new.by_name.get(state), were.get(state))
    stages = [{stage.name: stage for stage in ir.stages} for ir in (old, new)]
    for stage in merged(old.stages, new.stages):
        yield from _owner("stage", stages[0].get(stage), stages[1].get(stage), were.get(stage))
    arrows = tuple(_arrows(old.anywhere, new.anywhere))
    if arrows:
        yield Change("anywhere", "changed", "", arrows=arrows)


def _owner(owner: Owner, old: State | Stage | None, new: State | Stage | None, was: str | None) -> Iterator[Change]:
    if old is None or new is None:
        kept = cast("State | Stage", old or new)
        sign: Sign = "added" if old is None else "removed"
        places: list[int] = list(range(len(kept.arrows)))
        arrows = tuple(ArrowChange(sign, *((None, at) if old is None else (at, None))) for at in places)
        yield Change(owner, sign, kept.name, arrows=arrows)
        return
    details = [
        detail
        for each in fields(new)
        if each.name not in {"name", "arrows"}
        for detail in _field(each.name, getattr(old, each.name), getattr(new, each.name))
    ]
    owners = tuple(each if isinstance(each, State) else None for each in (old, new))
    arrows = tuple(_arrows(old.arrows, new.arrows, (owners[0], owners[1])))
    if details or arrows or was is not None:
        yield Change(owner, "changed", new.name, was, tuple(details), arrows)


def _arrows(
    old: Sequence[Arrow], new: Sequence[Arrow], owners: tuple[State | None, State | None] = (None, None)
) -> Iterator[ArrowChange]:
    """Which arrows differ: pairs that are alike are one that was changed, the others were added or removed."""
    paired = pairs(old, new)
    out_of_order = moved([(before, after) for after in range(len(new)) if (before := paired.get(after)) is not None])
    for after, arrow in enumerate(new):
        before = paired.get(after)
        if before is None:
            yield ArrowChange("added", None, after)
            continue
        details = list(_of_arrow(old[before], arrow, owners))
        if after in out_of_order:
            details.append(Detail("place", f"{before + 1}.", f"{after + 1}."))
        if details:
            yield ArrowChange("changed", before, after, tuple(details))
    yield from (ArrowChange("removed", at, None) for at in range(len(old)) if at not in paired.values())


def _of_arrow(old: Arrow, new: Arrow, owners: tuple[State | None, State | None]) -> Iterator[Detail]:
    said = {id(arrow): trigger_words(arrow, owner) for arrow, owner in zip((old, new), owners, strict=True)}
    for each in fields(Arrow):
        before, after = getattr(old, each.name), getattr(new, each.name)
        match each.name:
            case "on" if before != after and said[id(old)] != said[id(new)]:
                yield Detail("when", said[id(old)] or None, said[id(new)] or None)
            case "to":
                yield from _field("to", before, after, spaced)
            case _:
                yield from _field(each.name, before, after)


def _for_readers(old: IR, new: IR) -> Iterator[Detail]:
    yield from _field("title", old.title, new.title)
    yield from _field("description", old.doc, new.doc)
    for name in [*new.by_name, *(stage.name for stage in new.stages)]:
        if name in old.notes and name in new.notes:
            yield from _field(f"description of {spaced(name)}", old.notes[name].doc, new.notes[name].doc)
    knobs = [{knob.name: knob_words(knob) for knob in ir.knobs} for ir in (old, new)]
    for name in dict.fromkeys([*knobs[1], *knobs[0]]):
        yield from _field(f"knob {spaced(name)}", knobs[0].get(name), knobs[1].get(name))


def _field(
    name: str, before: object, after: object, say: Callable[[Any], str | None] | None = None
) -> Iterator[Detail]:
    """The field, if it differs; where the words are the same, what of it differs."""
    if before == after:
        return
    said = [(say or _said)(value) for value in (before, after)]
    if said[0] != said[1]:
        yield Detail(spaced(name), said[0], said[1])
    elif is_dataclass(before) and type(before) is type(after):
        for each in fields(before):
            yield from _field(f"{name} {each.name}", getattr(before, each.name), getattr(after, each.name))
    else:
        yield Detail(spaced(name), repr(before), repr(after))


def _agent(action: Action) -> str:
    """Who takes its calls, and in which order."""
    words = [f"skills {', '.join(action.skills)}"] if action.skills else []
    words += [f"priority {action.priority}"] if action.priority is not None else []
    return f", {', '.join(words)}" if words else ""


def _said(value: object) -> str | None:  # noqa: PLR0911  # one for each kind of value
    """Any value of a field in words; None where there is nothing to say."""
    match value:
        case None | "" | () | 0:
            return None
        case True:
            return "yes"
        case Clock():
            return clock_words(value)
        case Limit():
            return limit_words(value)
        case Action():
            return (
                f"{value.kind} {value.template}"
                + (f" ({value.queue})" if value.queue is not None else "")
                + _agent(value)
            )
        case Node():
            return value.sentence()
        case tuple():
            return ", ".join(_said(each) or "" for each in cast("tuple[object, ...]", value))
        case Every():
            return None  # the entry's words have said it; what they leave out is told by its fields
        case _:
            return str(value)
