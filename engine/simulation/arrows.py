"""Which arrow a step took: a step's row names the boxes and the cause, and between two boxes that is nearly always one arrow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dsl.ir import IR, After, Answer, Arrow, Learned, NoDate, Otherwise, Share, Then, Until, When

__all__ = ["Arrows"]

_FIRED_BY: Final[dict[str, tuple[type, ...]]] = {
    "answer": (Answer,),
    "timer": (After, Until, NoDate),
    "then": (Then,),
    "not_sent": (Answer,),
    "decided": (When, Otherwise),
    "share": (Share, Learned),
}
"""By a step's cause, the triggers that bring it about."""


class Arrows:
    """The arrows of a journey, by the box that they lead out of."""

    def __init__(self, ir: IR) -> None:
        self._ir = ir
        self._names = [state.name for state in ir.states]
        self._leaving: list[list[tuple[int, Arrow]]] = []
        numbered = enumerate(ir.arrows)
        own = [[next(numbered) for _ in state.arrows] for state in ir.states]
        anywhere = [next(numbered) for _ in ir.anywhere]
        stages = {stage.name: [next(numbered) for _ in stage.arrows] for stage in ir.stages}
        late = [(number, arrow) for arrows in own for number, arrow in arrows if arrow.late]
        for state, arrows in zip(ir.states, own, strict=True):
            self._leaving.append([*arrows, *late, *stages.get(state.stage or "", ()), *anywhere])

    def taken(self, source: int, target: int, cause: str, listens: Iterable[int], *, rests: bool) -> int:
        """The number of the arrow, or -1: she comes back from a rest, on an arrow that was taken before."""
        if cause == "retry":
            return -1
        found = [
            number
            for number, arrow in self._leaving[source]
            if (rests and arrow.limit is not None and arrow.limit.every > 0)
            or (not rests and arrow.to == self._names[target])
        ]
        fits = [number for number in found if self._fits(self._ir.arrows[number], cause, listens)]
        return (fits or found or [-1])[0]

    def _fits(self, arrow: Arrow, cause: str, listens: Iterable[int]) -> bool:
        if not isinstance(arrow.on, _FIRED_BY.get(cause, (object,))):
            return False
        if not isinstance(arrow.on, Answer):
            return True
        heard = {self._ir.listens[listen] for listen in listens}
        return arrow.on in heard if heard else arrow.on.event.endswith(".not_sent")
