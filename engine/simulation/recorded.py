"""What is recorded of customers in a journey: entry, way, messages with their answers, events, decisions. Read only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from engine.clock import to_ms
from engine.db import chunked, table
from engine.errors import NotFound
from engine.messages import WITH_PROVIDER
from engine.tables import Enrolment, Event, Message, MessageEvent, Moment, Step

__all__ = ["Happened", "Recorded", "Sent", "last_recorded", "recorded"]

_NEVER_IN: Final = "rejected: off"
_PIECE: Final = 500


@dataclass(frozen=True, slots=True, order=True)
class Happened:
    """An event: when (milliseconds since 1970), its number, and what it was."""

    at: int
    seq: int
    name: str = field(compare=False)
    payload: Mapping[str, Any] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that went out, or didn't (`reason`), and the answers to it."""

    state: str
    channel: str
    template: str | None
    status: str
    reason: str | None
    at: int
    answers: tuple[Happened, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One enrolment. Moments in milliseconds since 1970."""

    id: int
    customer: str
    key: str
    """Of a parallel journey: the key's value; else empty."""
    hash: str
    arm: str
    began: int
    state: str
    """Where she is, or ended."""
    ended: int | None
    end_reason: str | None
    path: tuple[str, ...]
    """The boxes that she entered."""
    messages: tuple[Sent, ...]
    events: tuple[Happened, ...]
    """What she did from her entry on that answers no message."""
    decisions: tuple[tuple[int, str, bool], ...]
    """(when, condition, whether it held)."""


def recorded(conn: Connection, journey: str, since: datetime | None, until: datetime) -> Iterator[Recorded]:
    """Every enrolment of a journey that was entered `since` then, by its number; with what happened up to `until`.

    Raises NotFound where there is none.
    """
    enrolment = table(Enrolment)
    query = (
        select(enrolment)
        .where(enrolment.c.journey == journey, enrolment.c.seq > 0, enrolment.c.entered_at <= until)
        .order_by(enrolment.c.id)
    )
    if since is not None:
        query = query.where(enrolment.c.entered_at >= since)
    rows = [row for row in conn.execute(query) if row.end_reason != _NEVER_IN]
    if not rows:
        when = f" since {since:%Y-%m-%d}" if since is not None else ""
        raise NotFound(
            "nothing_recorded",
            f"nobody has entered {journey}{when}, so there is nothing to test an edited journey on; "
            "what may be expected of it: parcours simulate",
        )
    for piece in chunked(rows, _PIECE):
        yield from _piece(conn, piece, until)


def last_recorded(conn: Connection, now: datetime) -> datetime:
    """Up to when things are recorded: now, or, in a copy or where the engine stands still, when the last thing was written."""
    columns = (table(Step).c.at, table(Event).c.at, table(Message).c.reserved_at)
    found = (conn.execute(select(func.max(column, type_=Moment()))).scalar() for column in columns)
    return min(now, max((moment for moment in found if moment is not None), default=now))


def _piece(conn: Connection, rows: Sequence[Row[Any]], until: datetime) -> Iterator[Recorded]:
    ids = [row.id for row in rows]
    paths, decisions = _steps(conn, ids)
    messages = _messages(conn, ids, until)
    events = _events(conn, sorted({row.customer_id for row in rows}), until)
    for row in rows:
        began, brought = to_ms(row.entered_at), row.entry.removeprefix("event:")
        yield Recorded(
            row.id,
            row.customer_id,
            row.slot.removeprefix(row.customer_id).removeprefix("/"),
            row.hash,
            row.arm,
            began,
            row.state or "",
            None if row.ended_at is None else to_ms(row.ended_at),
            row.end_reason,
            tuple(paths[row.id]),
            tuple(messages[row.id]),
            # What brought her in does not move her on as well.
            tuple(e for e in events[row.customer_id] if e.at >= began and str(e.seq) != brought),
            tuple(decisions[row.id]),
        )


def _steps(conn: Connection, ids: Sequence[int]) -> tuple[dict[int, list[str]], dict[int, list[tuple[int, str, bool]]]]:
    step = table(Step)
    paths: dict[int, list[str]] = defaultdict(list)
    decisions: dict[int, list[tuple[int, str, bool]]] = defaultdict(list)
    query = select(step).where(step.c.enrolment_id.in_(ids)).order_by(step.c.enrolment_id, step.c.seq)
    for row in conn.execute(query):
        path = paths[row.enrolment_id]
        if not path or path[-1] != row.state or row.cause == "retry":
            path.append(row.state)
        detail: Mapping[str, Sequence[Mapping[str, Any]]] = row.detail or {}
        for decision in detail.get("decided", ()):
            decisions[row.enrolment_id].append((to_ms(row.at), decision["predicate"], bool(decision["holds"])))
    return paths, decisions


def _messages(conn: Connection, ids: Sequence[int], until: datetime) -> dict[int, list[Sent]]:
    message, event = table(Message), table(Event)
    answers: dict[str, list[Happened]] = defaultdict(list)
    answered = (
        select(event)
        .join_from(message, event, event.c.message_key == message.c.key)
        .where(message.c.enrolment_id.in_(ids), event.c.at <= until)
    )
    for row in conn.execute(answered):
        answers[row.message_key].append(Happened(to_ms(row.at), row.seq, row.name, row.payload or {}))
    line = table(MessageEvent)
    out: dict[str, int] = {}
    told = select(line.c.key, func.min(line.c.at)).join_from(message, line, line.c.key == message.c.key)
    told = told.where(message.c.enrolment_id.in_(ids), line.c.status.in_(WITH_PROVIDER)).group_by(line.c.key)
    for key, first in conn.execute(told):
        out[key] = to_ms(first)
    found: dict[int, list[Sent]] = defaultdict(list)
    query = select(message).where(message.c.enrolment_id.in_(ids)).order_by(message.c.reserved_at, message.c.visit)
    for row in conn.execute(query):
        status, reason, at = row.status, row.reason, to_ms(row.settled_at or row.reserved_at)
        if row.key in out:  # it came back later, or was withdrawn: her journey went on as after one that was sent
            status, reason, at = "sent", None, out[row.key]
        found[row.enrolment_id].append(
            Sent(row.state, row.channel, row.template, status, reason, at, tuple(sorted(answers[row.key])))
        )
    return found


def _events(conn: Connection, customers: Sequence[str], until: datetime) -> dict[str, list[Happened]]:
    event = table(Event)
    found: dict[str, list[Happened]] = defaultdict(list)
    query = (
        select(event)
        .where(event.c.customer_id.in_(customers), event.c.message_key.is_(None), event.c.at <= until)
        .order_by(event.c.at, event.c.seq)
    )
    for row in conn.execute(query):
        found[row.customer_id].append(Happened(to_ms(row.at), row.seq, row.name, row.payload or {}))
    return found
