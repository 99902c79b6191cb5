"""Enrolments: who is in which journey, how she came in or why not, and each step."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint, text
from sqlmodel import Field

from engine.tables.columns import BIG, Kept, json_column, moment_column

__all__ = ["Cohort", "Enrolment", "EntryRefusal", "QueuedEntry", "Step"]


class Cohort(Kept, table=True):
    """A workflow's worth of enrolments: later entries join it while it has room. A row first, a workflow then."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    journey: str
    hash: str
    workflow_id: str = Field(unique=True)
    """The workflow's id in Temporal: random, so that a database that was made anew never meets an old one's workflows."""
    size: int
    """Places that are taken; a cohort whose workflow has ended counts as full."""
    created_at: datetime = moment_column()
    started_at: datetime | None = moment_column(null=True)
    """When the workflow was known to run; null: to be started (again)."""


class Enrolment(Kept, table=True):
    """A customer in a journey, active while `ended_at` is null: `entered = active + ended by reason` counts these."""

    __table_args__ = (
        UniqueConstraint("journey", "entry", name="enrolment_entry"),
        # One active enrolment a slot: the rule "while active: reject" is the database's, not a check before a write.
        Index(
            "enrolment_slot",
            "journey",
            "slot",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(
            "enrolment_waiting",
            "id",
            sqlite_where=text("joined_at IS NULL"),
            postgresql_where=text("joined_at IS NULL"),
        ),
        Index(
            "enrolment_untold",
            "id",
            sqlite_where=text("stop_owed_at IS NOT NULL"),
            postgresql_where=text("stop_owed_at IS NOT NULL"),
        ),
        Index("enrolment_customer", "customer_id"),
        Index("enrolment_state", "journey", "hash", "state"),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    journey: str
    hash: str
    customer_id: str
    slot: str
    """The customer's id, or with `parallel` the id and the key's value."""
    entry: str
    """What made it: `event:<seq>`, `audience:<due time>:<customer>`, `api:<request key>`; unique, so never twice."""
    arm: str
    """`treated` or `held_out`."""
    cohort_id: int | None = Field(default=None, sa_column=Column(BIG, nullable=True, index=True))
    joined_at: datetime | None = moment_column(null=True)
    """When her workflow was known to carry her; null: she is to join it (again)."""
    entered_at: datetime = moment_column()
    """When she was let in; with an event, when that happened: what she did since then counts."""
    state: str | None = None
    """The box where she is, or where she ended; null until the first step."""
    state_since: datetime | None = moment_column(null=True)
    seq: int = 0
    """The number of the newest step that is recorded."""
    ended_at: datetime | None = moment_column(null=True)
    end_reason: str | None = None
    """The end's name (`won`, `lapsed` …), or what ended it from outside (`rejected: off`, `restarted`, `killed`)."""
    stop_owed_at: datetime | None = moment_column(null=True)
    """When it was ended from outside, until its workflow was told."""


class QueuedEntry(Kept, table=True):
    """An entry that waits until the enrolment under way has ended."""

    __table_args__ = (
        UniqueConstraint("journey", "entry", name="queued_entry_entry"),
        Index(
            "queued_entry_waiting",
            "journey",
            "slot",
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    journey: str
    customer_id: str
    slot: str
    key: str | None = None
    """The value of a parallel journey's key."""
    entry: str
    reason: str
    """Why it waits: `active`."""
    at: datetime = moment_column()
    settled_at: datetime | None = moment_column(null=True)
    outcome: str | None = None
    """What became of it: `entered`, or the refusal."""


class EntryRefusal(Kept, table=True):
    """An entry that was not made, because."""

    __table_args__ = (UniqueConstraint("journey", "entry", name="entry_refusal_entry"),)

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    journey: str
    customer_id: str
    entry: str
    reason: str
    """`off`, `active`, `never again`, `too soon`."""
    at: datetime = moment_column()


class Step(Kept, table=True):
    """One step of an enrolment: the box that was entered (or rested in before another try), when, and why."""

    enrolment_id: int = Field(sa_column=Column(BIG, primary_key=True))
    seq: int = Field(primary_key=True)
    state: str
    cause: str
    """`entry`, `answer`, `timer`, `decided`, `share`, `then`, `not_sent`, `retry`."""
    event_seq: int | None = Field(default=None, sa_column=Column(BIG, nullable=True, index=True))
    """The event that caused it, where one did."""
    detail: dict[str, Any] | None = json_column(null=True)
    """For a decision: each predicate as a sentence, its result, and the values it was decided on."""
    at: datetime = moment_column()
    hash: str
    arm: str
