"""The backbone of a journey: the way of those who never answer, and which states any drawn arrow leads to."""

from __future__ import annotations

from itertools import pairwise

from dsl.ir import ENDS, IR, After, Then, Until

__all__ = ["main_path", "reached"]


def reached(ir: IR) -> frozenset[str]:
    """The states that an arrow of a drawn box leads to from the start; the others are entered from anywhere alone."""
    seen: set[str] = set()
    todo = [ir.start.name]
    while todo:
        name = todo.pop()
        if name not in seen and name in ir.by_name:
            seen.add(name)
            todo.extend(arrow.to for arrow in ir.by_name[name].arrows)
    return frozenset(seen)


def main_path(ir: IR) -> frozenset[tuple[str, str]]:
    """The way of those who never answer, as pairs of states: the backbone of the picture.

    Time-outs and plain next steps come first, then what leads furthest; an end is taken where nothing else is left.
    """
    ahead = _heights(ir)
    way = [ir.start.name]
    while True:
        onward = [arrow for arrow in ir.by_name[way[-1]].arrows if arrow.to not in way]
        if not onward:
            return frozenset(pairwise(way))
        best = min(
            onward,
            key=lambda a: (ir.by_name[a.to].kind in ENDS, not isinstance(a.on, After | Until | Then), -ahead[a.to]),
        )
        way.append(best.to)


def _heights(ir: IR) -> dict[str, int]:
    """How many boxes lie ahead of each state, loops cut where a depth-first walk in the journey's order closes them."""
    heights: dict[str, int] = {}
    for state in ir.states:
        way: list[str] = []
        todo = [(state.name, False)]
        while todo:
            name, left = todo.pop()
            onward = [arrow.to for arrow in ir.by_name[name].arrows]
            if left:
                way.pop()
                heights[name] = 1 + max((heights.get(to, -1) for to in onward), default=-1)
            elif name not in heights and name not in way:
                way.append(name)
                todo.append((name, True))
                todo += [(to, False) for to in reversed(onward)]
    return heights
