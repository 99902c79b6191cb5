"""Leases of call tasks: who works on what, and until when (behaviour K1).

A claim is a lease: nobody else gets the task before it runs out. Leases are wall-clock time (an agent's minutes are not
scaled), everything else is journey time.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, bindparam, func, or_, select, text, update
from sqlalchemy import cast as as_type
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import ColumnElement

from dsl.localtime import zone_of
from engine import customers
from engine.calls import events as call_events
from engine.calls import tasks as call_tasks
from engine.calls.barred import barred
from engine.calls.hours import LOOK_AGAIN, Rules, rules_of
from engine.calls.tasks import LEASED, change, locked
from engine.db import table
from engine.errors import Conflict, Invalid
from engine.keys import hashed
from engine.tables import CallTask

__all__ = [
    "LONGEST_LEASE",
    "MOST",
    "Claimed",
    "accept_task",
    "claim",
    "heartbeat",
    "lapse",
    "lapsed",
    "leased",
    "release",
    "wrap",
]

LONGEST_LEASE = 3600
MOST = 100
REMEMBERED = 5

Record = Any
"""A row of a query; SQLAlchemy types its columns only for the ORM."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A task that was claimed. The token opens it until `expires_at`; only its hash is kept."""

    task: CallTask
    lease_token: str
    expires_at: datetime


def claim(
    conn: Connection,
    queue: str,
    worker: str,
    most: int,
    lease_seconds: float,
    now: datetime,
    *,
    skills: Sequence[str] | None = None,
) -> list[Claimed]:
    """Lease up to `most` tasks that are due to a worker: by priority, then expected value, then due time. Never one to two.

    `skills` is all that the worker knows: tasks that need more are left to others; None takes any. Tasks whose lease ran out
    are among them. A task whose customer may not be rung at this hour is put off to when she may; one whose number must not be
    called any more, or whose consent was withdrawn since, is withdrawn.
    """
    if not worker.strip():
        raise Invalid("worker", worker, "it must name who calls")
    if not 1 <= most <= MOST:
        raise Invalid("max", most, f"it must be 1 to {MOST}")
    until = _lease(lease_seconds)
    rules = rules_of(conn, queue)
    tokens: dict[str, str] = {}
    changes: list[dict[str, Any]] = []
    while len(tokens) < most:
        rows = _first(conn, queue, most - len(tokens), skills, now, besides=list(tokens))
        left_out = _left_out(conn, rules, rows, now)
        for row in rows:
            if row.id in left_out:
                continue
            tokens[row.id] = secrets.token_urlsafe(24)
            past: list[dict[str, str]] = list(row.past_leases or [])
            if row.lease_hash is not None:
                past.insert(0, {"hash": row.lease_hash, "worker": row.worker or ""})
            changes.append({"b_id": row.id, "lease_hash": hashed(tokens[row.id]), "past_leases": past[:REMEMBERED]})
        if not left_out:
            break
    if not changes:
        return []
    target = table(CallTask)
    conn.execute(
        update(target)
        .where(target.c.id == bindparam("b_id"))
        .values(
            status="reserved",
            worker=worker,
            lease_hash=bindparam("lease_hash"),
            past_leases=bindparam("past_leases"),
            lease_until=until,
            lapsed_at=None,
            updated_at=now,
        ),
        changes,
    )
    found = {row["id"]: dict(row) for row in conn.execute(select(target).where(target.c.id.in_(tokens))).mappings()}
    call_events.tell(conn, "reserved", [found[key] for key in tokens], now)
    return [Claimed(CallTask(**found[key]), token, until) for key, token in tokens.items()]


def heartbeat(conn: Connection, task_id: str, lease_token: str, lease_seconds: float, now: datetime) -> CallTask:
    """Extend a lease. Raises NotFound, Conflict (the lease is not this one any more), Gone (withdrawn)."""
    task = leased(conn, task_id, lease_token)
    return change(conn, task, now, lease_until=_lease(lease_seconds), lapsed_at=None)


def accept_task(conn: Connection, task_id: str, lease_token: str, lease_seconds: float, now: datetime) -> CallTask:
    """The call begins: reserved → assigned, and the lease runs anew. Raises as `heartbeat`."""
    task = leased(conn, task_id, lease_token)
    return change(conn, task, now, status="assigned", lease_until=_lease(lease_seconds), lapsed_at=None)


def wrap(conn: Connection, task_id: str, lease_token: str, lease_seconds: float, now: datetime) -> CallTask:
    """The call has ended, and is written up: → wrapping, and the lease runs anew. Raises as `heartbeat`."""
    task = leased(conn, task_id, lease_token)
    return change(conn, task, now, status="wrapping", lease_until=_lease(lease_seconds), lapsed_at=None)


def release(conn: Connection, task_id: str, lease_token: str, now: datetime) -> CallTask:
    """Give the task back: it is pending again, or withdrawn if the journey asked for that meanwhile. Raises as `heartbeat`."""
    task = leased(conn, task_id, lease_token)
    status = "pending" if task.withdrawn_at is None else "withdrawn"
    return change(conn, task, now, status=status, worker=None, lease_hash=None, lease_until=None)


def lapse(conn: Connection, now: datetime) -> int:
    """Tell of leases that ran out since last time, and withdraw what waited for that. Returns how many there were.

    The agent's late outcome still counts: only a new claim ends that.
    """
    target = table(CallTask)
    over = (target.c.status.in_(LEASED), target.c.lease_until <= datetime.now(UTC))
    gone = (
        update(target)
        .where(*over, target.c.withdrawn_at.is_not(None))
        .values(status="withdrawn", lease_until=None, updated_at=now)
        .returning(target.c.id)
    )
    forgotten = conn.execute(gone).scalars().all()
    lapsed = update(target).where(*over, target.c.lapsed_at.is_(None)).values(lapsed_at=now, updated_at=now)
    rows = [dict(row) | {"status": "pending"} for row in conn.execute(lapsed.returning(target)).mappings()]
    call_events.tell(conn, "expired", rows, now)
    return len(forgotten) + len(rows)


def lapsed(conn: Connection) -> bool:
    """Whether a lease has run out that nobody was told of yet."""
    target = table(CallTask)
    over = (target.c.status.in_(LEASED), target.c.lease_until <= datetime.now(UTC))
    untold = or_(target.c.lapsed_at.is_(None), target.c.withdrawn_at.is_not(None))
    return conn.execute(select(target.c.id).where(*over, untold).limit(1)).first() is not None


def leased(conn: Connection, task_id: str, lease_token: str) -> CallTask:
    """The task, if this is its newest lease: one that ran out is good until another claims the task. Raises as `heartbeat`."""
    task = locked(conn, task_id)
    if task.status == "withdrawn":
        raise call_tasks.withdrawn(task_id)
    if task.status not in LEASED or task.lease_hash != hashed(lease_token):
        raise Conflict("stale_lease", f"the lease of call task {task_id} is not valid any more; claim a task again")
    return task


def _first(
    conn: Connection, queue: str, most: int, skills: Sequence[str] | None, now: datetime, *, besides: Sequence[str]
) -> list[Record]:
    """The first tasks that are due, `besides` left out. Two queries, so that each walks an index in order and stops early."""
    target = table(CallTask)
    columns = (
        "id", "rank", "due_at", "customer_id", "zone", "callback_at", "lease_hash", "worker", "past_leases",
        "phone",
    )  # fmt: skip
    query = (
        select(*(target.c[name] for name in columns))
        .where(target.c.queue == queue, target.c.due_at <= now, target.c.id.not_in(besides), *_within(conn, skills))
        .order_by(target.c.rank, target.c.due_at, target.c.id)
        .limit(most)
        .with_for_update(skip_locked=True)  # SQLite needs none: a write transaction has the database to itself
    )
    pending = conn.execute(query.where(target.c.status == "pending")).all()
    over = (target.c.lease_until <= datetime.now(UTC), target.c.status.in_(LEASED), target.c.withdrawn_at.is_(None))
    lapsed = conn.execute(query.where(*over)).all()
    both = sorted([*pending, *lapsed], key=lambda row: (row.rank, row.due_at, row.id)) if lapsed else pending
    return list(both[:most])


def _within(conn: Connection, skills: Sequence[str] | None) -> tuple[ColumnElement[bool], ...]:
    """The task needs no skill that is not among these."""
    if skills is None:
        return ()
    target = table(CallTask)
    if conn.dialect.name == "sqlite":
        needs = func.json_each(target.c.skills).table_valued("value", name="needed")
        lacking = select(text("1")).select_from(needs).where(needs.c.value.not_in(list(skills)))
        return (~lacking.exists(),)
    return (as_type(target.c.skills, JSONB).contained_by(as_type(cast("Any", list(skills)), JSONB)),)


def _left_out(conn: Connection, rules: Rules, rows: Sequence[Record], now: datetime) -> set[str]:
    """Those of the tasks that are not handed out, and why is written down: not now, or not at all."""
    never = barred(conn, rows) if rows else set[str]()
    if never:
        call_tasks.withdraw(conn, sorted(never), now)
    return never | _put_off(conn, rules, [row for row in rows if row.id not in never], now)


def _put_off(conn: Connection, rules: Rules, rows: Sequence[Record], now: datetime) -> set[str]:
    """Those of the tasks whose customers may not be rung now: they are due when they may."""
    if not rules.declared or not rows:
        return set()
    places = customers.places(conn, sorted({row.customer_id for row in rows}))
    target = table(CallTask)
    later: list[dict[str, Any]] = []
    for row in rows:
        zone = zone_of(places.get(row.customer_id, (None, None))[0], row.zone, rules.zone)
        if not rules.may_ring(now, zone):
            due = rules.ring_time(now, zone) or now + LOOK_AGAIN  # she has moved: nobody rings her, and others go on
            later.append({"of": row.id, "due": due})
    if later:
        put_off = update(target).where(target.c.id == bindparam("of")).values(due_at=bindparam("due"), updated_at=now)
        conn.execute(put_off, later)
    return {row["of"] for row in later}


def _lease(seconds: float) -> datetime:
    if not 1 <= seconds <= LONGEST_LEASE:
        raise Invalid("lease_seconds", seconds, f"it must be 1 to {LONGEST_LEASE}")
    return datetime.now(UTC) + timedelta(seconds=seconds)
