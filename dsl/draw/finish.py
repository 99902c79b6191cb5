"""Finishing a drawing: loops at the side of their boxes, needless bends taken out, lines ending on the outlines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import sqrt

from dsl.draw.board import Board, no_worse
from dsl.draw.geometry import Point, Rect, tidy
from dsl.draw.graph import START, Edge, Graph
from dsl.draw.placed import DIAMONDS, Placed, Route
from dsl.draw.sides import short_ends, side_entries, side_exits
from dsl.ir import ENDS

__all__ = ["finished", "joined", "lettered"]

_CORNER = 10.0
_LOOP, _EAR = 24.0, 10.0
"""How far a loop reaches beside its box; and, below it, how far from the middle of its words it goes down and up."""
_AIR, _APART = 9.0, 35.0
"""How near an end may be moved to a line, and to another box."""
_NUDGES = tuple(sign * by for by in (6.0, 12.0, 18.0, 26.0, 36.0, 48.0) for sign in (1, -1))
"""How far a piece of a line may be moved off what it touches, the least first."""
_LAST = 18.0
"""How long the last piece of a line should be."""
_PORT = 16.0
"""How near to a box's corner a line that is moved may meet it."""


def finished(graph: Graph, placed: Placed, *, tightly: bool = True) -> Placed:
    """The drawing as the engine gave it, made fit to be seen; not `tightly`: with its lines left where they are."""
    board = Board(placed)
    tight = (side_exits, _straightened, _under_their_arrows, _raised, _stretched, side_entries) if tightly else ()
    for step in (_eased, *tight, short_ends, _looped, _headed, _outlined):
        step(graph, board)
    return board.placed()


def joined(first: list[Point], second: list[Point], label: Rect) -> list[Point]:
    """Two pieces of a line as one that runs behind its label; a jog, if there is one, is hidden by the words."""
    middle = label.centre[1]
    return [*first, (first[-1][0], middle), (second[0][0], middle), *second]


def lettered(first: list[Point], second: list[Point], label: Rect) -> Route:
    """A loop below its box: down to its label, along behind it, and up again, if it can on both sides of the label's middle."""
    left, right = sorted((first, second), key=lambda piece: piece[-1][0])
    across, middle = label.centre
    for piece, x in ((left, across - _EAR), (right, across + _EAR)):
        if len(piece) > 2 and piece[-2][0] == piece[-1][0]:
            piece[-2:] = [(x, piece[-2][1]), (x, piece[-1][1])]
    return Route(tidy([*left, (left[-1][0], middle), (right[-1][0], middle), *right[::-1]]), label)


def _looped(graph: Graph, board: Board) -> None:
    """Draw the loops that are still missing, at the right or left side of their boxes."""
    for edge in graph.edges:
        if edge.id not in board.routes:
            options = [_loop(edge, board.boxes[edge.source], side) for side in (1, -1)]
            board.place(edge.id, min(options, key=lambda route: board.troubles(edge, route)))


def _eased(graph: Graph, board: Board) -> None:
    """Move lines off what they touch, a piece at a time."""
    for edge in graph.edges:
        route = board.routes.get(edge.id)
        while route is not None and edge.source != edge.target:
            now, crossed = board.weighed(edge, route)
            touches = now[0] > crossed
            tried = _aside(route) if touches else ()
            options = [(board.weighed(edge, option, most=now[0] - 1)[0], option) for option in tried]
            least, option = min(options, key=lambda each: each[0], default=(now, route))
            if least[0] >= now[0]:
                break
            route = option
            board.place(edge.id, route)


def _aside(route: Route) -> Iterator[Route]:
    """The route with one of its inner pieces moved a little, in each way."""
    for at in range(1, len(route.line) - 2):
        (x, top), (other, bottom) = route.line[at : at + 2]
        for by in _NUDGES:
            if x == other:
                yield _moved_piece(route, at, x + by)
                continue
            line = list(route.line)
            line[at], line[at + 1] = (x, top + by), (other, bottom + by)
            turned = [line[i][1] - line[i - 1][1] for i in (at, at + 2)]
            before = [route.line[i][1] - route.line[i - 1][1] for i in (at, at + 2)]
            if all(now * then > 0 and abs(now) >= _AIR for now, then in zip(turned, before, strict=True)):
                yield replace(route, line=tuple(line))


def _straightened(graph: Graph, board: Board) -> None:
    """Take jogs out: of two pieces side by side, one is moved in line with the other if nothing is in the way."""
    for edge in graph.edges:
        route = board.routes.get(edge.id) if edge.source != edge.target else None
        while route is not None:
            source, target = board.boxes[edge.source], board.boxes[edge.target]
            options = sorted(_in_line(route, source, target), key=lambda option: len(option.line))
            now = board.troubles(edge, route) if options else ()
            route = next((option for option in options if no_worse(board.troubles(edge, option), now)), None)
            if route is not None:
                board.place(edge.id, route)


def _under_their_arrows(graph: Graph, board: Board) -> None:
    """Move each end sideways under its only arrow, where there is room."""
    kinds = {box.id: box.kind for box in graph.boxes}
    entered = Counter(edge.target for edge in graph.edges)
    for edge in graph.edges:
        route = board.routes.get(edge.id)
        if route is None or kinds[edge.target] not in ENDS or route.line[-1][0] != route.line[-2][0]:
            continue
        end = board.boxes[edge.target]
        for option in _ending(route):
            moved = replace(end, x=round(option.line[-1][0] - end.width / 2, 1))
            free = moved == end or (entered[edge.target] == 1 and not _crowded(edge, moved, board))
            now = board.troubles(edge, route) if free else ()
            if free and no_worse(board.troubles(edge, option, {edge.target: moved}), now):
                board.boxes[edge.target] = moved
                board.place(edge.id, option)
                break


def _raised(graph: Graph, board: Board) -> None:
    """Move ends that stand beside a frame, in one row with it, up to where their arrows' words are."""
    kinds = {box.id: box.kind for box in graph.boxes}
    entered = Counter(edge.target for edge in graph.edges)
    for edge in graph.edges if board.frames else ():
        route = board.routes.get(edge.id)
        if route is None or kinds[edge.target] not in ENDS or entered[edge.target] > 1:
            continue
        (x, top), (tip, bottom) = route.line[-2:]
        end = board.boxes[edge.target]
        words = route.label.bottom if route.label is not None and route.label.y > top else top
        moved = replace(end, y=round(words + 1.5 * _LAST, 1))
        if x != tip or bottom < top or moved.y > end.y - _LAST or _crowded(edge, moved, board):
            continue
        option = replace(route, line=(*route.line[:-1], (x, moved.y)))
        now = board.troubles(edge, route)
        if no_worse(board.troubles(edge, option, {edge.target: moved}), now):  # pragma: no branch  # seldom it stays
            board.boxes[edge.target] = moved
            board.place(edge.id, option)


def _headed(graph: Graph, board: Board) -> None:
    """Move what a frame says to its upper left corner, or as far that way as lines leave room."""
    for frame in graph.frames:
        rect, head = board.frames[frame.id], board.heads[frame.id]
        labels = [route.label for route in board.routes.values() if route.label is not None]
        rects = [*board.boxes.values(), *labels]
        lines = [route.line for route in board.routes.values()]
        lefts = [
            rect.x + _CORNER + 4,
            *(x + _APART / 2 for line in lines for x, _ in line),
            *(r.right + _APART / 2 for r in rects),
        ]
        ahead = sorted(x for x in lefts if rect.x < x < head.x)
        for y, x in product((rect.y + _CORNER, head.y), ahead):  # pragma: no branch  # seldom there is no room at all
            option = replace(head, x=round(x, 1), y=round(y, 1))
            if not any(option.meets(r, _AIR) for r in rects) and not any(
                option.crossed_by(line, _AIR) for line in lines
            ):
                board.heads[frame.id] = option
                break


def _ending(route: Route) -> Iterator[Route]:
    """The route without its last jog, and as it is."""
    if len(route.line) > 3 and route.line[-4][0] == route.line[-3][0]:  # down, along, and down
        yield Route(tidy([*route.line[:-3], (route.line[-4][0], route.line[-1][1])]), route.label)
    yield route


def _crowded(edge: Edge, rect: Rect, board: Board) -> bool:
    """Whether an end would stand too near to anything but its arrow."""
    if any(name != edge.target and rect.meets(box, _APART) for name, box in board.boxes.items()):
        return True
    if any(rect.meets(frame, _APART / 2) for frame in board.frames.values()):
        return True
    others = (route for name, route in board.routes.items() if name != edge.id)
    return any(rect.crossed_by(o.line, 2 * _AIR) or (o.label is not None and rect.meets(o.label, _AIR)) for o in others)


def _stretched(graph: Graph, board: Board) -> None:
    """Make last pieces long enough for their arrow-heads, and for a count beside them, where there is room."""
    for edge in graph.edges:
        route = board.routes.get(edge.id)
        if route is None or len(route.line) < 4:  # a line that turns twice before it ends
            continue
        options = list(_longer_ends(route))
        now = board.troubles(edge, route) if options else ()
        for option in options:
            if no_worse(board.troubles(edge, option), now):
                board.place(edge.id, option)
                break


def _longer_ends(route: Route) -> Iterator[Route]:
    (_, before), (x, along), (tip_x, _), (_, tip) = route.line[-4:]
    long = abs(tip - along)
    for wanted in (_LAST, (_LAST + long) / 2):
        moved = tip + (wanted if along > tip else -wanted)
        label = route.label
        beyond = (moved - before) * (along - before) <= 0 or abs(moved - before) < _AIR
        if wanted > long and not beyond and (label is None or not label.crossed_by(((x, moved), (tip_x, moved)), 4)):
            yield replace(route, line=(*route.line[:-3], (x, moved), (tip_x, moved), route.line[-1]))


def _outlined(graph: Graph, board: Board) -> None:
    """Let lines end on the outlines of their boxes, not on the frames around those."""
    kinds = {box.id: box.kind for box in graph.boxes}
    for edge in graph.edges:
        route = board.routes[edge.id]
        start = _on_outline(route.line[0], board.boxes[edge.source], kinds[edge.source])
        end = _on_outline(route.line[-1], board.boxes[edge.target], kinds[edge.target])
        board.place(edge.id, replace(route, line=tidy([start, *route.line[1:-1], end])))


def _in_line(route: Route, source: Rect, target: Rect) -> Iterator[Route]:
    """The same route with one jog less, in each way that there is."""
    line = route.line
    for at in range(len(line) - 3):
        (x, _), (_, top), (_, bottom), (other, _) = line[at : at + 4]
        if top != bottom or x != line[at + 1][0] or other != line[at + 2][0]:
            continue  # not a vertical piece, a horizontal one and again a vertical one
        if at > 0 or source.x + _PORT <= other <= source.right - _PORT:
            yield _moved_piece(route, at, other)
        if at + 3 < len(line) - 1 or target.x + _PORT <= x <= target.right - _PORT:
            yield _moved_piece(route, at + 2, x)


def _moved_piece(route: Route, at: int, x: float) -> Route:
    """The route with the vertical piece that starts at a point moved to `x`, and its words with it."""
    (old, top), (_, bottom) = route.line[at], route.line[at + 1]
    points = list(route.line)
    points[at], points[at + 1] = (x, top), (x, bottom)
    label = route.label
    if label is not None:
        middle_x, middle_y = label.centre
        if min(top, bottom) <= middle_y <= max(top, bottom) and abs(middle_x - old) < label.width / 2:
            label = replace(label, x=x - label.width / 2)
    return Route(tidy(points), label)


def _loop(edge: Edge, box: Rect, side: int) -> Route:
    """A loop at the right (1) or left (-1) side of its box, with its words beyond it."""
    edge_x = box.right if side > 0 else box.x
    out = edge_x + side * _LOOP
    middle = box.centre[1]
    line = ((edge_x, middle - 5), (out, middle - 5), (out, middle + 14), (edge_x, middle + 14))
    if not edge.words:
        return Route(line)
    wide, high = edge.size
    return Route(line, Rect(out + 3 if side > 0 else out - 3 - wide, middle + 4.5 - high / 2, wide, high))


def _on_outline(point: Point, rect: Rect, kind: str) -> Point:
    """A point on the frame of a box, moved inward onto the box's outline where that is a diamond, pill or circle."""
    x, y = point
    middle_x, middle_y = rect.centre
    dx, dy = x - middle_x, y - middle_y
    half_x, half_y = rect.width / 2, rect.height / 2
    sideways = abs(abs(dx) - half_x) < abs(abs(dy) - half_y)
    if kind in DIAMONDS:
        if sideways:
            return (middle_x + _sign(dx) * half_x * (1 - abs(dy) / half_y), y)
        return (x, middle_y + _sign(dy) * half_y * (1 - abs(dx) / half_x))
    round_by = half_y if kind in ENDS or kind == START else _CORNER
    beyond = abs(dx) - (half_x - round_by)
    if sideways or beyond <= 0:
        return point
    return (x, middle_y + _sign(dy) * (half_y - round_by + sqrt(max(0.0, round_by**2 - beyond**2))))


def _sign(number: float) -> int:
    return 1 if number >= 0 else -1
