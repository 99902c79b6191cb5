"""Sides: lines that leave a diamond at its left or right corner, and lines that end at the side of a box."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from dsl.draw.board import Board, no_worse
from dsl.draw.geometry import Line, Rect, tidy
from dsl.draw.graph import Graph
from dsl.draw.placed import DIAMONDS, HEAD, Route, headless

__all__ = ["short_ends", "side_entries", "side_exits"]

_LONG = 18.0
"""How long the piece before the last is at least."""
_OFF = 10.0
"""How far from the middle of a side a line may end."""


def side_exits(graph: Graph, board: Board) -> None:
    """Let lines leave a diamond at its left or right corner, where the way is free."""
    kinds = {box.id: box.kind for box in graph.boxes}
    for edge in graph.edges:
        route = board.routes.get(edge.id)
        if route is None or kinds[edge.source] not in DIAMONDS or edge.source == edge.target:
            continue
        aside = _from_the_side(route, board.boxes[edge.source], board.boxes[edge.target])
        better = next((other for other in aside if not any(board.troubles(edge, other))), None)
        if better is not None:
            board.place(edge.id, better)


def side_entries(graph: Graph, board: Board) -> None:
    """Let lines that run close by others end at a side of their box, if they come from there."""
    _enter_sides(graph, board)


def short_ends(graph: Graph, board: Board) -> None:
    """The same for lines that have no room for their heads."""
    _enter_sides(graph, board, wanted=headless)


def _enter_sides(graph: Graph, board: Board, wanted: Callable[[Line], bool] = bool) -> None:
    looped = {edge.source for edge in graph.edges if edge.id not in board.routes}
    for edge in graph.edges:
        route = board.routes.get(edge.id)
        box = board.boxes[edge.target]
        if route is None or len(route.line) < 4 or (edge.target in looped and route.line[-4][0] > box.x):
            continue  # a loop is to stand at the right
        now = board.troubles(edge, route)
        for option in _into_the_side(route, box) if any(now) and wanted(route.line) else ():
            met = board.troubles(edge, option)
            if no_worse(met, now) and met != now:
                board.place(edge.id, option)
                break


def _into_the_side(route: Route, box: Rect) -> Iterator[Route]:
    """The route with its last three pieces, up or down, along and on, as two: up or down, and into the side."""
    x, start = route.line[-4]
    side = box.x if x < box.x else box.right
    if route.line[-3][0] != x or box.x - HEAD < x < box.right + HEAD:
        return
    label = route.label
    for y in (box.centre[1], box.centre[1] + _OFF, box.centre[1] - _OFF):
        line = (*route.line[:-3], (x, y), (side, y))
        if abs(y - start) > _LONG and (label is None or label.crossed_by(line)):
            yield replace(route, line=line)


def _from_the_side(route: Route, diamond: Rect, target: Rect) -> Iterator[Route]:
    """The route from the diamond's left or right corner, if it turns away beyond that: straight on, or as it ran."""
    if len(route.line) < 4 or route.label is None:  # out, along, and on: less has no turn to spare
        return
    middle_x, middle_y = diamond.centre
    for x in dict.fromkeys((route.line[-1][0], route.line[2][0], target.centre[0])):
        if abs(x - middle_x) < diamond.width / 2 + 14:
            continue
        corner = (diamond.right if x > middle_x else diamond.x, middle_y)
        rest = route.line[3:] if x == route.line[2][0] else ((x, route.line[-1][1]),)
        line = tidy([corner, (x, middle_y), *rest])
        yield Route(line, replace(route.label, x=x - route.label.width / 2))
