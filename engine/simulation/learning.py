"""Learning a response model from what was recorded: messages and their answers, decisions, waits, events.

Few observations say little, so each rate is drawn towards what is known better: a box's towards its channel's, a channel's
towards the invented default, as if twenty messages more had been seen that held to it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from math import exp, log
from statistics import median, quantiles
from typing import Any, Final, get_args

from sqlalchemy import ColumnElement, Connection, func, select

from dsl.ir import IR, After, State, Until
from dsl.predicate import Facts
from dsl.triggers import Reason
from engine.db import table
from engine.errors import NotFound
from engine.holdout import TREATED
from engine.messages import handed_over
from engine.simulation.recorded import last_recorded
from engine.simulation.responses import (
    DEFAULTS,
    MONTH,
    ChannelModel,
    Delay,
    Kind,
    Rate,
    ResponseModel,
    actions_of,
    events_in,
    guards_in,
    heard_in,
    waits_in,
)
from engine.tables import Enrolment, Event, Message, Step

__all__ = ["learn"]

_PRIOR: Final = 20.0
"""Messages, decisions or waits that an expectation counts for."""
_PRIOR_DELAYS: Final = 5.0
_PRIOR_MONTHS: Final = 5.0
"""Customer-months that an expected number of events counts for."""
_WENT_OUT: Final = ("sent", "delivered", "unknown")
_REFUSED: Final = ("not_sent", "failed")
_REASONS: Final = frozenset(get_args(Reason))
_NOT_HERS: Final = ("journey off", "moved on")
"""Reasons for which nothing was sent that say nothing of whom a channel reaches."""
_CENTS: Final = 100_000
"""A message's cost is kept in thousandths of a cent."""


@dataclass
class _Seen:
    """What was seen of a box's messages by one channel."""

    out: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    """Messages that reached nobody, by why not."""
    cost: int = 0
    over: int = 0
    """Messages that went out, of customers who have gone on since: what was to come has come."""
    delays: dict[Kind, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds from the message to the answer, by what was answered."""


def learn(conn: Connection, ir: IR, now: datetime, model: ResponseModel | None = None) -> ResponseModel:
    """The model of a journey by what is recorded of it, of all its versions; `model` is what few observations lean on.

    Raises NotFound where nobody has entered the journey yet.
    """
    enrolment = table(Enrolment)
    if not conn.execute(select(func.count()).where(enrolment.c.journey == ir.name)).scalar_one():
        raise NotFound(
            "nothing_recorded",
            f"nobody has entered {ir.name} yet, so nothing can be learned; write a model: parcours simulate … --model-template",
        )
    given = model or ResponseModel()
    until = last_recorded(conn, now)
    seen = _messages(conn, ir)
    _answers(conn, ir, seen)
    channels = dict(given.channels) | {
        channel: _channel(given.channel(channel), channel, seen) for channel in {name for _, name in seen}
    }
    pooled = ResponseModel(channels=channels, boxes=given.boxes)
    rates = {state.name: _rates(pooled, ir, state, seen) for state in ir.states if state.channels}
    decided = _decisions(conn, ir)
    happened, months = _events(conn, ir, until)
    waited = _waits(conn, ir)
    guards = {guard.sentence(): guard for guard in guards_in(ir).values() if guard.sentence() in decided}
    return ResponseModel(
        channels=channels,
        boxes={name: found for name, found in rates.items() if found},
        reach=dict(given.reach) | {name: _reach(channels[kind].reach, of) for (name, kind), of in _first(ir, seen)},
        events={kind.name: _per_month(given.monthly(kind), happened[kind], months) for kind in events_in(ir)},
        box_events=given.box_events,
        guards=dict(given.guards)
        | {name: _share(given.guard(guard), sum(decided[name]), len(decided[name])) for name, guard in guards.items()},
        waits={name: _delay(given.wait(name, arrow), waited.get(name, ())) for name, arrow in waits_in(ir)},
        capacity=given.capacity,
        seen={name: len(found) for name, found in decided.items() if name in guards}
        | {name: len(found) for name, found in waited.items() if found}
        | {kind.name: happened[kind] for kind in events_in(ir)},
    )


# --- what is recorded -------------------------------------------------------------------------------------------------


def _names(ir: IR) -> dict[str, str]:
    """Each box's name, and the name that it had before, to its name now."""
    found = {note.was: name for name, note in ir.notes.items() if note.was is not None}
    return found | {state.name: state.name for state in ir.states}


def _treated(ir: IR) -> tuple[ColumnElement[bool], ...]:
    message = table(Message)
    return message.c.journey == ir.name, message.c.arm == TREATED


def _went_out() -> ColumnElement[bool]:
    """Whether it was sent, for her journey: also where it came back later."""
    message = table(Message)
    back = message.c.status.in_(_REFUSED) & func.coalesce(message.c.reason, "").not_in(_NOT_HERS)
    return message.c.status.in_(_WENT_OUT) | (back & handed_over())


def _messages(conn: Connection, ir: IR) -> dict[tuple[str, str], _Seen]:
    """What became of the messages, by box and channel."""
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
    names, found = _names(ir), dict[tuple[str, str], _Seen]()
    for row in conn.execute(query):
        name = names.get(row.state)
        if name is None or row.channel not in ir.by_name[name].channels:
            continue
        seen = found.setdefault((name, row.channel), _Seen())
        if row.out:
            seen.out += row.many
            seen.over += row.many if row.over else 0
            seen.cost += int(row.cost or 0)
        elif row.status in _REFUSED and row.reason not in _NOT_HERS:
            seen.refused["failed" if row.status == "failed" or row.reason not in _REASONS else row.reason] += row.many
    return found


def _answers(conn: Connection, ir: IR, seen: Mapping[tuple[str, str], _Seen]) -> None:
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


def _is(kind: Kind, name: str, payload: Mapping[str, Any], at: datetime) -> bool:
    return kind.event == name and (kind.where is None or kind.where.evaluate(Facts({}, (), payload), at))


def _decisions(conn: Connection, ir: IR) -> dict[str, list[bool]]:
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


def _waits(conn: Connection, ir: IR) -> dict[str, list[float]]:
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


def _one_wait(state: State) -> bool:
    return sum(isinstance(arrow.on, After | Until) for arrow in state.arrows) == 1


def _events(conn: Connection, ir: IR, now: datetime) -> tuple[dict[Kind, int], float]:
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


# --- what follows from it ---------------------------------------------------------------------------------------------


def _first(ir: IR, seen: Mapping[tuple[str, str], _Seen]) -> Iterator[tuple[tuple[str, str], _Seen]]:
    """What was seen of each box's first action."""
    for state in ir.states:
        for channel, _ in actions_of(state)[:1]:
            if (state.name, channel) in seen:
                yield (state.name, channel), seen[state.name, channel]


def _channel(given: ChannelModel, channel: str, seen: Mapping[tuple[str, str], _Seen]) -> ChannelModel:
    """A channel by all its boxes together."""
    boxes = [of for (_, name), of in seen.items() if name == channel]
    out, cost = (sum(getattr(of, name) for of in boxes) for name in ("out", "cost"))
    reasons = sum((of.refused for of in boxes), Counter[str]())
    refused, usually = reasons.total(), given.unsent or DEFAULTS[channel].unsent
    kinds = dict.fromkeys(kind for of in boxes for kind in of.delays)
    learned: dict[str, Rate] = {}
    for kind in kinds:
        usual = ResponseModel(channels={channel: given}).rate("", kind)
        listening = [of for of in boxes if kind in of.delays]
        delays = [delay for of in listening for delay in of.delays[kind]]
        learned[kind.name.removeprefix(f"{channel}.")] = _rate(usual, delays, sum(of.over for of in listening))
    return ChannelModel(
        _share(given.reach, out, out + refused),
        cost / out / _CENTS if cost else given.cost,
        {**DEFAULTS[channel].answers, **given.answers, **learned},
        {
            reason: _share(usually.get(reason, 0.0), reasons[reason], refused)
            for reason in dict.fromkeys((*usually, *reasons))
        },
    )


def _rates(pooled: ResponseModel, ir: IR, state: State, seen: Mapping[tuple[str, str], _Seen]) -> dict[str, Rate]:
    found: dict[str, Rate] = {}
    for kind in heard_in(ir, state):
        of = seen.get((state.name, kind.channel))
        if of is not None and of.over:
            found[kind.name] = _rate(pooled.rate(state.name, kind), of.delays.get(kind, ()), of.over)
    return found


def _rate(usual: Rate, delays: Sequence[float], messages: int) -> Rate:
    return Rate(_share(usual.share, len(delays), messages), _delay(usual.delay, delays), messages)


def _share(usual: float, many: int, of: int) -> float:
    return (many + _PRIOR * usual) / (of + _PRIOR)


def _reach(usual: float, seen: _Seen) -> float:
    return _share(usual, seen.out, seen.out + seen.refused.total())


def _per_month(usual: float, many: int, months: float) -> float:
    return (many + _PRIOR_MONTHS * usual) / (months + _PRIOR_MONTHS)


def _delay(usual: Delay, seen: Sequence[float]) -> Delay:
    """Median and ninth decile, drawn towards the usual ones on the scale of orders of magnitude."""
    if not seen:
        return usual
    middle = median(seen)
    late = max(middle, quantiles(seen, n=10, method="inclusive")[-1] if len(seen) > 1 else middle)
    found = [
        exp((len(seen) * log(max(each, 1.0)) + _PRIOR_DELAYS * log(max(before, 1.0))) / (len(seen) + _PRIOR_DELAYS))
        for each, before in ((middle, usual.median), (late, usual.p90))
    ]
    return Delay(found[0], max(found))
