"""Levels: a drawing graph with frames, taken apart: what stands outside, each frame as one box, and what stands in each."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from dsl.draw.graph import Box, Edge, Frame, Graph

__all__ = ["FRAME", "Levels"]

FRAME = "frame"
"""The kind of a box that stands for a whole frame."""


class Levels:
    """A graph's levels. Without a frame there is one, the graph itself."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        frames = {frame.stage: frame.id for frame in graph.frames}
        self.homes = {box.id: frames.get(box.stage, "") for box in graph.boxes}
        """The frame that each box stands in, if any, by its id."""

    @cached_property
    def graphs(self) -> tuple[Graph, ...]:
        """What stands outside of the frames first, then each frame's own."""
        graph = self._graph
        if not graph.frames:
            return (graph,)
        outer = [box for box in graph.boxes if not self.homes[box.id]]
        outer += [_as_box(frame) for frame in graph.frames]
        crossing = [
            replace(edge, source=ends[0], target=ends[1]) for edge in graph.edges if (ends := self._outside(edge))
        ]
        within = [
            replace(
                graph,
                boxes=tuple(box for box in graph.boxes if self.homes[box.id] == frame.id),
                edges=tuple(
                    e for e in graph.edges if self.homes[e.source] == frame.id and self.homes[e.target] == frame.id
                ),
            )
            for frame in graph.frames
        ]
        return (replace(graph, boxes=tuple(outer), edges=tuple(crossing)), *within)

    def ends(self, edge: Edge) -> tuple[str, str]:
        """What an arrow joins on the level where both of its ends are: its boxes, or the frames that they stand in."""
        return self._outside(edge) or (edge.source, edge.target)

    def _outside(self, edge: Edge) -> tuple[str, str] | None:
        source, target = self.homes[edge.source], self.homes[edge.target]
        if source and source == target:
            return None
        return (source or edge.source, target or edge.target)


def _as_box(frame: Frame) -> Box:
    return Box(frame.id, FRAME, frame.title, (), 0, 0, frame.tip)
