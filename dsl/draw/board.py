"""The board that a drawing is finished on: where boxes and lines are now, and what a line would touch if it ran there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dsl.draw.geometry import Bounds, Line, Rect, around, bounds_of, near, plain_crossings
from dsl.draw.graph import Edge
from dsl.draw.placed import Placed, Route, headless

__all__ = ["Board", "Troubles", "no_worse"]

Troubles = tuple[int, int, int]
"""To how many things a route comes nearer than each of three distances: touching, close, and without air."""
_AIRS = (3.0, 6.0, 9.0)
_FAR = _AIRS[-1]
_WITHIN = -1.0
"""A line begins and ends on the outlines of its boxes, and runs within neither."""
_ASIDE = 5.0
"""How much farther a line should keep from a frame's side than from another line."""
_WIDEST_FIRST = tuple(enumerate(_AIRS))[::-1]


class Board:
    """Boxes and routes that may be moved; each question is answered from what is near alone."""

    def __init__(self, placed: Placed) -> None:
        self._placed = placed
        self.boxes = dict(placed.boxes)
        self.routes = dict(placed.routes)
        self.heads = dict(placed.heads)
        self.frames = placed.frames
        self._reaches = {name: _reach(route) for name, route in self.routes.items()}

    def place(self, name: str, route: Route) -> None:
        """Let an arrow run there."""
        self.routes[name] = route
        self._reaches[name] = _reach(route)

    def placed(self) -> Placed:
        """The drawing as it is now."""
        return replace(self._placed, boxes=self.boxes, routes=self.routes, heads=self.heads)

    def troubles(self, edge: Edge, route: Route, moved: Mapping[str, Rect] | None = None) -> Troubles:
        """What an arrow would touch if it ran there, perhaps with a box that was `moved` with it."""
        name, ends = edge.id, (edge.source, edge.target)
        line, label = route.line, route.label
        left, top, right, bottom = _reach(route)
        region = (left - _FAR, top - _FAR, right + _FAR, bottom + _FAR)
        lost = (label is not None and not label.crossed_by(line)) + headless(line)
        found = [lost, lost, lost]
        for box, kept in self.boxes.items():
            rect = moved.get(box, kept) if moved is not None else kept
            if _apart(rect.bounds, region):
                continue
            if box in ends and rect.crossed_by(line, _WITHIN):
                found = [met + 1 for met in found]
            for at, air in _WIDEST_FIRST:
                met = (box not in ends and rect.crossed_by(line, air)) + (label is not None and label.meets(rect, air))
                if not met:
                    break
                found[at] += met
        for other_name, reach in self._reaches.items():
            if other_name == name or _apart(reach, region):
                continue
            other = self.routes[other_name]
            for at, air in _WIDEST_FIRST:
                met = _between(line, label, other, air)
                if not met:
                    break
                found[at] += met
        found = [met + self._at_frames(line, label, air) for met, air in zip(found, _AIRS, strict=True)]
        return (found[0], found[1], found[2])

    def met(self, name: str, label: Rect) -> int:
        """How many things the words of an arrow would touch if they stood there."""
        air = _AIRS[0]
        found = sum(label.meets(rect, air) for rect in (*self.boxes.values(), *self.heads.values()))
        found += sum(frame.straddled_by(label, air) for frame in self.frames.values())
        for other_name, other in self.routes.items():
            if other_name != name:
                found += label.crossed_by(other.line, air)
                found += other.label is not None and label.meets(other.label, air)
        return found

    def crossed(self, name: str, route: Route) -> int:
        """How many lines it plainly crosses, which no small move would mend."""
        others = (other.line for other_name, other in self.routes.items() if other_name != name)
        return sum(plain_crossings(route.line, line, _AIRS[0]) for line in others)

    def _at_frames(self, line: Line, label: Rect | None, air: float) -> int:
        """How often it touches what a frame says, or is on a frame's side."""
        found = 0
        for head in self.heads.values():
            found += head.crossed_by(line, air) + (label is not None and label.meets(head, air))
        for frame in self.frames.values():
            found += frame.hugged_by(line, air + _ASIDE) + (label is not None and frame.straddled_by(label, air))
        return found


def no_worse(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether the one is as good as the other at each distance."""
    return all(now <= before for now, before in zip(one, other, strict=True))


def _between(line: Line, label: Rect | None, other: Route, air: float) -> int:
    found = near(line, other.line, air)
    if label is not None:
        found += label.crossed_by(other.line, air)
        found += other.label is not None and label.meets(other.label, air)
    if other.label is not None:
        found += other.label.crossed_by(line, air)
    return found


def _apart(one: Bounds, other: Bounds) -> bool:
    return one[0] >= other[2] or one[1] >= other[3] or one[2] <= other[0] or one[3] <= other[1]


def _reach(route: Route) -> Bounds:
    bounds = bounds_of(route.line)
    return bounds if route.label is None else around((bounds, route.label.bounds))
