"""The response model: what customers do, as rates: how many answer a box, how soon, what else happens, what it costs.

A model is data. An author writes it as a file (`engine.simulation.model_file`), or it is learned from what was recorded
(`engine.simulation.learning`). The default of every rate is invented: no shop's customers are behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import exp, log
from statistics import NormalDist
from typing import Final

from dsl.ir import After, Arrow
from dsl.predicate import Predicate
from engine.simulation.kinds import Kind

__all__ = [
    "DAY",
    "DEFAULTS",
    "GRID",
    "MONTH",
    "NO_CAPACITY",
    "ChannelModel",
    "Delay",
    "Rate",
    "ResponseModel",
    "Week",
]

GRID: Final = 600_000
"""Answers arrive on a grid of ten minutes, in milliseconds: finer than anything that is reported, and fewer ways to tell apart."""
DAY: Final = 86_400
MONTH: Final = 30 * DAY
"""Seconds. Rates of events are for thirty days."""
_HOUR: Final = 3_600
_TABLE: Final = 256
"""How many equally likely delays stand for a distribution."""
_AT_90: Final = NormalDist().inv_cdf(0.9)


NO_CAPACITY: Final = "no capacity"
"""Why a call isn't made for which there is no place on its day."""
Week = tuple[float, ...]
"""A number for each day of the week, Monday's first; infinite where there is no limit."""


@dataclass(frozen=True, slots=True)
class Delay:
    """How long something takes: a log-normal distribution by its median and its ninth decile, in seconds."""

    median: float
    p90: float

    def table(self) -> tuple[int, ...]:
        """Equally likely delays in milliseconds, on the grid, that stand for the distribution."""
        return _table(self.median, self.p90)

    def at(self, share: float) -> float:
        """The delay, in seconds, that this share is not above."""
        if self.median <= 0:
            return 0.0
        spread = log(max(self.p90, self.median) / self.median) / _AT_90
        return exp(log(self.median) + spread * NormalDist().inv_cdf(share))


@lru_cache(maxsize=1024)
def _table(median: float, p90: float) -> tuple[int, ...]:
    delay = Delay(median, p90)
    each = (delay.at((number + 0.5) / _TABLE) for number in range(_TABLE))
    return tuple(max(1, round(seconds * 1000 / GRID)) * GRID for seconds in each)


@dataclass(frozen=True, slots=True)
class Rate:
    """`share` of those who got the message answer so, after `delay`."""

    share: float
    delay: Delay
    seen: int | None = None
    """The messages that it was learned from; None: it is invented, or an author's."""


@dataclass(frozen=True, slots=True)
class ChannelModel:
    """A channel: the share of customers whom it reaches, what a message costs in currency units, and what comes back."""

    reach: float
    cost: float
    answers: Mapping[str, Rate] = field(default_factory=dict[str, Rate])
    """By the event's name without the channel: `clicked`."""
    unsent: Mapping[str, float] = field(default_factory=dict[str, float])
    """Of the messages that reach nobody, the share of each reason; together 1. Empty: the default's."""


def _rate(share: float, median_hours: float, p90_hours: float) -> Rate:
    return Rate(share, Delay(median_hours * _HOUR, p90_hours * _HOUR))


_AT_ONCE: Final = _rate(1.0, 0.01, 0.02)
"""What goes out is told of as sent: by all channels at once, but for letters, which are printed first."""

DEFAULTS: Final[Mapping[str, ChannelModel]] = {
    "email": ChannelModel(
        0.95,
        0.002,
        {
            "sent": _AT_ONCE,
            "delivered": _rate(0.98, 0.2, 1),
            "opened": _rate(0.35, 6, 36),
            "clicked": _rate(0.06, 8, 48),
            "replied": _rate(0.01, 10, 48),
            "bounced": _rate(0.01, 0.2, 2),
            "complained": _rate(0.001, 8, 48),
        },
        {"no consent": 0.6, "address missing": 0.2, "suppressed": 0.15, "failed": 0.05},
    ),
    "sms": ChannelModel(
        0.85,
        0.045,
        {
            "sent": _AT_ONCE,
            "delivered": _rate(0.97, 0.2, 1),
            "undelivered": _rate(0.03, 0.2, 1),
            "clicked": _rate(0.08, 1, 12),
            "replied": _rate(0.03, 1, 8),
        },
        {"no consent": 0.6, "address missing": 0.3, "suppressed": 0.05, "failed": 0.05},
    ),
    "feed": ChannelModel(
        0.95,
        0.0,
        {"sent": _AT_ONCE, "opened": _rate(0.15, 24, 96), "clicked": _rate(0.05, 24, 96)},
        {"no consent": 1.0},
    ),
    "call": ChannelModel(
        0.75,
        4.0,
        {
            "sent": _AT_ONCE,
            "interested": _rate(0.15, 20, 60),
            "refused": _rate(0.25, 20, 60),
            "not_reached": _rate(0.45, 16, 48),
            "wrong_number": _rate(0.02, 16, 48),
            "do_not_call": _rate(0.02, 20, 60),
        },
        {"no consent": 0.5, "address missing": 0.4, "suppressed": 0.1},
    ),
    "letter": ChannelModel(
        0.92,
        0.95,
        {
            "sent": _rate(1.0, 12, 24),
            "delivered": _rate(0.98, 72, 120),
            "undelivered": _rate(0.02, 96, 240),
            "answered": _rate(0.05, 120, 288),
            "returned": _rate(0.02, 168, 336),
        },
        {"address missing": 0.6, "no consent": 0.3, "suppressed": 0.1},
    ),
}
"""Invented, all of it: an order of magnitude to begin with, and nothing that anybody measured."""

_OTHER = _rate(0.02, 12, 72)
_MONTHLY: Final = {"shop.purchased": 0.25, "consent.withdrawn": 0.01}
_OTHER_MONTHLY: Final = 0.02
_UNKNOWN_GUARD: Final = 0.5
_UNKNOWN_WAIT: Final = 14 * DAY


@dataclass(frozen=True, slots=True)
class ResponseModel:
    """What customers do in one journey. What it doesn't name holds its channel's rate; what that doesn't, the default's."""

    channels: Mapping[str, ChannelModel] = field(default_factory=lambda: dict(DEFAULTS))
    boxes: Mapping[str, Mapping[str, Rate]] = field(default_factory=dict[str, Mapping[str, Rate]])
    """By box and kind: where a box's answers differ from its channel's."""
    reach: Mapping[str, float] = field(default_factory=dict[str, float])
    """By box: where a box reaches another share than its channel."""
    events: Mapping[str, float] = field(default_factory=dict[str, float])
    """By kind: how many of a business event a customer is expected to have in thirty days."""
    box_events: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    """By box and kind: the same, while she is in the box and is treated."""
    guards: Mapping[str, float] = field(default_factory=dict[str, float])
    """By the condition's sentence: the share of customers for whom it holds."""
    waits: Mapping[str, Delay] = field(default_factory=dict[str, Delay])
    """By the wait's name (`waits_in`)."""
    capacity: Mapping[str, float] = field(default_factory=dict[str, float])
    """By queue: how many calls the centre makes in a day."""
    shifts: Mapping[str, Week] = field(default_factory=dict[str, "Week"])
    """By queue: the same by the day of the week, as the queue's shifts say it, where `capacity` says nothing."""
    seen: Mapping[str, int] = field(default_factory=dict[str, int])
    """Of learned guards, waits and events: how many observations each rests on."""

    def channel(self, name: str) -> ChannelModel:
        return self.channels.get(name) or DEFAULTS[name]

    def rate(self, state: str, kind: Kind) -> Rate:
        """How a box's message is answered in this way."""
        own = self.boxes.get(state, {}).get(kind.name)
        if own is not None:
            return own
        answers = self.channel(kind.channel).answers
        bare = kind.event.partition(".")[2]
        named = answers.get(kind.name.removeprefix(f"{kind.channel}."))
        return named or answers.get(bare) or DEFAULTS[kind.channel].answers.get(bare, _OTHER)

    def reached(self, state: str, channel: str) -> float:
        """The share of customers to whom a box's message goes out."""
        return self.reach.get(state, self.channel(channel).reach)

    def why_unsent(self, channel: str) -> Mapping[str, float]:
        """Of a channel's messages that reach nobody, the share of each reason."""
        return self.channel(channel).unsent or DEFAULTS[channel].unsent

    def week(self, queue: str) -> Week | None:
        """How many calls the centre makes on each day of the week; None where nothing is said of it."""
        return (self.capacity[queue],) * 7 if queue in self.capacity else self.shifts.get(queue)

    def monthly(self, kind: Kind, state: str | None = None) -> float:
        """How many of a business event are expected in thirty days; in a box, if `state` is given."""
        own = self.box_events.get(state, {}).get(kind.name) if state is not None else None
        return own if own is not None else self.events.get(kind.name, _MONTHLY.get(kind.event, _OTHER_MONTHLY))

    def guard(self, predicate: Predicate) -> float:
        """The share of customers for whom a condition holds."""
        return self.guards.get(predicate.sentence(), _UNKNOWN_GUARD)

    def wait(self, name: str, arrow: Arrow) -> Delay:
        """How long a measured wait is, or how far ahead a date; kept within its bounds by whoever plans it."""
        if name in self.waits:
            return self.waits[name]
        usual = arrow.on.missing if isinstance(arrow.on, After) and arrow.on.missing is not None else _UNKNOWN_WAIT
        return Delay(usual, usual * 2)
