"""The layout: where each box, line and label of a drawing graph goes. The only place that knows the layout engine.

Each label is laid out as a small box of its own, in a row between the rows of boxes, and its arrow runs through it. So
the engine itself keeps labels, boxes and lines apart. It is asked several times, with the boxes in other rows, and the
drawing with the fewest flaws, crossings and bends is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, cast

from dsl.draw.finish import finished, joined, lettered
from dsl.draw.flaws import score
from dsl.draw.geometry import Point, Rect, crossings, squared, tidy
from dsl.draw.graph import Edge, Graph
from dsl.draw.levels import Levels
from dsl.draw.mend import mended
from dsl.draw.placed import Placed, Route, badged, shifted
from dsl.draw.ranks import Ranks, lowered, rankings

__all__ = ["layout"]

_INSET = 10.0
"""The engine is told of boxes and labels narrower by this at each side, so that no line meets a box near its corner."""
_SPACING = {
    "layer_gap": 27.0,
    "node_gap": 36.0 + 2 * _INSET,
    "dummy_gap": 28.0 + _INSET,
    "stub": 16.0,
    "port_gap": 20.0,
    "compound_padding": 20.0 + _INSET,
    "compound_header": 0.0,
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
"""Of how many drawings, the best as the engine gave them, the finished form is compared, and of how many arrows.

A crossing counts as four: where many lines cross, one drawing is as good as another."""

_SMALL = 40
"""Up to so many arrows, loops below their boxes are compared with loops beside them; else only where those don't fit."""

_AGAIN = 2
"""With how many rows, the best so far, the engine is asked in another manner."""

_Drawn = tuple[tuple[float, ...], Ranks, Placed]
"""A drawing with its score and its rows."""


@lru_cache(maxsize=64)
def layout(graph: Graph) -> Placed:
    """Lay out a drawing graph. The same graph gives the same drawing, in each process and on each machine.

    The last ones are kept, so that a live picture, whose counts alone change, is laid out once.
    """
    best: _Drawn | None = None
    loops = any(edge.source == edge.target for edge in graph.edges)
    small = len(graph.edges) <= _SMALL
    likely: list[Ranks] = []
    for manner in _MANNERS:
        for below in (False, True)[: 1 + loops]:
            if best is not None and not best[0][0] and not (small and manner is _MANNERS[0]):
                return best[2]
            first = manner is _MANNERS[0]
            rough = _searched(graph, below=below) if first else _asked(graph, likely, manner, below=below)
            rough.sort(key=_by_score)
            likely = [ranks for _, ranks, _ in rough[:_AGAIN]] if first and not likely else likely
            found = _best_finished(graph, rough)
            best = found if best is None or found[0] < best[0] else best
    return cast("_Drawn", best)[2]  # pragma: no cover  # of a tangle that no manner draws without a flaw: the best


def _best_finished(graph: Graph, rough: Sequence[_Drawn]) -> _Drawn:
    """The best of the drawings when they are finished: tightly, or if that fails with their lines where they are."""
    tangle = len(graph.edges) + 4 * int(rough[0][0][0])
    compared = max(1, min(_FINISHED, _EFFORT // max(tangle, 1)))
    best: _Drawn | None = None
    for tightly in (True, False):
        for _, ranks, placed in rough[:compared]:
            done = finished(graph, placed, tightly=tightly)
            whole = shifted(badged(graph, done))
            candidate = (score(graph, whole), ranks, whole)
            if candidate[0][0]:
                whole = shifted(badged(graph, mended(graph, done)))
                candidate = min(candidate, (score(graph, whole), ranks, whole), key=_by_score)
            best = candidate if best is None or candidate[0] < best[0] else best
        if best is not None and not best[0][0]:
            break
    return cast("_Drawn", best)  # there is a rough one, so there is a finished one


def _searched(graph: Graph, *, below: bool) -> list[_Drawn]:
    """The drawings as the engine gives them: with likely rows, and, while lines cross, with a box moved down."""
    found = _asked(graph, rankings(Levels(graph)), _MANNERS[0], below=below)
    for _ in range(_ROUNDS):
        least = min(found, key=_by_score)
        if not least[0][0]:
            break
        tried = islice(lowered(Levels(graph), least[1]), _PATIENCE // max(len(graph.edges), 1))
        found += _asked(graph, tried, _MANNERS[0], below=below)
    return found


def _asked(graph: Graph, rows: Iterable[Ranks], manner: _Manner, *, below: bool) -> list[_Drawn]:
    return [_unfinished(graph, ranks, manner, below=below) for ranks in rows]


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
            line = squared(line)
            routes[edge.id] = Route(tidy(line[::-1] if sketch.upward(edge) else line), label)
    frames = {frame.id: boxes.pop(frame.id) for frame in graph.frames}
    heads = {frame.id: boxes.pop(f"head of {frame.id}") for frame in graph.frames}
    return Placed(boxes, routes, frames=frames, heads=heads)


class _Sketch:
    """One question to the engine: nodes and edges as it spells them, and how to read its answer."""

    def __init__(self, graph: Graph, ranks: Ranks, *, below: bool) -> None:
        self._levels = Levels(graph)
        self._ranks = ranks
        self._index: dict[str, int] = {}
        self._insets: dict[str, float] = {}
        self._nodes: list[dict[str, Any]] = []
        self._edges: list[dict[str, Any]] = []
        self._pieces: list[tuple[str, int]] = []
        # the engine refuses an arrow between two rows of one number, even of different levels
        deep = 2 * max(ranks.values()) + 3
        self._tops = {frame.id: deep * place for place, frame in enumerate(graph.frames, 1)}
        for frame in graph.frames:
            self._node(frame.id, (0, 0), 2 * ranks[frame.id], inset=0)
            self._node(f"head of {frame.id}", frame.size, self._tops[frame.id], frame.id)
        for box in graph.boxes:
            self._node(box.id, (box.width, box.height), self._row(box.id), self._levels.homes[box.id])
        for edge in graph.edges:
            if edge.source != edge.target:
                self._arrow(edge)
            elif below:
                self._loop(edge)

    def upward(self, edge: Edge) -> bool:
        """Whether an arrow points up. The engine sees all pointing down."""
        source, target = self._levels.ends(edge)
        return self._ranks[source] > self._ranks[target]

    def solve(self, air: float, more: dict[str, Any]) -> tuple[dict[str, Rect], dict[tuple[str, int], list[Point]]]:
        """The boxes, labels and frames by name, and each edge's pieces, all of them pointing down."""
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
        boxes = {name: _rect(answer.nodes[at], self._insets[name]) for name, at in self._index.items()}
        lines = {
            piece: squared([(float(point["x"]), float(point["y"])) for point in drawn["points"]])
            for piece, drawn in zip(self._pieces, answer.edges, strict=True)
        }
        return boxes, lines

    def _row(self, box: str) -> int:
        """The row of a box within its level: labels stand in rows between, and above all in a frame is what that says."""
        home = self._levels.homes[box]
        return self._tops[home] + 1 + 2 * self._ranks[box] if home else 2 * self._ranks[box]

    def _node(self, name: str, size: tuple[float, float], row: int, home: str = "", *, inset: float = _INSET) -> None:
        self._index[name] = len(self._nodes)
        wide, high = max(size[0] - 2 * inset, 8.0), max(size[1], 8.0)
        self._insets[name] = (size[0] - wide) / 2 if inset else 0.0
        node = {
            "key": name,
            "size": {"width": wide, "height": high},
            "shape": "box",
            "rank": {"fixed": row},
            "port_sides": "facing_only",
        }
        self._nodes.append({**node, "parent": self._index[home]} if home else node)

    def _edge(self, source: str, target: str, piece: tuple[str, int], weight: float) -> None:
        self._edges.append({"source": self._index[source], "target": self._index[target], "weight": weight})
        self._pieces.append(piece)

    def _arrow(self, edge: Edge) -> None:
        """An arrow in two pieces, with its label in the row next to its source."""
        upward = self.upward(edge)
        above, under = (edge.target, edge.source) if upward else (edge.source, edge.target)
        weight = 2.0 if edge.main else 1.0
        if not edge.words:
            self._edge(above, under, (edge.id, 0), weight)
            return
        label = self._label(edge, self._row(edge.source) + (-1 if upward else 1))
        self._edge(above, label, (edge.id, 0), weight)
        self._edge(label, under, (edge.id, 1), weight)

    def _loop(self, edge: Edge) -> None:
        label = self._label(edge, self._row(edge.source) + 1)
        self._edge(edge.source, label, (edge.id, 0), 1.0)
        self._edge(edge.source, label, (edge.id, 1), 1.0)

    def _label(self, edge: Edge, row: int) -> str:
        name = f"label of {edge.id}"
        self._node(name, (max(edge.size[0], 24), edge.size[1]), row, self._levels.homes[edge.source])
        return name


def _rect(node: dict[str, Any], inset: float) -> Rect:
    centre, wide, high = node["center"], float(node["size"]["width"]) + 2 * inset, float(node["size"]["height"])
    return Rect(float(centre["x"]) - wide / 2, float(centre["y"]) - high / 2, wide, high)
