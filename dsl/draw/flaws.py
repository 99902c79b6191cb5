"""Flaws: what touches what it should not in a placed drawing, and how good the drawing is as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from dsl.draw.geometry import Bounds, Line, Rect, bounds_of, crossings, neighbours
from dsl.draw.graph import Edge, Graph
from dsl.draw.placed import Placed, headless
from dsl.ir import CHANNELS

__all__ = ["flaws", "score"]

_AIR, _CLOSE = 3.0, 6.0
_LOW = 8
"""For how many bends a loop below its box counts: it reads better beside it."""
_WITHIN = -4.0
"""How far a line may reach into its own box, as it does at a round corner."""


def score(graph: Graph, placed: Placed) -> tuple[float, ...]:
    """How bad a drawing is: things that touch, lines that cross, bends (of the main way count more), low loops, and size."""
    found = sum(1 for _ in flaws(graph, placed))
    lines = [route.line for route in placed.routes.values()]
    crossed = crossings(lines)
    bends = sum((len(placed.routes[e.id].line) - 2) * (4 if e.main else 1) for e in graph.edges)
    close = crossings(lines, _CLOSE) - crossed
    low = sum(e.source == e.target and (line := placed.routes[e.id].line)[0][1] != line[1][1] for e in graph.edges)
    return (found, crossed, round(bends + 3 * close + _LOW * low + placed.height / 60 + placed.width / 40, 2))


def flaws(graph: Graph, placed: Placed) -> Iterator[str]:
    """What touches something that it should not, and what is away from where it belongs."""
    kinds = {box.id: box.kind for box in graph.boxes}
    for edge in graph.edges:
        route = placed.routes[edge.id]
        if route.label is not None and not route.label.crossed_by(route.line, _CLOSE):
            yield f"the label of {edge.id} is away from its line"
        if headless(route.line):
            yield f"{edge.id} has no room for its head"
        for end in dict.fromkeys((edge.source, edge.target)):
            box = placed.boxes[end]
            if any(box.holds(point) for point in route.line[1:-1]) or (
                kinds[end] in CHANNELS and box.crossed_by(route.line, _WITHIN)
            ):
                yield f"{edge.id} runs within its own box {end}"
    things = list(_things(graph, placed))
    for one, other in neighbours([thing.bounds for thing in things], _AIR):
        if _clash(things[one], things[other]) or _clash(things[other], things[one]):
            yield f"the {things[one].kind} of {things[one].name} meets the {things[other].kind} of {things[other].name}"
    yield from _at_frames(graph, placed)


def _at_frames(graph: Graph, placed: Placed) -> Iterator[str]:
    for frame in graph.frames:
        rect = placed.frames[frame.id]
        for name, route in placed.routes.items():
            if rect.hugged_by(route.line, _CLOSE) or (route.label is not None and rect.straddled_by(route.label, _AIR)):
                yield f"{name} is on the side of {frame.id}"
        for box in graph.boxes:
            if rect.meets(placed.boxes[box.id]) != (box.stage == frame.stage):
                yield f"{box.id} is on the wrong side of {frame.id}"
        if rect.straddled_by(placed.heads[frame.id], _AIR):
            yield f"what {frame.id} says is on its side"


@dataclass(frozen=True, slots=True)
class _Thing:
    kind: Literal["box", "line", "label", "count"]
    name: str
    rect: Rect | None
    line: Line = ()
    ends: tuple[str, ...] = ()

    @property
    def bounds(self) -> Bounds:
        return self.rect.bounds if self.rect is not None else bounds_of(self.line)


def _things(graph: Graph, placed: Placed) -> Iterator[_Thing]:
    edges: dict[str, Edge] = {edge.id: edge for edge in graph.edges}
    for name, rect in placed.boxes.items():
        yield _Thing("box", name, rect)
    for name, rect in placed.heads.items():
        yield _Thing("box", f"head of {name}", rect)
    for name, rect in placed.badges.items():
        yield _Thing("count", name, rect)
    for name, route in placed.routes.items():
        yield _Thing("line", name, None, route.line, (edges[name].source, edges[name].target))
        if route.label is not None:
            yield _Thing("label", name, route.label)


def _clash(one: _Thing, other: _Thing) -> bool:  # noqa: PLR0911  # one for each pair of kinds
    """Whether the one is where the other should be alone. Two lines may cross, and the engine keeps boxes apart."""
    if one.rect is None:
        return False
    match one.kind, other.kind:
        case "box", "line":
            return one.name not in other.ends and one.rect.crossed_by(other.line, _AIR)
        case "count", "line":
            return one.rect.crossed_by(other.line)
        case "label", "line":
            return one.name != other.name and one.rect.crossed_by(other.line, _AIR)
        case "label", "box" | "label":
            return other.rect is not None and one.rect.meets(other.rect, _AIR)
        case "count", "box" | "count" | "label":
            return other.rect is not None and one.name != other.name and one.rect.meets(other.rect)
        case _:
            return False
