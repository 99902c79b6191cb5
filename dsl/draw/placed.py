"""A placed drawing: boxes, lines, labels and counts with their coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dsl.draw.geometry import Line, Rect, around
from dsl.draw.graph import Box, Graph

__all__ = ["BADGE", "DIAMONDS", "HEAD", "Placed", "Route", "badged", "headless", "shifted"]

DIAMONDS = frozenset({"choice", "split"})
BADGE = (53.0, 19.0)
"""The room that is kept for a count at a box's upper right corner: six digits."""
HEAD = 12.0
"""How long the last piece of a line is at least, so that its head stands on it and not on the bend before."""
_REACH = 75.0
"""How far from its box a count may stand, its own size included."""


@dataclass(frozen=True, slots=True)
class Route:
    """An arrow's line, from its source to its target, and where its words stand."""

    line: Line
    label: Rect | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A drawing: every box and every arrow of the graph by its id, and the size of the whole."""

    boxes: Mapping[str, Rect]
    routes: Mapping[str, Route]
    badges: Mapping[str, Rect] = field(default_factory=dict[str, Rect])
    """The room of each box's count, by the box's id."""
    frames: Mapping[str, Rect] = field(default_factory=dict[str, Rect])
    heads: Mapping[str, Rect] = field(default_factory=dict[str, Rect])
    """Where a frame's name and its own arrows are written."""
    width: float = 0
    height: float = 0


def headless(line: Line) -> bool:
    """Whether the last piece of a line is too short for a head."""
    (x, y), (to_x, to_y) = line[-2:]
    return abs(to_x - x) + abs(to_y - y) < HEAD


def badged(graph: Graph, placed: Placed) -> Placed:
    """The drawing with room for a count at each box: at the upper right, or at a freer corner."""
    badges: dict[str, Rect] = {}
    labels = {name: route.label for name, route in placed.routes.items() if route.label is not None}
    for box in graph.boxes:
        if not box.mark and not box.state:
            continue
        rect = placed.boxes[box.id]
        region = Rect(rect.x - _REACH, rect.y - _REACH, rect.width + 2 * _REACH, rect.height + 2 * _REACH)
        things = [
            *placed.boxes.items(),
            *badges.items(),
            *((f"label of {name}", label) for name, label in labels.items()),
        ]
        rects = [other for name, other in things if name != box.id and other.meets(region)]
        lines = [route.line for route in placed.routes.values() if region.crossed_by(route.line)]
        spots = list(_badge_spots(box, rect))
        badges[box.id] = min(spots, key=lambda spot: _met(spot, rects, lines))  # called at once
    return replace(placed, badges=badges)


def _badge_spots(box: Box, rect: Rect) -> Iterator[Rect]:
    width, height = BADGE
    if box.kind in DIAMONDS:
        x, y = rect.centre
        for side_x, side_y in ((1, -1), (-1, -1), (1, 1), (-1, 1)):
            middle = (x + side_x * (rect.width / 4 + 20), y + side_y * (rect.height / 4 + 3))
            yield Rect(middle[0] - width / 2, middle[1] - height / 2, width, height)
        return
    for inset in (20.0, 15.0, 10.0):
        yield Rect(rect.right - inset, rect.y - 12, width, height)
    for inset in (20.0, 10.0):
        yield Rect(rect.x - width + inset, rect.y - 12, width, height)
        yield Rect(rect.right - inset, rect.bottom + 12 - height, width, height)
        yield Rect(rect.x - width + inset, rect.bottom + 12 - height, width, height)
    for x in (rect.right - 13, rect.x - width + 13):
        yield Rect(x, rect.centre[1] - height / 2, width, height)


def _met(spot: Rect, rects: Sequence[Rect], lines: Sequence[Line]) -> int:
    """How many things a count would touch."""
    return sum(spot.meets(rect, 2) for rect in rects) + sum(spot.crossed_by(line, 1) for line in lines)


def shifted(placed: Placed) -> Placed:
    """The drawing moved to the origin, with room for the counts, and measured."""
    rects = [*placed.boxes.values(), *(route.label for route in placed.routes.values() if route.label is not None)]
    rects += [*placed.badges.values(), *placed.frames.values()]
    rects += [Rect(x, y, 0, 0) for route in placed.routes.values() for x, y in route.line]
    left, top, right, bottom = around([rect.bounds for rect in rects])
    left, top = left - 4, top - 4
    boxes = {name: _moved(rect, left, top) for name, rect in placed.boxes.items()}
    routes = {
        name: Route(
            tuple((round(x - left, 1), round(y - top, 1)) for x, y in route.line),
            _moved(route.label, left, top) if route.label is not None else None,
        )
        for name, route in placed.routes.items()
    }
    badges = {name: _moved(rect, left, top) for name, rect in placed.badges.items()}
    frames = {name: _moved(rect, left, top) for name, rect in placed.frames.items()}
    heads = {name: _moved(rect, left, top) for name, rect in placed.heads.items()}
    return Placed(boxes, routes, badges, frames, heads, round(right - left + 4, 1), round(bottom - top + 4, 1))


def _moved(rect: Rect, left: float, top: float) -> Rect:
    return Rect(round(rect.x - left, 1), round(rect.y - top, 1), round(rect.width, 1), round(rect.height, 1))
