"""What a call must hear: each of its outcomes has a way, or the box says that it is ignored."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from dsl.bodies import Box, Draft
from dsl.pointing import problem
from dsl.problems import JourneyError
from dsl.said import bound, free, said
from dsl.triggers import Answered, Arrow

__all__ = ["check_outcomes"]

_OUTCOMES = ("call.interested", "call.refused", "call.not_reached")
"""What every call may come to. `busy` and `voicemail` are `not_reached` where no arrow at all awaits them."""
_LOST: Final = {
    "call.busy": "it is no `Call.not_reached` either",
    "call.voicemail": "it is no `Call.not_reached` either",
    "call.callback": "the task doesn't come back at her time either",
}
"""What an arrow takes the place of, also where it isn't open to her."""


def check_outcomes(draft: Draft) -> Iterator[JourneyError]:
    """J128 for each call that leaves an outcome open, and what is wrong with what is ignored."""
    for box in draft.boxes.values():
        is_call = "call" in box.state.channels
        if is_call and box.sound:
            yield from _open(draft, box)
        for arrow in box.ignored:
            if not is_call and _name(arrow) in _OUTCOMES:
                text = f"`{said(arrow.trigger)}` can't be ignored in `{box.name}`, which is no call"
                yield problem("J127", text, arrow.place, help="delete the line, or write it in the call's own box")
    groups = (*draft.boxes.values(), *draft.stages.values())
    arrows = (*draft.anywhere, *(arrow for group in groups for arrow in group.arrows))
    awaited = {*_OUTCOMES, *(_name(arrow) for arrow in arrows if _name(arrow) in _LOST)}
    for arrow in (*draft.ignored, *(arrow for group in groups for arrow in group.ignored)):
        if _name(arrow) not in awaited:
            text = f"`{said(arrow.trigger)}` needs no `.ignored`: what no arrow awaits moves nobody"
            hint = (
                "delete the line; asked for are Call.interested, Call.refused and Call.not_reached alone, and"
                " Call.busy, Call.voicemail and Call.callback beside an arrow of theirs (J128)"
            )
            yield problem("J130", text, arrow.place, help=hint)


def _open(draft: Draft, box: Box) -> Iterator[JourneyError]:
    """The outcomes of a call that nothing awaits always."""
    stage = draft.stages.get(box.state.stage.name) if box.state.stage is not None else None
    around = (*draft.anywhere, *(stage.arrows if stage is not None else ()))
    ways = [arrow for arrow in (*box.arrows, *around) if _name(arrow) in (*_OUTCOMES, *_LOST)]
    ignored = (*box.ignored, *draft.ignored, *(stage.ignored if stage is not None else ()))
    heard = {_name(arrow) for arrow in (*ways, *ignored) if _always(arrow)}
    missing = [name for name in _OUTCOMES if name not in heard]
    if missing:
        names = [name.replace("call.", "Call.") for name in missing]
        notes = [f"`{said(a.trigger)}` in line {a.place.line} holds {_only(a)}" for a in ways if _name(a) in missing]
        text = f"the call `{box.name}` has no sure arrow for {_listed(names)}"
        hint = f"add `yield {names[0]} >> self.…`; or `yield {names[0]}.ignored`, if it is to wait for its time-out all the same"
        yield problem("J128", text, box.place, notes=notes, help=hint)
    yield from _lost(ways, heard)
    for arrow in box.ignored:
        way = next((each for each in ways if _name(each) == _name(arrow) and _always(each)), None)
        if way is not None:
            text = f"`{said(arrow.trigger)}` is ignored here, and has an arrow in line {way.place.line}"
            yield problem("J124", text, arrow.place, help="delete one of the two")


def _lost(ways: Sequence[Arrow], heard: Collection[str]) -> Iterator[JourneyError]:
    """What has an arrow of its own, which isn't always open: when it isn't, nobody hears the outcome, by no other name either."""
    tried = any(_name(arrow) == "call.not_reached" for arrow in ways)
    for name, lost in _LOST.items():
        own = [arrow for arrow in ways if _name(arrow) == name]
        if own and name not in heard and (tried or name == "call.callback"):
            outcome = said(own[-1].trigger)
            text = f"`{outcome}` holds {_only(own[-1])}: where it doesn't, {lost}"
            hint = f"add `yield {outcome} >> self.…` below it; or `yield {outcome}.ignored`, if she is to wait for her time-out then"
            yield problem("J128", text, own[-1].place, help=hint)


def _name(arrow: Arrow) -> str:
    return arrow.trigger.name if isinstance(arrow.trigger, Answered) else ""


def _always(arrow: Arrow) -> bool:
    """Whether the outcome always finds this arrow."""
    on = arrow.trigger
    return free(arrow) and isinstance(on, Answered) and on.payload is None and not on.is_late


def _only(arrow: Arrow) -> str:
    on = arrow.trigger
    if isinstance(on, Answered) and on.is_late:
        return "after the time-out only"
    return f"{bound(arrow)} only"


def _listed(names: list[str]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if names[1:] else names[0]
