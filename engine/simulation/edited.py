"""Edited: the journey that recorded customers are led through anew, and what all of them share on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from dsl.chart import Chart, chart
from dsl.ir import IR
from dsl.predicate import Predicate
from engine.simulation.plan import Plan

__all__ = ["Edited"]


@dataclass(slots=True)
class Edited:
    """The edited journey, on which customers of then are led anew."""

    ir: IR
    until: int
    """Up to when things are recorded, in milliseconds since 1970."""
    seed: str
    plan: Plan | None = None
    """By which answers are drawn to messages that nobody ever got; None: there are none."""
    sent: Counter[str] = field(default_factory=Counter[str])
    """Messages by channel."""
    chart: Chart = field(init=False)
    old_names: Mapping[str, str] = field(init=False)
    """The names that boxes had before, with those of now."""

    def __post_init__(self) -> None:
        self.chart = chart(self.ir)
        self.old_names = {note.was: name for name, note in self.ir.notes.items() if note.was is not None}

    def guard(self, arrow: int) -> Predicate:
        """What an arrow asks of her."""
        guard = self.chart.arrows[arrow].guard
        assert guard is not None, f"arrow {arrow} of {self.ir.name} is asked about, and has no guard"  # noqa: S101  # the stepper's promise
        return guard
