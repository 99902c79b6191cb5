"""What is walked: the shipped journeys, and journeys of chance; and steppers with a bug, which the walks must find."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from kit.random_journeys import Features, random_ir
from outside.walks import Script, Trace, walk

from dsl import step as stepper
from dsl.chart import Box, Chart, Group, chart
from dsl.effects import Answered
from dsl.ir import IR, Arrow
from dsl.loading import load
from dsl.snapshot import Snapshot

__all__ = ["BUGS", "chance", "shipped", "walks", "wrong_walks"]

JOURNEYS: Final = Path(__file__).parent.parent.parent / "journeys"
WITHIN: Final = Features(looking_back=False, boxes=10)
"""What the exports say. Looking back is the stepper's alone: neither interpreter keeps events."""


def shipped() -> list[IR]:
    return [loaded.ir for loaded in load(JOURNEYS)]


def chance(count: int) -> list[IR]:
    """So many journeys of chance, always the same."""
    return [random_ir(random.Random(seed), WITHIN) for seed in range(count)]  # noqa: S311  # repeatable on purpose


def walks(journeys: list[IR], each: int) -> Iterator[tuple[IR, Script, Trace]]:
    """So many walks through each journey, by our stepper."""
    for ir in journeys:
        for seed in range(each):
            yield ir, *walk(ir, random.Random(seed))  # noqa: S311  # repeatable on purpose


def wrong_walks(bug: str, journeys: list[IR], each: int) -> Iterator[tuple[IR, Script, Trace]]:
    """The walks on which a stepper with the bug goes another way than ours. The others are told of the journey as it is."""
    right = [trace for _, _, trace in walks(journeys, each)]
    with pytest.MonkeyPatch.context() as patch:
        if bug == ANYWHERE_FIRST:
            patch.setattr(stepper, "heard", _anywhere_first)
        wrong = [walk(ir, random.Random(n), BUGS[bug](chart(ir))) for ir in journeys for n in range(each)]  # noqa: S311  # as above
    for index, (script, trace) in enumerate(wrong):
        if trace != right[index]:
            yield journeys[index // each], script, trace


# --- bugs -------------------------------------------------------------------------------------------------------------

ANYWHERE_FIRST: Final = "anywhere's arrows come before a box's own"
_heard = stepper.heard  # the bug is put around it


def _anywhere_first(c: Chart, m: Snapshot, event: Answered) -> tuple[tuple[int, ...], str]:
    arrows, reason = _heard(c, m, event)
    anywhere = {arrow for arrows in c.anywhere.values() for arrow in arrows}
    return tuple(sorted(arrows, key=lambda arrow: arrow not in anywhere)), reason


def _with_arrows(change: Callable[[Arrow], Arrow]) -> Callable[[Chart], Chart]:
    return lambda c: replace(c, arrows=tuple(change(arrow) for arrow in c.arrows))


def _with_boxes(change: Callable[[Box], Box]) -> Callable[[Chart], Chart]:
    return lambda c: replace(c, boxes=tuple(change(box) for box in c.boxes))


def _once_more(arrow: Arrow) -> Arrow:
    return replace(arrow, limit=replace(arrow.limit, times=arrow.limit.times + 1)) if arrow.limit else arrow


def _at_once(arrow: Arrow) -> Arrow:
    return replace(arrow, limit=replace(arrow.limit, every=0)) if arrow.limit else arrow


def _later(box: Box) -> Box:
    return replace(box, afters=tuple((seconds + 60, arrow) for seconds, arrow in box.afters))


def _drawn_high(box: Box) -> Box:
    return replace(box, shares=tuple((bound * 0.8, arrow) for bound, arrow in box.shares))


def _without_stages(c: Chart) -> Chart:
    return replace(c, stages=tuple(Group({}, group.afters) for group in c.stages))


def _soon_over(c: Chart) -> Chart:
    return replace(c, stages=tuple(Group(g.answers, tuple((s // 2, a) for s, a in g.afters)) for g in c.stages))


BUGS: Final[dict[str, Callable[[Chart], Chart]]] = {
    ANYWHERE_FIRST: lambda c: c,
    "an arrow is taken once more than its limit": _with_arrows(_once_more),
    "an arrow's pause is left out": _with_arrows(_at_once),
    "a condition is forgotten": _with_arrows(lambda arrow: replace(arrow, guard=None)),
    "a wait ends a minute late": _with_boxes(_later),
    "a split is drawn too high": _with_boxes(_drawn_high),
    "late answers are not heard": _with_boxes(lambda box: replace(box, late={})),
    "a stage's answers are not heard": _without_stages,
    "a stage's wait ends too early": _soon_over,
    "visits are not counted": lambda c: replace(c, counts={}),
}
