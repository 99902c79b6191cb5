"""A placed drawing: boxes, lines and labels with their coordinates, how they are finished, and how good they are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import TYPE_CHECKING

from dsl.draw.geometry import Line, Rect, near, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dsl.draw.graph import Box, Graph

__all__ = ["BADGE", "DIAMONDS", "Placed", "Route", "badged", "score", "shifted"]

DIAMONDS = frozenset({"choice", "split"})
BADGE = (52.0, 19.0)
"""The room that is kept for a count at a box's upper right corner: six digits."""
_AIR, _CLOSE = 3.0, 6.0


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
    """The room of each state's count, by the box that it stands at."""
    width: float = 0
    height: float = 0


def badged(graph: Graph, placed: Placed) -> Placed:
    """The drawing with room for each state's count: at the upper right of its first box, or at a freer corner."""
    badges: dict[str, Rect] = {}
    seen: set[str] = set()
    for box in graph.boxes:
        if box.state and box.state not in seen:
            seen.add(box.state)
            least: int | None = None
            for spot in _badge_spots(box, placed.boxes[box.id]):
                met = _met(spot, box, placed, badges)
                if least is None or met < least:
                    least, badges[box.id] = met, spot
                if not met:
                    break
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


def _met(spot: Rect, box: Box, placed: Placed, badges: Mapping[str, Rect]) -> int:
    """How many things a count would touch."""
    found = sum(spot.meets(rect, 2) for name, rect in placed.boxes.items() if name != box.id)
    found += sum(spot.meets(rect, 2) for name, rect in badges.items() if name != box.id)
    for route in placed.routes.values():
        found += spot.crossed_by(route.line, 1)
        found += route.label is not None and spot.meets(route.label, 1)
    return found


def shifted(placed: Placed) -> Placed:
    """The drawing moved to the origin, with room for the counts, and measured."""
    rects = [*placed.boxes.values(), *(route.label for route in placed.routes.values() if route.label is not None)]
    rects += placed.badges.values()
    rects += [Rect(x, y, 0, 0) for route in placed.routes.values() for x, y in route.line]
    left, top, right, bottom = rows_of(rects)
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
    return Placed(boxes, routes, badges, round(right - left + 4, 1), round(bottom - top + 4, 1))


def score(graph: Graph, placed: Placed) -> tuple[float, ...]:
    """How bad a drawing is: things that touch, lines that cross, bends (those of the main way count more) and size."""
    flaws = sum(1 for _ in _flaws(graph, placed))
    lines = [route.line for route in placed.routes.values()]
    crossed = sum(near(one, other) for one, other in combinations(lines, 2))
    bends = sum((len(placed.routes[e.id].line) - 2) * (4 if e.main else 1) for e in graph.edges)
    close = sum(near(one, other, _CLOSE) for one, other in combinations(lines, 2)) - crossed
    return (flaws, crossed, round(bends + 3 * close + placed.height / 60 + placed.width / 40, 2))


def _flaws(graph: Graph, placed: Placed) -> Iterator[str]:
    """What touches something that it should not."""
    for edge in graph.edges:
        route = placed.routes[edge.id]
        for name, rect in placed.boxes.items():
            if name not in {edge.source, edge.target} and rect.crossed_by(route.line, _AIR):
                yield f"{edge.id} runs through {name}"
        for name, badge in placed.badges.items():
            if badge.crossed_by(route.line) or (route.label is not None and route.label.meets(badge)):
                yield f"{edge.id} meets the count of {name}"
        if route.label is not None:
            yield from _label_flaws(edge.id, route.label, placed)
    for (name, badge), (other_name, rect) in product(placed.badges.items(), placed.boxes.items()):
        if name != other_name and badge.meets(rect):
            yield f"the count of {name} meets {other_name}"


def _label_flaws(name: str, label: Rect, placed: Placed) -> Iterator[str]:
    if not label.crossed_by(placed.routes[name].line, _CLOSE):
        yield f"the label of {name} is away from its line"
    for box, rect in placed.boxes.items():
        if label.meets(rect, _AIR):
            yield f"the label of {name} meets {box}"
    for other, route in placed.routes.items():
        if other != name and label.crossed_by(route.line, _AIR):
            yield f"{other} runs through the label of {name}"
        if other < name and route.label is not None and label.meets(route.label, _AIR):
            yield f"the labels of {other} and {name} meet"


def _moved(rect: Rect, left: float, top: float) -> Rect:
    return Rect(round(rect.x - left, 1), round(rect.y - top, 1), round(rect.width, 1), round(rect.height, 1))
