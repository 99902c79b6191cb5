"""What the tests of the shipped journeys share: which arrows of a journey some walks have taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from dsl.ir import IR, After, Answer, Arrow, Otherwise, Share, Then, When
from dsl.testing import Walk

Arrows = set[tuple[str, str, str]]


@pytest.fixture
def untaken() -> Callable[[Iterable[Walk]], Arrows]:
    """The arrows of a journey, as (from, trigger, to), that none of the walks took; `*` is from anywhere."""

    def found(walks: Iterable[Walk]) -> Arrows:
        every = list(walks)
        return _arrows(every[0].ir) - {arrow for walk in every for arrow in _taken(walk)}

    return found


def _arrows(ir: IR) -> Arrows:
    own = {(state.name, _word(arrow), arrow.to) for state in ir.states for arrow in state.arrows}
    return own | {("*", _word(arrow), arrow.to) for arrow in ir.anywhere}


def _word(arrow: Arrow) -> str:
    match arrow.on:
        case Answer():
            return arrow.on.event
        case After():
            return "timer"
        case When() | Otherwise():
            return "decided"
        case Share():
            return "share"
        case Then():
            return "then"
        case _:
            return type(arrow.on).__name__.lower()


def _taken(walk: Walk) -> Arrows:
    found: Arrows = set()
    anywhere = {(_word(arrow), arrow.to) for arrow in walk.ir.anywhere}
    for before, after in zip(walk.steps, walk.steps[1:], strict=False):
        word = after.event or (f"{before.state.kind}.not_sent" if after.cause == "not_sent" else after.cause)
        own = {(_word(arrow), arrow.to) for arrow in walk.ir.by_name[before.state.name].arrows}
        if (word, after.state.name) in own:
            found.add((before.state.name, word, after.state.name))
        elif (word, after.state.name) in anywhere:
            found.add(("*", word, after.state.name))
    return found
