"""Transitions: the stepper's steps, each taken once and then remembered, so that a thousand customers share one.

The stepper is pure, and knows times only by their distances. So two customers who stand alike, one on Monday and one on
Friday, go on alike, and a step that was taken for the one holds for the other. What "alike" means is read off the
snapshot: all of it, with moments as distances from now, without who she is, when she came in, and the numbers of events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, cast

from dsl import step as stepper
from dsl.ir import IR, Otherwise, State, When
from dsl.predicate import And
from dsl.step import (
    RESTING,
    Acted,
    Answered,
    Chart,
    Decide,
    Decided,
    Due,
    Effect,
    Event,
    Measure,
    Postponed,
    Row,
    Send,
    Snapshot,
)
from engine.simulation.ways import Edge, Node, Token, asked_of, made_of

__all__ = ["Transitions", "by_lot"]

_FAR: Final = 400 * 86_400_000
_MOMENTS: Final = 10**12
"""Whole numbers from here on are moments, in milliseconds since 1970: no count, wait in seconds or index comes near."""
_NUMBERS: Final = 1 << 60
"""Numbers of events begin here."""
_WHO: Final = frozenset({"id", "began", "seen"})
"""Fields of a snapshot that tell customers apart, and nothing of what happens next: no simulated event comes twice, or
before the customer."""
_OF_STAGES: Final = frozenset({"staged", "stage_fired"})
"""Fields that say nothing outside a stage."""
_GRAIN: Final = 60_000
"""The stepper rounds deadlines to whole minutes: moments in a minute are not all alike."""
_KEPT: Final = 300_000
"""So many nodes are remembered; then it begins anew."""


def by_lot(ir: IR) -> IR:
    """The journey with its splits made choices, so that the lot is drawn by whoever drives the stepper.

    The engine draws it from the enrolment's number, and virtual customers have none. Arrows keep their places.
    """
    return replace(ir, states=tuple(_choice(state) if state.kind == "split" else state for state in ir.states))


def _choice(split: State) -> State:
    *drawn, last = split.arrows
    guarded = (replace(arrow, on=When(), guard=And(())) for arrow in drawn)
    return replace(split, kind="choice", arrows=(*guarded, replace(last, on=Otherwise(), guard=None)))


_VARIES: Final = Edge(-1, cast("Node", None), (), ())
"""Stands for an answer of which more depends on when it comes."""


class Transitions:
    """The steps of a journey (`by_lot`), remembered."""

    def __init__(self, ir: IR) -> None:
        self.ir = ir
        self.chart: Chart = stepper.chart(ir)
        self.edges: list[Edge] = []
        """Every edge, for counting."""
        self._nodes: dict[object, Node] = {}
        self._starts: dict[int, Edge] = {}
        self._events = _NUMBERS

    def crowded(self) -> bool:
        """Whether more is remembered than should be."""
        return len(self._nodes) > _KEPT

    def forget(self) -> None:
        """Begin anew; counts on the edges are gone."""
        self._nodes.clear()
        self._starts.clear()
        self.edges.clear()

    def enter(self, now: int) -> Edge:
        """A customer enters at `now`."""
        known = self._starts.get(now % _GRAIN)
        if known is None:
            known = self._starts[now % _GRAIN] = self._edge(-1, *stepper.enter(self.chart, 1, now), now, 0, ())
            self.edges.append(known)
        return known

    def acted(self, node: Node, sent: bool, reasons: tuple[str, ...], waits: tuple[tuple[int, int], ...]) -> Edge:
        """The message went out, or didn't, each channel for its reason; waits were measured: (arrow, milliseconds until over)."""
        token = (sent, reasons, waits) if waits or reasons else sent
        known = node.edges.get(token)
        if known is None:
            measured = tuple((arrow, node.now + after) for arrow, after in waits)
            known = self._take(node, token, Acted(sent, measured, reasons), 0, ())
        return known

    def held(self, node: Node, seconds: float) -> Edge:
        """The message can't go out before so many seconds: quiet hours, or not the box's hours."""
        token = ("held", seconds)
        return node.edges.get(token) or self._take(node, token, Postponed(seconds, held=True), 0, ())

    def decided(self, node: Node, results: tuple[bool, ...]) -> Edge:
        """Which of the guards hold."""
        return node.edges.get(results) or self._take(node, results, Decided(results), 0, node.listens)

    def due(self, node: Node) -> Edge:
        """The deadline has come."""
        return node.edges.get("due") or self._take(node, "due", Due(), int(node.wait), ())

    def heard(self, node: Node, listens: tuple[int, ...], visit: int | None, delay: int) -> Edge:
        """An answer came, so many milliseconds after she came to stand here; `visit` is that of the message it answers."""
        token = (listens, None if visit is None else node.visit - visit)
        edge = node.edges.get(token)
        if edge is None:
            edge = self._probed(node, token, listens, visit, delay)
        if edge is not _VARIES:
            return edge
        exact = (*token, delay)
        return node.edges.get(exact) or self._take(
            node, exact, self._answer(node, listens, visit, delay), delay, listens
        )

    # --- taking a step ------------------------------------------------------------------------------------------------

    def _probed(self, node: Node, token: Token, listens: tuple[int, ...], visit: int | None, delay: int) -> Edge:
        """What comes of an answer, if it is the same at once, at the last moment, and at this one; else it varies."""
        last = int(min(node.wait, max(_FAR, delay)))
        edges = [
            self._step(node, self._answer(node, listens, visit, after), after, listens) for after in {0, last, delay}
        ]
        first = edges[0]
        alike = all(
            (edge.target is first.target or edge.stays) and edge.stays == first.stays and edge.arrows == first.arrows
            for edge in edges
        )
        node.edges[token] = first if alike else _VARIES
        if alike:
            self.edges.append(first)
        return node.edges[token]

    def _answer(self, node: Node, listens: tuple[int, ...], visit: int | None, delay: int) -> Answered:
        self._events += 1
        return Answered(self._events, node.now + delay, listens, visit)

    def _take(self, node: Node, token: Token, event: Event, delay: int, listens: tuple[int, ...]) -> Edge:
        edge = node.edges[token] = self._step(node, event, delay, listens)
        self.edges.append(edge)
        return edge

    def _step(self, node: Node, event: Event, delay: int, listens: tuple[int, ...]) -> Edge:
        now = node.now + delay
        snapshot, effects = stepper.step(self.chart, node.snapshot, event, now)
        if isinstance(event, Answered) and self._stays(node, snapshot, effects):
            edge = Edge(node.state, node, (), ())
            edge.stays = True
            return edge
        return self._edge(node.state, snapshot, effects, now, node.visit, listens)

    def _stays(self, node: Node, snapshot: Snapshot, effects: Sequence[Effect]) -> bool:
        return asked_of(effects) is None and self._key(snapshot, node.now, (), ()) == node.key

    def _edge(
        self,
        source: int,
        snapshot: Snapshot,
        effects: Sequence[Effect],
        now: int,
        visit: int,
        listens: tuple[int, ...],
    ) -> Edge:
        entered: list[int] = []
        arrows: list[int] = []
        for effect in effects:
            if type(effect) is Row:
                entered.append(effect.state)
                visit = effect.seq
                if effect.arrow >= 0:
                    arrows.append(effect.arrow)
        if snapshot.phase == RESTING and entered:
            entered.pop()
        target = self._node(snapshot, now, asked_of(effects), visit, listens)
        return Edge(source, target, tuple(arrows), tuple(entered))

    def _node(
        self, snapshot: Snapshot, now: int, asked: Send | Measure | Decide | None, visit: int, listens: tuple[int, ...]
    ) -> Node:
        heard = listens if isinstance(asked, Decide) else ()
        key = self._key(snapshot, now, () if asked is None else (type(asked), asked.arrows), heard)
        known = self._nodes.get(key)
        if known is None:
            known = self._nodes[key] = made_of(snapshot, now, asked, visit, heard, key)
        return known

    def _key(self, snapshot: Snapshot, now: int, asked: tuple[Any, ...], listens: tuple[int, ...]) -> object:
        """What two customers have in common who go on alike: every field there is, so that one added later is not missed."""
        staged = self.chart.boxes[snapshot.state].stage >= 0
        rests = snapshot.goto >= 0 or snapshot.tries > 0
        fields = (
            _distance(getattr(snapshot, name), now)
            for name in type(snapshot).__slots__
            if name not in _WHO and (staged or name not in _OF_STAGES) and (rests or name != "until")
        )
        return (now % _GRAIN, asked, listens, *fields)


def _distance(value: Any, now: int) -> Any:
    """A value of a snapshot with its moments told from now on, and numbers of events left out."""
    if type(value) is int:
        return value if value < _MOMENTS else ("moment", value - now) if value < _NUMBERS else "event"
    if isinstance(value, tuple):
        return tuple(_distance(each, now) for each in cast("tuple[Any, ...]", value))
    if isinstance(value, Answered):
        return tuple(_distance(each, now) for each in (value.seq, value.at, value.listens, value.visit))
    return value
