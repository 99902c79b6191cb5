"""What is checked of a journey's newer words together: stages, dates, counts, knobs, late answers, several sends in a box."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import cast

from dsl.bodies import Box, Draft
from dsl.fact_kinds import Anniversary
from dsl.ir import ENDS, Clock
from dsl.pointing import problem
from dsl.predicate import And, Predicate
from dsl.problems import JourneyError
from dsl.source import left_of
from dsl.triggers import Answered, Arrow, Conditional, Happened, Limited, Share, Then, When
from dsl.waits import After, Until

__all__ = ["check_wholes"]


def check_wholes(draft: Draft) -> Iterator[JourneyError]:
    """Every problem that these words have, in whatever box they stand."""
    for arrow in _every(draft):
        yield from _count(draft, arrow)
        yield from _date(arrow)
        yield from _several(draft, arrow)
    for box in draft.boxes.values():
        yield from _stage_of(draft, box)
        yield from _late(draft, box)
        yield from _channels(box)
        yield from _hours(draft, box)
    yield from _stages(draft)
    yield from _knobs(draft)
    yield from _was(draft)


def _every(draft: Draft) -> Iterator[Arrow]:
    for box in draft.boxes.values():
        yield from box.arrows
    for group in draft.stages.values():
        yield from group.arrows
    yield from draft.anywhere


def _count(draft: Draft, arrow: Arrow) -> Iterator[JourneyError]:
    """A count is known to the journey itself, facts to the database: each part of a condition asks for one or the other."""
    on = arrow.trigger
    guard = on.guard if isinstance(on, Conditional | When) else None
    if guard is None or "journey" not in guard.sources():
        return
    parts = guard.parts if isinstance(guard, And) else (guard,)
    if any(part.sources() > frozenset({"journey"}) for part in parts):
        hint = "join them with &, or ask for the facts in a @Choice() of their own"
        text = f"this condition mixes visits with facts of the customer: {guard.sentence()}"
        yield problem("J132", text, left_of(arrow.place), help=hint)
    for name in sorted(_visited(guard) - draft.boxes.keys()):
        text = f"`{name}` is no box of {draft.journey.__name__}, so its visits can't be counted"
        yield problem("J132", text, left_of(arrow.place), help="count the visits of a box of this journey")
    for name in sorted(_visited(guard) & draft.boxes.keys()):
        if draft.boxes[name].state.kind in ENDS:
            text = f"`{name}` is an end: whoever comes to a condition has not been there"
            yield problem("J132", text, left_of(arrow.place), help="count the visits of a box that she may leave")


def _visited(guard: Predicate) -> set[str]:
    names = (str(getattr(leaf, "name", "")) for leaf in guard.operands() if leaf.sources() == frozenset({"journey"}))
    return {name.removeprefix("visits.") for name in names}


def _date(arrow: Arrow) -> Iterator[JourneyError]:
    on = arrow.trigger
    if not isinstance(on, Until):
        return
    missing = [word for word in ("past", "missing") if getattr(on, word) is None]
    if isinstance(on.day, Anniversary) and "past" in missing:
        missing.remove("past")
    if missing:
        words = " and ".join(f"`{word}=`" for word in missing)
        text = f"a wait for a date must say what holds where the date is {' or '.join(missing)}"
        yield problem("J133", text, left_of(arrow.place), help=f"add {words}: now, skip, or the box to go to")


def _several(draft: Draft, arrow: Arrow) -> Iterator[JourneyError]:
    on = arrow.trigger
    parallel = draft.journey.parallel is not None
    if isinstance(on, Happened) and parallel and on.key is None and on.among is None:
        text = f"{draft.journey.__name__} runs in parallel, and this event doesn't say which enrolment it moves"
        hint = 'its key, `.by(Purchase.order_id)`, or a rule: `.moves("all")`, "oldest", "newest", "error"'
        yield problem("J131", text, left_of(arrow.place), help=hint)
    elif (
        isinstance(on, Happened) and not parallel and on.key is not None
    ):  # `.moves(…)` does no harm, and heirs may need it
        text = f"{draft.journey.__name__} doesn't run in parallel: its enrolments have no key that an event could name"
        yield problem("J131", text, left_of(arrow.place), help="delete `.by(…)`, or set `parallel`")


def _stage_of(draft: Draft, box: Box) -> Iterator[JourneyError]:
    stage = box.state.stage
    known = (vars(cls).get(stage.name) for cls in draft.journey.__mro__) if stage is not None else ()
    if stage is not None and all(other is not stage for other in known):  # an heir's stage takes its base's place
        text = f"`{box.name}` is in the stage `{stage.name}`, which is none of {draft.journey.__name__}"
        yield problem("J135", text, box.place, help="a stage holds boxes of its own journey")


def _stages(draft: Draft) -> Iterator[JourneyError]:
    for group in draft.stages.values():
        if not any(box.state.stage is not None and box.state.stage.name == group.name for box in draft.boxes.values()):
            hint = f'say so in its boxes: @Email("…", stage={group.name})'
            yield problem("J135", f"no box is in the stage `{group.name}`", group.place, help=hint)


def _late(draft: Draft, box: Box) -> Iterator[JourneyError]:
    late = [arrow for arrow in box.arrows if isinstance(arrow.trigger, Answered) and arrow.trigger.is_late]
    stage = draft.stages.get(box.state.stage.name) if box.state.stage is not None else None
    ways = [*box.arrows, *(stage.arrows if stage is not None else ())]
    if late and not any(isinstance(arrow.trigger, After | Until | Then) for arrow in ways):
        hint = "an answer is late after the box's time-out: add `yield after(days=…) >> self.…`"
        yield problem("J136", f"`{box.name}` has no time-out, so no answer is late", late[0].place, help=hint)


def _channels(box: Box) -> Iterator[JourneyError]:
    twice = [channel for channel, count in Counter(box.state.channels).items() if count > 1]
    if twice:
        text = f"`{box.name}` sends twice by {twice[0]}: an answer couldn't tell which"
        yield problem("J137", text, box.place, help="make a box of each")


def _hours(draft: Draft, box: Box) -> Iterator[JourneyError]:
    """Whether the hours of a box leave it any time outside the quiet hours: any minute of the day, any day."""
    quiet, hours = cast("object", draft.journey.quiet_hours), box.state.hours
    marketing = (box.state.purpose or draft.journey.purpose) == "marketing"
    if isinstance(quiet, Clock) and hours is not None and marketing and _within(hours, quiet):
        text = f"the hours of `{box.name}` lie within the quiet hours of {draft.journey.__name__}: it could never send"
        yield problem("J138", text, box.place, help="widen its hours, or shorten the quiet ones")


def _within(hours: Clock, quiet: Clock) -> bool:
    days = (set(range(7) if each.weekdays is None else each.weekdays) for each in (hours, quiet))
    return next(days) <= next(days) and (quiet.holidays or not hours.holidays) and _minutes(hours) <= _minutes(quiet)


def _minutes(window: Clock) -> set[int]:
    start, end = (int(text[:2]) * 60 + int(text[3:]) for text in (window.opens or "00:00", window.closes or "00:00"))
    return set(range(start, end)) if start < end else {*range(start, 1440), *range(end)}


def _knobs(draft: Draft) -> Iterator[JourneyError]:
    used = {
        id(knob)
        for arrow in _every(draft)
        if isinstance(arrow.trigger, Limited | Share)
        for _, knob in arrow.trigger.knobs
    }
    for name, knob in draft.knobs.items():
        if id(knob) not in used and draft.sound and not draft.doubled:  # else what could not be read may use it
            hint = f"use it in a body: `after(self.{name})`, `share(self.{name})`, `.up_to(self.{name})`; or delete it"
            yield problem("J134", f"the knob `{name}` turns nothing", draft.setting(name), help=hint)
    known = {id(knob) for knob in draft.knobs.values()}
    for arrow in _every(draft):
        for _, knob in arrow.trigger.knobs if isinstance(arrow.trigger, Limited | Share) else ():
            if id(knob) not in known:
                text = f"this knob is none of {draft.journey.__name__}, so nobody could turn it"
                yield problem("J134", text, left_of(arrow.place), help="assign it in the journey: `pause = Knob(…)`")


def _was(draft: Draft) -> Iterator[JourneyError]:
    before: dict[str, str] = {}
    named = [(box.name, box.state.was, box.place) for box in draft.boxes.values()]
    named += [(group.name, group.stage.was, group.place) for group in draft.stages.values()]
    for name, was, place in named:
        if was is None:
            continue
        if was in before or was in draft.boxes or was in draft.stages:
            who = f"`{before[was]}` says so too" if was in before else "there is a box or a stage of that name"
            yield problem(
                "J139", f"`{name}` can't go on as `{was}`: {who}", place, help="one alone can carry on a name"
            )
        before.setdefault(was, name)
