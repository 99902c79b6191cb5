"""What is checked in each box: its name, and whether its arrows are such as its kind can have, and all can be taken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast
from unicodedata import normalize

from dsl.bodies import Box, Draft, unknown
from dsl.events import snake
from dsl.fact_kinds import Anniversary
from dsl.ir import CHANNELS
from dsl.journey import SETTINGS, Unknown
from dsl.pointing import problem
from dsl.predicate import Expression
from dsl.problems import JourneyError
from dsl.said import article, bound, free, said
from dsl.shadows import check_shadows, check_stage_waits
from dsl.source import left_of
from dsl.states import State
from dsl.times import Duration
from dsl.triggers import Answered, Arrow, Event, Learned, NoDate, Otherwise, Share, Then, When
from dsl.waits import After, Until, skip

__all__ = ["check_boxes"]


def check_boxes(draft: Draft) -> Iterator[JourneyError]:
    """Every problem that a box has by itself."""
    for box in draft.boxes.values():
        yield from _name(box)
        for arrow in box.arrows:
            yield from _target(draft, arrow)
            yield from _trigger(draft, box, arrow)
        if box.sound:
            yield from check_shadows(
                [arrow for arrow in box.arrows if isinstance(arrow.trigger, _fitting(box.state.kind))]
            )
            yield from check_stage_waits(draft, box)
            yield from _whole(box, draft)
    for arrow in draft.anywhere:
        yield from _target(draft, arrow)
        yield from _around(draft, arrow, "@Anywhere")
    yield from check_shadows([arrow for arrow in draft.anywhere if isinstance(arrow.trigger, Event)])
    for group in draft.stages.values():
        for arrow in group.arrows:
            yield from _target(draft, arrow)
            yield from _around(draft, arrow, "@Stage")
        yield from check_shadows([arrow for arrow in group.arrows if isinstance(arrow.trigger, Event | After)])


def _name(box: Box) -> Iterator[JourneyError]:
    if box.name in SETTINGS:
        text = f"`{box.name}` is a setting of the journey, it can't be a box"
        yield problem("J107", text, box.place, help="give the box another name")
    elif not re.fullmatch(r"[a-z][a-z0-9_]*", box.name):
        better = re.sub(r"[^a-z0-9_]+", "", snake(normalize("NFKD", box.name))).strip("_")  # été: ete
        hint = f"for example `{better}`" if re.fullmatch(r"[a-z][a-z0-9_]*", better) else "letters a–z, digits and _"
        yield problem("J107", f"`{box.name}` can't name a box: names are in snake_case", box.place, help=hint)


def _target(draft: Draft, arrow: Arrow) -> Iterator[JourneyError]:
    target = cast("object", arrow.target)
    if isinstance(target, Unknown):
        yield unknown(draft, target)
    elif not isinstance(target, State):
        what = getattr(target, "__name__", repr(target))
        hint = "lead it to a box"
        if isinstance(target, type):
            hint = f"a box is made with brackets: `{what}()`"
        elif callable(target) and what.isidentifier():
            hint = f"pass on a method's arrows with `yield from self.{what}()`"
        yield problem("J106", f"this arrow leads to no box, but to `{what}`", arrow.place, help=hint)
    elif draft.box_of(target) is None:
        text = f"`{target.name}` is a box, but none of {draft.journey.__name__}"
        yield problem("J106", text, arrow.place, help="an arrow stays within its journey: name the box as `self.…`")


def _fitting(kind: str) -> tuple[type, ...]:
    return {"choice": (When, Otherwise), "split": (Share, Learned)}.get(kind, (Event, After, Until, NoDate, Then))


def _trigger(draft: Draft, box: Box, arrow: Arrow) -> Iterator[JourneyError]:
    """Whether a box of this kind can have this trigger."""
    kind, on = box.state.kind, arrow.trigger
    if not isinstance(on, _fitting(kind)):
        yield problem(
            "J130", f"`{said(on)}` can't stand in {article(kind)} box", left_of(arrow.place), help=_instead(kind, on)
        )
    elif isinstance(on, Answered) and on.scope == "send" and on.name.split(".")[0] not in (kind, *box.state.channels):
        channel = on.name.split(".")[0].capitalize()
        sends = f"sends by {kind}" if kind in CHANNELS else "sends nothing"
        text = f"`{said(on)}` answers {article(channel)} box, but `{box.name}` {sends}"
        hint = "listen to this box's own channel, or to any send of the journey: `.any_send()`"
        if on.name.endswith(".not_sent"):
            hint = "listen to this box's own channel"
        yield problem("J127", text, left_of(arrow.place), help=hint)
    elif isinstance(on, Answered) and on.scope == "any_send":
        yield from _widened(draft, arrow, on)
    elif isinstance(on, Event) and not on.name:
        hint = "class Loyalty(Events): upgraded = event()"
        yield problem("J150", "this event has no name: it stands in no family", left_of(arrow.place), help=hint)
    elif isinstance(on, After) and isinstance(on.wait, Expression) and on.missing is None:
        text = f"a measured wait must say what holds where there is nothing to measure ({on.wait.sentence()})"
        yield problem("J129", text, left_of(arrow.place), help="for example after(…, missing=days(30))")


def _widened(draft: Draft, arrow: Arrow, on: Answered) -> Iterator[JourneyError]:
    """Whether the journey sends anything that an answer to any of its sends could be to."""
    channel = on.name.split(".")[0]
    if channel not in draft.channels:
        text = f"`{said(on)}` answers {article(channel.capitalize())} box, but {draft.journey.__name__} has none"
        yield problem(
            "J127", text, left_of(arrow.place), help="delete the arrow: only what this journey sends is answered"
        )


def _around(draft: Draft, arrow: Arrow, where: str) -> Iterator[JourneyError]:
    """Whether an arrow can stand around boxes: in a stage, or anywhere."""
    on = arrow.trigger
    staged = on if where == "@Stage" and isinstance(on, After) else None
    if staged is not None and (not isinstance(staged.wait, Duration) or staged.clock is not None):
        hint = "for example after(days=30): it runs from when the stage was entered"
        yield problem("J130", "a stage's wait is a fixed length of time", left_of(arrow.place), help=hint)
    elif not isinstance(on, Event) and staged is None:
        hint = "only what happens to the customer can fire anywhere: an answer or an event"
        if where == "@Stage":
            hint = "a stage has answers, events and `after(…)`"
        yield problem("J130", f"`{said(on)}` can't stand in {where}", left_of(arrow.place), help=hint)
    elif isinstance(on, Answered) and on.is_late:
        text = "an answer is late for the box that sent: here is no box"
        yield problem("J136", text, left_of(arrow.place), help="write it in the box, or `.any_send()` here")
    elif isinstance(on, Event) and on.name.endswith(".not_sent"):
        text = f"`{said(on)}` is one box's own outcome, it can't fire anywhere"
        yield problem("J130", text, left_of(arrow.place), help="write it in the box")
    elif isinstance(on, Answered):
        yield from _widened(draft, arrow, on)
    elif isinstance(on, Event) and not on.name:
        yield problem("J150", "this event has no name: it stands in no family", left_of(arrow.place))


def _whole(box: Box, draft: Draft) -> Iterator[JourneyError]:
    """What a box must have, of all its arrows together."""
    kind, on = box.state.kind, [arrow.trigger for arrow in box.arrows]
    if kind == "choice" and not any(isinstance(trigger, Otherwise) for trigger in on):
        text = f"the choice `{box.name}` has no way for those to whom no condition applies"
        yield problem("J126", text, box.place, help="add a last arrow: `yield otherwise >> self.…`")
    if kind == "split" and any(isinstance(trigger, Learned) for trigger in on):
        if any(isinstance(trigger, Share) for trigger in on) or len(on) < 2:  # a choice of one is none
            text = f"the learned shares of `{box.name}` need at least two arrows, and no fixed share beside them"
            yield problem(
                "J125", text, box.place, help="`yield learned >> self.…` on each arrow, or `share(…)` on each"
            )
        if draft.journey.goal is None:
            text = f"`{box.name}` learns from who comes to the goal, but {draft.journey.__name__} has none"
            yield problem("J125", text, box.place, help="for example goal = Shop.purchased.within(days=30)")
    elif kind == "split":
        total = sum(trigger.percent for trigger in on if isinstance(trigger, Share))
        if abs(total - 100) > 1e-9:  # per cent
            yield problem("J125", f"the shares of `{box.name}` add up to {total:.10g}, not to 100", box.place)
    if kind in (*CHANNELS, "wait"):
        stage = draft.stages.get(box.state.stage.name) if box.state.stage is not None else None
        yield from _time_out(box, stage.arrows if stage is not None else [])


def _time_out(box: Box, around: list[Arrow]) -> Iterator[JourneyError]:
    ways = [arrow for arrow in (*box.arrows, *around) if _times_out(arrow)]
    sure = [arrow for arrow in ways if free(arrow)]
    own = next((arrow for arrow in sure if arrow in box.arrows), None)
    if own is not None and box.forever is not None:  # its stage may end what the box itself doesn't
        text = f"`forever` contradicts the time-out of `{box.name}`"
        yield problem("J124", text, box.forever, notes=[f"the time-out stands in line {own.place.line}"])
    elif not sure and box.forever is None:
        notes = [f"the one in line {arrow.place.line} holds only {bound(arrow)}" for arrow in ways]
        hint = "add `yield after(days=…) >> self.…`; if it is meant to wait without an end, `yield forever`"
        text = f"`{box.name}` may wait for ever: it has no time-out"
        yield problem("J122", text, box.place, notes=notes, help=hint)


def _times_out(arrow: Arrow) -> bool:
    """Whether it leads on by itself; a wait for a date does where it can't be skipped."""
    on = arrow.trigger
    if isinstance(on, Until):
        anniversary = isinstance(on.day, Anniversary)
        return on.missing is not skip and (anniversary or on.past is not skip)
    return isinstance(on, After | Then)


def _instead(kind: str, trigger: object) -> str:
    if kind == "choice":
        return "a choice has `when(…)` and, last, `otherwise`"
    if kind == "split":
        return "a split has `share(…)` only; conditions on the customer go into a choice"
    if isinstance(trigger, Share):
        return "shares stand in a @Split() box"
    return (
        "conditions alone stand in a @Choice() box; on an answer or a time-out write `.when(…)`"
        if isinstance(trigger, When)
        else "without waiting for an answer it is `then`"
    )
