"""The heading of a picture: the title, the docstring and the captions over the drawing."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from xml.sax.saxutils import escape

from dsl.draw.counts import Counted
from dsl.draw.geometry import Rect
from dsl.draw.graph import SIGN, SIGNS, Caption, Graph
from dsl.draw.placed import BADGE
from dsl.draw.shapes import count_badge, sign, text
from dsl.draw.typeface import fit, width, wrap

__all__ = ["Heading"]

_MARK = 14.0
"""How far a caption with a mark stands in."""


class Heading:
    """What stands over the drawing, from `left` and `top` on, `wide` at most; `height` is known once it is drawn."""

    def __init__(
        self, graph: Graph, version: str, *, left: float, top: float, wide: float, compares: bool = False
    ) -> None:
        self._graph = graph
        self._compares = compares
        self._version = version
        self._left, self._wide = left, wide
        self._top = self._y = top

    @property
    def height(self) -> float:
        return self._y - self._top + 34

    def lines(self, counts: Counted, classes: Mapping[str, str]) -> Iterator[str]:
        """The heading as SVG, with the counts of what leads on from anywhere; `classes` are those of captions, by their id."""
        graph, left = self._graph, self._left
        version = fit(self._version, 20, self._wide)
        title = fit(graph.title, 20, self._wide - width(version, 20) - 8, bold=True)
        title_width = width(title, 20, bold=True)
        yield '<g id="head">'
        self._y += 15
        yield text(title, "title", left, self._y, title_width)
        yield text(version, "version", left + title_width + 8, self._y, width(version, 20))
        self._y += 4
        for line in wrap(graph.doc, 14, self._wide, lines=3):
            self._y += 20
            yield text(line, "doc", left, self._y, width(line, 14))
        if self._compares:
            yield from self._legend()
        self._y += 5
        for number, caption in enumerate(graph.captions):
            name = f"caption-{number}"
            own = " ".join(part for part in (caption.mark, classes.get(name, "")) if part)
            style = f' class="{own}"' if caption.state or own else ""
            yield f'<g id="{name}"{style}>'
            yield f"<title>{escape(caption.tip or caption.text)}</title>"
            end = yield from self._caption(caption)
            if (count := counts.at_caption(number)) is not None:
                yield count_badge(counts.name_of(number), count, Rect(end + 8, self._y - 13.5, *BADGE))
            yield "</g>"
        yield "</g>"

    def _legend(self) -> Iterator[str]:
        self._y += 22
        x = self._left
        for mark, said in SIGNS.items():
            line = f"{said} {mark}"
            yield text(line, f"caption {mark} plain", x, self._y, width(line, 13))
            x += width(line, 13) + 18

    def _caption(self, caption: Caption) -> Generator[str, None, float]:
        """Its lines of text, and where the last one ends."""
        left = self._left
        about = "" if caption.about == "terms" else f"{caption.about}: "
        if caption.mark:
            yield text(SIGNS[caption.mark], "caption about", left, self._y + 18.5, width(SIGNS[caption.mark], 13))
            left += _MARK
        if caption.sign:
            yield sign(caption.sign, left, self._y + 18.5 - 10.5, small=True)
            left += SIGN
        indent = width(about, 13)
        end = left
        for index, said in enumerate(wrap(caption.text, 13, self._wide - indent - 60, lines=3)):
            self._y += 18.5
            if about and not index:
                yield text(about.strip(), "caption about", left, self._y, width(about.strip(), 13))
            yield text(said, "caption", left + indent, self._y, width(said, 13))
            end = left + indent + width(said, 13)
        return end
