"""The picture of a journey as SVG: boxes, arrows and captions of a laid-out drawing, with counts or one customer's way."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from dsl.draw.geometry import Rect
from dsl.draw.graph import ANYWHERE, LABEL, LINE, START, SUBTITLE, TITLE, Box, Caption, Edge, Graph, graph_of
from dsl.draw.layout import layout
from dsl.draw.palette import resolve, style_sheet
from dsl.draw.placed import BADGE, DIAMONDS, Placed, Route
from dsl.draw.signs import SIGNS
from dsl.draw.typeface import clean, fit, width, wrap
from dsl.ir import ENDS, IR

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dsl.draw.geometry import Line, Point

__all__ = ["svg"]

_MARGIN = 24.0
_LEAST = 470.0
_BEND = 7.0
_HEAD = (9.5, 4.2)


def svg(
    ir: IR,
    *,
    counts: Mapping[str, int] | None = None,
    path: Sequence[str] | None = None,
    version: str | None = None,
    theme: str = "auto",
) -> str:
    """The journey as an SVG document.

    `counts` lays a number over each state named in it; `path` is one customer's way, state by state, and fades the
    rest. `version` stands beside the title. `theme` is `auto` (light or dark, as the reader prefers), `light` or
    `dark`. The same journey gives the same bytes everywhere. Raises ValueError for a theme that doesn't exist.
    """
    graph = graph_of(ir)
    drawing = _Drawing(graph, layout(graph), counts or {}, list(path or ()), version)
    whole = "\n".join(drawing.lines()) + "\n"
    return whole if theme == "auto" else resolve(whole, theme)


class _Drawing:
    def __init__(
        self, graph: Graph, placed: Placed, counts: Mapping[str, int], path: list[str], version: str | None
    ) -> None:
        self._graph = graph
        self._placed = placed
        self._counts = counts
        self._path = path
        self._way = _way(graph, path)
        self._version = version

    def lines(self) -> Iterator[str]:
        graph, placed = self._graph, self._placed
        wide = max(placed.width, _LEAST)
        head, head_height = self._head(wide)
        whole = (wide + 2 * _MARGIN, placed.height + head_height + 2 * _MARGIN)
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="parcours" role="img" width="{_n(whole[0])}" '
            f'height="{_n(whole[1])}" viewBox="0 0 {_n(whole[0])} {_n(whole[1])}" '
            f'data-journey="{graph.hash[:12]}">'
        )
        yield f"<title>{_x(graph.title)}</title>"
        yield f"<desc>{_x(graph.doc)}</desc>"
        yield f"<style>\n{style_sheet()}</style>"
        yield f'<rect class="paper" width="{_n(whole[0])}" height="{_n(whole[1])}"/>'
        yield from head
        left = _MARGIN + max(0.0, (wide - placed.width) / 2)
        yield f'<g id="drawing" transform="translate({_n(left)} {_n(_MARGIN + head_height)})">'
        for edge in graph.edges:
            yield from self._arrow(edge, placed.routes[edge.id])
        for box in graph.boxes:
            yield from self._box(box, placed.boxes[box.id])
        for box in graph.boxes:
            if box.id in placed.badges and box.state in self._counts:
                spot = placed.badges[box.id]
                leftward = spot.centre[0] < placed.boxes[box.id].centre[0]
                yield _badge(box.state, self._counts[box.state], spot, leftward=leftward)
        yield "</g>"
        yield "</svg>"

    def _head(self, wide: float) -> tuple[list[str], float]:
        """The title, the docstring and the captions, and how high they are together."""
        graph = self._graph
        version = " · ".join(part for part in (clean(self._version or ""), graph.hash[:12]) if part)
        title = fit(graph.title, 20, wide - width(version, 20) - 8, bold=True)
        title_width = width(title, 20, bold=True)
        y = _MARGIN + 15
        lines = ['<g id="head">', _text(title, "title", _MARGIN, y, title_width)]
        lines.append(_text(version, "version", _MARGIN + title_width + 8, y, width(version, 20)))
        y += 4
        for line in wrap(graph.doc, 14, wide, lines=3):
            y += 20
            lines.append(_text(line, "doc", _MARGIN, y, width(line, 14)))
        y += 5
        last = _MARGIN
        for number, caption in enumerate(graph.captions):
            name = f"caption-{number}"
            lines.append(f'<g id="{name}" class="{self._on(name)}">' if caption.state else f'<g id="{name}">')
            lines.append(f"<title>{_x(caption.text)}</title>")
            about = "" if caption.about == "terms" else f"{caption.about}: "
            indent = width(about, 13)
            for index, said in enumerate(wrap(caption.text, 13, wide - indent - 60, lines=3)):
                y += 18.5
                if about and not index:
                    lines.append(_text(about.strip(), "caption about", _MARGIN, y, width(about.strip(), 13)))
                lines.append(_text(said, "caption", _MARGIN + indent, y, width(said, 13)))
                last = _MARGIN + indent + width(said, 13)
            if caption.state and self._captioned(caption):
                lines.append(_badge(caption.state, self._counts[caption.state], Rect(last + 8, y - 13.5, *BADGE)))
            lines.append("</g>")
        lines.append("</g>")
        return lines, y - _MARGIN + 34

    def _captioned(self, caption: Caption) -> bool:
        """Does the caption carry its state's count? It does where the state has no box of its own."""
        state = caption.state
        first = next(c for c in self._graph.captions if c.state == state)
        return state in self._counts and first is caption and all(box.state != state for box in self._graph.boxes)

    def _on(self, name: str) -> str:
        """Whether a box, an arrow or a caption is on the customer's way, as its class says it."""
        if not self._path:
            return ""
        return "on" if name in self._way else "off"

    def _arrow(self, edge: Edge, route: Route) -> Iterator[str]:
        on = self._on(edge.id)
        yield f"<g id={quoteattr(edge.id)} class={quoteattr(f'arrow {on}'.strip())}>"
        yield f"<title>{_x(edge.tip)}</title>"
        dashed = " dashed" if edge.dashed else ""
        yield f'<path class="line{dashed}" d="{_rounded(_without_head(route.line))}"/>'
        yield f'<path class="head" d="{_head(route.line)}"/>'
        label = route.label
        if label is not None:
            x, middle = label.centre
            top = middle - LINE * len(edge.lines) / 2
            yield (
                f'<rect class="paper" x="{_n(label.x)}" y="{_n(top - 1)}" width="{_n(label.width)}" '
                f'height="{_n(LINE * len(edge.lines) + 2)}"/>'
            )
            for index, line in enumerate(edge.lines):
                long = width(line, LABEL)
                left = label.x + 3 if edge.source == edge.target and label.x > route.line[1][0] else x - long / 2
                yield _text(line, "words", left, top + LINE * (index + 0.76), long)
        yield "</g>"

    def _box(self, box: Box, rect: Rect) -> Iterator[str]:
        on = self._on(box.id)
        name = f"state-{box.id}" if box.state else box.id
        data = f" data-state={quoteattr(box.state)}" if box.state else ""
        yield f"<g id={quoteattr(name)} class={quoteattr(f'state {box.kind} {on}'.strip())}{data}>"
        yield f"<title>{_x(box.tip)}</title>"
        yield from _outline(box, rect)
        x, y = rect.centre
        if box.kind == ANYWHERE:
            long = width(box.title, LABEL)
            yield _text(box.title, "words", x - long / 2, y + 4, long)
        elif box.title:
            long = width(box.title, TITLE, bold=True)
            sign = SIGNS.get(box.kind)
            left = x - long / 2 + (10.5 if sign else 0)
            base = y + (5 if not box.subtitle else -3)
            if sign:
                yield f'<g transform="translate({_n(left - 21)} {_n(base - 13)})">{sign}</g>'
            yield _text(box.title, "name", left, base, long)
            if box.subtitle:
                under = width(box.subtitle, SUBTITLE)
                yield _text(box.subtitle, "template", x - under / 2, y + 15, under)
        yield "</g>"


def _way(graph: Graph, path: list[str]) -> frozenset[str]:
    """The ids of what one customer passed: boxes, arrows, and the captions of what fired from anywhere."""
    states = {box.id: box.state for box in graph.boxes}
    arrows = {(states[edge.source], states[edge.target]): edge for edge in graph.edges if states[edge.source]}
    found: set[str] = set()
    for before, state in pairwise(["", *path]):
        drawn = arrows.get((before, state))
        if drawn is not None:
            found |= {drawn.id, drawn.target}
            continue
        found |= {name for name, of in states.items() if of == state and not name.startswith(f"{state}-from-")}
        if before:
            found |= {f"caption-{index}" for index, caption in enumerate(graph.captions) if caption.state == state}
            found |= {f"anywhere-{state}", f"arrow-anywhere-{state}-{state}"}
        else:
            found |= {"arrow-start", *(box.id for box in graph.boxes if box.kind == START)}
    return frozenset(found)


def _outline(box: Box, rect: Rect) -> Iterator[str]:
    x, y = rect.centre
    if box.kind in DIAMONDS:
        corners = ((x, rect.y), (rect.right, y), (x, rect.bottom), (rect.x, y))
        yield f'<path class="outline" d="M{"L".join(_p(corner) for corner in corners)}Z" stroke-linejoin="round"/>'
    elif box.kind == START:
        yield f'<circle class="outline" cx="{_n(x)}" cy="{_n(y)}" r="{_n(rect.width / 2 - 2)}"/>'
    elif box.kind in ENDS:
        yield _rectangle("outline", rect, 0, rect.height / 2)
        yield _rectangle("ring", rect, 3.2, rect.height / 2 - 3.2)
    else:
        dashes = ' stroke-dasharray="3 3"' if box.kind == ANYWHERE else ""
        yield _rectangle("outline", rect, 0, 15 if box.kind == ANYWHERE else 10, dashes)


def _rectangle(style: str, rect: Rect, inset: float, radius: float, more: str = "") -> str:
    return (
        f'<rect class="{style}" x="{_n(rect.x + inset)}" y="{_n(rect.y + inset)}" width="{_n(rect.width - 2 * inset)}" '
        f'height="{_n(rect.height - 2 * inset)}" rx="{_n(radius)}"{more}/>'
    )


def _badge(state: str, count: int, spot: Rect, *, leftward: bool = False) -> str:
    """A count in its room, at the end that is nearer to its box."""
    said = _count(count)
    long = width(said, 12, bold=True)
    wide = max(long + 12, 24)
    x = spot.right - wide if leftward else spot.x
    return (
        f"<g id={quoteattr(f'count-{state}')}>"
        f'<rect class="badge" x="{_n(x)}" y="{_n(spot.y)}" width="{_n(wide)}" height="{_n(BADGE[1])}" rx="9.5"/>'
        + _text(said, "count", x + (wide - long) / 2, spot.y + 13.6, long)
        + "</g>"
    )


def _count(count: int) -> str:
    """The number, from a million on shortened, so that it never outgrows its room."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M")):
        if abs(count) >= size:
            return f"{count / size:.{1 if abs(count) < 100 * size else 0}f} {unit}"
    return f"{count:,}".replace(",", "\N{NO-BREAK SPACE}") if abs(count) >= 10_000 else str(count)  # as the SI does


def _rounded(line: Line) -> str:
    """The line as a path whose corners are round."""
    drawn = [f"M{_p(line[0])}"]
    for before, corner, after in zip(line, line[1:], line[2:], strict=False):
        bend = min(_BEND, _long(before, corner) / 2, _long(corner, after) / 2)
        drawn.append(f"L{_p(_towards(corner, before, bend))}Q{_p(corner)} {_p(_towards(corner, after, bend))}")
    drawn.append(f"L{_p(line[-1])}")
    return "".join(drawn)


def _without_head(line: Line) -> Line:
    return (*line[:-1], _towards(line[-1], line[-2], _HEAD[0] - 1))


def _head(line: Line) -> str:
    tip = line[-1]
    x, y = _towards(tip, line[-2], _HEAD[0])
    across = _HEAD[1]
    upright = line[-2][0] == tip[0]
    wings = ((x - across, y), (x + across, y)) if upright else ((x, y - across), (x, y + across))
    return f"M{_p(tip)}L{_p(wings[0])}L{_p(wings[1])}Z"


def _towards(start: Point, end: Point, far: float) -> Point:
    long = _long(start, end) or 1
    return (start[0] + (end[0] - start[0]) * far / long, start[1] + (end[1] - start[1]) * far / long)


def _long(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _text(said: str, style: str, x: float, y: float, long: float) -> str:
    """A line of text. `textLength` keeps it to its room where the reader has another typeface."""
    fitted = f' textLength="{_n(long)}" lengthAdjust="spacingAndGlyphs"' if long > 0 else ""
    return f'<text class="{style}" x="{_n(x)}" y="{_n(y)}"{fitted}>{_x(said)}</text>'


def _x(said: str) -> str:
    return escape(said)


def _p(point: Point) -> str:
    return f"{_n(point[0])} {_n(point[1])}"


def _n(number: float) -> str:
    """A coordinate: to a tenth of a pixel, without a needless zero."""
    return (
        f"{number:.1f}".removesuffix(".0").replace("-0", "0")
        if abs(number) < 0.05
        else f"{number:.1f}".removesuffix(".0")
    )
