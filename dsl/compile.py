"""The compiler: from a journey class to its IR, or to every problem that stands in the way, all at once."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Sequence

from dsl import ir
from dsl.bodies import Box, Draft, Group, read
from dsl.call_outcomes import check_outcomes
from dsl.checks import check_boxes
from dsl.consequences import told_once
from dsl.determinism import check_determinism
from dsl.fact_kinds import Day
from dsl.forgotten import check_forgotten
from dsl.journey import Journey
from dsl.place import Place
from dsl.pointing import problem
from dsl.predicate import Expression
from dsl.problems import Problems
from dsl.reach import check_chart, reachable
from dsl.settings import (
    again_of,
    check_settings,
    entry_of,
    goal_of,
    holdout_of,
    late_of,
    purpose_of,
    quiet_of,
    stable_name,
    zone_of,
)
from dsl.states import Stage, State
from dsl.texts import check_texts
from dsl.times import Duration
from dsl.triggers import (
    Answered,
    Arrow,
    Conditional,
    Event,
    Learned,
    Limited,
    NoDate,
    Otherwise,
    Share,
    Trigger,
    When,
)
from dsl.unvisited import check_unvisited
from dsl.waits import After, Missed, Until
from dsl.wholes import check_wholes

__all__ = ["compile_journey"]


def compile_journey(journey: type[Journey]) -> ir.IR:
    """Compile a journey. Raises `Problems` with all that is wrong, each with its place in the author's file."""
    if not (isinstance(journey, type) and issubclass(journey, Journey)):  # pyright: ignore[reportUnnecessaryIsInstance]  # the API's side
        raise Problems(
            [problem("J113", f"{journey!r} is no journey: a journey is a class that derives from Journey", None)]
        )
    draft = read(journey)
    problems = [
        *told_once(draft, draft.problems),
        *check_settings(draft),
        *told_once(draft, check_boxes(draft)),
        *check_wholes(draft),
        *check_unvisited(draft),
        *check_outcomes(draft),
        *check_forgotten(draft),
        *check_determinism(draft),
    ]
    understood = not any(found.code in ("J101", "J105", "J106", "J108", "J109") for found in problems)
    if draft.sound and understood and any(box.state.kind not in ir.ENDS for box in draft.boxes.values()):
        problems += check_chart(draft)  # where arrows are missing, this would only repeat what is wrong with them
    if problems:
        raise Problems(problems)
    made = _ir(draft)
    unfit = list(check_texts(draft, made))
    if unfit:
        raise Problems(unfit)
    return made


def _ir(draft: Draft) -> ir.IR:
    reached = reachable(draft)
    stages = {box.state.stage.name for box in reached if box.state.stage is not None}
    ordered = [*(b for b in reached if b.state.kind not in ir.ENDS), *(b for b in reached if b.state.kind in ir.ENDS)]
    return ir.IR(
        name=stable_name(draft.journey),
        purpose=purpose_of(draft),
        entry=entry_of(draft),
        states=tuple(_state(draft, box) for box in ordered),
        anywhere=tuple(_arrow(draft, arrow, anywhere=True) for arrow in draft.anywhere),
        again=again_of(draft),
        goal=goal_of(draft),
        holdout=holdout_of(draft),
        stages=tuple(_stage(draft, group) for group in draft.stages.values() if group.name in stages),
        quiet=quiet_of(draft),
        zone=zone_of(draft),
        late=late_of(draft),
        title=draft.journey.__name__,
        doc=inspect.cleandoc(draft.journey.__doc__ or ""),
        notes={
            **{box.name: _note(box.state, box.place) for box in ordered},
            **{group.name: _note(group.stage, group.place) for group in draft.stages.values() if group.name in stages},
        },
        knobs=tuple(_knobs(draft, ordered)),
    )


def _note(written: State | Stage, place: Place) -> ir.Note:
    return ir.Note(inspect.cleandoc(written.doc), os.path.basename(place.file), place.line, written.was)  # noqa: PTH119  # a name


def _knobs(draft: Draft, boxes: list[Box]) -> Iterator[ir.Knob]:
    """Each knob with the places where its number acts."""
    stages = {box.state.stage.name for box in boxes if box.state.stage is not None}
    owners = [
        *((box.name, box.arrows) for box in boxes),
        *((group.name, group.arrows) for group in draft.stages.values() if group.name in stages),
        ("", draft.anywhere),
    ]
    uses = [
        (knob, (owner, index, field))
        for owner, arrows in owners
        for index, arrow in enumerate(arrows)
        if isinstance(arrow.trigger, Limited | Share)
        for field, knob in arrow.trigger.knobs
    ]
    for name, knob in draft.knobs.items():
        value, low, high = (
            each.seconds if isinstance(each, Duration) else each for each in (knob.value, knob.min, knob.max)
        )
        kind = "duration" if isinstance(knob.value, Duration) else "number"
        yield ir.Knob(name, kind, value, low, high, knob.label, tuple(use for used, use in uses if used is knob))


def _stage(draft: Draft, group: Group) -> ir.Stage:
    return ir.Stage(group.name, tuple(_arrow(draft, arrow, anywhere=True) for arrow in group.arrows))


def _state(draft: Draft, box: Box) -> ir.State:
    state = box.state
    return ir.State(
        box.name,
        state.kind,
        tuple(_arrow(draft, arrow, among=box.arrows) for arrow in box.arrows),
        state.template,
        state.queue,
        state.purpose if state.purpose != purpose_of(draft) else None,
        state.also,
        state.stage.name if state.stage is not None else None,
        state.hours,
        state.offers,
        state.skills,
        state.priority,
    )


def _arrow(draft: Draft, arrow: Arrow, *, anywhere: bool = False, among: Sequence[Arrow] = ()) -> ir.Arrow:
    target = draft.box_of(arrow.target)
    if target is None:  # pragma: no cover  # the checks have refused it
        raise AssertionError(f"an arrow that leads nowhere passed the checks: {arrow!r}")
    on = arrow.trigger
    if anywhere and isinstance(on, Answered):
        on = on.any_send()  # there is no box of its own to answer
    guard = on.guard if isinstance(on, Conditional | When) else None
    limit = on.limit if isinstance(on, Limited) else None
    return ir.Arrow(_trigger(on, among), target.name, guard, limit, isinstance(on, Answered) and on.is_late)


def _trigger(on: Trigger, among: Sequence[Arrow]) -> ir.Trigger:  # noqa: PLR0911  # one line for each kind
    match on:
        case Event():
            return on.answer
        case After(wait=Duration() as wait):
            return ir.After(wait.seconds, clock=on.clock)
        case After(wait=Expression() as wait):
            return ir.After(None, wait, _seconds(on.at_least), _seconds(on.at_most), _seconds(on.missing), on.clock)
        case Until(day=Day() as day):
            return ir.Until(day.field, day.offset, on.clock, day.recurs, _rule(on.past), _rule(on.missing))
        case NoDate():
            return ir.NoDate(next(index for index, arrow in enumerate(among) if arrow.trigger is on.of), on.why)
        case Learned():
            return ir.Learned()
        case When():
            return ir.When()
        case Otherwise():
            return ir.Otherwise()
        case Share():
            return ir.Share(on.percent)
        case _:
            return ir.Then()


def _rule(given: Missed | State | None) -> ir.Rule:
    return "exit" if isinstance(given, State) else given.rule if given is not None else "skip"


def _seconds(span: Duration | None) -> int | None:
    return span.seconds if span is not None else None
