"""Arrows that are never taken, since another one always is: one before them that is as wide, or a shorter wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from dsl.bodies import Box, Draft, Group
from dsl.facts import everyone
from dsl.implied import excludes_itself, implies
from dsl.pointing import problem
from dsl.predicate import Or, Predicate
from dsl.problems import JourneyError
from dsl.said import said
from dsl.spans import AT_ONCE
from dsl.times import Duration
from dsl.triggers import Answered, Arrow, Event, Limited, NoDate, Otherwise, Then, When
from dsl.waits import After

__all__ = ["check_shadows", "check_stage_waits"]

_HINT: Final = "delete one of them, or put a condition on the other: `.when(…)`, `.where(…)`, `.up_to(…)`"
_HINTS: Final[dict[type, str]] = {
    When: "the narrower of two conditions stands first; of two that say the same, one is enough",
    Otherwise: "`otherwise` stands alone, or last",
    Then: "`then` stands alone, or last",
}
_GRAIN: Final = 60
"""Seconds by which a wait may end later than it says, so that many end together: waits that differ by less may tie."""


def check_shadows(arrows: Sequence[Arrow]) -> Iterator[JourneyError]:
    """J124 for each of a box's arrows (a stage's, anywhere's) that can't be taken for the others'."""
    at_once = next((each for each in arrows if isinstance(each.trigger, Then) and each.trigger.limit is None), None)
    for index, late in enumerate(arrows):
        early = next((arrow for arrow in arrows[:index] if _covers(arrow.trigger, late.trigger)), None)
        if early is None and isinstance(late.trigger, After):
            early = next((arrow for arrow in arrows[index + 1 :] if _overtakes(arrow.trigger, late.trigger)), None)
        if early is None and _excludes_itself(late.trigger):
            text = "this arrow is never taken: what it asks can't all hold at once"
            yield problem("J124", text, late.place, help="for one or the other, write an arrow for each, or `|`")
        elif early is None and at_once is not None and _answers_later(late.trigger):
            text = f"nobody waits here for `{said(late.trigger)}`: `then` in line {at_once.place.line} leads on when the box has sent"
            hint = "wait (`after(days=…)` in place of `then`), or hear it in a later box: `.any_send()`, `.late()`"
            yield problem("J124", text, late.place, help=hint)
        elif early is None and (together := _together(arrows[:index], late.trigger)):
            lines = [str(arrow.place.line) for arrow in together]
            text = f"this arrow is never taken: one of those in lines {', '.join(lines[:-1])} and {lines[-1]} is taken before it"
            yield problem("J124", text, late.place, help="delete it, or let it stand before them")
        if early is not None:
            text = f"this arrow is never taken: `{said(early.trigger)}` in line {early.place.line} is taken before it"
            hint = _HINTS.get(type(early.trigger), _HINT)
            yield problem("J124", text, late.place, help=hint)


def check_stage_waits(draft: Draft, box: Box) -> Iterator[JourneyError]:
    """J124 for each wait of a box that one of its stage, which began no later and leads out of it, always ends before."""
    stage = draft.stages.get(box.state.stage.name) if box.state.stage is not None else None
    if stage is None or stage.stage is not box.state.stage:  # an heir's stage in the place of the box's own
        return
    ends = [arrow for arrow in stage.arrows if not _stays(draft, stage, arrow)]
    for late in box.arrows:
        on = late.trigger
        early = next((arrow for arrow in ends if isinstance(on, After) and _overtakes(arrow.trigger, on)), None)
        if early is not None:
            where = f"`{said(early.trigger)}` in line {early.place.line}, of the stage `{stage.name}`"
            text = f"this arrow is never taken: {where}, is taken before it"
            yield problem(
                "J124",
                text,
                late.place,
                help="wait less here, or longer in the stage; a box that only its stage ends says `yield forever`",
            )


def _stays(draft: Draft, stage: Group, arrow: Arrow) -> bool:
    """Whether an arrow of a stage leads to a box of its own: then the stage's wait, which is over, holds no more."""
    target = draft.box_of(arrow.target)
    return target is None or (target.state.stage is not None and target.state.stage.name == stage.name)


def _covers(early: object, late: object) -> bool:  # noqa: PLR0911  # one line for each kind
    """Whether `early`, standing first, is always taken where `late` could be."""
    if isinstance(early, Limited) and early.limit is not None:
        return False
    if isinstance(early, NoDate) or isinstance(late, NoDate) or _is_late(early) != _is_late(late):
        return False
    match early, late:
        case ((Otherwise() | Then()), _):
            return True
        case When(), When():
            return implies(late.guard, early.guard)
        case Event(), Event():
            wider = early.scope in (late.scope, "any_send") and early.key in (None, late.key)
            wider = wider and early.among in (None, "all", late.among) and _reaches_back(early, late)
            return (
                early.name == late.name
                and wider
                and _holds(early.payload, late.payload)
                and _holds(early.guard, late.guard)
            )
        case After(), After():
            same = early.wait == late.wait and early.clock == late.clock
            return _overtakes(early, late, first=True) or (same and _holds(early.guard, late.guard))
        case _:
            return False


def _together(before: Sequence[Arrow], late: object) -> list[Arrow]:
    """The arrows, standing first, of which one is always taken where `late` could be: what it asks, they ask between them."""
    for asked in ("payload", "guard"):
        wanted: Predicate | None = getattr(late, asked, None)
        if wanted is not None and isinstance(late, When | Event):
            beside = [(arrow, part) for arrow in before if (part := _but_for(asked, arrow.trigger, late)) is not None]
            if len(beside) > 1 and implies(wanted, Or(tuple(part for _, part in beside))):
                for each in tuple(beside):  # tell of no more of them than it takes
                    fewer = [other for other in beside if other is not each]
                    beside = fewer if implies(wanted, Or(tuple(part for _, part in fewer))) else beside
                return [arrow for arrow, _ in beside]
    return []


def _but_for(asked: str, early: object, late: When | Event) -> Predicate | None:
    """What an arrow asks of the payload (of her), if it is as wide as `late` in all else."""
    if type(early) is not type(late):
        return None
    part: Predicate | None = getattr(early, asked)
    open_to_all = replace(early, **{asked: everyone})
    return part if part is not None and _covers(open_to_all, late) else None


def _excludes_itself(on: object) -> bool:
    asked = (getattr(on, "guard", None), getattr(on, "payload", None))
    return any(map(excludes_itself, asked))


def _answers_later(on: object) -> bool:
    """Whether it answers the box's own send: it comes while the box waits, and beside `then` it doesn't."""
    if not isinstance(on, Answered) or on.scope != "send" or on.is_late:
        return False
    return not on.name.endswith(".not_sent")


def _reaches_back(early: Event, late: Event) -> bool:
    """Whether `early` hears all that is old enough for `late`. An answer to any send is heard whenever it was, unless it looks back."""
    if early.scope == "any_send" and early.look_back is not None and late.look_back is None:
        return False
    return (early.look_back or 0) >= (late.look_back or 0)


def _holds(early: Predicate | None, late: Predicate | None) -> bool:
    """Whether what the first asks holds wherever what the second asks does."""
    return early is None or (late is not None and implies(late, early))


def _overtakes(one: object, other: After, *, first: bool = False) -> bool:
    """Whether `one` always ends before the wait of `other`, wherever it stands; `first`: where it stands before it."""
    if isinstance(one, Then):
        return one.limit is None
    if not isinstance(one, After) or one.limit is not None or one.guard is not None or one.clock is not None:
        return False
    (_, longest), (shortest, _) = _between(one), _between(other)
    if longest is None:
        return False
    tie = first and isinstance(one.wait, Duration) and isinstance(other.wait, Duration)
    return longest < shortest if tie else longest.seconds + _GRAIN <= shortest.seconds


def _between(on: After) -> tuple[Duration, Duration | None]:
    """The shortest and the longest that a wait may take; None: as long as may be. A clock makes it longer."""
    if isinstance(on.wait, Duration):
        return on.wait, on.wait
    missing = on.missing or AT_ONCE  # what stands in isn't kept within the bounds
    longest = max(missing, on.at_most) if on.at_most is not None else None
    return min(missing, on.at_least or AT_ONCE), longest


def _is_late(trigger: object) -> bool:
    return isinstance(trigger, Answered) and trigger.is_late
