"""Learning a response model from what was recorded: messages and their answers, decisions, waits, events.

Few observations say little, so each rate is drawn towards what is known better: a box's towards its channel's, a channel's
towards the invented default, as if twenty messages more had been seen that held to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import exp, log
from statistics import median, quantiles
from typing import Final

from sqlalchemy import Connection, func, select

from dsl.ir import IR, State
from engine.db import table
from engine.errors import NotFound
from engine.simulation.kinds import actions_of, events_in, guards_in, heard_in, waits_in
from engine.simulation.observed import Seen, decisions, happened_in, messages, waited_in
from engine.simulation.recorded import last_recorded
from engine.simulation.responses import DEFAULTS, ChannelModel, Delay, Rate, ResponseModel
from engine.tables import Enrolment

__all__ = ["learn"]

_PRIOR: Final = 20.0
"""Messages, decisions or waits that an expectation counts for."""
_PRIOR_DELAYS: Final = 5.0
_PRIOR_MONTHS: Final = 5.0
"""Customer-months that an expected number of events counts for."""
_CENTS: Final = 100_000
"""A message's cost is kept in thousandths of a cent."""


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
    seen = messages(conn, ir)
    channels = dict(given.channels) | {
        channel: _channel(given.channel(channel), channel, seen) for channel in {name for _, name in seen}
    }
    pooled = ResponseModel(channels=channels, boxes=given.boxes)
    rates = {state.name: _rates(pooled, ir, state, seen) for state in ir.states if state.channels}
    decided = decisions(conn, ir)
    happened, months = happened_in(conn, ir, until)
    waited = waited_in(conn, ir)
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


def _first(ir: IR, seen: Mapping[tuple[str, str], Seen]) -> Iterator[tuple[tuple[str, str], Seen]]:
    """What was seen of each box's first action."""
    for state in ir.states:
        for channel, _ in actions_of(state)[:1]:
            if (state.name, channel) in seen:
                yield (state.name, channel), seen[state.name, channel]


def _channel(given: ChannelModel, channel: str, seen: Mapping[tuple[str, str], Seen]) -> ChannelModel:
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


def _rates(pooled: ResponseModel, ir: IR, state: State, seen: Mapping[tuple[str, str], Seen]) -> dict[str, Rate]:
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


def _reach(usual: float, seen: Seen) -> float:
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
