"""Call tasks: what the call center works on. pending → reserved → assigned → completed, or withdrawn.

A claim is a lease: nobody else gets the task before it runs out. Leases are wall-clock time (an agent's minutes are not
scaled), everything else is journey time. An outcome is an answer to the journey, in the same transaction.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, select, update
from sqlalchemy.sql import ColumnElement

from engine import consent
from engine.db import table
from engine.errors import Conflict, Gone, Invalid, NotFound
from engine.events import OWN, Incoming, accept
from engine.tables import CallTask

__all__ = [
    "LEASED",
    "OPEN",
    "OUTCOMES",
    "Claimed",
    "Outcome",
    "accept_task",
    "claim",
    "claimable",
    "complete",
    "get",
    "heartbeat",
    "release",
    "status_of",
    "withdraw",
]

OPEN = ("pending", "reserved", "assigned")
"""Statuses of a task that is not finished."""
LEASED = ("reserved", "assigned")
"""Statuses of a task that somebody holds, until the lease runs out."""
LONGEST_LEASE = 3600
MOST = 100
REMEMBERED = 5
_CHUNK = 5000


@dataclass(frozen=True, slots=True)
class Outcome:
    """A code that an agent may choose; its class is after the usual ones of task routers."""

    code: str
    label: str
    kind: str


OUTCOMES: dict[str, Outcome] = {
    outcome.code: outcome
    for outcome in (
        Outcome("interested", "Interested", "success"),
        Outcome("refused", "Refused", "refused"),
        Outcome("not_reached", "Not reached", "no answer"),
        Outcome("wrong_number", "Wrong number", "wrong number"),
        Outcome("do_not_call", "Must not be called again", "do not call"),
    )
}


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
    customer: str | None = None,
) -> list[Claimed]:
    """Lease up to `most` tasks that are due to a worker: the first by priority, then by due time. Never one task to two.

    Tasks whose lease ran out are among them. `customer` narrows it to one customer's.
    """
    if not worker.strip():
        raise Invalid("worker", worker, "it must name who calls")
    if not 1 <= most <= MOST:
        raise Invalid("max", most, f"it must be 1 to {MOST}")
    until = _lease(lease_seconds)
    target = table(CallTask)
    wall = datetime.now(UTC)
    query = (
        select(target.c.id, target.c.lease_hash, target.c.worker, target.c.past_leases)
        .where(target.c.queue == queue, target.c.due_at <= now, claimable(wall))
        .order_by(target.c.priority, target.c.due_at, target.c.id)
        .limit(most)
        .with_for_update(skip_locked=True)  # SQLite needs none: a write transaction has the database to itself
    )
    if customer is not None:
        query = query.where(target.c.customer_id == customer)
    tokens: dict[str, str] = {}
    changes: list[dict[str, Any]] = []
    for row in conn.execute(query):
        tokens[row.id] = secrets.token_urlsafe(24)
        past: list[dict[str, str]] = list(row.past_leases or [])
        if row.lease_hash is not None:
            past.insert(0, {"hash": row.lease_hash, "worker": row.worker or ""})
        changes.append({"b_id": row.id, "lease_hash": _hash(tokens[row.id]), "past_leases": past[:REMEMBERED]})
    if not changes:
        return []
    conn.execute(
        update(target)
        .where(target.c.id == bindparam("b_id"))
        .values(
            status="reserved",
            worker=worker,
            lease_hash=bindparam("lease_hash"),
            past_leases=bindparam("past_leases"),
            lease_until=until,
            updated_at=now,
        ),
        changes,
    )
    tasks = {
        row["id"]: CallTask(**row) for row in conn.execute(select(target).where(target.c.id.in_(tokens))).mappings()
    }
    return [Claimed(tasks[key], token, until) for key, token in tokens.items()]


def heartbeat(conn: Connection, task_id: str, lease_token: str, lease_seconds: float, now: datetime) -> CallTask:
    """Extend a lease. Raises NotFound, Conflict (the lease is not this one any more), Gone (withdrawn)."""
    task = _leased(conn, task_id, lease_token)
    return _change(conn, task, now, lease_until=_lease(lease_seconds))


def accept_task(conn: Connection, task_id: str, lease_token: str, lease_seconds: float, now: datetime) -> CallTask:
    """The call begins: reserved → assigned, and the lease runs anew. Raises as `heartbeat`."""
    task = _leased(conn, task_id, lease_token)
    return _change(conn, task, now, status="assigned", lease_until=_lease(lease_seconds))


def release(conn: Connection, task_id: str, lease_token: str, now: datetime) -> CallTask:
    """Give the task back: it is pending again, or withdrawn if the journey asked for that meanwhile. Raises as `heartbeat`."""
    task = _leased(conn, task_id, lease_token)
    status = "pending" if task.withdrawn_at is None else "withdrawn"
    return _change(conn, task, now, status=status, worker=None, lease_hash=None, lease_until=None)


def complete(
    conn: Connection,
    task_id: str,
    lease_token: str,
    outcome: str,
    now: datetime,
    *,
    answers: Mapping[str, Any] | None = None,
    notes: str | None = None,
    duration_s: float | None = None,
) -> CallTask:
    """Finish a task with its outcome, which is an event `call.<outcome>` in the same transaction.

    The same again changes nothing. A lease that ran out is good enough while nobody else has finished. Raises NotFound,
    Invalid (no such outcome), Conflict (stale lease, or finished by somebody else), Gone (withdrawn).
    """
    task = _locked(conn, task_id)
    if outcome not in OUTCOMES and outcome not in task.outcomes:
        known = ", ".join(dict.fromkeys([*task.outcomes, *OUTCOMES]))
        raise Invalid("outcome", outcome, f"it must be one of {known}")
    holder = _holder(task, lease_token)
    if task.status == "completed":
        if holder is not None and task.lease_hash == _hash(lease_token) and task.outcome == outcome:
            return task
        raise Conflict(
            "already_completed", f"call task {task_id} was completed by {task.worker} with the outcome {task.outcome}"
        )
    if task.status == "withdrawn":
        raise Gone("withdrawn", f"call task {task_id} was withdrawn: the customer has left this step of the journey")
    if holder is None:
        raise Conflict("stale_lease", f"the lease of call task {task_id} is another's; claim it again")
    done = _change(
        conn,
        task,
        now,
        status="completed",
        worker=holder,
        lease_hash=_hash(lease_token),
        lease_until=None,
        outcome=outcome,
        answers=dict(answers) if answers is not None else None,
        notes=notes,
        duration_s=duration_s,
        completed_at=now,
    )
    payload = {"outcome": outcome, "answers": dict(answers or {}), "duration_s": duration_s, "worker": holder}
    accept(
        conn,
        [Incoming(f"{OWN}call:{task.id}", f"call.{outcome}", now, task.customer_id, task.id, payload, "task")],
        now,
    )
    if outcome == "do_not_call":
        consent.suppress(conn, "call", task.phone, "do not call", "task outcome", now)
    return done


def withdraw(conn: Connection, of: Sequence[str | int], now: datetime) -> list[str]:
    """Withdraw the open tasks of these message keys (text) and enrolments (numbers); returns the ids of those withdrawn.

    A call under way is not taken from its agent: the task stays assigned, and is marked.
    """
    target = table(CallTask)
    withdrawn: list[str] = []
    under_way = and_(target.c.status == "assigned", target.c.lease_until > datetime.now(UTC))
    chunks: list[ColumnElement[bool]] = []
    keys = sorted(key for key in of if isinstance(key, str))
    enrolments = sorted(key for key in of if not isinstance(key, str))
    chunks += [target.c.id.in_(keys[start : start + _CHUNK]) for start in range(0, len(keys), _CHUNK)]
    chunks += [
        target.c.enrolment_id.in_(enrolments[start : start + _CHUNK]) for start in range(0, len(enrolments), _CHUNK)
    ]
    for chunk in chunks:
        open_ones = and_(chunk, target.c.status.in_(OPEN))
        conn.execute(
            update(target)
            .where(open_ones, under_way, target.c.withdrawn_at.is_(None))
            .values(withdrawn_at=now, updated_at=now)
        )
        gone = (
            update(target)
            .where(open_ones, or_(target.c.status != "assigned", target.c.lease_until <= datetime.now(UTC)))
            .values(status="withdrawn", withdrawn_at=now, updated_at=now, lease_until=None)
            .returning(target.c.id)
        )
        withdrawn.extend(conn.execute(gone).scalars())
    return withdrawn


def get(conn: Connection, task_id: str) -> CallTask:
    """A task by its id. Raises NotFound."""
    target = table(CallTask)
    row = conn.execute(select(target).where(target.c.id == task_id)).mappings().first()
    if row is None:
        raise _missing(task_id)
    return CallTask(**row)


def status_of(task: CallTask) -> str:
    """A task's status as of now: one whose lease ran out is pending again, before anybody claims it."""
    lapsed = task.status in LEASED and task.lease_until is not None and task.lease_until <= datetime.now(UTC)
    return task.status if not lapsed else "pending" if task.withdrawn_at is None else "withdrawn"


def claimable(wall: datetime) -> ColumnElement[bool]:
    """Of `call_task`: which tasks may be claimed at this wall-clock time, due or not."""
    target = table(CallTask)
    lapsed = and_(target.c.status.in_(LEASED), target.c.lease_until <= wall)
    return and_(or_(target.c.status == "pending", lapsed), target.c.withdrawn_at.is_(None))


def _locked(conn: Connection, task_id: str) -> CallTask:
    target = table(CallTask)
    row = conn.execute(select(target).where(target.c.id == task_id).with_for_update()).mappings().first()
    if row is None:
        raise _missing(task_id)
    return CallTask(**row)


def _leased(conn: Connection, task_id: str, lease_token: str) -> CallTask:
    """The task, if this is its newest lease: one that ran out is good until another claims the task."""
    task = _locked(conn, task_id)
    if task.status == "withdrawn":
        raise Gone("withdrawn", f"call task {task_id} was withdrawn: the customer has left this step of the journey")
    if task.status not in LEASED or task.lease_hash != _hash(lease_token):
        raise Conflict("stale_lease", f"the lease of call task {task_id} is not valid any more; claim a task again")
    return task


def _holder(task: CallTask, lease_token: str) -> str | None:
    """Who held this lease, the newest or one that ran out."""
    digest = _hash(lease_token)
    if task.lease_hash == digest:
        return task.worker or ""
    return next((past["worker"] for past in task.past_leases or [] if past["hash"] == digest), None)


def _change(conn: Connection, task: CallTask, now: datetime, **values: Any) -> CallTask:
    target = table(CallTask)
    statement = update(target).where(target.c.id == task.id).values(**values, updated_at=now).returning(target)
    return CallTask(**conn.execute(statement).mappings().one())


def _lease(seconds: float) -> datetime:
    if not 1 <= seconds <= LONGEST_LEASE:
        raise Invalid("lease_seconds", seconds, f"it must be 1 to {LONGEST_LEASE}")
    return datetime.now(UTC) + timedelta(seconds=seconds)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _missing(task_id: str) -> NotFound:
    return NotFound("call_task_not_found", f"there is no call task {task_id!r}")
