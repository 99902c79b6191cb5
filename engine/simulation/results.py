"""What is to be expected of a journey: flow, stay, contacts, cost and work by day, each with its interval; as JSON too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from dsl.ir import IR, Arrow
from engine.simulation.responses import Week

__all__ = ["Box", "Channel", "Estimate", "Flow", "Load", "Result", "number"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """The mean over the runs, and the interval in which one run lies, nineteen times in twenty."""

    mean: float
    low: float
    high: float

    def __format__(self, digits: str) -> str:
        """A mean with its interval, to so many `digits`: `2,508 (2,421–2,596)`."""
        mean, low, high = (number(value, int(digits or 0)) for value in (self.mean, self.low, self.high))
        return mean if self.low == self.high else f"{mean} ({low}–{high})"

    def __str__(self) -> str:
        return format(self, "")

    def to_json(self) -> dict[str, float]:
        return {"mean": _short(self.mean), "low": _short(self.low), "high": _short(self.high)}


@dataclass(frozen=True, slots=True)
class Flow:
    """An arrow, and how often it is taken. `owner` is the box or stage that it leaves; empty: from anywhere."""

    owner: str
    arrow: Arrow
    taken: Estimate


@dataclass(frozen=True, slots=True)
class Box:
    """A box: how often it is entered, how many days one stay lasts, what goes out, and what comes too late."""

    name: str
    kind: str
    entered: Estimate
    days: float
    sent: Mapping[str, Estimate]
    """By channel."""
    not_sent: Estimate
    late: Estimate
    """Answers to its messages that came when she had gone on."""
    under_way: Estimate
    """Customers who were still there after three years."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel: its messages, and their cost in currency units."""

    name: str
    sent: Estimate
    cost: Estimate


@dataclass(frozen=True, slots=True)
class Load:
    """Calls of a queue, or letters, day by day from the first entry on."""

    channel: str
    queue: str
    week: Week | None
    """How many calls the centre makes on each day of the week; None: nothing is said of it."""
    total: Estimate
    days: tuple[Estimate, ...]
    peak: Estimate
    """The fullest day."""
    over: Estimate | None
    """Days with more than the capacity."""
    left: Estimate | None
    """The most that was left over at the end of a day, if no more than the capacity is done."""

    @property
    def capacity(self) -> float | None:
        """How many calls the centre makes in a day, if that is the same on each."""
        return None if self.week is None or len(set(self.week)) > 1 else _finite(self.week[0])


@dataclass(frozen=True, slots=True)
class Result:
    """What is to be expected."""

    ir: IR
    customers: int
    """In each run."""
    held_out: Estimate
    runs: int
    seed: str
    over: int
    """Days over which the customers enter."""
    flows: tuple[Flow, ...]
    boxes: tuple[Box, ...]
    contacts: Estimate
    """Messages that a customer gets who is not held out."""
    distribution: Mapping[int, float]
    """The share of these customers who get so many."""
    channels: tuple[Channel, ...]
    cost: Estimate
    """In currency units, of all customers."""
    loads: tuple[Load, ...]
    days: Estimate
    """From entry to end, on the mean."""

    def counts(self) -> dict[str, int]:
        """The expected entries of each box, for the picture."""
        return {box.name: round(box.entered.mean) for box in self.boxes}

    def to_json(self) -> dict[str, Any]:
        """As a JSON object. Times in days, money in currency units."""
        return {
            "journey": self.ir.name,
            "hash": self.ir.hash,
            "customers": self.customers,
            "held_out": self.held_out.to_json(),
            "runs": self.runs,
            "seed": self.seed,
            "entry_days": self.over,
            "boxes": [
                {
                    "box": box.name,
                    "kind": box.kind,
                    "entered": box.entered.to_json(),
                    "days": _short(box.days),
                    "sent": {channel: sent.to_json() for channel, sent in box.sent.items()},
                    "not_sent": box.not_sent.to_json(),
                    "late_answers": box.late.to_json(),
                    "under_way": box.under_way.to_json(),
                }
                for box in self.boxes
            ],
            "arrows": [
                {"from": flow.owner, "to": flow.arrow.to, "when": words, "taken": flow.taken.to_json()}
                for flow, words in zip(self.flows, self.words(), strict=True)
            ],
            "contacts": {
                "mean": self.contacts.to_json(),
                "share_by_number": {str(number): _short(share) for number, share in self.distribution.items()},
            },
            "channels": [
                {"channel": each.name, "sent": each.sent.to_json(), "cost": each.cost.to_json()}
                for each in self.channels
            ],
            "cost": self.cost.to_json(),
            "cost_per_customer": _short(self.cost.mean / self.customers),
            "loads": [
                {
                    "channel": load.channel,
                    "queue": load.queue or None,
                    "capacity": load.capacity,
                    "capacity_by_weekday": None if load.week is None else [_finite(many) for many in load.week],
                    "total": load.total.to_json(),
                    "peak": load.peak.to_json(),
                    "days_over": None if load.over is None else load.over.to_json(),
                    "left_over": None if load.left is None else load.left.to_json(),
                    "days": [day.to_json() for day in load.days],
                }
                for load in self.loads
            ],
            "days_under_way": self.days.to_json(),
        }

    def words(self) -> Iterator[str]:
        """Each arrow's words, as the picture has them."""
        from dsl.draw.words import arrow_words  # noqa: PLC0415  # the drawing room: a simulation alone draws nothing

        for flow in self.flows:
            yield arrow_words(flow.arrow, self.ir.by_name.get(flow.owner)) or "then"


def number(value: float, digits: int = 0) -> str:
    """A number as it is read: `2,508`."""
    return f"{value:,.{digits}f}"


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _short(value: float) -> float:
    return float(f"{value:.6g}")
