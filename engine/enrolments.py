"""Enrolments: who enters a journey, who is refused and why.

Entries are rows first and workflows then (`engine.cohorts`): whatever is retried, on however many processes, the unique keys `entry` and
`slot` let one enrolment through (behaviours E1–E5).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, func, select

from dsl.ir import IR
from engine import endings
from engine.db import chunked, insert_new, insert_new_returning, table
from engine.holdout import arm
from engine.tables import Enrolment, EntryRefusal, Journey, QueuedEntry

__all__ = ["OFF", "Applicant", "enter"]

OFF = "rejected: off"
"""How an enrolment ended whose journey was switched off before it had begun."""


class Applicant(NamedTuple):
    """Somebody who may enter. `entry` names what brings her, uniquely; `key` is the value of a parallel journey's key."""

    customer_id: str
    entry: str
    key: str | None
    at: datetime


def enter(
    conn: Connection,
    ir: IR,
    applicants: Sequence[Applicant],
    now: datetime,
    *,
    tell: bool = True,
    from_queue: bool = False,
) -> list[str]:
    """Enrol applicants in a journey; each gets an outcome, in their order.

    `entered`; `repeat` (this very entry was dealt with before); `queued` (it waits until her enrolment under way has ended);
    or a refusal, of which a row tells: `off`, `active` (she is in the journey, and it does not run in parallel), `never
    again`, `too soon`. Where the journey restarts, an enrolment under way ends as `restarted`. Call it in a transaction that
    writes.

    `tell` False writes no refusals: who is in an audience every morning did not apply every morning; she waits in a queue
    once. `from_queue`: these entries have waited; who finds an enrolment under way goes on waiting, as `active`.
    """
    if ir.again.active == "reject":
        return _enter(conn, ir, applicants, now, tell=tell, from_queue=from_queue)
    outcomes = [""] * len(applicants)
    left = list(range(len(applicants)))
    while left:  # one of each slot at a time: the second restarts the first, or waits for it
        slots: set[str] = set()
        turn = [index for index in left if not ((slot := _slot(ir, applicants[index])) in slots or slots.add(slot))]
        given = _enter(conn, ir, [applicants[index] for index in turn], now, tell=tell, from_queue=from_queue)
        for index, outcome in zip(turn, given, strict=True):
            outcomes[index] = outcome
        again = {i for i in turn if outcomes[i] == "active" and not from_queue}  # another process was faster: look anew
        left = [index for index in left if index not in turn or index in again]
    return outcomes


def _enter(
    conn: Connection, ir: IR, applicants: Sequence[Applicant], now: datetime, *, tell: bool, from_queue: bool
) -> list[str]:
    if not applicants:
        return []
    slots = [_slot(ir, a) for a in applicants]
    waiting = _waiting(conn, ir, slots) if ir.again.active == "queue" and not from_queue else set[str]()
    outcomes = _judge(conn, ir, applicants, slots, waiting, now, from_queue=from_queue)
    entering = [
        {
            "journey": ir.name,
            "hash": ir.hash,
            "customer_id": applicant.customer_id,
            "slot": slot,
            "entry": applicant.entry,
            "arm": arm(applicant.customer_id, ir.name, ir.holdout),
            "entered_at": applicant.at,
            "seq": 0,
        }
        for applicant, slot, outcome in zip(applicants, slots, outcomes, strict=True)
        if outcome == "entered"
    ]
    if ir.again.active == "restart":
        _restart(conn, ir, [str(row["slot"]) for row in entering], now)
    made = set(insert_new_returning(conn, Enrolment, entering, "entry"))
    theirs = _known_entries(conn, ir.name, [str(row["entry"]) for row in entering if row["entry"] not in made])
    for index, applicant in enumerate(applicants):  # another process was faster between our look and our insert
        if outcomes[index] == "entered" and applicant.entry not in made:
            outcomes[index] = "repeat" if applicant.entry in theirs else "active"
    settled = {"entered", "repeat", "queued"}
    if from_queue or ir.again.active != "reject":
        settled.add("active")  # she waits on, or is looked at anew
    each = list(zip(applicants, slots, outcomes, strict=True))
    queued = [_queued(ir, a, slot, now) for a, slot, o in each if o == "queued" and (tell or slot not in waiting)]
    insert_new(conn, QueuedEntry, queued)
    if tell:
        insert_new(conn, EntryRefusal, [_refusal(ir, a, o, now) for a, _, o in each if o not in settled])
    return outcomes


def _judge(
    conn: Connection,
    ir: IR,
    applicants: Sequence[Applicant],
    slots: Sequence[str],
    waiting: set[str],
    now: datetime,
    *,
    from_queue: bool,
) -> list[str]:
    """What is to become of each, as far as can be seen now."""
    on = conn.execute(select(table(Journey).c["is_on"]).where(table(Journey).c.name == ir.name)).scalar_one_or_none()
    known = _known_entries(conn, ir.name, [a.entry for a in applicants], queued=not from_queue)
    past = _past(conn, ir, slots)
    second = "active" if from_queue else {"queue": "queued", "restart": "entered", "reject": "active"}[ir.again.active]
    outcomes: list[str] = []
    for applicant, slot in zip(applicants, slots, strict=True):
        outcome = "repeat" if applicant.entry in known else "off" if not on else _may(ir, past.get(slot), now)
        if outcome == "active":
            outcome = second
        elif slot in waiting and outcome not in {"repeat", "off"}:
            outcome = "queued"
        if outcome == "entered":
            past[slot] = (True, None)
        known.add(applicant.entry)
        outcomes.append(outcome)
    return outcomes


def _past(conn: Connection, ir: IR, slots: Sequence[str]) -> dict[str, tuple[bool, datetime | None]]:
    """Of each slot that somebody was in: whether she still is, and when the last one ended."""
    enrolment = table(Enrolment)
    past: dict[str, tuple[bool, datetime | None]] = {}
    for piece in chunked(slots):
        rows = conn.execute(
            select(
                enrolment.c.slot,
                func.count() - func.count(enrolment.c.ended_at),
                func.max(enrolment.c.ended_at),
            )
            .where(enrolment.c.journey == ir.name, enrolment.c.slot.in_(piece), _came_in(enrolment))
            .group_by(enrolment.c.slot)
        )
        past.update({slot: (bool(active), ended) for slot, active, ended in rows})
    return past


def _waiting(conn: Connection, ir: IR, slots: Sequence[str]) -> set[str]:
    """The slots for which an entry waits: a later one waits behind it."""
    rows = table(QueuedEntry)
    found: set[str] = set()
    for piece in chunked(slots):
        query = select(rows.c.slot).where(rows.c.journey == ir.name, rows.c.slot.in_(piece))
        found.update(conn.execute(query.where(rows.c.settled_at.is_(None))).scalars())
    return found


def _restart(conn: Connection, ir: IR, slots: Sequence[str], now: datetime) -> None:
    """End who is under way in these slots."""
    rows = table(Enrolment)
    for piece in chunked(slots):
        here = select(rows.c.id).where(rows.c.journey == ir.name, rows.c.slot.in_(piece), rows.c.ended_at.is_(None))
        endings.end(conn, list(conn.execute(here).scalars()), "restarted", now)


def _queued(ir: IR, applicant: Applicant, slot: str, now: datetime) -> dict[str, object]:
    return {
        "journey": ir.name,
        "customer_id": applicant.customer_id,
        "slot": slot,
        "key": applicant.key,
        "entry": applicant.entry,
        "reason": "active",
        "at": now,
    }


def _refusal(ir: IR, applicant: Applicant, reason: str, now: datetime) -> dict[str, object]:
    return {
        "journey": ir.name,
        "customer_id": applicant.customer_id,
        "entry": applicant.entry,
        "reason": reason,
        "at": now,
    }


def _came_in(enrolment: Table) -> ColumnElement[bool]:
    """Not turned away at the door: who was `rejected: off` has not been in the journey."""
    return enrolment.c.end_reason.is_(None) | (enrolment.c.end_reason != OFF)


def _slot(ir: IR, applicant: Applicant) -> str:
    return f"{applicant.customer_id}/{applicant.key}" if ir.again.parallel is not None else applicant.customer_id


def _known_entries(conn: Connection, journey: str, entries: Sequence[str], *, queued: bool = True) -> set[str]:
    known: set[str] = set()
    for model in (Enrolment, EntryRefusal, QueuedEntry) if queued else (Enrolment, EntryRefusal):
        rows = table(model)
        for piece in chunked(entries):
            found = conn.execute(select(rows.c.entry).where(rows.c.journey == journey, rows.c.entry.in_(piece)))
            known.update(found.scalars())
    return known


def _may(ir: IR, past: tuple[bool, datetime | None] | None, now: datetime) -> str:
    """Whether the rule of re-entry lets her in, from what is recorded of her earlier enrolments."""
    if past is None:
        return "entered"
    active, ended = past
    if active:
        return "active"
    if ir.again.rule == "never":
        return "never again"
    if ir.again.rule == "after" and ended is not None and ended + timedelta(seconds=ir.again.seconds) > now:
        return "too soon"
    return "entered"
