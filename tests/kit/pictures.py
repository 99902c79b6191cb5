"""Pictures read back: what an SVG shows, measured from its elements alone, and what touches what it should not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from xml.etree import ElementTree as ET

__all__ = ["Area", "Picture", "flaws", "local", "read"]

Point = tuple[float, float]
Segment = tuple[float, float, float, float]


@dataclass(frozen=True)
class Area:
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Area, air: float = 0) -> bool:
        return (
            self.left < other.right + air
            and other.left < self.right + air
            and self.top < other.bottom + air
            and other.top < self.bottom + air
        )

    def inset(self, by: float) -> Area:
        return Area(self.left + by, self.top + by, self.right - by, self.bottom - by)


@dataclass(frozen=True)
class Picture:
    """What an SVG shows, read from its elements alone."""

    size: tuple[float, float]
    boxes: dict[str, Area]
    ends: dict[str, tuple[str, str]]
    """Of each arrow, the boxes that its line starts and ends at."""
    lines: dict[str, list[Segment]]
    strokes: dict[str, list[Point]]
    """Of each arrow, every point of its line as it is drawn: from the third on, every third is a corner's."""
    tips: dict[str, list[Point]]
    """Of each arrow, the three corners of its head: its tip first."""
    labels: dict[str, Area]
    badges: dict[str, Area]
    frames: dict[str, Area]
    heads: dict[str, Area]
    """What each frame says, by its id."""

    def within(self, box: str, frame: str) -> bool:
        """Whether a box stands in a frame, with all of it."""
        inner, outer = self.boxes[box], self.frames[frame]
        return (
            outer.left < inner.left
            and inner.right < outer.right
            and outer.top < inner.top
            and inner.bottom < outer.bottom
        )


def local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def number(element: ET.Element, name: str) -> float:
    return float(element.get(name, "0"))


def area_of(shape: ET.Element) -> Area:
    if local(shape) == "rect":
        x, y = number(shape, "x"), number(shape, "y")
        return Area(x, y, x + number(shape, "width"), y + number(shape, "height"))
    if local(shape) == "circle":
        x, y, r = number(shape, "cx"), number(shape, "cy"), number(shape, "r")
        return Area(x - r, y - r, x + r, y + r)
    points = points_of(shape.get("d", ""))
    return Area(
        min(x for x, _ in points), min(y for _, y in points), max(x for x, _ in points), max(y for _, y in points)
    )


def points_of(path: str) -> list[Point]:
    """The points of a path: of a round corner, where it begins and ends and its control point."""
    return [(float(x), float(y)) for x, y in re.findall(r"[MLQ ](-?[\d.]+) (-?[\d.]+)", path)]


def text_area(text: ET.Element) -> Area:
    x, y = number(text, "x"), number(text, "y")
    return Area(x, y - 9, x + number(text, "textLength"), y + 2.5)


def sign_area(sign: ET.Element) -> Area:
    """A small sign before some words: 13 units, from the corner that it is moved to."""
    x, y = (float(value) for value in re.findall(r"translate\((-?[\d.]+) (-?[\d.]+)\)", sign.get("transform", ""))[0])
    return Area(x, y, x + 13, y + 13)


def around(areas: list[Area]) -> Area:
    return Area(
        min(a.left for a in areas), min(a.top for a in areas), max(a.right for a in areas), max(a.bottom for a in areas)
    )


def read(document: str) -> Picture:
    root = ET.fromstring(document)  # noqa: S314  # our own document
    boxes: dict[str, Area] = {}
    lines: dict[str, list[Segment]] = {}
    strokes: dict[str, list[Point]] = {}
    tips: dict[str, list[Point]] = {}
    labels: dict[str, Area] = {}
    badges: dict[str, Area] = {}
    ends: dict[str, tuple[str, str]] = {}
    frames: dict[str, Area] = {}
    heads: dict[str, Area] = {}
    (drawing,) = [group for group in root.iter() if group.get("id") == "drawing"]
    for group in drawing:
        name, style = group.get("id", ""), group.get("class", "").split()
        by_class = {
            part: [e for e in group if part in e.get("class", "").split()]
            for part in ("outline", "line", "words", "badge", "head", "edge", "stage", "small")
        }
        if "state" in style:
            boxes[name] = area_of(by_class["outline"][0])
        elif "arrow" in style:
            corners = points_of(by_class["line"][0].get("d", ""))
            strokes[name], tips[name] = corners, points_of(by_class["head"][0].get("d", ""))
            tip = tips[name][0]
            lines[name] = [(min(a, c), min(b, d), max(a, c), max(b, d)) for (a, b), (c, d) in pairwise([*corners, tip])]
            if by_class["words"]:
                signs = [sign_area(sign) for sign in by_class["small"]]
                labels[name] = around([*(text_area(text) for text in by_class["words"]), *signs])
            ends[name] = (near_to(corners[0], boxes_of(drawing)), near_to(tip, boxes_of(drawing)))
        elif "frame" in style:
            frames[name] = area_of(by_class["edge"][0])
            heads[name] = around([text_area(text) for text in (*by_class["stage"], *by_class["words"])])
        else:
            badges[name] = area_of(by_class["badge"][0])
    size = (number(root, "width"), number(root, "height"))
    return Picture(size, boxes, ends, lines, strokes, tips, labels, badges, frames, heads)


def boxes_of(drawing: ET.Element) -> dict[str, Area]:
    return {
        group.get("id", ""): area_of(next(e for e in group if e.get("class") == "outline"))
        for group in drawing
        if "state" in group.get("class", "").split()
    }


def near_to(point: tuple[float, float], boxes: dict[str, Area]) -> str:
    x, y = point
    found = [name for name, area in boxes.items() if area.meets(Area(x, y, x, y), 2.5)]
    assert found, f"a line begins or ends at {point}, where there is no box"
    return found[0]


def flaws(picture: Picture) -> Iterator[str]:  # noqa: C901, PLR0912  # one rule after the other
    """Everything that touches what it should not, and every label that is away from its line."""
    for one, other in combinations(picture.labels, 2):
        if picture.labels[one].meets(picture.labels[other], 1):
            yield f"the labels of {one} and {other} meet"
    for name, label in picture.labels.items():
        if not any(label.meets(Area(*segment), 8) for segment in picture.lines[name]):
            yield f"the label of {name} is away from its line"
        for box, area in picture.boxes.items():
            if label.meets(area, 1):
                yield f"the label of {name} meets {box}"
        for other, segments in picture.lines.items():
            if other != name and any(label.meets(Area(*segment), 1) for segment in segments):
                yield f"{other} runs through the label of {name}"
    for name, segments in picture.lines.items():
        for box, area in picture.boxes.items():
            # A line touches the boxes at its two ends, and a diamond's line starts within the frame around it.
            own = box in picture.ends[name]
            if not own and any(area.meets(Area(*segment), 1) for segment in segments):
                yield f"{name} runs through {box}"
            if own and any(middle_of(area).meets(Area(*segment)) for segment in segments):
                yield f"{name} runs through its own box {box}"
            if own and any(area.inset(0.5).meets(Area(x, y, x, y)) for x, y in picture.strokes.get(name, [])[2:-1:3]):
                yield f"{name} turns within its own box {box}"
    for name, badge in picture.badges.items():
        for other, segments in picture.lines.items():
            if any(badge.meets(Area(*segment)) for segment in segments):
                yield f"{other} runs through {name}"
        for other, label in picture.labels.items():
            if badge.meets(label):
                yield f"{name} meets the label of {other}"
        own = sum(badge.meets(area) for area in picture.boxes.values())
        if own != 1:
            yield f"{name} touches {own} boxes"
    yield from _at_frames(picture)
    yield from _crooked(picture)
    width, height = picture.size
    everything = [
        *picture.boxes.values(),
        *picture.frames.values(),
        *picture.labels.values(),
        *(Area(*s) for ss in picture.lines.values() for s in ss),
    ]
    whole = around(everything)
    if whole.left < 0 or whole.top < 0 or whole.right > width or whole.bottom > height:
        yield "something lies outside of the picture"


def _crooked(picture: Picture) -> Iterator[str]:
    """What isn't upright or level, to the tenth of a pixel that it is written to; and heads that can't be seen as such."""
    for name, points in picture.strokes.items():
        tip, *wings = picture.tips[name]
        if any(x != to_x and y != to_y for (x, y), (to_x, to_y) in pairwise([*points, tip])):
            yield f"{name} runs aslant"
        (left, top), (right, bottom) = sorted(wings)
        ahead = (tip[0] - (left + right) / 2, tip[1] - (top + bottom) / 2)
        wide = max(right - left, abs(bottom - top))
        if min(right - left, abs(bottom - top)) or min(map(abs, ahead)) > 0.06 or not 8 <= wide <= 9:
            yield f"the head of {name} is crooked"
        if sum(map(abs, ahead)) < 9:
            yield f"the head of {name} is flat"
        end, before = points[-1], points[-2]
        along = (tip[0] - end[0], tip[1] - end[1])
        came = (end[0] - before[0], end[1] - before[1])
        if abs(along[0] + along[1]) > 9 or along[0] * ahead[0] + along[1] * ahead[1] <= 0:
            yield f"the head of {name} is away from its line"
        if came[0] * ahead[0] + came[1] * ahead[1] <= 0:
            yield f"{name} has no room for its head"


def _at_frames(picture: Picture) -> Iterator[str]:
    """What touches a frame's sides, or what a frame says."""
    for (one, first), (other, second) in combinations(picture.frames.items(), 2):
        if first.meets(second, 4):
            yield f"{one} meets {other}"
    for name, frame in picture.frames.items():
        yield from _at_head(picture, name)
        for box, area in picture.boxes.items():
            if frame.meets(area) and not picture.within(box, name):
                yield f"{box} is on the side of {name}"
        for line, label in picture.labels.items():
            if any(side.meets(label, 1) for side in sides(frame)):
                yield f"the label of {line} is on the side of {name}"
        for line, segments in picture.lines.items():
            if any(_hugs(side, Area(*segment)) for side in sides(frame) for segment in segments):
                yield f"{line} runs along a side of {name}"


def _at_head(picture: Picture, name: str) -> Iterator[str]:
    """What touches the words of a frame."""
    head, frame = picture.heads[name], picture.frames[name]
    if frame.inset(1) != around([frame.inset(1), head]):
        yield f"what {name} says stands outside"
    others = (*picture.boxes.items(), *((f"the label of {line}", area) for line, area in picture.labels.items()))
    yield from (f"what {name} says meets {other}" for other, area in others if head.meets(area, 1))
    for line, segments in picture.lines.items():
        if any(head.meets(Area(*segment), 1) for segment in segments):
            yield f"{line} runs through what {name} says"


def sides(area: Area) -> list[Area]:
    """The four sides of an area, as areas without width."""
    return [
        Area(area.left, area.top, area.left, area.bottom),
        Area(area.right, area.top, area.right, area.bottom),
        Area(area.left, area.top, area.right, area.top),
        Area(area.left, area.bottom, area.right, area.bottom),
    ]


def _hugs(side: Area, line: Area) -> bool:
    """Whether a line runs beside a side, and near it, for more than a corner's length."""
    upright = side.left == side.right
    if upright != (line.left == line.right):
        return False
    beside = (
        (line.top, line.bottom, side.top, side.bottom) if upright else (line.left, line.right, side.left, side.right)
    )
    near = abs(line.left - side.left) if upright else abs(line.top - side.top)
    return near < 4 and min(beside[1], beside[3]) - max(beside[0], beside[2]) > 8


def middle_of(area: Area) -> Area:
    """The part of a box that its text stands in: half of its frame for a diamond, which is the least of all."""
    wide, high = (area.right - area.left) / 4, (area.bottom - area.top) / 4
    return Area(area.left + wide, area.top + high, area.right - wide, area.bottom - high)
