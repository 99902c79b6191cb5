"""The picture of a journey as SVG: boxes, arrows and captions of a laid-out drawing, with counts or one customer's way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from xml.sax.saxutils import escape

from dsl.draw.counts import Counted
from dsl.draw.geometry import Rect
from dsl.draw.graph import (
    ANYWHERE,
    FROM_WITHIN,
    GAP,
    LABEL,
    LINE,
    SIGN,
    START,
    SUBTITLE,
    TITLE,
    Box,
    Edge,
    Frame,
    Graph,
    Words,
)
from dsl.draw.heading import Heading
from dsl.draw.layout import layout
from dsl.draw.palette import resolve, style_sheet
from dsl.draw.placed import Placed, Route
from dsl.draw.plan import graph_of
from dsl.draw.shapes import (
    attribute,
    count_badge,
    count_words,
    head,
    mark_badge,
    outline,
    px,
    rectangle,
    rounded,
    sign,
    text,
    without_head,
)
from dsl.draw.signs import SIGNS
from dsl.draw.typeface import clean, width
from dsl.ir import IR

__all__ = ["picture", "svg"]

_MARGIN = 24.0
_LEAST = 470.0
_THIN, _THICK = 1.0, 4.0
"""How thick a line is that nobody takes, and how much thicker one that everybody does."""


def svg(
    ir: IR,
    *,
    counts: Mapping[str, int] | None = None,
    taken: Mapping[int, int] | None = None,
    path: Sequence[str] | None = None,
    version: str | None = None,
    theme: str = "auto",
) -> str:
    """The journey as an SVG document.

    `counts` lays a number over each state named in it. An end may be drawn several times: by `taken`, how many came by each
    arrow (by its number in `ir.arrows`), each of its boxes shows who came there; without it the first says how many in all.
    `path` is one customer's way, state by state, and fades the rest. `version` stands beside the title. `theme` is `auto`
    (light or dark, as the reader prefers), `light` or `dark`. The same journey gives the same bytes everywhere. Raises
    ValueError for a theme that doesn't exist.
    """
    graph = graph_of(ir)
    said = " · ".join(part for part in (clean(version or ""), graph.hash[:12]) if part)
    return picture(graph, said, counts=counts or {}, taken=taken, path=list(path or ()), theme=theme)


def picture(
    graph: Graph,
    version: str,
    *,
    counts: Mapping[str, int] | None = None,
    taken: Mapping[int, int] | None = None,
    path: Sequence[str] = (),
    theme: str = "auto",
    compares: bool = False,
) -> str:
    """A drawing graph as an SVG document, laid out; `compares` greys what has no mark. For the others see `svg`."""
    counted = Counted(graph, counts or {}, taken)
    drawing = _Drawing(graph, layout(graph), counted, path, version, compares=compares)
    whole = "\n".join(drawing.lines()) + "\n"
    return whole if theme == "auto" else resolve(whole, theme)


class _Drawing:
    def __init__(
        self,
        graph: Graph,
        placed: Placed,
        counts: Counted,
        path: Sequence[str],
        version: str,
        *,
        compares: bool,
    ) -> None:
        self._graph = graph
        self._placed = placed
        self._counts = counts
        self._way = _way(graph, path) if path else None
        self._version = version
        self._compares = compares

    def lines(self) -> Iterator[str]:
        graph, placed = self._graph, self._placed
        wide = max(placed.width, _LEAST)
        heading = Heading(graph, self._version, left=_MARGIN, top=_MARGIN, wide=wide, compares=self._compares)
        classes = {
            f"caption-{index}": self._on(f"caption-{index}") for index, c in enumerate(graph.captions) if c.state
        }
        over = list(heading.lines(self._counts, classes))
        whole = (wide + 2 * _MARGIN, placed.height + heading.height + 2 * _MARGIN)
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="parcours{" diff" if self._compares else ""}" role="img" '
            f'width="{px(whole[0])}" height="{px(whole[1])}" viewBox="0 0 {px(whole[0])} {px(whole[1])}" '
            f'data-journey="{graph.hash[:12]}">'
        )
        yield f"<title>{escape(graph.title)}</title>"
        yield f"<desc>{escape(graph.doc)}</desc>"
        yield f"<style>\n{style_sheet(_small(graph), frames=bool(graph.frames), compares=self._compares)}</style>"
        yield f'<rect class="paper" width="{px(whole[0])}" height="{px(whole[1])}"/>'
        yield from over
        left = _MARGIN + max(0.0, (wide - placed.width) / 2)
        yield f'<g id="drawing" transform="translate({px(left)} {px(_MARGIN + heading.height)})">'
        for frame in graph.frames:
            yield from self._frame(frame, placed.frames[frame.id], placed.heads[frame.id])
        for edge in graph.edges:
            yield from self._arrow(edge, placed.routes[edge.id])
        for box in graph.boxes:
            yield from self._box(box, placed.boxes[box.id])
        for box in graph.boxes:
            if box.id in placed.badges:
                spot = placed.badges[box.id]
                leftward = spot.centre[0] < placed.boxes[box.id].centre[0]
                if box.mark:
                    yield mark_badge(box.id, box.mark, spot, leftward=leftward)
                elif (count := self._counts.at_box(box)) is not None:
                    yield count_badge(box.id, count, spot, leftward=leftward)
        yield "</g>"
        yield "</svg>"

    def _on(self, name: str) -> str:
        """Whether a box, an arrow or a caption is on the customer's way, as its class says it."""
        if self._way is None:
            return ""
        return "on" if name in self._way else "off"

    def _frame(self, frame: Frame, rect: Rect, said: Rect) -> Iterator[str]:
        yield f"<g id={attribute(frame.id)} class={attribute(_classes('frame', frame.mark))}>"
        yield f"<title>{escape(frame.tip)}</title>"
        yield rectangle("edge", rect, 0, 14)
        y = said.y + 13
        long = width(frame.title, TITLE, bold=True)
        yield text(frame.title, "stage", said.x + 2, y, long)
        if frame.words:
            yield text(FROM_WITHIN, "words about", said.x + 8 + long, y, width(FROM_WITHIN, LABEL))
        for words, to, arrow in zip(frame.words, frame.states, frame.arrows, strict=True):
            y += LINE
            count = self._counts.at_frame(to, arrow) if words.room else None
            counted = words if count is None else replace(words, number=count_words(count.number))
            yield from _words(counted, "words", said.x + 2, y + 3, LABEL)
        yield "</g>"

    def _arrow(self, edge: Edge, route: Route) -> Iterator[str]:
        yield f"<g id={attribute(edge.id)} class={attribute(_classes('arrow', self._on(edge.id), edge.mark))}>"
        yield f"<title>{escape(edge.tip)}</title>"
        dashed = " dashed" if edge.dashed else ""
        thick = "" if edge.weight is None else f' style="stroke-width:{px(_THIN + _THICK * edge.weight)}"'
        yield f'<path class="line{dashed}" d="{rounded(without_head(route.line))}"{thick}/>'
        yield f'<path class="head" d="{head(route.line)}"/>'
        label = route.label
        if label is not None:
            x, middle = label.centre
            high = LINE * len(edge.words)
            top = middle - high / 2
            within = any(frame.encloses(label) for frame in self._placed.frames.values())
            yield (
                f'<rect class="{"within" if within else "paper"}" x="{px(label.x)}" y="{px(top - 1)}" '
                f'width="{px(label.width)}" height="{px(high + 2)}"/>'
            )
            aside = edge.source == edge.target and route.line[0][1] == route.line[1][1] and label.x > route.line[1][0]
            for index, words in enumerate(edge.words):
                left = label.x + 3 if aside else x - words.width(LABEL) / 2
                yield from _words(words, "words", left, top + LINE * (index + 0.76), LABEL)
        yield "</g>"

    def _box(self, box: Box, rect: Rect) -> Iterator[str]:
        name = f"state-{box.id}" if box.state else box.id
        data = f" data-state={attribute(box.state)}" if box.state else ""
        style = _classes("state", box.kind, self._on(box.id), box.mark)
        yield f"<g id={attribute(name)} class={attribute(style)}{data}>"
        yield f"<title>{escape(box.tip)}</title>"
        yield from outline(box, rect)
        x, y = rect.centre
        if box.kind == ANYWHERE:
            long = width(box.title, LABEL)
            yield text(box.title, "words", x - long / 2, y + 4, long)
        elif box.title:
            long = width(box.title, TITLE, bold=True)
            signed = box.kind in SIGNS and not any(row.sign == box.kind for row in box.rows)
            left = x - long / 2 + (10.5 if signed else 0)
            base = y + 5 if not box.rows else y - 3 - (len(box.rows) - 1) * LINE / 2
            if signed:
                yield sign(box.kind, left - 21, base - 13)
            yield text(box.title, "name", left, base, long)
            for index, row in enumerate(box.rows):
                yield from _words(row, "template", x - row.width(SUBTITLE) / 2, base + 18 + index * LINE, SUBTITLE)
        yield "</g>"


def _small(graph: Graph) -> frozenset[str]:
    """The small signs in the drawing."""
    said = [words for lines in (*graph.boxes, *graph.edges, *graph.frames) for words in _lines_of(lines)]
    return frozenset(each.sign for each in (*said, *graph.captions) if each.sign)


def _lines_of(thing: Box | Edge | Frame) -> tuple[Words, ...]:
    return thing.rows if isinstance(thing, Box) else thing.words


def _words(words: Words, style: str, x: float, y: float, size: float) -> Iterator[str]:
    if words.sign:
        yield sign(words.sign, x, y - 10.5, small=True)
        x += SIGN
    if words.before:
        yield text(words.before.strip(), _classes(style, words.mark, "plain"), x, y, width(words.before.strip(), size))
        x += width(words.before, size)
    if words.text:
        yield text(words.text, _classes(style, words.mark), x, y, width(words.text, size))
        x += width(words.text, size) + GAP
    if words.number:
        yield text(words.number, _classes(style, "number"), x, y, width(words.number, size, bold=True))


def _classes(*names: str) -> str:
    return " ".join(name for name in names if name)


def _way(graph: Graph, path: Sequence[str]) -> frozenset[str]:
    """The ids of what one customer passed: boxes, arrows, and the captions of what fired from anywhere."""
    states = {box.id: box.state for box in graph.boxes}
    loose = {box.id for box in graph.boxes if box.kind == ANYWHERE}
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
            entering = [edge for edge in graph.edges if edge.target == state and edge.source in loose]
            found |= {name for edge in entering for name in (edge.id, edge.source)}
        else:
            found |= {"arrow-start", *(box.id for box in graph.boxes if box.kind == START)}
    return frozenset(found)
