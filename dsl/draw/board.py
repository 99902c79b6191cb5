"""The board that a drawing is finished on: where boxes and lines are now, and what a line would touch if it ran there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dsl.draw.geometry import Bounds, Line, Rect, around, bounds_of, near
from dsl.draw.placed import Placed, Route

__all__ = ["Board", "Troubles"]

Troubles = tuple[int, int, int]
"""To how many things a route comes nearer than each of three distances: touching, close, and without air."""
_AIRS = (3.0, 6.0, 9.0)
_FAR = _AIRS[-1]
_WIDEST_FIRST = tuple(enumerate(_AIRS))[::-1]


class Board:
    """Boxes and routes that may be moved; each question is answered from what is near alone."""

    def __init__(self, placed: Placed) -> None:
        self._placed = placed
        self.boxes = dict(placed.boxes)
        self.routes = dict(placed.routes)
        self._reaches = {name: _reach(route) for name, route in self.routes.items()}

    def place(self, name: str, route: Route) -> None:
        """Let an arrow run there."""
        self.routes[name] = route
        self._reaches[name] = _reach(route)

    def placed(self) -> Placed:
        """The drawing as it is now."""
        return replace(self._placed, boxes=self.boxes, routes=self.routes)

    def troubles(
        self, name: str, ends: tuple[str, str], route: Route, moved: Mapping[str, Rect] | None = None
    ) -> Troubles:
        """What an arrow between two boxes would touch if it ran there, perhaps with a box that was `moved` with it."""
        line, label = route.line, route.label
        left, top, right, bottom = _reach(route)
        left, top, right, bottom = left - _FAR, top - _FAR, right + _FAR, bottom + _FAR
        lost = int(label is not None and not label.crossed_by(line))
        found = [lost, lost, lost]
        for box, kept in self.boxes.items():
            rect = moved.get(box, kept) if moved is not None else kept
            if rect.x >= right or rect.y >= bottom or rect.x + rect.width <= left or rect.y + rect.height <= top:
                continue
            for at, air in _WIDEST_FIRST:
                met = (box not in ends and rect.crossed_by(line, air)) + (label is not None and label.meets(rect, air))
                if not met:
                    break
                found[at] += met
        for other_name, reach in self._reaches.items():
            if reach[0] >= right or reach[1] >= bottom or reach[2] <= left or reach[3] <= top or other_name == name:
                continue
            other = self.routes[other_name]
            for at, air in _WIDEST_FIRST:
                met = _between(line, label, other, air)
                if not met:
                    break
                found[at] += met
        return (found[0], found[1], found[2])


def _between(line: Line, label: Rect | None, other: Route, air: float) -> int:
    found = near(line, other.line, air)
    if label is not None:
        found += label.crossed_by(other.line, air)
        found += other.label is not None and label.meets(other.label, air)
    if other.label is not None:
        found += other.label.crossed_by(line, air)
    return found


def _reach(route: Route) -> Bounds:
    bounds = bounds_of(route.line)
    return bounds if route.label is None else around((bounds, route.label.bounds))
