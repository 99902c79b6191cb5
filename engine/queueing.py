"""The queue: entries that wait until the customer's enrolment under way has ended, then come in by themselves, in order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from dsl.ir import IR
from engine.db import table
from engine.enrolments import Applicant, enter
from engine.tables import Enrolment, Journey, QueuedEntry

__all__ = ["let_in", "ready"]


def ready(conn: Connection, most: int = 2_000) -> dict[str, list[int]]:
    """By journey, the entries whose turn it is: the first of each slot in which nobody is under way."""
    waiting, enrolment = table(QueuedEntry), table(Enrolment)
    under_way = (
        select(enrolment.c.id)
        .where(
            enrolment.c.journey == waiting.c.journey,
            enrolment.c.slot == waiting.c.slot,
            enrolment.c.ended_at.is_(None),
        )
        .exists()
    )
    query = (
        select(waiting.c.journey, waiting.c.slot, waiting.c.id)
        .where(waiting.c.settled_at.is_(None), ~under_way)
        .order_by(waiting.c.id)
        .limit(most)
    )
    found: dict[str, list[int]] = {}
    slots: set[tuple[str, str]] = set()
    for journey, slot, number in conn.execute(query):
        if (journey, slot) not in slots:
            slots.add((journey, slot))
            found.setdefault(journey, []).append(number)
    return found


def let_in(conn: Connection, name: str, numbers: list[int], ir_of: Callable[[str], IR], now: datetime) -> int:
    """Let these entries of a journey in by its newest version and its rule of re-entry; returns how many came in.

    A refusal is kept like any other. Who finds somebody under way all the same goes on waiting.
    """
    waiting, journey = table(QueuedEntry), table(Journey)
    newest = conn.execute(select(journey.c.hash).where(journey.c.name == name)).scalar_one()
    query = select(waiting).where(waiting.c.id.in_(numbers), waiting.c.settled_at.is_(None)).order_by(waiting.c.id)
    rows = conn.execute(query.with_for_update()).all()
    applicants = [Applicant(row.customer_id, row.entry, row.key, now) for row in rows]
    outcomes = enter(conn, ir_of(newest), applicants, now, from_queue=True)
    settled = [
        {"of": row.id, "became": outcome} for row, outcome in zip(rows, outcomes, strict=True) if outcome != "active"
    ]
    if settled:
        change = update(waiting).where(waiting.c.id == bindparam("of"))
        conn.execute(change.values(settled_at=now, outcome=bindparam("became")), settled)
    return outcomes.count("entered")
