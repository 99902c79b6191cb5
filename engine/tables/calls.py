"""The call center: tasks, queues, attempts, and what happened."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Computed, Index, Integer, text
from sqlmodel import Field

from engine.tables.columns import BIG, Kept, json_column, moment_column

__all__ = ["CallAttempt", "CallDeferral", "CallEvent", "CallQueue", "CallTask"]


class CallTask(Kept, table=True):
    """A task of the call center: pending → reserved → assigned → wrapping → completed, or withdrawn."""

    __table_args__ = (
        Index("call_task_queue", "queue", "status", "rank", "due_at", "id"),
        Index("call_task_changed", "updated_at", "id"),
        Index(
            "call_task_outcome",
            "journey",
            "state",
            "completed_at",
            sqlite_where=text("completed_at IS NOT NULL"),
            postgresql_where=text("completed_at IS NOT NULL"),
        ),
        Index(
            "call_task_lease",
            "lease_until",
            sqlite_where=text("lease_until IS NOT NULL"),
            postgresql_where=text("lease_until IS NOT NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    """The message's key."""
    customer_id: str = Field(index=True)
    enrolment_id: int = Field(sa_column=Column(BIG, nullable=False, index=True))
    journey: str
    state: str
    queue: str
    status: str
    priority: int = 5
    """1 (first) to 9."""
    value: int = Field(default=0, sa_column=Column(BIG, nullable=False, server_default="0"))
    """What the call is expected to bring, in cents; of equal priorities the highest comes first."""
    rank: int = Field(
        default=None,
        sa_column=Column(BIG, Computed("priority * 1000000000000 - value", persisted=True), nullable=False),
    )
    """The order in which agents get tasks: by priority, then by value. The database computes it, for its index."""
    skills: list[str] = Field(default=None, sa_column=Column(JSON(), nullable=False, server_default="[]"))
    """What an agent must know who takes it: the box's, and the customer's language as `language:fr`."""
    zone: str | None = None
    """The customer's time zone (IANA); null: the project's."""
    country: str | None = None
    language: str | None = None
    script: str
    """HTML, rendered for this customer."""
    title: str
    phone: str
    outcomes: list[str] = json_column()
    """The outcome codes that an agent may choose from."""
    created_at: datetime = moment_column()
    updated_at: datetime = moment_column()
    due_at: datetime = moment_column()
    slot_at: datetime | None = moment_column(null=True)
    """The beginning of the slot in which it has its place, where its queue has a capacity."""
    not_before: datetime | None = moment_column(null=True)
    """After an attempt or for a call back: no sooner than then."""
    callback_at: datetime | None = moment_column(null=True)
    """The time that she asked for: the task keeps it, whoever else is worth more."""
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    """Calls that were made for it, without the one that completed it."""
    worker: str | None = None
    lease_hash: str | None = None
    """sha256 of the lease token."""
    lease_until: datetime | None = moment_column(null=True)
    """Wall-clock time: an agent's minutes are not scaled."""
    lapsed_at: datetime | None = moment_column(null=True)
    """When it was noticed, and told, that the lease ran out."""
    outcome: str | None = None
    answers: dict[str, Any] | None = json_column(null=True)
    notes: str | None = None
    duration_s: float | None = None
    completed_at: datetime | None = moment_column(null=True)
    withdrawn_at: datetime | None = moment_column(null=True)
    """When the journey withdrew it; a call under way then goes on, `assigned`, and its agent is told."""
    past_leases: list[dict[str, str]] | None = json_column(null=True)
    """Leases that ran out, newest first, `{"hash", "worker"}`: their outcome still counts if nobody else finished."""


class CallQueue(Kept, table=True):
    """What a call center says of a queue: when it works, with how many agents, how often a customer is tried."""

    name: str = Field(primary_key=True)
    zone: str
    country: str
    shifts: list[dict[str, Any]] = json_column()
    """`{"days", "opens", "closes", "agents"}`, on the clock of `zone`; none: always open."""
    holidays: bool
    """Whether it works on public holidays of its country."""
    slot_minutes: int
    calls_per_agent: int
    """In a slot."""
    call_from: str
    """No customer is rung before this time on her own clock …"""
    call_until: str
    """… nor from this one on."""
    attempts: int
    """Most calls for one task."""
    retry_minutes: int
    """After a call that reached nobody."""
    planned_slot: datetime | None = moment_column(null=True)
    """The slot that was running when the queue was planned last."""
    updated_at: datetime = moment_column()


class CallAttempt(Kept, table=True):
    """A call that did not complete its task: nobody was reached, or she asked for another time."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    task_id: str = Field(index=True)
    number: int
    outcome: str
    worker: str
    lease_hash: str = Field(unique=True)
    """Of the lease that it was made under: the same report again is no second attempt."""
    at: datetime = moment_column()
    next_at: datetime | None = moment_column(null=True)
    """When the task is due again; null: this was the last attempt."""


class CallDeferral(Kept, table=True):
    """A task that was moved to a later slot, because."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    task_id: str = Field(index=True)
    queue: str
    from_at: datetime = moment_column()
    to_at: datetime = moment_column()
    reason: str
    """`no capacity` when it came, or `outranked` by tasks that came later and count for more."""
    priority: int
    value: int = Field(sa_column=Column(BIG, nullable=False))
    at: datetime = moment_column()


class CallEvent(Kept, table=True):
    """What happened to a call task, written in the transaction that did it: streams and webhooks tell it."""

    __table_args__ = (Index("call_event_order", "xact", "seq"),)

    seq: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    xact: int = Field(sa_column=Column(BIG, nullable=False))
    """On PostgreSQL its transaction: a reader passes over what came before only once that is certain. 0 on SQLite."""
    type: str
    """`call_task.created`, `reserved`, `completed`, `withdrawn`, `expired`."""
    task_id: str = Field(index=True)
    queue: str
    data: dict[str, Any] = json_column()
    """The task as it was: ids, status, times and outcome, nothing personal."""
    at: datetime = moment_column()
