"""Ranks: which row each box stands in, in several ways, so that the layout may take the one that draws best.

A picture reads downwards, so each arrow should point down, and those that close a loop point up. Which ones do is a
choice, and so is how far down a box stands that many arrows lead to; both decide how many lines must cross.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from dsl.draw.graph import ANYWHERE, Edge, Graph
from dsl.draw.levels import Levels
from dsl.ir import ENDS

__all__ = ["Ranks", "lowered", "rankings"]

Ranks = dict[str, int]
"""The row of each box, by its id; rows count from 0, downwards."""


def rankings(levels: Levels) -> Iterator[Ranks]:
    """Rows that are worth a try, the likeliest first. They count within each level: outside, and in each frame."""
    each = [list(_rankings(graph)) for graph in levels.graphs]
    for index in range(max(map(len, each))):
        yield {name: rank for found in each if found for name, rank in found[index % len(found)].items()}


def lowered(levels: Levels, ranks: Ranks) -> Iterator[Ranks]:
    """The same rows with one box, and all that must stay below it, one row further down."""
    for graph in levels.graphs:
        kinds = {box.id: box.kind for box in graph.boxes}
        own = {box.id: ranks[box.id] for box in graph.boxes}
        down = [(e.source, e.target) for e in graph.edges if ranks[e.source] < ranks[e.target]]
        for box in graph.boxes:
            entered = sum(target == box.id for _, target in down)
            if entered > 1 and kinds[box.id] not in ENDS:
                yield {**ranks, **_pushed(down, {**own, box.id: own[box.id] + 1}, kinds)}


def _rankings(graph: Graph) -> Iterator[Ranks]:
    kinds = {box.id: box.kind for box in graph.boxes}
    orders: tuple[Callable[[int, Edge], tuple[bool, int]], ...] = (
        lambda index, edge: (not (edge.dashed or edge.main or not edge.words), index),
        lambda index, _: (False, index),
        lambda index, _: (False, -index),
        lambda index, edge: (not edge.main, index),
    )
    seen: list[Ranks] = []
    for order in orders:
        down = _downward(graph, order)
        for air in (False, True):
            ranks = _longest(graph, down, kinds, air=air)
            if ranks not in seen:
                seen.append(ranks)
                yield ranks


def _downward(graph: Graph, order: Callable[[int, Edge], tuple[bool, int]]) -> list[tuple[str, str]]:
    """The arrows that point down: all but those which a depth-first walk finds to close a loop."""
    leaving: dict[str, list[tuple[tuple[bool, int], str]]] = {box.id: [] for box in graph.boxes}
    for index, edge in enumerate(graph.edges):
        if edge.source != edge.target:
            leaving[edge.source].append((order(index, edge), edge.target))
    down: list[tuple[str, str]] = []
    done: set[str] = set()
    for root in graph.boxes:
        if root.id in done:
            continue
        way = [root.id]
        todo = [iter(sorted(leaving[root.id]))]
        while todo:
            step = next(todo[-1], None)
            if step is None:
                todo.pop()
                done.add(way.pop())
                continue
            _, target = step
            if target in way:
                continue
            down.append((way[-1], target))
            if target not in done:
                way.append(target)
                todo.append(iter(sorted(leaving[target])))
    return down


def _longest(graph: Graph, down: list[tuple[str, str]], kinds: Mapping[str, str], *, air: bool) -> Ranks:
    """Each box below all that lead to it; with `air`, also below the ends of those, where several lead to it."""
    ends_of = {source for source, target in down if kinds[target] in ENDS}
    entered: dict[str, int] = {}
    for _, target in down:
        entered[target] = entered.get(target, 0) + 1
    ranks = dict.fromkeys((box.id for box in graph.boxes), 0)
    lengths = [(s, t, 2 if air and s in ends_of and entered[t] > 1 else 1) for s, t in down]
    for _ in ranks:  # pragma: no branch  # as many rounds as the longest way could need
        before = dict(ranks)
        for source, target, length in lengths:
            ranks[target] = max(ranks[target], ranks[source] + length)
        if ranks == before:
            break
    return _settled(ranks, down, kinds)


def _pushed(down: list[tuple[str, str]], ranks: Ranks, kinds: Mapping[str, str]) -> Ranks:
    for _ in ranks:  # pragma: no branch  # as above
        before = dict(ranks)
        for source, target in down:
            ranks[target] = max(ranks[target], ranks[source] + 1)
        if ranks == before:
            break
    return _settled(ranks, down, kinds)


def _settled(ranks: Ranks, down: list[tuple[str, str]], kinds: Mapping[str, str]) -> Ranks:
    """An end stands right below its box, an arrow from anywhere right above what it enters."""
    for source, target in down:
        if kinds[target] in ENDS:
            ranks[target] = ranks[source] + 1
    lowest = min(ranks.values(), default=0)
    for source, target in down:
        if kinds[source] == ANYWHERE:
            ranks[source] = ranks[target] - 1
            lowest = min(lowest, ranks[source])
    return {name: rank - lowest for name, rank in ranks.items()}
