"""The compiler: from a journey class to its IR, or to every problem that stands in the way, all at once."""

from __future__ import annotations

import inspect
import os

from dsl import ir
from dsl.bodies import Box, Draft, read
from dsl.checks import check_boxes
from dsl.determinism import check_determinism
from dsl.forgotten import check_forgotten
from dsl.journey import Journey
from dsl.pointing import problem
from dsl.predicate import Expression
from dsl.problems import Problems
from dsl.reach import check_chart, reachable
from dsl.settings import again_of, check_settings, entry_of, goal_of, holdout_of, purpose_of, stable_name
from dsl.times import Duration
from dsl.triggers import Answered, Arrow, Conditional, Event, Limited, Otherwise, Share, Trigger, When
from dsl.waits import After

__all__ = ["compile_journey"]


def compile_journey(journey: type[Journey]) -> ir.IR:
    """Compile a journey. Raises `Problems` with all that is wrong, each with its place in the author's file."""
    if not (isinstance(journey, type) and issubclass(journey, Journey)):  # pyright: ignore[reportUnnecessaryIsInstance]  # the API's side
        raise Problems(
            [problem("J113", f"{journey!r} is no journey: a journey is a class that derives from Journey", None)]
        )
    draft = read(journey)
    problems = [
        *draft.problems,
        *check_settings(draft),
        *check_boxes(draft),
        *check_forgotten(draft),
        *check_determinism(draft),
    ]
    understood = not any(found.code in ("J101", "J105", "J106") for found in problems)
    if draft.sound and understood and any(box.state.kind not in ir.ENDS for box in draft.boxes.values()):
        problems += check_chart(draft)  # where arrows are missing, this would only repeat what is wrong with them
    if problems:
        raise Problems(problems)
    return _ir(draft)


def _ir(draft: Draft) -> ir.IR:
    reached = reachable(draft)
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
        title=draft.journey.__name__,
        doc=inspect.cleandoc(draft.journey.__doc__ or ""),
        notes={box.name: _note(box) for box in ordered},
    )


def _note(box: Box) -> ir.Note:
    return ir.Note(inspect.cleandoc(box.state.doc), os.path.basename(box.place.file), box.place.line)  # noqa: PTH119  # a name


def _state(draft: Draft, box: Box) -> ir.State:
    state = box.state
    differs = state.purpose if state.purpose != purpose_of(draft) else None
    arrows = tuple(_arrow(draft, arrow) for arrow in box.arrows)
    return ir.State(box.name, state.kind, arrows, state.template, state.queue, differs)


def _arrow(draft: Draft, arrow: Arrow, *, anywhere: bool = False) -> ir.Arrow:
    target = draft.box_of(arrow.target)
    if target is None:
        raise AssertionError(f"an arrow that leads nowhere passed the checks: {arrow!r}")
    on = arrow.trigger
    if anywhere and isinstance(on, Answered):
        on = on.any_send()  # there is no box of its own to answer
    guard = on.guard if isinstance(on, Conditional | When) else None
    return ir.Arrow(_trigger(on), target.name, guard, on.limit if isinstance(on, Limited) else None)


def _trigger(on: Trigger) -> ir.Trigger:  # noqa: PLR0911  # one line for each kind
    match on:
        case Event():
            return on.answer
        case After(wait=Duration() as wait):
            return ir.After(wait.seconds)
        case After(wait=Expression() as wait):
            return ir.After(None, wait, _seconds(on.at_least), _seconds(on.at_most), _seconds(on.missing))
        case When():
            return ir.When()
        case Otherwise():
            return ir.Otherwise()
        case Share():
            return ir.Share(on.percent)
        case _:
            return ir.Then()


def _seconds(span: Duration | None) -> int | None:
    return span.seconds if span is not None else None
