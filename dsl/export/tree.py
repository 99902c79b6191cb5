"""The tree of a statechart: states within states, their transitions and timers, and what must be told of a customer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dsl.chart import Chart
from dsl.export.counting import Condition
from dsl.ir import IR, State

__all__ = ["ENTER", "MEASURED", "NOT_SENT", "PUT_OFF", "SENT", "TOLD", "Asked", "Move", "Node", "Statechart", "Timer"]

ENTER: Final = "parcours.enter"
SENT: Final = "parcours.sent"
NOT_SENT: Final = "parcours.not_sent"
PUT_OFF: Final = "parcours.put_off"
MEASURED: Final = "parcours.measured"
TOLD: Final = "wait"
"""The event's data that says how long a send is put off."""


@dataclass(frozen=True, slots=True)
class Timer:
    """Sends `event` to the chart so long after its state was entered, unless that is left before."""

    event: str
    seconds: int | None = None
    told: str = ""
    """Where `seconds` is None: which data of the event that led here says how long; nothing there, no timer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What must hold for a move, all of it."""

    guard: int | None = None
    """The arrow whose guard is told."""
    answer: int | None = None
    """The answer on whose payload it hangs, which is told with the event."""
    own: bool = False
    """The event answers this visit's message."""
    left: str | None = None
    """The event answers the message of the last visit of this box that was left unanswered."""
    limit: tuple[int, int] | None = None
    """(arrow, how often it may be taken)."""
    visits: Condition | None = None
    below: tuple[str, float] | None = None
    """(split, upper bound of its draw)."""


@dataclass(frozen=True, slots=True)
class Move:
    """A transition: on an event, or at once (`on` None); to a state, or to nowhere (`to` None)."""

    on: str | None
    to: str | None
    asked: Asked = Asked()
    arrow: int | None = None
    inner: bool = False
    """Within the state on which it stands, which isn't left."""
    counts: bool = False
    """Its arrow's times are counted."""
    leaves: str | None = None
    """The box that it leaves unanswered, where answers may yet come late."""
    answers: str | None = None
    """The box that has its late answer with this."""
    replans: tuple[Timer, ...] = ()
    """Timers that are started anew."""


@dataclass(frozen=True, slots=True)
class Node:
    """A state; the first of its `within` is where it begins."""

    id: str
    within: tuple[Node, ...] = ()
    moves: tuple[Move, ...] = ()
    timers: tuple[Timer, ...] = ()
    state: State | None = None
    """The journey's own, where this is its box or end."""
    steps: bool = False
    """Entering it is a step of hers: the visit's number goes up."""
    rests: int | None = None
    """The arrow on which she rests here."""


@dataclass(frozen=True, slots=True)
class Statechart:
    """The whole: `live`, and the ends, which are outside of it."""

    ir: IR
    chart: Chart
    live: Node
    ends: tuple[Node, ...]
    guards: tuple[int, ...]
    """Arrows whose guard must be told, by their number."""
    limits: tuple[int, ...]
    """Arrows that are counted."""
    draws: tuple[str, ...]
    """Splits whose draw must be told."""
    counted: tuple[str, ...]
    """Boxes whose visits are counted."""
    lefts: tuple[str, ...]
    """Boxes of which it is kept which visit was left unanswered."""
