"""Points, rectangles and lines of a drawing, and what touches what. Pixels; y grows downwards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

__all__ = ["Line", "Point", "Rect", "near", "rows_of", "tidy"]

Point = tuple[float, float]
Line = tuple[Point, ...]
"""A polyline; its segments are horizontal or vertical."""


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle by its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def centre(self) -> Point:
        return (self.x + self.width / 2, self.y + self.height / 2)

    def meets(self, other: Rect, air: float = 0) -> bool:
        """Whether the two overlap, or come nearer than `air`."""
        return (
            self.x < other.right + air
            and other.x < self.right + air
            and self.y < other.bottom + air
            and other.y < self.bottom + air
        )

    def crossed_by(self, line: Line, air: float = 0) -> bool:
        """Whether the line runs through the rectangle, or nearer to it than `air`."""
        left, top, right, bottom = self.x - air, self.y - air, self.right + air, self.bottom + air
        from_x, from_y, to_x, to_y = _bounds(line)
        if from_x >= right or to_x <= left or from_y >= bottom or to_y <= top:
            return False
        return any(a < right and left < c and b < bottom and top < d for a, b, c, d in _pieces(line))


def tidy(points: list[Point]) -> Line:
    """The line without points that repeat or lie on the way between their neighbours; coordinates to a tenth."""
    found: list[Point] = []
    for x, y in points:
        point = (round(x, 1), round(y, 1))
        if found and point == found[-1]:
            continue
        if len(found) > 1 and _straight(found[-2], found[-1], point):
            found[-1] = point
        else:
            found.append(point)
    return tuple(found)


def near(one: Line, other: Line, air: float = 0.01) -> int:
    """How often pieces of two lines cross, run over each other, or come nearer than `air`."""
    left, top, right, bottom = _bounds(one)
    from_x, from_y, to_x, to_y = _bounds(other)
    if from_x >= right + air or to_x <= left - air or from_y >= bottom + air or to_y <= top - air:
        return 0
    return sum(
        a < g + air and e < c + air and b < h + air and f < d + air
        for a, b, c, d in _pieces(one)
        for e, f, g, h in _pieces(other)
    )


def rows_of(rects: list[Rect]) -> tuple[float, float, float, float]:
    """The bounds of all: left, top, right, bottom."""
    return (
        min(rect.x for rect in rects),
        min(rect.y for rect in rects),
        max(rect.right for rect in rects),
        max(rect.bottom for rect in rects),
    )


def _straight(a: Point, b: Point, c: Point) -> bool:
    return (a[0] == b[0] == c[0] and (b[1] - a[1]) * (c[1] - b[1]) > 0) or (
        a[1] == b[1] == c[1] and (b[0] - a[0]) * (c[0] - b[0]) > 0
    )


@lru_cache(maxsize=4096)
def _pieces(line: Line) -> tuple[tuple[float, float, float, float], ...]:
    """The line's pieces as left, top, right, bottom."""
    return tuple((min(a, c), min(b, d), max(a, c), max(b, d)) for (a, b), (c, d) in pairwise(line))


@lru_cache(maxsize=4096)
def _bounds(line: Line) -> tuple[float, float, float, float]:
    """The line's frame as left, top, right, bottom."""
    xs, ys = [x for x, _ in line], [y for _, y in line]
    return (min(xs), min(ys), max(xs), max(ys))
