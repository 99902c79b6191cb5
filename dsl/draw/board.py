"""The board that a drawing is finished on: where boxes and lines are now, and what a line would touch if it ran there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from operator import add

from dsl.draw.geometry import Bounds, Line, Rect, around, bounds_of, near_at, pieces_of
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
        self._known = {name: (_reach(route), pieces_of(route.line)) for name, route in self.routes.items()}

    def place(self, name: str, route: Route) -> None:
        """Let an arrow run there."""
        self.routes[name] = route
        self._known[name] = (_reach(route), pieces_of(route.line))

    def placed(self) -> Placed:
        """The drawing as it is now."""
        return replace(self._placed, boxes=self.boxes, routes=self.routes, heads=self.heads)

    def troubles(self, edge: Edge, route: Route, moved: Mapping[str, Rect] | None = None) -> Troubles:
        """What an arrow would touch if it ran there, perhaps with a box that was `moved` with it."""
        return self.weighed(edge, route, moved)[0]

    def weighed(
        self, edge: Edge, route: Route, moved: Mapping[str, Rect] | None = None, *, most: float = inf
    ) -> tuple[Troubles, int]:
        """The same, and how many lines it plainly crosses, which no small move would mend.

        With more than `most` others that it touches it is no use: then they are counted no further.
        """
        line, label, pieces = route.line, route.label, pieces_of(route.line)
        left, top, right, bottom = _reach(route)
        region = (left - _FAR, top - _FAR, right + _FAR, bottom + _FAR)
        lost = (label is not None and not label.crossed_by(line)) + headless(line)
        found = self._at_boxes(edge, pieces, label, region, moved)
        found, crossed = [met + lost for met in found], 0
        left, top, right, bottom = region
        for name, ((from_x, from_y, to_x, to_y), others) in self._known.items():
            if found[0] - crossed > most:
                return (found[0], found[1], found[2]), crossed
            if from_x >= right or from_y >= bottom or to_x <= left or to_y <= top or name == edge.id:
                continue
            *met_lines, plain = near_at(pieces, others, _AIRS)
            if met_lines[-1]:
                found = list(map(add, found, met_lines))
                crossed += plain
            found = list(map(add, found, _at_labels(pieces, label, others, self.routes[name].label)))
        found = [met + self._at_frames(line, label, air) for met, air in zip(found, _AIRS, strict=True)]
        return (found[0], found[1], found[2]), crossed

    def _at_boxes(
        self,
        edge: Edge,
        pieces: Sequence[Bounds],
        label: Rect | None,
        region: Bounds,
        moved: Mapping[str, Rect] | None,
    ) -> list[int]:
        """How many boxes an arrow would touch, at each distance."""
        ends = (edge.source, edge.target)
        left, top, right, bottom = region
        found = [0, 0, 0]
        for box, kept in self.boxes.items():
            rect = moved.get(box, kept) if moved is not None else kept
            x, y = rect.x, rect.y
            if x >= right or y >= bottom or x + rect.width <= left or y + rect.height <= top:
                continue
            if box in ends and rect.crossed_at(pieces, _WITHIN):
                found = [met + 1 for met in found]
            for at, air in _WIDEST_FIRST:
                met = (box not in ends and rect.crossed_at(pieces, air)) + (
                    label is not None and label.meets(rect, air)
                )
                if not met:
                    break
                found[at] += met
        return found

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


def _at_labels(
    pieces: Sequence[Bounds], label: Rect | None, others: Sequence[Bounds], other_label: Rect | None
) -> list[int]:
    """How often two arrows touch each other's words, at each distance."""
    found = [0, 0, 0]
    for at, air in _WIDEST_FIRST:
        if label is not None:
            found[at] += label.crossed_at(others, air)
            found[at] += other_label is not None and label.meets(other_label, air)
        if other_label is not None:
            found[at] += other_label.crossed_at(pieces, air)
        if not found[at]:
            break
    return found


def _reach(route: Route) -> Bounds:
    bounds = bounds_of(route.line)
    return bounds if route.label is None else around((bounds, route.label.bounds))
