"""Cohorts: enrolments are gathered so that one workflow carries many, and brought to the workflow that carries them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from secrets import token_hex

from sqlalchemy import Connection, String, bindparam, cast, insert, select, update

from engine.clock import to_ms
from engine.db import chunked, table
from engine.enrolments import OFF
from engine.tables import Cohort, Enrolment, Journey

__all__ = ["Joining", "form_cohorts", "joined", "over", "to_join"]


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
        off = {"ended_at": now, "end_reason": OFF, "joined_at": now}
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
