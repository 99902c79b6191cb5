"""Call tasks: what the call center works on. pending → reserved → assigned → wrapping → completed, or withdrawn.

They are made with the message that asks for the call, and end with an outcome, which is an answer to the journey in the same
transaction, or are withdrawn when the customer leaves the step. What lies between are leases (`engine.calls.leases`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, or_, select, update
from sqlalchemy.sql import ColumnElement

from dsl.outcomes import DO_NOT_CALL, answer_of
from engine import consent
from engine.calls import capacity as call_capacity
from engine.calls import events as call_events
from engine.calls import outcomes as call_outcomes
from engine.calls.hours import rules_of
from engine.db import chunked, insert_new_returning, table
from engine.depth import check_depth
from engine.errors import Conflict, Gone, NotFound
from engine.events import OWN, Incoming, accept
from engine.keys import hashed
from engine.tables import CallTask

__all__ = [
    "LEASED",
    "OPEN",
    "change",
    "claimable",
    "complete",
    "create",
    "finish",
    "finished",
    "get",
    "locked",
    "never_again",
    "status_of",
    "withdraw",
    "withdrawn",
]

OPEN = ("pending", "reserved", "assigned", "wrapping")
"""Statuses of a task that is not finished."""
LEASED = ("reserved", "assigned", "wrapping")
"""Statuses of a task that somebody holds, until the lease runs out."""
UNDER_WAY = ("assigned", "wrapping")
"""Statuses of a task whose call is being made, or was."""
_CHUNK = 5000


def create(conn: Connection, rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Insert the tasks that are not there yet, of one queue, and give them their place in it."""
    if not rows:
        return
    queue = rows[0]["queue"]
    new = insert_new_returning(conn, CallTask, rows, "id")
    call_capacity.plan(conn, queue, now)
    target = table(CallTask)
    for piece in chunked(new, _CHUNK):
        made = select(target).where(target.c.id.in_(piece)).order_by(target.c.id)
        call_events.tell(conn, "created", [dict(row) for row in conn.execute(made).mappings()], now)


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
    """Finish a task with its outcome, which is an event `call.<answer>` in the same transaction.

    The same again changes nothing. A lease that ran out is good enough while nobody else has finished. Raises NotFound,
    Invalid (no such outcome), Conflict (stale lease, or finished by somebody else), Gone (withdrawn).
    """
    task = locked(conn, task_id)
    call_outcomes.check(outcome, task.outcomes)
    holder = _holder(task, lease_token)
    if task.status == "completed":
        if holder is not None and task.lease_hash == hashed(lease_token) and task.outcome == outcome:
            return task
        raise finished(task)
    if task.status == "withdrawn":
        raise withdrawn(task_id)
    if holder is None:
        raise Conflict("stale_lease", f"the lease of call task {task_id} is another's; claim it again")
    said = {"answers": answers, "notes": notes, "duration_s": duration_s}
    return finish(conn, task, holder, hashed(lease_token), outcome, said, now)


def finish(
    conn: Connection,
    task: CallTask,
    worker: str,
    lease_hash: str | None,
    outcome: str,
    said: Mapping[str, Any],
    now: datetime,
) -> CallTask:
    """Write an open task's outcome (`said`: answers, notes, duration_s), tell the journey, and suppress who asked for that.

    Raises Invalid for answers that are nested too deep.
    """
    check_depth("answers", said.get("answers"))
    answers: dict[str, Any] = dict(said.get("answers") or {})
    done = change(
        conn,
        task,
        now,
        status="completed",
        worker=worker,
        lease_hash=lease_hash,
        lease_until=None,
        outcome=outcome,
        answers=answers if said.get("answers") is not None else None,
        notes=said.get("notes"),
        duration_s=said.get("duration_s"),
        completed_at=now,
    )
    answer = answer_of(outcome, task.outcomes)
    payload = {"outcome": outcome, "answers": answers, "duration_s": said.get("duration_s"), "worker": worker}
    accept(
        conn,
        [Incoming(f"{OWN}call:{task.id}", f"call.{answer}", now, task.customer_id, task.id, payload, "task")],
        now,
    )
    if outcome == DO_NOT_CALL:
        _suppress(conn, task, now)
    call_events.tell(conn, "completed", [done.model_dump()], now)
    return done


def never_again(conn: Connection, task_id: str, outcome: str, now: datetime, *, lease_token: str | None = None) -> None:
    """Suppress the number whose outcome came too late for the task: she said "do not call", whatever became of it.

    For a transaction of its own, after `complete` was refused and rolled back. `lease_token`: only if this lease was one of the task's.
    """
    if outcome != DO_NOT_CALL:
        return
    task = get(conn, task_id)
    if lease_token is None or _holder(task, lease_token) is not None:
        _suppress(conn, task, now)


def withdraw(conn: Connection, of: Sequence[str | int], now: datetime) -> list[str]:
    """Withdraw the open tasks of these message keys (text) and enrolments (numbers); returns the ids of those withdrawn.

    A call under way is not taken from its agent: the task stays as it is, and is marked.
    """
    target = table(CallTask)
    gone: list[dict[str, Any]] = []
    marked: list[dict[str, Any]] = []
    wall = datetime.now(UTC)
    under_way = and_(target.c.status.in_(UNDER_WAY), target.c.lease_until > wall)
    chunks: list[ColumnElement[bool]] = []
    keys = sorted(key for key in of if isinstance(key, str))
    enrolments = sorted(key for key in of if not isinstance(key, str))
    chunks += [target.c.id.in_(piece) for piece in chunked(keys, _CHUNK)]
    chunks += [target.c.enrolment_id.in_(piece) for piece in chunked(enrolments, _CHUNK)]
    for chunk in chunks:
        open_ones = and_(chunk, target.c.status.in_(OPEN))
        mark = (
            update(target)
            .where(open_ones, under_way, target.c.withdrawn_at.is_(None))
            .values(withdrawn_at=now, updated_at=now)
            .returning(target)
        )
        marked.extend(dict(row) for row in conn.execute(mark).mappings())
        take = (
            update(target)
            .where(open_ones, or_(target.c.status.not_in(UNDER_WAY), target.c.lease_until <= wall))
            .values(status="withdrawn", withdrawn_at=now, updated_at=now, lease_until=None)
            .returning(target)
        )
        gone.extend(dict(row) for row in conn.execute(take).mappings())
    call_events.tell(conn, "withdrawn", [*marked, *gone], now)
    return [row["id"] for row in gone]


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


def locked(conn: Connection, task_id: str, *, queue: bool = False) -> CallTask:
    """A task that nobody else changes until the transaction ends, and `queue` that nobody else plans. Raises NotFound.

    A transaction that plans a queue locks the queue before any task, so that no two wait for each other.
    """
    target = table(CallTask)
    if queue:
        rules_of(conn, get(conn, task_id).queue, lock=True)
    row = conn.execute(select(target).where(target.c.id == task_id).with_for_update()).mappings().first()
    if row is None:
        raise _missing(task_id)
    return CallTask(**row)


def change(conn: Connection, task: CallTask, now: datetime, **values: Any) -> CallTask:
    """Write these columns of a task, and give it as it is then."""
    target = table(CallTask)
    statement = update(target).where(target.c.id == task.id).values(**values, updated_at=now).returning(target)
    return CallTask(**conn.execute(statement).mappings().one())


def withdrawn(task_id: str) -> Gone:
    """The error of a task that the journey has taken back."""
    return Gone("withdrawn", f"call task {task_id} was withdrawn: the customer has left this step of the journey")


def finished(task: CallTask) -> Conflict:
    """The error of a task that somebody else has completed."""
    return Conflict(
        "already_completed", f"call task {task.id} was completed by {task.worker} with the outcome {task.outcome}"
    )


def _suppress(conn: Connection, task: CallTask, now: datetime) -> None:
    consent.suppress(conn, "call", task.phone, "do not call", "task outcome", now)


def _holder(task: CallTask, lease_token: str) -> str | None:
    """Who held this lease, the newest or one that ran out."""
    digest = hashed(lease_token)
    if task.lease_hash == digest:
        return task.worker or ""
    return next((past["worker"] for past in task.past_leases or [] if past["hash"] == digest), None)


def _missing(task_id: str) -> NotFound:
    return NotFound("call_task_not_found", f"there is no call task {task_id!r}")
