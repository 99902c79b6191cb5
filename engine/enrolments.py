"""Enrolments: who enters a journey, who is refused and why, and how entries are gathered into cohorts.

Entries are rows first and workflows then: whatever is retried, on however many processes, the unique keys `entry` and
`slot` let one enrolment through (behaviours E1–E5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from secrets import token_hex
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, String, Table, bindparam, cast, func, insert, select, update

from dsl.ir import IR
from engine import endings
from engine.clock import to_ms
from engine.db import chunked, insert_new, insert_new_returning, table
from engine.holdout import arm
from engine.tables import Cohort, Enrolment, EntryRefusal, Journey, QueuedEntry

__all__ = ["Applicant", "Joining", "enter", "form_cohorts", "joined", "over", "to_join"]

_OFF = "rejected: off"


class Applicant(NamedTuple):
    """Somebody who may enter. `entry` names what brings her, uniquely; `key` is the value of a parallel journey's key."""

    customer_id: str
    entry: str
    key: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Joining:
    """Enrolments that are to join their cohort's workflow: `members` are (enrolment, entered at in ms)."""

    cohort: int
    journey: str
    hash: str
    workflow_id: str
    started: bool
    """Whether the workflow is known to run."""
    members: tuple[tuple[int, int], ...]


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
    return enrolment.c.end_reason.is_(None) | (enrolment.c.end_reason != _OFF)


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


def form_cohorts(conn: Connection, now: datetime, size: int, most: int = 20_000) -> int:
    """Give entries that have no cohort yet a place in one, `size` places each; returns how many entries were looked at.

    The newest cohort of their version is filled up first. A journey that was switched off since the entry was accepted takes
    nobody in: those enrolments end as `rejected: off`.
    """
    enrolment, journey = table(Enrolment), table(Journey)
    waiting = conn.execute(
        select(enrolment.c.id, enrolment.c.journey, enrolment.c.hash, journey.c["is_on"])
        .join(journey, journey.c.name == enrolment.c.journey)
        .where(enrolment.c.joined_at.is_(None), enrolment.c.cohort_id.is_(None), enrolment.c.ended_at.is_(None))
        .order_by(enrolment.c.journey, enrolment.c.hash, enrolment.c.id)
        .limit(most)
        .with_for_update(of=enrolment, skip_locked=True)
    ).all()
    for piece in chunked([row[0] for row in waiting if not row[3]]):
        off = {"ended_at": now, "end_reason": _OFF, "joined_at": now}
        freed = (
            enrolment.c.entry + ":off:" + cast(enrolment.c.id, String)
        )  # the same entry may come again when it is on
        conn.execute(update(enrolment).where(enrolment.c.id.in_(piece)).values(entry=freed, **off))
    for (name, content), rows in groupby((row for row in waiting if row[3]), key=lambda row: (row[1], row[2])):
        members = [row[0] for row in rows]
        while members:
            cohort, room = _open_cohort(conn, name, content, size, now)
            taken, members = members[:room], members[room:]
            conn.execute(
                update(table(Cohort)).where(table(Cohort).c.id == cohort).values(size=table(Cohort).c.size + len(taken))
            )
            conn.execute(
                update(enrolment).where(enrolment.c.id == bindparam("member")).values(cohort_id=cohort),
                [{"member": member} for member in taken],
            )
    return len(waiting)


def _open_cohort(conn: Connection, journey: str, content: str, size: int, now: datetime) -> tuple[int, int]:
    """A cohort of this version with room, and how much; a new one if there is none."""
    cohort = table(Cohort)
    newest = conn.execute(
        select(cohort.c.id, cohort.c.size)
        .where(cohort.c.journey == journey, cohort.c.hash == content)
        .order_by(cohort.c.id.desc())
        .limit(1)
        .with_for_update()
    ).first()
    if newest is not None and newest.size < size:
        return newest.id, size - newest.size
    made = conn.execute(
        insert(cohort).values(
            journey=journey, hash=content, workflow_id=f"{journey}/{token_hex(8)}", size=0, created_at=now
        )
    )
    assert made.inserted_primary_key is not None  # noqa: S101  # one row was inserted
    return made.inserted_primary_key[0], size


def to_join(conn: Connection) -> list[Joining]:
    """Enrolments which no workflow is known to carry, by cohort: bring them there, again if need be."""
    cohort, enrolment = table(Cohort), table(Enrolment)
    rows = conn.execute(
        select(
            cohort.c.id,
            cohort.c.journey,
            cohort.c.hash,
            cohort.c.workflow_id,
            cohort.c.started_at,
            enrolment.c.id,
            enrolment.c.entered_at,
        )
        .join(enrolment, enrolment.c.cohort_id == cohort.c.id)
        .where(enrolment.c.joined_at.is_(None))
        .order_by(cohort.c.id, enrolment.c.id)
    )
    return [
        Joining(*of[:4], started=of[4] is not None, members=tuple((row[5], to_ms(row[6])) for row in members))
        for of, members in groupby(rows, key=lambda row: tuple(row[:5]))
    ]


def joined(conn: Connection, joinings: Sequence[Joining], now: datetime) -> None:
    """Their workflows run and carry them."""
    cohort, enrolment = table(Cohort), table(Enrolment)
    for piece in chunked([joining.cohort for joining in joinings if not joining.started]):
        conn.execute(update(cohort).where(cohort.c.id.in_(piece)).values(started_at=now))
    for piece in chunked([number for joining in joinings for number, _ in joining.members]):
        conn.execute(update(enrolment).where(enrolment.c.id.in_(piece)).values(joined_at=now))


def over(conn: Connection, joining: Joining, size: int, now: datetime) -> None:
    """The cohort's workflow has ended: whoever did not join it before goes to another cohort.

    A workflow ends after its last step is recorded; so who has a step had joined, and who has none had not.
    """
    cohort, enrolment = table(Cohort), table(Enrolment)
    conn.execute(update(cohort).where(cohort.c.id == joining.cohort).values(size=size))
    for piece in chunked([number for number, _ in joining.members]):
        here = enrolment.c.id.in_(piece)
        conn.execute(update(enrolment).where(here, enrolment.c.seq > 0).values(joined_at=now))
        conn.execute(update(enrolment).where(here, enrolment.c.seq == 0).values(cohort_id=None))
