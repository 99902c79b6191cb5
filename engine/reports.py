"""A journey's report: what each box did, what came back, and the goal in both arms, from rows alone.

The increment is the difference of the goal's rate between treated and held-out customers, with Newcombe's interval (1998,
method 10, from Wilson's): without a random hold-out there is none, and none is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import sqrt

from sqlalchemy import Connection, func, select

from dsl.expression import Facts
from dsl.ir import IR
from dsl.predicate import Predicate
from engine.db import table
from engine.journeys import Books, books, counts
from engine.tables import Enrolment, Event, Message, Step

__all__ = ["Arm", "Box", "Increment", "Report", "newcombe", "report", "wilson"]

_Z = 1.959964  # 95 %


@dataclass(frozen=True, slots=True)
class Box:
    """A box: how often it was entered, who is there now, its messages by status, why not, and what was answered."""

    state: str
    kind: str
    entered: int = 0
    here: int = 0
    messages: Mapping[str, int] = field(default_factory=dict[str, int])
    not_sent: Mapping[str, int] = field(default_factory=dict[str, int])
    """Messages that never left, by the rule that said no."""
    failed: Mapping[str, int] = field(default_factory=dict[str, int])
    """Messages that were refused by a provider, or came back from it, by reason."""
    answers: Mapping[str, int] = field(default_factory=dict[str, int])
    cost: int = 0
    """Thousandths of a cent."""


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm: its enrolments, and those that reached the goal within its time after entry."""

    name: str
    entered: int
    reached: int
    rate: float
    low: float
    high: float
    """Wilson's 95 % interval of the rate."""


@dataclass(frozen=True, slots=True)
class Increment:
    """Treated less held out, in shares of customers, with its 95 % interval."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Report:
    """The report. `increment` is None without a hold-out, or without a goal."""

    books: Books
    boxes: tuple[Box, ...]
    arms: tuple[Arm, ...]
    increment: Increment | None


def report(conn: Connection, ir: IR, now: datetime, digest: str | None = None) -> Report:
    """The report of a journey, of all its versions or of one; `ir` says which boxes there are, and the goal."""
    entered = _grouped(conn, ir.name, digest)
    here = counts(conn, ir.name, digest)
    statuses, reasons, costs = _messages(conn, ir.name, digest)
    answers = _answers(conn, ir.name, digest)
    known = [(state.name, state.kind) for state in ir.states]
    older = sorted((set(entered) | set(here)) - {name for name, _ in known})
    boxes = tuple(
        Box(
            name,
            kind,
            entered.get(name, 0),
            here.get(name, 0),
            statuses.get(name, {}),
            reasons["not_sent"].get(name, {}),
            reasons["failed"].get(name, {}),
            answers.get(name, {}),
            costs.get(name, 0),
        )
        for name, kind in [*known, *((name, "") for name in older)]
    )
    arms = _arms(conn, ir, now, digest)
    return Report(books(conn, ir.name, digest), boxes, arms, _increment(ir, arms))


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927)."""
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    middle = share + _Z * _Z / (2 * trials)
    reach = _Z * sqrt(share * (1 - share) / trials + _Z * _Z / (4 * trials * trials))
    scale = 1 + _Z * _Z / trials
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def newcombe(successes: int, trials: int, other_successes: int, other_trials: int) -> Increment:
    """The difference of two shares with its 95 % interval (Newcombe 1998, method 10)."""
    (low, high), (other_low, other_high) = wilson(successes, trials), wilson(other_successes, other_trials)
    share, other = successes / trials, other_successes / other_trials
    difference = share - other
    return Increment(
        difference,
        difference - sqrt((share - low) ** 2 + (other_high - other) ** 2),
        difference + sqrt((high - share) ** 2 + (other - other_low) ** 2),
    )


def _grouped(conn: Connection, journey: str, digest: str | None) -> dict[str, int]:
    step, enrolment = table(Step), table(Enrolment)
    query = (
        select(step.c.state, func.count())
        .join_from(step, enrolment, step.c.enrolment_id == enrolment.c.id)
        .where(enrolment.c.journey == journey)
        .group_by(step.c.state)
    )
    if digest is not None:
        query = query.where(enrolment.c.hash == digest)
    return {row[0]: row[1] for row in conn.execute(query)}


def _messages(
    conn: Connection, journey: str, digest: str | None
) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, dict[str, int]]], dict[str, int]]:
    """By box: its messages by status, and what they cost; by status of those that didn't arrive: by box, and why."""
    message = table(Message)
    query = (
        select(message.c.state, message.c.status, message.c.reason, func.count(), func.sum(message.c.cost))
        .where(message.c.journey == journey)
        .group_by(message.c.state, message.c.status, message.c.reason)
    )
    if digest is not None:
        query = query.where(message.c.hash == digest)
    statuses: dict[str, dict[str, int]] = {}
    reasons: dict[str, dict[str, dict[str, int]]] = {"not_sent": {}, "failed": {}}
    costs: dict[str, int] = {}
    for state, status, reason, number, cost in conn.execute(query):
        of = statuses.setdefault(state, {})
        of[status] = of.get(status, 0) + number
        costs[state] = costs.get(state, 0) + int(cost or 0)
        if reason is not None and status in reasons:
            why = reasons[status].setdefault(state, {})
            why[reason] = why.get(reason, 0) + number
    return statuses, reasons, costs


def _answers(conn: Connection, journey: str, digest: str | None) -> dict[str, dict[str, int]]:
    """Messages that were answered, by box and answer: a message counts once for each kind of answer."""
    message, event = table(Message), table(Event)
    query = (
        select(message.c.state, event.c.name, func.count(message.c.key.distinct()))
        .join_from(message, event, event.c.message_key == message.c.key)
        .where(message.c.journey == journey)
        .group_by(message.c.state, event.c.name)
    )
    if digest is not None:
        query = query.where(message.c.hash == digest)
    found: dict[str, dict[str, int]] = {}
    for state, name, number in conn.execute(query):
        found.setdefault(state, {})[name] = number
    return found


def _arms(conn: Connection, ir: IR, now: datetime, digest: str | None) -> tuple[Arm, ...]:
    enrolment = table(Enrolment)
    query = select(enrolment.c.arm, func.count()).where(enrolment.c.journey == ir.name).group_by(enrolment.c.arm)
    if digest is not None:
        query = query.where(enrolment.c.hash == digest)
    entered: dict[str, int] = {row[0]: row[1] for row in conn.execute(query)}
    reached = _reached(conn, ir, now, digest)
    arms: list[Arm] = []
    for name in sorted(entered, reverse=True):
        low, high = wilson(reached.get(name, 0), entered[name])
        arms.append(Arm(name, entered[name], reached.get(name, 0), reached.get(name, 0) / entered[name], low, high))
    return tuple(arms)


def _reached(conn: Connection, ir: IR, now: datetime, digest: str | None) -> dict[str, int]:
    if ir.goal is None:
        return {}
    enrolment, event = table(Enrolment), table(Event)
    span = timedelta(seconds=ir.goal.seconds)
    where = ir.goal.event.where
    query = (
        select(enrolment.c.id, enrolment.c.arm, enrolment.c.entered_at, event.c.at, event.c.payload)
        .join_from(enrolment, event, event.c.customer_id == enrolment.c.customer_id)
        .where(
            enrolment.c.journey == ir.name, event.c.name == ir.goal.event.event, event.c.at >= enrolment.c.entered_at
        )
    )
    if digest is not None:
        query = query.where(enrolment.c.hash == digest)
    found: dict[int, str] = {}
    for row in conn.execute(query):
        if row.id in found or row.at > row.entered_at + span:
            continue
        if where is None or _holds(where, row.payload, now):
            found[row.id] = row.arm
    totals: dict[str, int] = {}
    for arm in found.values():
        totals[arm] = totals.get(arm, 0) + 1
    return totals


def _increment(ir: IR, arms: tuple[Arm, ...]) -> Increment | None:
    by = {arm.name: arm for arm in arms}
    treated, held = by.get("treated"), by.get("held_out")
    if ir.goal is None or ir.holdout <= 0 or treated is None or held is None:
        return None
    return newcombe(treated.reached, treated.entered, held.reached, held.entered)


def _holds(where: Predicate, payload: Mapping[str, object], now: datetime) -> bool:
    return where.evaluate(Facts(payload=payload), now)
