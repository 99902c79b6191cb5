"""A customer's path through a journey: each step and its cause, what she got or why not, and what came too late.

It reads rows only, so it answers also when Temporal's history is long gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from engine.db import table
from engine.tables import Enrolment, EntryRefusal, Event, LateAnswer, Message, MessageEvent, QueuedEntry, Step

__all__ = ["Cause", "Late", "Path", "PathMessage", "PathStep", "Refusal", "Status", "path", "refusals"]


@dataclass(frozen=True, slots=True)
class Cause:
    """The event that moved her."""

    seq: int
    id: str
    name: str
    at: datetime
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Status:
    """A status that a message came to, with the provider's words."""

    at: datetime
    status: str
    detail: str | None


@dataclass(frozen=True, slots=True)
class PathMessage:
    """A send, or one that was not made: then `reason` names the rule and `detail` holds the values it decided on."""

    key: str
    channel: str
    purpose: str
    status: str
    reason: str | None
    detail: Mapping[str, Any] | None
    template: str | None
    reserved_at: datetime
    settled_at: datetime | None
    timeline: tuple[Status, ...]


@dataclass(frozen=True, slots=True)
class PathStep:
    """A box that she entered, why, and what was sent there."""

    seq: int
    """Counts from 1; a message's `visit` is the step that it was sent in."""
    state: str
    cause: str
    event: Cause | None
    detail: Mapping[str, Any] | None
    at: datetime
    messages: tuple[PathMessage, ...]


@dataclass(frozen=True, slots=True)
class Late:
    """An answer that did not move her, and why."""

    event: Cause
    state: str | None
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Path:
    """One enrolment, from entry to where she is."""

    enrolment_id: int
    journey: str
    hash: str
    entry: str
    arm: str
    entered_at: datetime
    state: str | None
    state_since: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    steps: tuple[PathStep, ...]
    late: tuple[Late, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An entry that was not made, and why."""

    journey: str
    entry: str
    reason: str
    at: datetime


def path(conn: Connection, customer: str, journey: str | None = None) -> list[Path]:
    """A customer's enrolments, the newest first, each with its steps."""
    enrolment = table(Enrolment)
    query = select(enrolment).where(enrolment.c.customer_id == customer).order_by(enrolment.c.id.desc())
    if journey is not None:
        query = query.where(enrolment.c.journey == journey)
    rows = [Enrolment(**row) for row in conn.execute(query).mappings()]
    ids = [row.id for row in rows if row.id is not None]
    steps, late = _steps(conn, ids), _late(conn, ids)
    return [
        Path(
            row.id or 0,
            row.journey,
            row.hash,
            row.entry,
            row.arm,
            row.entered_at,
            row.state,
            row.state_since,
            row.ended_at,
            row.end_reason,
            tuple(steps.get(row.id or 0, ())),
            tuple(late.get(row.id or 0, ())),
        )
        for row in rows
    ]


def refusals(conn: Connection, customer: str, journey: str | None = None) -> list[Refusal]:
    """The entries of a customer that were refused, or that wait for the end of another (`queued`), the newest first."""
    found: list[Refusal] = []
    for model in (EntryRefusal, QueuedEntry):
        rows = table(model)
        query = select(rows).where(rows.c.customer_id == customer)
        if journey is not None:
            query = query.where(rows.c.journey == journey)
        if model is QueuedEntry:
            query = query.where(rows.c.settled_at.is_(None))
        found.extend(
            Refusal(row.journey, row.entry, "queued" if model is QueuedEntry else row.reason, row.at)
            for row in conn.execute(query.order_by(rows.c.id.desc()))
        )
    return sorted(found, key=lambda each: each.at, reverse=True)


def _steps(conn: Connection, ids: list[int]) -> dict[int, list[PathStep]]:
    step, event = table(Step), table(Event)
    messages = _messages(conn, ids)
    query = (
        select(
            step,
            event.c.id.label("event_id"),
            event.c.name.label("event_name"),
            event.c.at.label("event_at"),
            event.c.payload.label("event_payload"),
        )
        .join_from(step, event, step.c.event_seq == event.c.seq, isouter=True)
        .where(step.c.enrolment_id.in_(ids))
        .order_by(step.c.enrolment_id, step.c.seq)
    )
    found: dict[int, list[PathStep]] = {}
    for row in conn.execute(query):
        cause = None
        if row.event_id is not None:
            cause = Cause(row.event_seq, row.event_id, row.event_name, row.event_at, row.event_payload)
        sent = tuple(messages.get((row.enrolment_id, row.seq), ()))
        found.setdefault(row.enrolment_id, []).append(
            PathStep(row.seq, row.state, row.cause, cause, row.detail, row.at, sent)
        )
    return found


def _messages(conn: Connection, ids: list[int]) -> dict[tuple[int, int], list[PathMessage]]:
    message, changed = table(Message), table(MessageEvent)
    rows = conn.execute(select(message).where(message.c.enrolment_id.in_(ids)).order_by(message.c.reserved_at)).all()
    lines: dict[str, list[Status]] = {}
    for line in conn.execute(
        select(changed).where(changed.c.key.in_([row.key for row in rows])).order_by(changed.c.id)
    ):
        lines.setdefault(line.key, []).append(Status(line.at, line.status, line.detail))
    found: dict[tuple[int, int], list[PathMessage]] = {}
    for row in rows:
        found.setdefault((row.enrolment_id, row.visit), []).append(
            PathMessage(
                row.key,
                row.channel,
                row.purpose,
                row.status,
                row.reason,
                row.detail,
                row.template,
                row.reserved_at,
                row.settled_at,
                tuple(lines.get(row.key, ())),
            )
        )
    return found


def _late(conn: Connection, ids: list[int]) -> dict[int, list[Late]]:
    late, event = table(LateAnswer), table(Event)
    query = (
        select(late, event.c.id, event.c.name, event.c.at.label("event_at"), event.c.payload)
        .join_from(late, event, late.c.event_seq == event.c.seq)
        .where(late.c.enrolment_id.in_(ids))
        .order_by(late.c.event_seq)
    )
    found: dict[int, list[Late]] = {}
    for row in conn.execute(query):
        cause = Cause(row.event_seq, row.id, row.name, row.event_at, row.payload)
        found.setdefault(row.enrolment_id, []).append(Late(cause, row.state, row.reason, row.at))
    return found
