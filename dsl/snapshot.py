"""The snapshot: where one member is, and its short form for the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from dsl.effects import Answered

__all__ = ["ACTING", "ENDED", "RESTING", "WAITING", "Snapshot", "pack", "unpack"]

ACTING: Final = 0
"""In a batch: what she is told meanwhile waits in her inbox."""
WAITING: Final = 1
"""In a box, for an answer or a deadline."""
RESTING: Final = 2
"""Between two tries, of an arrow (`.up_to(3, every=…)`: on her way along `goto`) or of a send that was put off."""
ENDED: Final = 3


@dataclass(slots=True)
class Snapshot:
    """Where one member is. Never changed in place from outside: `step` gives a new one."""

    id: int
    state: int
    phase: int
    seq: int
    """Steps so far: the number of this visit too, since each visit is a step."""
    began: int
    """When she entered the journey."""
    entered: int
    """When she entered this box; if she came by way of choices, when she came to the first of them."""
    since: int = 0
    """From when this box's waits run."""
    fired: int = -1
    """Waits up to this moment are over."""
    deadline: int | None = None
    goto: int = -1
    """The arrow on which she rests; -1: she rests before another try of this box's send."""
    waits: tuple[tuple[int, int], ...] = ()
    """(arrow, when it is over) of this visit's measured waits."""
    counts: tuple[tuple[int, int], ...] = ()
    """How often each bounded arrow was taken."""
    inbox: tuple[Answered, ...] = ()
    seen: tuple[int, ...] = ()
    asked: tuple[int, ...] = ()
    """The arrows that a decision is open on, in their order."""
    asked_for: tuple[str, int | None] = ("", None)
    """What brought the decision: cause and event number."""
    tries: int = 0
    """How often this box's send was put off."""
    owed: str = ""
    """What is to be done next: `then` or `not_sent: reasons` once the inbox is heard; before it `replan ` while waits are measured anew."""
    until: int = 0
    """When her rest is over."""
    staged: int = 0
    """When she entered the stage that she is in."""
    stage_fired: int = -1
    """The stage's waits up to this moment are over."""
    left: tuple[tuple[int, int], ...] = ()
    """(visit, box) of the boxes that she left unanswered, where a late answer still counts."""
    kept: tuple[Answered, ...] = ()
    """Events that moved her nowhere, and may yet count in a box that looks back."""
    visits: tuple[tuple[int, int], ...] = ()
    """How often she entered each box that a condition asks about."""

    def copy(self) -> Snapshot:
        """A copy, spelt out: this is the hottest line of the simulator."""
        return Snapshot(
            self.id,
            self.state,
            self.phase,
            self.seq,
            self.began,
            self.entered,
            self.since,
            self.fired,
            self.deadline,
            self.goto,
            self.waits,
            self.counts,
            self.inbox,
            self.seen,
            self.asked,
            self.asked_for,
            self.tries,
            self.owed,
            self.until,
            self.staged,
            self.stage_fired,
            self.left,
            self.kept,
            self.visits,
        )


_DEFAULTS: Final[tuple[Any, ...]] = (0, -1, None, -1, (), (), (), (), (), ("", None), 0, "", 0, 0, -1, (), (), ())
"""Of the fields that have one, in their order."""
_ANSWERS: Final = ("inbox", "kept")
_FIELDS: Final = tuple(each.name for each in fields(Snapshot))
_PAIRS: Final = ("waits", "counts", "left", "visits")
_FLAT: Final = ("seen", "asked", "asked_for")


def pack(member: Snapshot) -> list[Any]:
    """A snapshot as a short JSON list: fields in order, those at the end that hold their defaults left out."""
    values: list[Any] = [getattr(member, name) for name in _FIELDS]
    first = len(values) - len(_DEFAULTS)
    while len(values) > first and values[-1] == _DEFAULTS[len(values) - 1 - first]:
        values.pop()
    for name in _ANSWERS:
        place = _FIELDS.index(name)
        if place < len(values):
            values[place] = [[a.seq, a.at, a.listens, a.visit] for a in getattr(member, name)]
    return values


def unpack(values: Sequence[Any]) -> Snapshot:
    """Read what `pack` wrote."""
    named = dict(zip(_FIELDS, values, strict=False))
    for name in _PAIRS:
        if name in named:
            named[name] = tuple((a, b) for a, b in named[name])
    for name in _ANSWERS:
        if name in named:
            named[name] = tuple(Answered(a, at, tuple(listens), visit) for a, at, listens, visit in named[name])
    for name in _FLAT:
        if name in named:
            named[name] = tuple(named[name])
    return Snapshot(**named)
