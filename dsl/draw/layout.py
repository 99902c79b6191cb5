"""The layout: where each box, line and label of a drawing graph goes. The only place that knows the layout engine.

Each label is laid out as a small box of its own, in a row between the rows of boxes, and its arrow runs through it. So
the engine itself keeps labels, boxes and lines apart. It is asked several times, with the boxes in other rows, and the
drawing with the fewest flaws, crossings and bends is taken.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from dsl.draw.finish import finished, joined, lettered
from dsl.draw.flaws import score
from dsl.draw.geometry import Point, Rect, crossings, tidy
from dsl.draw.placed import Placed, Route, badged, shifted
from dsl.draw.ranks import Ranks, lowered, rankings

if TYPE_CHECKING:
    from dsl.draw.graph import Edge, Graph

__all__ = ["layout"]

_INSET = 10.0
"""The engine is told of boxes and labels narrower by this at each side, so that no line meets a box near its corner."""
_SPACING = {
    "layer_gap": 27.0,
    "node_gap": 36.0 + 2 * _INSET,
    "dummy_gap": 28.0 + _INSET,
    "stub": 16.0,
    "port_gap": 20.0,
}
_Manner = tuple[float, dict[str, Any]]

_MANNERS: tuple[_Manner, ...] = (
    (1.0, {}),
    (1.0, {"compaction": {"mode": "priority"}}),
    (1.25, {}),
    (1.25, {"coords": {"placement": "brandes_koepf"}}),
    (2.0, {}),
    (2.0, {"compaction": {"mode": "priority"}}),
)
"""How the engine is asked, in turn, until a drawing has no flaw: with its gaps that much wider, and other options."""
_ROUNDS = 2

_PATIENCE = 600
"""How many arrows may be laid out anew in a round: a large journey is drawn as well as its author can wait for."""

_FINISHED, _EFFORT = 4, 160
"""Of how many drawings, the best as the engine gave them, the finished form is compared, and of how many arrows."""

_Drawn = tuple[tuple[float, ...], Ranks, Placed]
"""A drawing with its score and its rows."""


@lru_cache(maxsize=64)
def layout(graph: Graph) -> Placed:
    """Lay out a drawing graph. The same graph gives the same drawing, in each process and on each machine.

    The last ones are kept, so that a live picture, whose counts alone change, is laid out once.
    """
    best: _Drawn | None = None
    loops = any(edge.source == edge.target for edge in graph.edges)
    compared = max(1, min(_FINISHED, _EFFORT // max(len(graph.edges), 1)))
    for manner in _MANNERS:
        for below in (False, True)[: 1 + loops]:
            rough = _rough(graph, manner, below=below)
            for tightly in (True, False):
                for _, ranks, placed in sorted(rough, key=_by_score)[:compared]:
                    done = shifted(badged(graph, finished(graph, placed, tightly=tightly)))
                    candidate = (score(graph, done), ranks, done)
                    best = candidate if best is None or candidate[0] < best[0] else best
                if best is not None and best[0][0] == 0:
                    break
        if best is not None and best[0][0] == 0:
            break
    if best is None:
        raise ValueError("a journey without a box cannot be drawn")
    return best[2]


def _rough(graph: Graph, manner: _Manner, *, below: bool) -> list[_Drawn]:
    """The drawings as the engine gives them: with likely rows, and, while lines cross, with a box moved down."""
    found = [_unfinished(graph, ranks, manner, below=below) for ranks in rankings(graph)]
    for _ in range(_ROUNDS):
        least = min(found, key=_by_score)
        if least[0][0] == 0 and manner == _MANNERS[0]:
            break
        tried = islice(lowered(graph, least[1]), _PATIENCE // max(len(graph.edges), 1))
        found += [_unfinished(graph, ranks, manner, below=below) for ranks in tried]
    return found


def _by_score(drawn: _Drawn) -> tuple[float, ...]:
    return drawn[0]


def _unfinished(graph: Graph, ranks: Ranks, manner: _Manner, *, below: bool) -> _Drawn:
    """What the engine makes of these rows: with the loops of single boxes left out, or below them."""
    placed = _place(graph, ranks, manner, below=below)
    lines = [route.line for route in placed.routes.values()]
    crossed = crossings(lines)
    bends = sum((len(r.line) - 2) * (4 if e.main else 1) for e in graph.edges if (r := placed.routes.get(e.id)))
    high = max(rect.bottom for rect in placed.boxes.values()) - min(rect.y for rect in placed.boxes.values())
    return (crossed, bends + high / 60), ranks, placed


def _place(graph: Graph, ranks: Ranks, manner: _Manner, *, below: bool) -> Placed:
    """Ask the engine once."""
    sketch = _Sketch(graph, ranks, below=below)
    boxes, lines = sketch.solve(*manner)
    routes: dict[str, Route] = {}
    for edge in graph.edges:
        label = boxes.pop(f"label of {edge.id}", None)
        if label is not None and edge.source == edge.target:
            routes[edge.id] = lettered(lines[edge.id, 0], lines[edge.id, 1], label)
        elif edge.source != edge.target:
            line = lines[edge.id, 0] if label is None else joined(lines[edge.id, 0], lines[edge.id, 1], label)
            upward = ranks[edge.source] > ranks[edge.target]
            routes[edge.id] = Route(tidy(line[::-1] if upward else line), label)
    return Placed(boxes, routes)


class _Sketch:
    """One question to the engine: nodes and edges as it spells them, and how to read its answer."""

    def __init__(self, graph: Graph, ranks: Ranks, *, below: bool) -> None:
        self._index: dict[str, int] = {}
        self._widths: dict[str, float] = {}
        self._nodes: list[dict[str, Any]] = []
        self._edges: list[dict[str, Any]] = []
        self._pieces: list[tuple[str, int]] = []
        for box in graph.boxes:
            self._node(box.id, box.width, box.height, 2 * ranks[box.id])
        for edge in graph.edges:
            if edge.source == edge.target:
                if below:
                    self._loop(edge, ranks)
            else:
                self._arrow(edge, ranks)

    def solve(self, air: float, more: dict[str, Any]) -> tuple[dict[str, Rect], dict[tuple[str, int], list[Point]]]:
        """The boxes and labels by name, and each edge's pieces, all of them pointing down."""
        import graphlay  # noqa: PLC0415  # a compiled package that those who don't draw needn't load

        answer = graphlay.layout(
            {"nodes": self._nodes, "edges": self._edges},
            options={
                "direction": "topbottom",
                "cycles": {"strategy": "follow_flow"},
                "spacing": {name: gap * air for name, gap in _SPACING.items()},
                **more,
            },
        )
        boxes = {name: _rect(answer.nodes[at], self._widths[name]) for name, at in self._index.items()}
        lines = {
            piece: [(float(point["x"]), float(point["y"])) for point in drawn["points"]]
            for piece, drawn in zip(self._pieces, answer.edges, strict=True)
        }
        return boxes, lines

    def _node(self, name: str, width: float, height: float, rank: int) -> None:
        self._index[name] = len(self._nodes)
        self._widths[name] = width
        size = {"width": max(width - 2 * _INSET, 8.0), "height": height}
        rows = {"fixed": rank}
        self._nodes.append({"key": name, "size": size, "shape": "box", "rank": rows, "port_sides": "facing_only"})

    def _edge(self, source: str, target: str, piece: tuple[str, int], weight: float) -> None:
        self._edges.append({"source": self._index[source], "target": self._index[target], "weight": weight})
        self._pieces.append(piece)

    def _arrow(self, edge: Edge, ranks: Ranks) -> None:
        """An arrow in two pieces, with its label in the row next to its source. The engine sees all pointing down."""
        upward = ranks[edge.source] > ranks[edge.target]
        above, under = (edge.target, edge.source) if upward else (edge.source, edge.target)
        weight = 2.0 if edge.main else 1.0
        if not edge.words:
            self._edge(above, under, (edge.id, 0), weight)
            return
        label = self._label(edge, 2 * ranks[edge.source] + (-1 if upward else 1))
        self._edge(above, label, (edge.id, 0), weight)
        self._edge(label, under, (edge.id, 1), weight)

    def _loop(self, edge: Edge, ranks: Ranks) -> None:
        label = self._label(edge, 2 * ranks[edge.source] + 1)
        self._edge(edge.source, label, (edge.id, 0), 1.0)
        self._edge(edge.source, label, (edge.id, 1), 1.0)

    def _label(self, edge: Edge, rank: int) -> str:
        name = f"label of {edge.id}"
        wide, high = edge.size
        self._node(name, max(wide, 24), max(high, 8), rank)
        return name


def _rect(node: dict[str, Any], width: float) -> Rect:
    centre, height = node["center"], float(node["size"]["height"])
    return Rect(float(centre["x"]) - width / 2, float(centre["y"]) - height / 2, width, height)
