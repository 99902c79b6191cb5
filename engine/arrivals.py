"""Arrivals: by which arrow customers came to their ends, read from the steps: the last box, and what led on from there."""

from __future__ import annotations

from collections import Counter
from typing import Final

from sqlalchemy import Connection, and_, func, select

from dsl.ir import ENDS, IR, After, Answer, Arrow, Learned, NoDate, Otherwise, Share, Then, Until, When
from engine.db import table
from engine.tables import Enrolment, Event, Step

__all__ = ["arrivals"]

_FIRED_BY: Final[dict[str, tuple[type, ...]]] = {
    "answer": (Answer,),
    "timer": (After, Until, NoDate),
    "then": (Then,),
    "not_sent": (Answer,),
    "decided": (When, Otherwise),
    "share": (Share, Learned),
}
"""By a step's cause, the triggers that bring it about."""


def arrivals(conn: Connection, ir: IR, digest: str | None = None) -> dict[int, int]:
    """By the arrow's number, how many customers came to an end by it, of the ends that several arrows lead to.

    `digest` narrows it to those who entered with one version. Who came by an arrow of an older version that `ir` has no more is
    in none.
    """
    leading = Counter(arrow.to for arrow in ir.arrows)
    ends = [state.name for state in ir.states if state.kind in ENDS and leading[state.name] > 1]
    if not ends:
        return {}
    found = dict.fromkeys((number for number, arrow in enumerate(ir.arrows) if arrow.to in ends), 0)
    names = {note.was: name for name, note in ir.notes.items() if note.was is not None}
    numbers = {state.name: number for number, state in enumerate(ir.states)}
    arrows = _Arrows(ir)
    for was_in, end, cause, event, many in _last_steps(
        conn, ir.name, [*ends, *(o for o in names if names[o] in ends)], digest
    ):
        source, target = (numbers.get(names.get(name, name), -1) for name in (was_in, end))
        if source < 0 or target < 0:
            continue
        number = arrows.taken(source, target, cause, event)
        if number in found:
            found[number] += many
    return found


def _last_steps(
    conn: Connection, journey: str, ends: list[str], digest: str | None
) -> list[tuple[str, str, str, str | None, int]]:
    """(the box before, the end, the step's cause, the event's name, how many) of all who ended there."""
    enrolment, last, before, event = table(Enrolment), table(Step).alias(), table(Step).alias(), table(Event)
    query = (
        select(before.c.state, last.c.state, last.c.cause, event.c.name, func.count())
        .select_from(enrolment)
        .join(last, and_(last.c.enrolment_id == enrolment.c.id, last.c.seq == enrolment.c.seq))
        .join(before, and_(before.c.enrolment_id == enrolment.c.id, before.c.seq == enrolment.c.seq - 1))
        .outerjoin(event, event.c.seq == last.c.event_seq)
        .where(enrolment.c.journey == journey, enrolment.c.state.in_(ends), enrolment.c.end_reason == enrolment.c.state)
        .group_by(before.c.state, last.c.state, last.c.cause, event.c.name)
    )
    if digest is not None:
        query = query.where(enrolment.c.hash == digest)
    return [(row[0], row[1], row[2], row[3], row[4]) for row in conn.execute(query)]


class _Arrows:
    """The arrows of a journey, by the box that they lead out of: between two boxes it is nearly always one that was taken."""

    def __init__(self, ir: IR) -> None:
        self._targets = {name: number for number, name in enumerate(state.name for state in ir.states)}
        numbered = enumerate(ir.arrows)
        own = [[next(numbered) for _ in state.arrows] for state in ir.states]
        anywhere = [next(numbered) for _ in ir.anywhere]
        stages = {stage.name: [next(numbered) for _ in stage.arrows] for stage in ir.stages}
        late = [(number, arrow) for arrows in own for number, arrow in arrows if arrow.late]
        self._leaving = [
            [*arrows, *late, *stages.get(state.stage or "", ()), *anywhere]
            for state, arrows in zip(ir.states, own, strict=True)
        ]

    def taken(self, source: int, target: int, cause: str, event: str | None) -> int:
        """The number of the arrow, or -1 where this version has none."""
        found = [(number, arrow) for number, arrow in self._leaving[source] if self._targets[arrow.to] == target]
        fits = [(number, arrow) for number, arrow in found if _fits(arrow, cause, event)]
        return (fits or found or [(-1, None)])[0][0]


def _fits(arrow: Arrow, cause: str, event: str | None) -> bool:
    """Whether an arrow may have been taken for this cause. Who came back from a rest may have taken any, for any of its causes."""
    if not isinstance(arrow.on, _FIRED_BY.get(cause, (object,))):
        return False
    return (
        not isinstance(arrow.on, Answer)
        or arrow.on.event == event
        or (event is None and arrow.on.event.endswith(".not_sent"))
    )
