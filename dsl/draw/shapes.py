"""The shapes of a picture, as SVG: outlines of boxes, lines with round corners and heads, text, signs and counts."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from dsl.draw.counts import Count
from dsl.draw.geometry import Line, Point, Rect
from dsl.draw.graph import ANYWHERE, START, Box, Mark
from dsl.draw.graph import SIGNS as MARKS
from dsl.draw.placed import BADGE, DIAMONDS
from dsl.draw.signs import SIGNS
from dsl.draw.typeface import width
from dsl.ir import ENDS

__all__ = [
    "attribute",
    "count_badge",
    "count_words",
    "head",
    "mark_badge",
    "outline",
    "pair",
    "px",
    "rectangle",
    "rounded",
    "sign",
    "text",
    "without_head",
]

_BEND = 7.0
_HEAD = (9.5, 4.2)
_SMALL = 13.0


def outline(box: Box, rect: Rect) -> Iterator[str]:
    """The outline of a box, by its kind."""
    x, y = rect.centre
    if box.kind in DIAMONDS:
        corners = ((x, rect.y), (rect.right, y), (x, rect.bottom), (rect.x, y))
        yield f'<path class="outline" d="M{"L".join(pair(corner) for corner in corners)}Z" stroke-linejoin="round"/>'
    elif box.kind == START:
        yield f'<circle class="outline" cx="{px(x)}" cy="{px(y)}" r="{px(rect.width / 2 - 2)}"/>'
    elif box.kind in ENDS:
        radius = min(rect.height / 2, 20)
        yield rectangle("outline", rect, 0, radius)
        yield rectangle("ring", rect, 3.2, radius - 3.2)
    else:
        dashes = ' stroke-dasharray="3 3"' if box.kind == ANYWHERE else ""
        yield rectangle("outline", rect, 0, 15 if box.kind == ANYWHERE else 10, dashes)


def rectangle(style: str, rect: Rect, inset: float, radius: float, more: str = "") -> str:
    return (
        f'<rect class="{style}" x="{px(rect.x + inset)}" y="{px(rect.y + inset)}" width="{px(rect.width - 2 * inset)}" '
        f'height="{px(rect.height - 2 * inset)}" rx="{px(radius)}"{more}/>'
    )


def count_badge(name: str, count: Count, spot: Rect, *, leftward: bool = False) -> str:
    """A count in its room, at the end that is nearer to its box."""
    badge = _badge(_sum(count.number) if count.whole else count_words(count.number), "badge", spot, leftward=leftward)
    told = f"<title>{escape(count.told)}</title>" if count.told else ""
    return f"<g id={attribute(f'count-{name}')}>{told}{badge}</g>"


def count_words(count: int) -> str:
    """The number, from a million on shortened, so that it never outgrows its room."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M")):
        if abs(count) >= size:
            return f"{count / size:.{1 if abs(count) < 100 * size else 0}f} {unit}"
    return f"{count:,}"


def mark_badge(name: str, mark: Mark, spot: Rect, *, leftward: bool = False) -> str:
    """The sign of a mark, where a count would stand."""
    badge = _badge(MARKS[mark], "badge", spot, leftward=leftward)
    return f'<g id={attribute(f"mark-{name}")} class="{mark}">{badge}</g>'


def sign(kind: str, x: float, y: float, *, small: bool = False) -> str:
    """A channel's sign, or another, by its upper left corner."""
    if not small:
        return f'<g transform="translate({px(x)} {px(y)})">{SIGNS[kind]}</g>'
    return f'<g class="small {kind}" transform="translate({px(x)} {px(y)}) scale({_SMALL / 16:.6g})">{SIGNS[kind]}</g>'


def rounded(line: Line) -> str:
    """The line as a path whose corners are round."""
    drawn = [f"M{pair(line[0])}"]
    for before, corner, after in zip(line, line[1:], line[2:], strict=False):
        bend = min(_BEND, _long(before, corner) / 2, _long(corner, after) / 2)
        drawn.append(f"L{pair(_towards(corner, before, bend))}Q{pair(corner)} {pair(_towards(corner, after, bend))}")
    drawn.append(f"L{pair(line[-1])}")
    return "".join(drawn)


def without_head(line: Line) -> Line:
    """The line up to where its head begins."""
    return (*line[:-1], _towards(line[-1], line[-2], _HEAD[0] - 1))


def head(line: Line) -> str:
    """The head of an arrow, at the end of its line."""
    tip = line[-1]
    x, y = _towards(tip, line[-2], _HEAD[0])
    across = _HEAD[1]
    upright = abs(line[-2][0] - tip[0]) < abs(line[-2][1] - tip[1])
    wings = ((x - across, y), (x + across, y)) if upright else ((x, y - across), (x, y + across))
    return f"M{pair(tip)}L{pair(wings[0])}L{pair(wings[1])}Z"


def text(said: str, style: str, x: float, y: float, long: float) -> str:
    """A line of text. `textLength` keeps it to its room where the reader has another typeface."""
    fitted = f' textLength="{px(long)}" lengthAdjust="spacingAndGlyphs"' if long > 0 else ""
    return f'<text class="{style}" x="{px(x)}" y="{px(y)}"{fitted}>{escape(said)}</text>'


def attribute(value: str) -> str:
    """A value in quotes, as it stands in a tag."""
    return quoteattr(value)


def pair(point: Point) -> str:
    """A point's two coordinates."""
    return f"{px(point[0])} {px(point[1])}"


def px(number: float) -> str:
    """A coordinate: to a tenth of a pixel, without a needless zero."""
    said = f"{number:.1f}".removesuffix(".0")
    return "0" if said == "-0" else said


def _badge(said: str, style: str, spot: Rect, *, leftward: bool) -> str:
    long = width(said, 12, bold=True)
    wide = max(long + 12, 24)
    x = spot.right - wide if leftward else spot.x
    return (
        f'<rect class="{style}" x="{px(x)}" y="{px(spot.y)}" width="{px(wide)}" height="{px(BADGE[1])}" rx="9.5"/>'
        + text(said, "count", x + (wide - long) / 2, spot.y + 13.6, long)
    )


def _sum(count: int) -> str:
    """As `count_words`, with the sign of a sum, in the same room."""
    for least, size, unit in ((999_500_000, 1_000_000_000, "G"), (999_500, 1_000_000, "M"), (10_000, 1_000, "k")):
        if count >= least:
            return f"Σ {count / size:.0f} {unit}"
    return f"Σ {count:,}"


def _towards(start: Point, end: Point, far: float) -> Point:
    long = _long(start, end) or 1
    return (start[0] + (end[0] - start[0]) * far / long, start[1] + (end[1] - start[1]) * far / long)


def _long(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])
