"""The picture of a journey as a Mermaid flowchart, for places that draw Mermaid themselves: a README, a review."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsl.draw.graph import ANYWHERE, FROM_WITHIN, START, Box, Edge, Graph
from dsl.draw.palette import THEMES
from dsl.draw.plan import graph_of
from dsl.draw.signs import GLYPHS
from dsl.draw.text import glyphed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsl.ir import IR

__all__ = ["mermaid"]

_SHAPES: dict[str, tuple[str, str]] = {
    "choice": ("{", "}"),
    "split": ("{", "}"),
    "goal": ("([", "])"),
    "final": ("([", "])"),
    "start": ("((", "))"),
    "anywhere": ("([", "])"),
}
_BOX = ("(", ")")
_ESCAPED = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;", "\\": "#92;", "|": "#124;"}


def mermaid(ir: IR) -> str:
    """The journey as Mermaid: arrows merged, ends once per source, time-outs dotted, captions in a note."""
    return "\n".join(_lines(graph_of(ir))) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    yield "flowchart TD"
    framed = {frame.stage for frame in graph.frames}
    yield from (f"    {_box(box)}" for box in graph.boxes if box.stage not in framed)
    for frame in graph.frames:
        said = [_escaped(frame.title), *([f"<small>{FROM_WITHIN}</small>"] if frame.words else [])]
        said += [f"<small>{_escaped(glyphed(words))}</small>" for words in frame.words]
        title = "<br/>".join(said)
        yield f'    subgraph {_name(frame.id)} ["{title}"]'
        yield from (f"        {_box(box)}" for box in graph.boxes if box.stage == frame.stage)
        yield "    end"
    for edge in graph.edges:
        yield f"    {_arrow(edge)}"
    title = f"<b>{_escaped(graph.title)}</b> · {graph.hash[:12]}"
    said = [f"{caption.about}: {caption.text}" for caption in graph.captions]
    note = "<br/>".join([title, *map(_escaped, [graph.doc] if graph.doc else []), *map(_escaped, said)])
    yield f'    k_note["{note}"]:::k_note'
    light = THEMES["light"]
    for kind in dict.fromkeys(box.kind for box in graph.boxes):
        fill, line = light[f"{kind}-fill"], light[f"{kind}-line"]
        yield f"    classDef k_{kind} fill:{fill},stroke:{line},color:{light['ink']}"
    yield "    classDef k_note fill:none,stroke:none,text-align:left"


def _box(box: Box) -> str:
    return f"{_name(box.id)}{_shaped(box)}:::k_{box.kind}"


def _shaped(box: Box) -> str:
    opening, closing = _SHAPES.get(box.kind, _BOX)
    sign = "" if box.kind in {"choice", "split", "final", START, ANYWHERE} else f"{GLYPHS[box.kind]} "
    said = sign + _escaped(box.title or " ")
    for row in box.rows:
        said += f"<br/><small>{_escaped(glyphed(row))}</small>"
    return f'{opening}"{said}"{closing}'


def _arrow(edge: Edge) -> str:
    line = "-.->" if edge.dashed else "-->"
    said = "<br/>".join(_escaped(glyphed(words)) for words in edge.words)
    words = f'|"{said}"|' if said else ""
    return f"{_name(edge.source)} {line}{words} {_name(edge.target)}"


def _name(name: str) -> str:
    """A name that Mermaid can't take for one of its own words, such as `end`."""
    return "s_" + "".join(c if c.isascii() and (c.isalnum() or c == "_") else f"_{ord(c):x}_" for c in name)


def _escaped(said: str) -> str:
    return "".join(_ESCAPED.get(c, c) for c in said)
