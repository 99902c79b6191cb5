"""Observed: what is recorded of a journey, counted for a response model: messages and their answers, decisions, waits, events."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, get_args

from sqlalchemy import ColumnElement, Connection, func, select

from dsl.ir import IR, After, State, Until
from dsl.predicate import Facts
from dsl.triggers import Reason
from engine.db import table
from engine.holdout import TREATED
from engine.messages import handed_over
from engine.simulation.kinds import Kind, events_in, heard_in, waits_in
from engine.simulation.responses import MONTH
from engine.tables import Enrolment, Event, Message, Step

__all__ = ["Seen", "decisions", "happened_in", "messages", "waited_in"]

_WENT_OUT: Final = ("sent", "delivered", "unknown")
_REFUSED: Final = ("not_sent", "failed")
_REASONS: Final = frozenset(get_args(Reason))
_NOT_HERS: Final = ("journey off", "moved on")
"""Reasons for which nothing was sent that say nothing of whom a channel reaches."""


@dataclass
class Seen:
    """What was seen of a box's messages by one channel."""

    out: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    """Messages that reached nobody, by why not."""
    cost: int = 0
    over: int = 0
    """Messages that went out, of customers who have gone on since: what was to come has come."""
    delays: dict[Kind, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds from the message to the answer, by what was answered."""


def messages(conn: Connection, ir: IR) -> dict[tuple[str, str], Seen]:
    """What became of the messages, and how soon they were answered, by box and channel."""
    message, enrolment = table(Message), table(Enrolment)
    gone_on = (enrolment.c.seq > message.c.visit) | enrolment.c.ended_at.is_not(None)
    out = _went_out()
    query = (
        select(
            message.c.state,
            message.c.channel,
            message.c.status,
            message.c.reason,
            out.label("out"),
            gone_on.label("over"),
            func.count().label("many"),
            func.sum(message.c.cost).label("cost"),
        )
        .join_from(message, enrolment, message.c.enrolment_id == enrolment.c.id)
        .where(*_treated(ir))
        .group_by(message.c.state, message.c.channel, message.c.status, message.c.reason, out, gone_on)
    )
    names, found = _names(ir), dict[tuple[str, str], Seen]()
    for row in conn.execute(query):
        name = names.get(row.state)
        if name is None or row.channel not in ir.by_name[name].channels:
            continue
        seen = found.setdefault((name, row.channel), Seen())
        if row.out:
            seen.out += row.many
            seen.over += row.many if row.over else 0
            seen.cost += int(row.cost or 0)
        elif row.status in _REFUSED and row.reason not in _NOT_HERS:
            seen.refused["failed" if row.status == "failed" or row.reason not in _REASONS else row.reason] += row.many
    _answers(conn, ir, found)
    return found


def decisions(conn: Connection, ir: IR) -> dict[str, list[bool]]:
    """What was decided, by the condition's sentence."""
    step, enrolment = table(Step), table(Enrolment)
    query = (
        select(step.c.detail)
        .join_from(step, enrolment, step.c.enrolment_id == enrolment.c.id)
        .where(enrolment.c.journey == ir.name, step.c.detail.is_not(None))
    )
    found: dict[str, list[bool]] = defaultdict(list)
    for detail in conn.execute(query).scalars():
        for decision in detail.get("decided", ()):
            found[decision["predicate"]].append(bool(decision["holds"]))
    return found


def waited_in(conn: Connection, ir: IR) -> dict[str, list[float]]:
    """How long customers waited, in seconds, in boxes that time alone led out of and that measure their one wait."""
    wanted = {name for name, _ in waits_in(ir) if name in ir.by_name and _one_wait(ir.by_name[name])}
    if not wanted:
        return {}
    step, enrolment = table(Step), table(Enrolment)
    query = (
        select(step.c.enrolment_id, step.c.state, step.c.cause, step.c.at)
        .join_from(step, enrolment, step.c.enrolment_id == enrolment.c.id)
        .where(enrolment.c.journey == ir.name)
        .order_by(step.c.enrolment_id, step.c.seq)
    )
    names = _names(ir)
    found: dict[str, list[float]] = defaultdict(list)
    for before, after in pairwise(conn.execute(query)):
        name = names.get(before.state, "")
        if name in wanted and after.enrolment_id == before.enrolment_id and after.cause == "timer":
            found[name].append((after.at - before.at).total_seconds())
    return found


def happened_in(conn: Connection, ir: IR, now: datetime) -> tuple[dict[Kind, int], float]:
    """Business events of customers while they were in the journey, by kind; and how many months they were, together."""
    enrolment, event = table(Enrolment), table(Event)
    kinds = events_in(ir)
    until = func.coalesce(enrolment.c.ended_at, now)
    spans = conn.execute(
        select(enrolment.c.entered_at, enrolment.c.ended_at).where(enrolment.c.journey == ir.name)
    ).all()
    months = sum(((row.ended_at or now) - row.entered_at).total_seconds() for row in spans) / MONTH
    query = (
        select(event.c.name, event.c.payload, event.c.at)
        .join_from(enrolment, event, event.c.customer_id == enrolment.c.customer_id)
        .where(
            enrolment.c.journey == ir.name,
            event.c.name.in_({kind.event for kind in kinds}),
            event.c.at > enrolment.c.entered_at,
            event.c.at <= until,
        )
    )
    found = dict.fromkeys(kinds, 0)
    narrow = sorted(kinds, key=lambda kind: kind.where is None)
    for row in conn.execute(query):
        kind = next((k for k in narrow if _is(k, row.name, row.payload or {}, row.at)), None)
        if kind is not None:
            found[kind] += 1
    return found, months


def _answers(conn: Connection, ir: IR, seen: Mapping[tuple[str, str], Seen]) -> None:
    """How soon messages were answered: the first of each kind counts, an event counts for the narrowest kind it fits."""
    message, event, enrolment = table(Message), table(Event), table(Enrolment)
    gone_on = (enrolment.c.seq > message.c.visit) | enrolment.c.ended_at.is_not(None)
    query = (
        select(
            message.c.key, message.c.state, message.c.channel, message.c.settled_at, message.c.reserved_at,
            event.c.name, event.c.payload, event.c.at,
        )
        .join_from(message, event, event.c.message_key == message.c.key)
        .join(enrolment, message.c.enrolment_id == enrolment.c.id)
        .where(*_treated(ir), _went_out(), gone_on)
        .order_by(event.c.at)
    )  # fmt: skip
    names = _names(ir)
    heard = {state.name: sorted(heard_in(ir, state), key=lambda kind: kind.where is None) for state in ir.states}
    counted: set[tuple[str, Kind]] = set()
    for row in conn.execute(query):
        name = names.get(row.state, "")
        of = seen.get((name, row.channel))
        kind = next((k for k in heard.get(name, ()) if _is(k, row.name, row.payload or {}, row.at)), None)
        if of is None or kind is None or (row.key, kind) in counted:
            continue
        counted.add((row.key, kind))
        of.delays[kind].append(max(60.0, (row.at - (row.settled_at or row.reserved_at)).total_seconds()))


def _went_out() -> ColumnElement[bool]:
    """Whether it was sent, for her journey: also where it came back later."""
    message = table(Message)
    back = message.c.status.in_(_REFUSED) & func.coalesce(message.c.reason, "").not_in(_NOT_HERS)
    return message.c.status.in_(_WENT_OUT) | (back & handed_over())


def _treated(ir: IR) -> tuple[ColumnElement[bool], ...]:
    message = table(Message)
    return message.c.journey == ir.name, message.c.arm == TREATED


def _names(ir: IR) -> dict[str, str]:
    """Each box's name, and the name that it had before, to its name now."""
    found = {note.was: name for name, note in ir.notes.items() if note.was is not None}
    return found | {state.name: state.name for state in ir.states}


def _is(kind: Kind, name: str, payload: Mapping[str, Any], at: datetime) -> bool:
    return kind.event == name and (kind.where is None or kind.where.evaluate(Facts({}, (), payload), at))


def _one_wait(state: State) -> bool:
    return sum(isinstance(arrow.on, After | Until) for arrow in state.arrows) == 1
