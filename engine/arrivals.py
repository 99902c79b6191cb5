"""Arrivals: by which arrow customers came to their ends, read from the steps: the last box, and what led on from there."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, and_, func, select

from dsl.ir import ENDS, IR
from engine.db import table
from engine.simulation.arrows import Arrows
from engine.tables import Enrolment, Event, Step

__all__ = ["arrivals"]


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
    arrows = Arrows(ir)
    for was_in, end, cause, event, many in _last_steps(
        conn, ir.name, [*ends, *(o for o in names if names[o] in ends)], digest
    ):
        source, target = (numbers.get(names.get(name, name), -1) for name in (was_in, end))
        if source < 0 or target < 0:
            continue
        heard = [place for place, answer in enumerate(ir.listens) if answer.event == event]
        why = "" if cause == "retry" else cause  # she rested in between, for any of its causes
        number = arrows.taken(source, target, why, heard, rests=False)
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
