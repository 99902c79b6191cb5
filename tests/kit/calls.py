"""Call tasks for tests: rows as a journey would make them, and what is read back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from engine.calls import leases as call_leases
from engine.calls import tasks as call_tasks
from engine.calls.centre import declare, shift
from engine.calls.hours import Rules
from engine.db import Database, table
from engine.tables import CallTask

__all__ = ["MONDAY", "claim_one", "declared", "lapse", "make", "task", "tasks_of"]

MONDAY = datetime(2026, 5, 4, 9, tzinfo=UTC)
"""11:00 in Paris."""


def task(key: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": key,
        "customer_id": f"c{key}",
        "enrolment_id": int(key.split("-", maxsplit=1)[0]),
        "journey": "win_back",
        "state": "call",
        "queue": "retention",
        "status": "pending",
        "priority": 5,
        "value": 0,
        "skills": [],
        "zone": "Europe/Paris",
        "script": "<p>Hello</p>",
        "title": "Win back",
        "phone": "+33612345678",
        "outcomes": ["interested", "refused"],
        "created_at": MONDAY,
        "updated_at": MONDAY,
        "due_at": MONDAY,
        **changes,
    }


def make(db: Database, *rows: dict[str, Any], now: datetime = MONDAY) -> None:
    """As the channel does: in one transaction, with their places and what is told of it."""
    with db.write() as conn:
        call_tasks.create(conn, rows, now)


def declared(db: Database, now: datetime = MONDAY, **rules: Any) -> Rules:
    """Declare the queue `retention`: one agent, two calls in half an hour, nine to six in Paris, unless told otherwise."""
    shifts: Sequence[dict[str, Any]] = rules.pop("shifts", [{"opens": "09:00", "closes": "18:00", "agents": 1}])
    given: dict[str, Any] = {"zone": "Europe/Paris", "country": "FR", "calls_per_agent": 2, "holidays": True, **rules}
    with db.write() as conn:
        return declare(conn, "retention", now, shifts=[shift(each) for each in shifts], **given)


def claim_one(db: Database, worker: str = "ada", now: datetime = MONDAY, **more: Any) -> call_leases.Claimed:
    with db.write() as conn:
        (claimed,) = call_leases.claim(conn, "retention", worker, 1, 120, now, **more)
    return claimed


def lapse(db: Database) -> None:
    """Let every lease run out: leases are wall-clock time, so their end is moved and nobody waits."""
    with db.write() as conn:
        target = table(CallTask)
        over = datetime.now(UTC) - timedelta(seconds=1)
        conn.execute(update(target).where(target.c.lease_until.is_not(None)).values(lease_until=over))


def tasks_of(db: Database) -> dict[str, Any]:
    """Every task, by its id."""
    with db.read() as conn:
        return {row.id: row for row in conn.execute(select(table(CallTask)))}
