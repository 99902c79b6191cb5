"""Calls that are made again: an attempt that reached nobody, and the call back that the customer asked for (behaviour K2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from dsl.localtime import clock_time, local_moment, next_local, zone_of
from dsl.outcomes import CALLBACK, UNREACHED
from engine import customers
from engine.calls import capacity as call_capacity
from engine.calls import tasks as call_tasks
from engine.calls.hours import LOOK_AGAIN, Rules, rules_of
from engine.calls.leases import leased
from engine.calls.tasks import change, locked
from engine.db import insert_new, table
from engine.errors import Conflict, Invalid
from engine.keys import hashed
from engine.tables import CallAttempt, CallTask, Suppression

__all__ = ["attempt", "attempts_left", "attempts_of", "callback", "replan", "retry", "zone_of_task"]

_FARTHEST = timedelta(days=365)


def attempt(
    conn: Connection, task_id: str, lease_token: str, outcome: str, now: datetime, *, notes: str | None = None
) -> CallTask:
    """A call that reached nobody: the task comes back after the queue's pause; the last attempt completes it.

    The same report again changes nothing. Raises as `complete`, and Invalid for an outcome of a call that reached somebody.
    """
    if outcome not in UNREACHED:
        raise Invalid(
            "outcome", outcome, f"an attempt is one of {', '.join(sorted(UNREACHED))}; others complete the task"
        )
    known = _reported(conn, task_id, lease_token, outcome)
    if known is not None:
        return known
    task = leased(conn, task_id, lease_token)
    rules = rules_of(conn, task.queue)
    if task.attempts + 1 >= rules.attempts:
        return call_tasks.complete(conn, task_id, lease_token, outcome, now, notes=notes)
    return retry(conn, task, rules, outcome, now, notes=notes)


def retry(
    conn: Connection, task: CallTask, rules: Rules, outcome: str, now: datetime, *, notes: str | None
) -> CallTask:
    """Nobody was reached, and an attempt is left: the task comes back after the queue's pause."""
    pause = now + timedelta(minutes=rules.retry_minutes)
    again = rules.ring_time(pause, zone_of_task(conn, task, rules)) or pause + LOOK_AGAIN
    return _come_back(conn, task, outcome, now, again, {"notes": notes or task.notes, "callback_at": None})


def callback(
    conn: Connection,
    task_id: str,
    lease_token: str,
    at: str,
    now: datetime,
    *,
    phone: str | None = None,
    notes: str | None = None,
) -> CallTask:
    """She asked to be rung at another time: `15:00` (hers, the next), `2026-03-02T15:00` (hers), or with an offset.

    The task is due then, or when the centre is open next and she may be rung. `phone`: at this number from then on. The same time
    again changes nothing. Raises as `heartbeat`, Invalid, and Conflict where no attempt is left, or another time was promised.
    """
    known = _reported(conn, task_id, lease_token, CALLBACK, at)
    if known is not None:
        return known
    task = leased(conn, task_id, lease_token)
    rules = rules_of(conn, task.queue)
    if task.attempts + 1 >= rules.attempts:
        raise Conflict(
            "no_attempts_left",
            f"call task {task_id} was tried {task.attempts} times before; {rules.attempts} calls are the most: complete it",
        )
    return replan(conn, task, rules, at, now, phone=phone, notes=notes)


def replan(
    conn: Connection, task: CallTask, rules: Rules, at: str, now: datetime, *, phone: str | None, notes: str | None
) -> CallTask:
    """Give a task the time that its customer asked for. Raises Invalid, Gone."""
    if task.withdrawn_at is not None:
        raise call_tasks.withdrawn(task.id)
    due = _due(conn, task, rules, at, now)
    values: dict[str, Any] = {"callback_at": due, "notes": notes or task.notes}
    if phone is not None:
        values["phone"] = _number(conn, phone, task)
    return _come_back(conn, task, CALLBACK, now, due, values)


def attempts_left(task: CallTask, rules: Rules) -> int:
    """How many calls may still be made for an open task, the next one included."""
    return max(0, rules.attempts - task.attempts) if task.status in call_tasks.OPEN else 0


def attempts_of(conn: Connection, task_id: str) -> list[CallAttempt]:
    """The calls that did not complete the task, the oldest first."""
    target = table(CallAttempt)
    query = select(target).where(target.c.task_id == task_id).order_by(target.c.id)
    return [CallAttempt(**row) for row in conn.execute(query).mappings()]


def zone_of_task(conn: Connection, task: CallTask, rules: Rules) -> ZoneInfo:
    """Her time zone as it is now, else as it was when the task was made, else the queue's."""
    place = customers.places(conn, [task.customer_id]).get(task.customer_id)
    return zone_of(place[0] if place is not None else None, task.zone, rules.zone)


def _come_back(
    conn: Connection, task: CallTask, outcome: str, now: datetime, again: datetime, values: dict[str, Any]
) -> CallTask:
    """The call was made, and the task is pending until `again`; if the customer has left meanwhile, it is withdrawn."""
    row = {
        "task_id": task.id,
        "number": task.attempts + 1,
        "outcome": outcome,
        "worker": task.worker or "",
        "lease_hash": task.lease_hash,
        "at": now,
        "next_at": again,
    }
    insert_new(conn, CallAttempt, [row])
    change(
        conn,
        task,
        now,
        status="pending" if task.withdrawn_at is None else "withdrawn",
        attempts=task.attempts + 1,
        due_at=again,
        not_before=again,
        slot_at=None,
        lease_hash=None,
        lease_until=None,
        **values,
    )
    call_capacity.plan(conn, task.queue, now)
    return call_tasks.get(conn, task.id)


def _reported(conn: Connection, task_id: str, lease_token: str, outcome: str, at: str | None = None) -> CallTask | None:
    """The task, if this call was reported before. Raises Conflict where it was reported as something else.

    `at`: the time that she asked for; another than before is something else. Raises Invalid for one that is none.
    """
    target = table(CallAttempt)
    task = locked(conn, task_id, queue=True)
    digest = hashed(lease_token)
    row = conn.execute(
        select(target.c.outcome, target.c.at, target.c.next_at).where(
            target.c.task_id == task_id, target.c.lease_hash == digest
        )
    ).first()
    if row is not None:
        if row.outcome != outcome:
            raise Conflict("already_reported", f"this call of task {task_id} was reported as {row.outcome}")
        if at is not None and _due(conn, task, rules_of(conn, task.queue), at, row.at) != row.next_at:
            raise Conflict(
                "already_reported",
                f"this call of task {task_id} was reported with a call back at {row.next_at.isoformat()}, which stays; "
                f"it can't be moved to {at}",
            )
        return task
    if task.status == "completed":
        if task.lease_hash == digest and task.outcome == outcome and at is None:
            return task
        raise call_tasks.finished(task)
    return None


def _due(conn: Connection, task: CallTask, rules: Rules, at: str, now: datetime) -> datetime:
    """When the task is due if she asks for this time now."""
    zone = zone_of_task(conn, task, rules)
    return rules.next_ring(_asked(at, zone, now), zone)


def _asked(at: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The moment that a text names: a time of her day, a time on her clock, or a moment."""
    try:
        if len(at) <= 5:
            return next_local(now, zone, clock_time(at))
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            moment = local_moment(moment.date(), moment.time(), zone)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the first and the last day of the calendar have no moment everywhere
        raise Invalid("at", at, "it must be a time, as 15:00, or a date and time, as 2026-03-02T15:00") from None
    if not now < moment <= now + _FARTHEST:
        raise Invalid("at", at, f"it must be after {now.isoformat()}, and within a year")
    return moment


def _number(conn: Connection, phone: str, task: CallTask) -> str:
    number: str | None = customers.clean({"phone": phone, "country": task.country})["phone"]
    if number is None:
        raise Invalid("phone", phone, "it must be a number")
    target = table(Suppression)
    barred = conn.execute(select(target.c.reason).where(target.c.channel == "call", target.c.address == number)).first()
    if barred is not None:
        raise Invalid("phone", phone, f"this number must not be called: {barred.reason}")
    return number
