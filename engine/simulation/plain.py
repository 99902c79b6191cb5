"""The plain way: each customer stepped event by event, nothing remembered. What the quick way is measured against."""

from __future__ import annotations

from collections.abc import Sequence

from dsl import step as stepper
from dsl.step import Decide, Effect, Event, Measure, Send, Snapshot
from engine.simulation.transitions import Transitions
from engine.simulation.ways import Edge, Node, Token, asked_of, made_of

__all__ = ["Plain"]


class Plain(Transitions):
    """The same steps, taken for each customer."""

    def enter(self, now: int) -> Edge:
        return self._kept(self._edge(-1, *stepper.enter(self.chart, 1, now), now, 0, ()))

    def heard(self, node: Node, listens: tuple[int, ...], visit: int | None, delay: int) -> Edge:
        return self._take(node, "heard", self._answer(node, listens, visit, delay), delay, listens)

    def _take(self, node: Node, token: Token, event: Event, delay: int, listens: tuple[int, ...]) -> Edge:
        del token
        return self._kept(self._step(node, event, delay, listens))

    def _kept(self, edge: Edge) -> Edge:
        self.edges.append(edge)
        return edge

    def crowded(self) -> bool:
        return True

    def _stays(self, node: Node, snapshot: Snapshot, effects: Sequence[Effect]) -> bool:
        if any(isinstance(effect, stepper.Row) for effect in effects) or asked_of(effects) is not None:
            return False
        before, node.snapshot = node.snapshot, snapshot
        return (before.phase, before.deadline) == (snapshot.phase, snapshot.deadline)

    def _node(
        self, snapshot: Snapshot, now: int, asked: Send | Measure | Decide | None, visit: int, listens: tuple[int, ...]
    ) -> Node:
        return made_of(snapshot, now, asked, visit, listens if isinstance(asked, Decide) else (), None)
