"""Call tasks on the wire: what the call center's routes take and give."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Connection

from dsl.localtime import zone_of
from engine.calls import again as call_again
from engine.calls import contacts as call_contacts
from engine.calls import queues as call_queues
from engine.calls import tasks as call_tasks
from engine.calls.hours import Rules, rules_of
from engine.calls.leases import LONGEST_LEASE, Claimed
from engine.calls.outcomes import choices
from engine.tables import CallTask

__all__ = ["ClaimedOut", "LeaseIn", "TaskDetail", "TaskOut", "TokenIn", "claimed", "detailed"]


class TaskOut(BaseModel):
    """A call task."""

    id: str
    customer_id: str
    journey: str
    state: str = Field(description="The box of the journey that asks for the call")
    queue: str
    status: str = Field(
        description="pending, reserved, assigned, wrapping, completed or withdrawn; a lapsed lease is pending again"
    )
    priority: int = Field(description="1 (first) to 9")
    value: int = Field(
        description="What the call is expected to bring, in cents; of equal priorities the highest is first"
    )
    skills: list[str] = Field(description="What an agent must know who takes it; her language is `language:fr`")
    language: str | None
    title: str
    script: str = Field(description="HTML, rendered for this customer")
    phone: str = Field(description="E.164")
    outcomes: list[str] = Field(description="The outcomes that the journey waits for")
    created_at: datetime
    updated_at: datetime
    due_at: datetime
    callback_at: datetime | None = Field(description="The time that she asked for")
    attempts: int = Field(description="Calls that were made before")
    worker: str | None
    lease_until: datetime | None = Field(description="Wall-clock time")
    withdrawn_at: datetime | None = Field(
        description="Set on an assigned or wrapping task: the customer has left, end the call gently"
    )
    outcome: str | None
    answers: dict[str, Any] | None
    notes: str | None
    duration_s: float | None
    completed_at: datetime | None

    @classmethod
    def of(cls, task: CallTask) -> TaskOut:
        """A task as it is shown: without its lease's hash, its status as of now."""
        shown = cls.model_validate(task, from_attributes=True)
        shown.status = call_tasks.status_of(task)
        return shown


class CalledOut(BaseModel):
    """Who is called."""

    id: str
    first_name: str | None
    last_name: str | None
    language: str | None
    zone: str | None
    country: str | None
    city: str | None
    email: str | None


class ContactOut(BaseModel):
    """A message that she got, or a call; or a contact that somebody else made, which has a campaign and no journey."""

    at: datetime
    channel: str
    journey: str
    state: str
    status: str = Field(description="As a message's; `elsewhere` for a contact that somebody else made")
    answers: list[str] = Field(description="What she answered, the oldest first")
    outcome: str | None = Field(description="Of a call")
    notes: str | None = Field(description="Of a call")
    campaign: str | None = Field(description="Of a contact that somebody else made")


class WindowOut(BaseModel):
    """When she may be rung."""

    zone: str = Field(description="Her time zone")
    local_time: str = Field(description="What her clock shows now, HH:MM")
    opens: str = Field(description="On her clock; the same as `closes`: at any time")
    closes: str
    open: bool = Field(description="Whether she may be rung now, and the queue is open")
    next_at: datetime | None = Field(description="From when on she may be rung; none where the queue never works then")


class AttemptOut(BaseModel):
    """A call that did not complete the task."""

    number: int
    outcome: str
    worker: str
    at: datetime
    next_at: datetime | None


class TaskDeferralOut(BaseModel):
    """A move to a later slot."""

    from_at: datetime
    to_at: datetime
    reason: str = Field(description="no capacity, or outranked by calls that count for more")
    priority: int
    value: int
    at: datetime


class TaskDetail(TaskOut):
    """A call task with all that an agent needs."""

    customer: CalledOut | None = Field(description="Null: nothing is known of her")
    contacts: list[ContactOut] = Field(description="The last ten contacts, the newest first")
    choices: list[str] = Field(description="The outcomes to choose from: the journey's first, then the others")
    attempts_left: int = Field(description="Calls that may still be made, this one included")
    window: WindowOut
    attempts_made: list[AttemptOut]
    deferrals: list[TaskDeferralOut]


class ClaimedOut(TaskDetail):
    """A task with its lease."""

    lease_token: str = Field(description="Opens this task; shown this once")
    expires_at: datetime = Field(description="When the lease ends, wall-clock time")


class LeaseIn(BaseModel):
    """A lease, and how long it shall run from now."""

    lease_token: str = Field(max_length=200)
    lease_seconds: float = Field(120, ge=1, le=LONGEST_LEASE)


class TokenIn(BaseModel):
    """A lease."""

    lease_token: str = Field(max_length=200)


def detailed(conn: Connection, task: CallTask, now: datetime) -> TaskDetail:
    """A task with all that an agent needs."""
    return TaskDetail(**_details(conn, [task], now)[0])


def claimed(conn: Connection, leases: Sequence[Claimed], now: datetime) -> list[ClaimedOut]:
    """Claimed tasks with their leases."""
    details = _details(conn, [lease.task for lease in leases], now)
    return [
        ClaimedOut(**detail, lease_token=lease.lease_token, expires_at=lease.expires_at)
        for lease, detail in zip(leases, details, strict=True)
    ]


def _details(conn: Connection, tasks: Sequence[CallTask], now: datetime) -> list[dict[str, Any]]:
    people = call_contacts.people(conn, [task.customer_id for task in tasks])
    rules = {queue: rules_of(conn, queue) for queue in {task.queue for task in tasks}}
    found: list[dict[str, Any]] = []
    for task in tasks:
        person = people.get(task.customer_id)
        of = rules[task.queue]
        attempts = call_again.attempts_of(conn, task.id) if task.attempts else []
        deferrals = call_queues.deferrals(conn, task_id=task.id, most=10) if task.slot_at is not None else []
        found.append(
            {
                **TaskOut.of(task).model_dump(),
                "customer": CalledOut.model_validate(person, from_attributes=True) if person is not None else None,
                "contacts": [
                    ContactOut.model_validate(each, from_attributes=True)
                    for each in call_contacts.contacts(conn, task.customer_id, besides=task.id)
                ],
                "choices": choices(task.outcomes),
                "attempts_left": call_again.attempts_left(task, of),
                "window": _window(task, person, of, now),
                "attempts_made": [AttemptOut.model_validate(each, from_attributes=True) for each in attempts],
                "deferrals": [TaskDeferralOut.model_validate(each, from_attributes=True) for each in deferrals],
            }
        )
    return found


def _window(task: CallTask, person: call_contacts.Person | None, rules: Rules, now: datetime) -> WindowOut:
    zone = zone_of(person.zone if person is not None else None, task.zone, rules.zone)
    following = rules.ring_time(now, zone)
    return WindowOut(
        zone=zone.key,
        local_time=f"{now.astimezone(zone):%H:%M}",
        opens=rules.call_from,
        closes=rules.call_until,
        open=following is not None and following <= now,
        next_at=following,
    )
