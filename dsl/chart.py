"""The chart: an IR, indexed for stepping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dsl.expression import Field
from dsl.ir import CHANGED, IR, After, Answer, Arrow, Learned, NoDate, Otherwise, Share, Stage, State, Then, Until, When
from dsl.predicate import And, Predicate

__all__ = ["Box", "Chart", "Group", "chart", "is_measured"]


@dataclass(frozen=True, slots=True)
class Box:
    """A state, indexed: arrows by what fires them, as numbers into `Chart.arrows`."""

    name: str
    kind: str
    answers: dict[int, tuple[int, ...]]
    afters: tuple[tuple[int, int], ...]
    """(seconds, arrow), by seconds."""
    measured: tuple[int, ...]
    """Arrows whose wait is measured for each customer."""
    dated: bool
    """Whether a change of the customer may move one of them."""
    late: dict[int, tuple[int, ...]]
    """Arrows for answers that come after the box was left."""
    looks_back: bool
    counted: bool
    """Whether a condition asks how often she was here."""
    stage: int
    learned: tuple[int, ...]
    thens: tuple[int, ...]
    not_sent: tuple[int, ...]
    choices: tuple[int, ...]
    shares: tuple[tuple[float, int], ...]
    """(upper bound of the draw, arrow)."""


@dataclass(frozen=True, slots=True)
class Chart:
    """An IR, indexed once: states and arrows are numbers in their order of appearance."""

    ir: IR
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    """As the IR has them, with what remains of a guard when the counts are taken out."""
    targets: tuple[int, ...]
    """Each arrow's target, as a number."""
    anywhere: dict[int, tuple[int, ...]]
    stages: tuple[Group, ...]
    counts: dict[int, Predicate]
    """By arrow: the part of its guard that asks for counts, which the stepper knows itself."""
    changes: frozenset[int]
    """What is heard of the customer's own changes: no answer, but a wait may be planned anew."""
    dates: dict[int, int]
    """By arrow that leads out of a wait for a date: the arrow that waits for it."""
    kept_for: int
    """For how long (ms) an event that moved nobody may yet count in a later box; 0: none does."""


@dataclass(frozen=True, slots=True)
class Group:
    """A stage, indexed."""

    answers: dict[int, tuple[int, ...]]
    afters: tuple[tuple[int, int], ...]


def chart(ir: IR) -> Chart:
    """Index an IR. Raises KeyError where an arrow leads to no state (the compiler refuses that before)."""
    number = {state.name: index for index, state in enumerate(ir.states)}
    stages = {stage.name: index for index, stage in enumerate(ir.stages)}
    heard = {answer: index for index, answer in enumerate(ir.listens)}
    counts: dict[int, Predicate] = {}
    arrows = [_without_counts(index, arrow, counts) for index, arrow in enumerate(ir.arrows)]
    asked = {leaf.name for guard in counts.values() for leaf in guard.operands() if isinstance(leaf, Field)}
    boxes: list[Box] = []
    dates: dict[int, int] = {}
    first = 0
    for state in ir.states:
        own = list(enumerate(state.arrows, first))
        dates |= {index: first + arrow.on.of for index, arrow in own if isinstance(arrow.on, NoDate)}
        first += len(own)
        stage = stages[state.stage] if state.stage is not None else -1
        boxes.append(_box(state, own, heard, stage, counted=f"visits.{state.name}" in asked))
    anywhere = list(enumerate(ir.anywhere, first))
    first += len(anywhere)
    groups: list[Group] = []
    for stage in ir.stages:
        groups.append(_group(stage, first, heard))
        first += len(stage.arrows)
    return Chart(
        ir,
        tuple(boxes),
        tuple(arrows),
        tuple(number[arrow.to] for arrow in arrows),
        _by_answer(anywhere, heard),
        tuple(groups),
        counts,
        frozenset(index for answer, index in heard.items() if answer.event == CHANGED),
        dates,
        max((answer.look_back or 0 for answer in heard), default=0) * 1000,
    )


def _without_counts(index: int, arrow: Arrow, counts: dict[int, Predicate]) -> Arrow:
    """The arrow without the part of its guard that the stepper can tell; that part goes into `counts`."""
    if arrow.guard is None or "journey" not in arrow.guard.sources():
        return arrow
    parts = arrow.guard.parts if isinstance(arrow.guard, And) else (arrow.guard,)
    own = tuple(part for part in parts if part.sources() == frozenset({"journey"}))
    rest = tuple(part for part in parts if part not in own)
    counts[index] = And(own)
    return replace(arrow, guard=None if not rest else rest[0] if len(rest) == 1 else And(rest))


def _by_answer(
    own: Iterable[tuple[int, Arrow]], heard: dict[Answer, int], *, late: bool = False
) -> dict[int, tuple[int, ...]]:
    found: dict[int, tuple[int, ...]] = {}
    for index, arrow in own:
        if isinstance(arrow.on, Answer) and arrow.late == late:
            listen = heard[arrow.on]
            found[listen] = (*found.get(listen, ()), index)
    return found


def _group(stage: Stage, first: int, heard: dict[Answer, int]) -> Group:
    own = list(enumerate(stage.arrows, first))
    waits = ((arrow.on.seconds, index) for index, arrow in own if isinstance(arrow.on, After))
    return Group(_by_answer(own, heard), tuple(sorted((s, index) for s, index in waits if s is not None)))


def _box(state: State, own: Sequence[tuple[int, Arrow]], heard: dict[Answer, int], stage: int, *, counted: bool) -> Box:
    measured = tuple(index for index, arrow in own if is_measured(arrow))
    shares: list[tuple[float, int]] = []
    bound = 0.0
    for index, arrow in own:
        if isinstance(arrow.on, Share):
            bound += arrow.on.percent / 100
            shares.append((bound, index))
    return Box(
        state.name,
        state.kind,
        _by_answer(own, heard),
        tuple(
            sorted(
                (arrow.on.seconds, index)
                for index, arrow in own
                if isinstance(arrow.on, After) and arrow.on.seconds is not None and index not in measured
            )
        ),
        measured,
        any(isinstance(arrow.on, Until) or (isinstance(arrow.on, After) and arrow.on.clock) for _, arrow in own),
        _by_answer(own, heard, late=True),
        any(isinstance(arrow.on, Answer) and arrow.on.look_back for _, arrow in own),
        counted,
        stage,
        tuple(index for index, arrow in own if isinstance(arrow.on, Learned)),
        tuple(index for index, arrow in own if isinstance(arrow.on, Then)),
        tuple(index for index, arrow in own if isinstance(arrow.on, Answer) and arrow.on.event.endswith(".not_sent")),
        tuple(index for index, arrow in own if isinstance(arrow.on, When | Otherwise)),
        tuple(shares),
    )


def is_measured(arrow: Arrow) -> bool:
    """Whether its wait depends on the customer: on her facts, her clock, or a date of hers."""
    on = arrow.on
    return isinstance(on, Until) or (isinstance(on, After) and (on.expression is not None or on.clock is not None))
