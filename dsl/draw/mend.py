"""Mending a drawing that has flaws: words slide along their line to where they touch nothing, and lines run around boxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from dsl.draw.board import Board
from dsl.draw.geometry import Line, Rect, tidy
from dsl.draw.graph import START, Edge, Graph
from dsl.draw.placed import DIAMONDS, Placed, Route
from dsl.ir import ENDS

__all__ = ["mended"]

_AIR = 9.0
_STEP = 8.0
"""How far apart the places are that words are tried at."""
_HEAD = 14.0
"""How much of a line's end its head takes, so that words leave it bare."""
_PORT = 12.0
_ROUNDS = 3


def mended(graph: Graph, placed: Placed) -> Placed:
    """The drawing with fewer flaws, if there is a way."""
    board = Board(placed)
    kinds = {box.id: box.kind for box in graph.boxes}
    for _ in range(_ROUNDS):  # pragma: no branch  # it comes to rest long before
        before = dict(board.routes)
        for edge in graph.edges:
            if edge.source != edge.target:
                _run_around(edge, board, kinds)
            _slide(edge, board)
        if board.routes == before:
            break
    return board.placed()


def _slide(edge: Edge, board: Board) -> None:
    """Move an arrow's words along it, if they touch something."""
    route = board.routes[edge.id]
    label = route.label
    if label is None or not board.met(edge.id, label):
        return
    spots = [spot for spot in _spots(route.line, label) if not board.met(edge.id, spot)]
    if spots:
        board.place(edge.id, replace(route, label=spots[0]))


def _spots(line: Line, label: Rect) -> Iterator[Rect]:
    """Places of the words on their line, from its start on."""
    last = len(line) - 2
    for at, ((x, y), (to_x, to_y)) in enumerate(pairwise(line)):
        long = abs(to_x - x) + abs(to_y - y) - (_HEAD if at == last else 0)
        need = label.height if x == to_x else label.width
        way = ((to_x > x) - (to_x < x), (to_y > y) - (to_y < y))
        far = need / 2 + 4
        while far <= long - need / 2 - 4:
            middle = (x + way[0] * far, y + way[1] * far)
            yield replace(label, x=round(middle[0] - label.width / 2, 1), y=round(middle[1] - label.height / 2, 1))
            far += _STEP


def _run_around(edge: Edge, board: Board, kinds: dict[str, str]) -> None:
    """Move pieces of an arrow's line away from what they touch."""
    while True:
        route = board.routes[edge.id]
        now, crossed = board.weighed(edge, route)
        touches = now[0] - crossed
        if touches <= 0:
            return
        best: tuple[tuple[int, ...], Route] | None = None
        for option in _around(edge, route, board, kinds):
            met, crossed = board.weighed(edge, option, most=touches - 1 if best is None else best[0][0])
            worth = (met[0] - crossed, *met)
            if worth[0] < touches and (best is None or worth < best[0]):
                best = (worth, option)
        if best is None:
            return
        board.place(edge.id, best[1])


def _around(edge: Edge, route: Route, board: Board, kinds: dict[str, str]) -> Iterator[Route]:
    """The route with one piece moved beside something that it is near to."""
    last = len(route.line) - 2
    for at, ((x, y), (to_x, to_y)) in enumerate(pairwise(route.line)):
        upright = x == to_x
        low, high = sorted((y, to_y) if upright else (x, to_x))
        here = x if upright else y
        for wanted in sorted(set(_beside(board, here, low, high, upright=upright)), key=lambda w: abs(w - here))[
            :12
        ]:  # called at once
            free = upright and all(
                _meets(board.boxes[box], kinds[box], wanted)
                for box, place in ((edge.source, 0), (edge.target, last))
                if place == at
            )
            if free or (0 < at < last):
                yield _with_piece(route, at, wanted, upright=upright)


def _beside(board: Board, here: float, low: float, high: float, *, upright: bool) -> Iterator[float]:
    """Where a piece could run instead: beside each thing that stands in its way or near to it."""
    rects = [
        *board.boxes.values(),
        *board.heads.values(),
        *(r.label for r in board.routes.values() if r.label is not None),
    ]
    for rect in rects:
        near, far, start, end = (
            (rect.x, rect.right, rect.y, rect.bottom) if upright else (rect.y, rect.bottom, rect.x, rect.right)
        )
        if start < high + _AIR and low - _AIR < end and near - 60 < here < far + 60:
            yield from (round(near - _AIR - 1, 1), round(far + _AIR + 1, 1))
    yield from (here + by for by in (-24.0, -12.0, 12.0, 24.0))


def _meets(box: Rect, kind: str, x: float) -> bool:
    """Whether a line may meet the box there, at its upper or lower side."""
    if kind in DIAMONDS or kind == START:
        return False
    room = box.height / 2 if kind in ENDS else _PORT
    return box.x + room <= x <= box.right - room


def _with_piece(route: Route, at: int, wanted: float, *, upright: bool) -> Route:
    """The route with one piece at another place, and the words on it with it."""
    points = list(route.line)
    old = points[at]
    for end in (at, at + 1):
        points[end] = (wanted, points[end][1]) if upright else (points[end][0], wanted)
    label = route.label
    if label is not None and label.crossed_by(route.line[at : at + 2]):
        moved = (wanted - old[0], 0.0) if upright else (0.0, wanted - old[1])
        label = replace(label, x=label.x + moved[0], y=label.y + moved[1])
    return Route(tidy(points), label)
