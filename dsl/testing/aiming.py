"""Aiming: of the walks that wait to be followed, which comes next.

First they come in their order, so that each arrow's walk is the shortest. When that has gone on for long without every arrow
being taken (`aim`), every other turn is for one of the missing, in rotation: of the walks that stand nearest to it, the one that
has taken the bounded arrows before it most often, and of those the newest. So what lies behind many turns, as the text after
four calls that reached nobody, is found without trying all that could happen beside them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Generic, TypeVar

from dsl.ir import CHANNELS, IR

__all__ = ["Waiting"]

_RESTS: Final = (*CHANNELS, "wait")
T = TypeVar("T")
Counts = Sequence[tuple[int, int]]
"""(arrow, how often it was taken) of bounded arrows."""


class Waiting(Generic[T]):
    """Walks that wait, by the number of the box that each stands in."""

    def __init__(self, ir: IR) -> None:
        self._ir = ir
        self._open_in = _open_in(ir)
        self._boxes: list[dict[int, tuple[Counts, T]]] = [{} for _ in ir.states]
        """By box, walks by the number of their coming, in that order."""
        self._came = 0
        self._turns = 0
        self._ways: dict[int, Mapping[int, int]] = {}

    def add(self, box: int, counts: Counts, walk: T) -> None:
        """One more; `counts` say how often it took each bounded arrow."""
        self._came += 1
        self._boxes[box][self._came] = (counts, walk)

    def __bool__(self) -> bool:
        return any(self._boxes)

    def next(self, missing: Collection[int], *, aim: bool) -> T:
        """The one to follow next; there must be one. `aim`: every other time one that is near to a missing arrow."""
        self._turns += aim
        if aim and self._turns % 2:
            found = self._nearest(sorted(missing)[self._turns // 2 % len(missing)])
            if found is not None:
                return found
        oldest = min((walks for walks in self._boxes if walks), key=lambda walks: next(iter(walks)))
        return oldest.pop(next(iter(oldest)))[1]

    def _nearest(self, arrow: int) -> T | None:
        if arrow not in self._ways:
            self._ways[arrow] = _ways(self._ir, self._open_in, arrow)
        ways = self._ways[arrow]
        nearest = min((ways[box] for box, walks in enumerate(self._boxes) if walks and box in ways), default=None)
        if nearest is None:
            return None

        def far(place: tuple[int, int]) -> tuple[int, int]:
            box, number = place
            counts, _ = self._boxes[box][number]
            return sum(count for other, count in counts if other < arrow and other in self._open_in[box]), number

        boxes = (box for box in range(len(self._boxes)) if ways.get(box) == nearest)
        box, number = max(((box, number) for box in boxes for number in self._boxes[box]), key=far)
        return self._boxes[box].pop(number)[1]


def _ways(ir: IR, open_in: Sequence[frozenset[int]], arrow: int) -> Mapping[int, int]:
    """By box, how many arrows lead from it to a box in which this arrow can be taken; 0 in such a box."""
    numbers = {state.name: number for number, state in enumerate(ir.states)}
    ways = {box: 0 for box, arrows in enumerate(open_in) if arrow in arrows}
    leads = [{numbers[ir.arrows[each].to] for each in arrows} for arrows in open_in]
    for way in range(1, len(leads)):
        reached = {box for box, targets in enumerate(leads) if box not in ways and not targets.isdisjoint(ways)}
        ways |= dict.fromkeys(reached, way)
    return ways


def _open_in(ir: IR) -> list[frozenset[int]]:
    """By box, the arrows that can be taken in it: its own, and where one rests in it, its stage's and those of anywhere."""
    count = 0

    def numbers(of: Sequence[object]) -> frozenset[int]:
        nonlocal count
        count += len(of)
        return frozenset(range(count - len(of), count))

    own = [numbers(state.arrows) for state in ir.states]
    anywhere = numbers(ir.anywhere)
    stages = {stage.name: numbers(stage.arrows) for stage in ir.stages}
    return [
        arrows | anywhere | stages.get(state.stage or "", frozenset()) if state.kind in _RESTS else arrows
        for state, arrows in zip(ir.states, own, strict=True)
    ]
