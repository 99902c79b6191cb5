"""Points, rectangles and lines of a drawing, and what touches what. Pixels; y grows downwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

__all__ = [
    "Bounds",
    "Line",
    "Point",
    "Rect",
    "around",
    "bounds_of",
    "crossings",
    "near",
    "near_at",
    "neighbours",
    "pieces_of",
    "squared",
    "tidy",
]

Point = tuple[float, float]
Line = tuple[Point, ...]
"""A polyline; its segments are horizontal or vertical."""
Bounds = tuple[float, float, float, float]
"""Left, top, right, bottom."""
_STEP = 2.0
"""A step in a line that is no longer than this looks like a slip."""


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

    @property
    def bounds(self) -> Bounds:
        return (self.x, self.y, self.x + self.width, self.y + self.height)

    def meets(self, other: Rect, air: float = 0) -> bool:
        """Whether the two overlap, or come nearer than `air`."""
        return (
            self.x < other.x + other.width + air
            and other.x < self.x + self.width + air
            and self.y < other.y + other.height + air
            and other.y < self.y + self.height + air
        )

    def holds(self, point: Point) -> bool:
        """Whether a point lies within, not on a side."""
        return self.x < point[0] < self.right and self.y < point[1] < self.bottom

    def encloses(self, other: Rect) -> bool:
        """Whether all of the other lies within."""
        return self.x <= other.x and self.y <= other.y and other.right <= self.right and other.bottom <= self.bottom

    def crossed_by(self, line: Line, air: float = 0) -> bool:
        """Whether the line runs through the rectangle, or nearer to it than `air`."""
        return self.crossed_at(pieces_of(line), air)

    def crossed_at(self, pieces: Sequence[Bounds], air: float = 0) -> bool:
        """The same of a line's pieces."""
        left, top, right, bottom = self.x - air, self.y - air, self.x + self.width + air, self.y + self.height + air
        for a, b, c, d in pieces:  # noqa: SIM110  # asked a million times for a large drawing, where `any` takes twice as long
            if a < right and left < c and b < bottom and top < d:
                return True
        return False

    def hugged_by(self, line: Line, air: float) -> int:
        """How many of the line's pieces run along one of the rectangle's sides, nearer than `air`; to cross one is fine."""
        left, top, right, bottom = self.bounds
        found = 0
        for a, b, c, d in pieces_of(line):
            if a == c:
                found += b < bottom and top < d and min(abs(a - left), abs(a - right)) < air
            else:
                found += a < right and left < c and min(abs(b - top), abs(b - bottom)) < air
        return found

    def straddled_by(self, other: Rect, air: float) -> bool:
        """Whether the other is neither within nor without, or nearer to a side than `air`."""
        inner = Rect(self.x + air, self.y + air, self.width - 2 * air, self.height - 2 * air)
        return self.meets(other, air) and not inner.encloses(other)


def tidy(points: Sequence[Point]) -> Line:
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


def squared(points: Sequence[Point]) -> list[Point]:
    """The line with each piece upright or level, whichever it nearly was; steps too small to be seen are taken out.

    Pieces one behind the other that go the same way lie where the first or last point of the whole line does, if that is
    among them, else where the longest of them did.
    """
    runs: list[tuple[bool, list[tuple[Point, Point]]]] = []
    for start, end in pairwise(points):
        across, down = abs(end[0] - start[0]), abs(end[1] - start[1])
        if across + down <= _STEP:
            continue
        upright = across < down
        if not runs or runs[-1][0] != upright:
            runs.append((upright, []))
        runs[-1][1].append((start, end))
    if not runs:
        return [points[0], points[-1]]
    at = [
        _lies_at(pieces, upright, first=run == 0, last=run == len(runs) - 1)
        for run, (upright, pieces) in enumerate(runs)
    ]
    corners = [(at[run], at[run + 1]) if runs[run][0] else (at[run + 1], at[run]) for run in range(len(runs) - 1)]
    (x, y), (to_x, to_y) = points[0], points[-1]
    start = (at[0], y) if runs[0][0] else (x, at[0])
    end = (at[-1], to_y) if runs[-1][0] else (to_x, at[-1])
    return [start, *corners, end]


def near(one: Line, other: Line, air: float = 0.01) -> int:
    """How often pieces of two lines cross, run over each other, or come nearer than `air`."""
    from_x, from_y, to_x, to_y = bounds_of(other)
    from_x, from_y, to_x, to_y = from_x - air, from_y - air, to_x + air, to_y + air
    others = pieces_of(other)
    found = 0
    for a, b, c, d in pieces_of(one):
        if a < to_x and from_x < c and b < to_y and from_y < d:
            found += sum(a < g + air and e < c + air and b < h + air and f < d + air for e, f, g, h in others)
    return found


def near_at(
    one: Sequence[Bounds], other: Sequence[Bounds], airs: tuple[float, float, float]
) -> tuple[int, int, int, int]:
    """The same of two lines' pieces, at three distances from the least on, at once; and how often they plainly cross.

    That is with both pieces going on for more than the least distance: no move of a piece would change it.
    """
    least, middle, most = airs
    found = closer = closest = plain = 0
    for a, b, c, d in one:
        right, bottom = c + most, d + most
        for e, f, g, h in other:
            if e < right and f < bottom and a < g + most and b < h + most:
                found += 1
                if e < c + middle and f < d + middle and a < g + middle and b < h + middle:
                    closer += 1
                    if e < c + least and f < d + least and a < g + least and b < h + least:
                        closest += 1
                        if b == d and e == g:
                            plain += a + least < e and e + least < c and f + least < b and b + least < h
                        elif a == c and f == h:
                            plain += e + least < a and a + least < g and b + least < f and f + least < d
    return (closest, closer, found, plain)


def crossings(lines: Sequence[Line], air: float = 0.01) -> int:
    """How often any two of the lines cross, run over each other, or come nearer than `air`."""
    pairs = neighbours([bounds_of(line) for line in lines], air)
    return sum(near(lines[one], lines[other], air) for one, other in pairs)


def neighbours(all_bounds: Sequence[Bounds], air: float) -> Iterator[tuple[int, int]]:
    """The pairs, by their places, whose bounds come nearer to each other than `air`."""
    order = sorted(range(len(all_bounds)), key=lambda at: all_bounds[at][1])
    open_now: list[tuple[float, float, float, int]] = []
    for at in order:
        left, top, right, bottom = all_bounds[at]
        left, top, right = left - air, top - air, right + air
        open_now = [other for other in open_now if other[0] > top]
        for _, from_x, to_x, other in open_now:
            if from_x < right and left < to_x:
                yield (other, at) if other < at else (at, other)
        open_now.append((bottom, all_bounds[at][0], all_bounds[at][2], at))


def around(all_bounds: Sequence[Bounds]) -> Bounds:
    """The bounds of all together."""
    lefts, tops, rights, bottoms = zip(*all_bounds, strict=True)
    return (min(lefts), min(tops), max(rights), max(bottoms))


@lru_cache(maxsize=8192)
def bounds_of(line: Line) -> Bounds:
    """The line's frame."""
    xs, ys = zip(*line, strict=True)
    return (min(xs), min(ys), max(xs), max(ys))


@lru_cache(maxsize=8192)
def pieces_of(line: Line) -> tuple[Bounds, ...]:
    """The line's pieces, each by its bounds."""
    return tuple((min(a, c), min(b, d), max(a, c), max(b, d)) for (a, b), (c, d) in pairwise(line))


def _lies_at(pieces: Sequence[tuple[Point, Point]], upright: bool, *, first: bool, last: bool) -> float:
    """Where pieces that go one way lie: upright ones across, level ones down."""
    axis = 0 if upright else 1
    long = max(pieces, key=lambda piece: abs(piece[1][1 - axis] - piece[0][1 - axis]))
    if first and last:
        return (long[0][axis] + long[1][axis]) / 2
    if first:
        return pieces[0][0][axis]
    return pieces[-1][1][axis] if last else (long[0][axis] + long[1][axis]) / 2


def _straight(a: Point, b: Point, c: Point) -> bool:
    return (a[0] == b[0] == c[0] and (b[1] - a[1]) * (c[1] - b[1]) > 0) or (
        a[1] == b[1] == c[1] and (b[0] - a[0]) * (c[0] - b[0]) > 0
    )
