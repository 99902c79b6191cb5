"""The settings of a journey, checked and turned into the IR's: entry, re-entry, purpose, goal, hold-out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, cast

from dsl import ir
from dsl.bodies import Draft
from dsl.entry import Active, Always, Api, Audience, Late, Never, Percent
from dsl.events import snake
from dsl.fact_kinds import Fact
from dsl.in_words import in_words
from dsl.ir import CHANNELS
from dsl.journey import Journey
from dsl.misspelt import misspelt
from dsl.pointing import problem
from dsl.predicate import Predicate
from dsl.problems import JourneyError, LanguageError
from dsl.states import Purpose, State
from dsl.times import Duration
from dsl.triggers import Answered, Event, Happened, Within, payload_field
from dsl.waits import After

__all__ = [
    "again_of",
    "check_settings",
    "entry_of",
    "goal_of",
    "holdout_of",
    "late_of",
    "purpose_of",
    "quiet_of",
    "stable_name",
    "zone_of",
]


def stable_name(journey: type[Journey]) -> str:
    """The journey's name in tables and addresses: what its class statement says, else the class's, in snake_case."""
    return str(journey.__journey__.name or snake(journey.__name__))  # what is no text is refused by its looks (J107)


def _value(draft: Draft, name: str) -> Any:
    value = getattr(draft.journey, name, None)
    return None if isinstance(value, State) else value  # a box of this name is J107, and no setting


def purpose_of(draft: Draft) -> Purpose:
    """Of a journey that sends nothing it doesn't matter."""
    return _value(draft, "purpose") or "marketing"


def entry_of(draft: Draft) -> ir.Entry:
    match _value(draft, "enters"):
        case Audience(condition, every):
            return ir.Entry("audience", audience=condition, every=every)
        case Happened() as event:
            return ir.Entry("event", event=event.answer)
        case _:
            return ir.Entry("api")


def again_of(draft: Draft) -> ir.Reentry:
    given = _value(draft, "parallel")
    parallel = payload_field("parallel", given) if given is not None else None
    active = cast("Active", _value(draft, "while_active")).rule
    match _value(draft, "again"):
        case Always():
            return ir.Reentry("always", 0, parallel, active)
        case After(wait=Duration() as wait):
            return ir.Reentry("after", wait.seconds, parallel, active)
        case _:
            return ir.Reentry("never", 0, parallel, active)


def goal_of(draft: Draft) -> ir.Goal | None:
    goal = cast("Within | None", _value(draft, "goal"))
    return ir.Goal(goal.event.answer, goal.span.seconds) if goal is not None else None


def holdout_of(draft: Draft) -> float:
    return cast("Percent", _value(draft, "holdout")).value


def quiet_of(draft: Draft) -> ir.Clock | None:
    return cast("ir.Clock | None", _value(draft, "quiet_hours"))


def zone_of(draft: Draft) -> str | None:
    return cast("str | None", _value(draft, "zone"))


def late_of(draft: Draft) -> Literal["record", "ignore"]:
    return cast("Late", _value(draft, "late_answers")).rule


def check_settings(draft: Draft) -> Iterator[JourneyError]:
    """Every problem of the settings."""
    journey = draft.journey
    if not re.fullmatch(r"[a-z][a-z0-9_]*", stable_name(draft.journey)):
        text = f"`{stable_name(draft.journey)}` can't name a journey: names are in snake_case"
        yield problem("J107", text, draft.place, help=f'`class {journey.__name__}(Journey, name="…")`')
    doc = cast("object", journey.__doc__)  # pyright believes that it is a text
    if not isinstance(doc, str | None):
        yield _wrong(draft, "__doc__", f"can't be {in_words(doc)}", "it is what the journey is for, in words")
    if journey.__journey__.abstract:
        text = f"{journey.__name__} is abstract: it is there to derive from, not to run"
        yield problem("J113", text, draft.place, help="delete `abstract=True`, or compile one that derives from it")
    if all(box.state.kind in ir.ENDS for box in draft.boxes.values()) and not draft.doubled:
        hint = "the first box is where customers start: @Email(…), @Choice(), @Wait() … above a method"
        yield problem("J113", f"{journey.__name__} has no box to start with", draft.place, help=hint)
    yield from misspelt(draft)
    yield from _entry(draft)
    yield from _purpose(draft)
    yield from _times(draft)
    yield from _rest(draft)


def _wrong(draft: Draft, setting: str, says: str, hint: str) -> JourneyError:
    return problem("J112", f"`{setting}` {says}", draft.setting(setting), help=hint)


def _entry(draft: Draft) -> Iterator[JourneyError]:
    enters = _value(draft, "enters")
    if enters is None:
        text = f"{draft.journey.__name__} doesn't say how customers come in"
        hint = 'enters = Audience(condition, every=daily(at="09:00")), or an event (Shop.signed_up), or Api()'
        yield problem("J110", text, draft.place, help=hint)
    elif not isinstance(enters, Audience | Happened | Api):
        yield _wrong(draft, "enters", f"can't be {in_words(enters)}", _entered_by(enters))
    elif isinstance(enters, Happened) and (enters.guard is not None or enters.limit is not None):
        hint = "ask about the payload with `.where(…)`; about the customer in a @Choice() as the first box"
        yield _wrong(draft, "enters", "takes an event without `.when(…)` and `.up_to(…)`", hint)
    elif isinstance(enters, Happened) and (enters.look_back is not None or enters.ranked):
        word = "looking_back(…)" if enters.look_back is not None else "first()"
        hint = f"delete `.{word}`: it says which events a box hears, and she is in none yet"
        yield _wrong(draft, "enters", f"takes an event without `.{word}`", hint)
    parallel = _value(draft, "parallel")
    if parallel is not None:
        yield from _parallel(draft, parallel, enters)


def _entered_by(given: object) -> str:
    """The way in that was meant, or all that there are."""
    if isinstance(given, Predicate):
        return "those for whom it holds are an audience: `enters = Audience(…, every=once)`"
    if isinstance(given, Answered):
        return "nothing is sent before she enters, so no answer comes; it is an event (Shop.signed_up), an Audience(…), or Api()"
    return "it is an Audience(…), an event (Shop.signed_up), or Api()"


def _parallel(draft: Draft, given: object, enters: object) -> Iterator[JourneyError]:
    hint = "enters = Shop.purchased, parallel = Purchase.order_id"
    wrong = _wrong(draft, "parallel", "is a field of the entry event's payload", hint)
    if not isinstance(enters, Happened):
        yield wrong
        return
    try:
        enters.by(cast("Fact", given))
    except LanguageError as error:
        own = error.code != "J150"  # a field, but of another event
        yield problem(error.code, str(error), draft.setting("parallel"), help=error.help) if own else wrong


def _times(draft: Draft) -> Iterator[JourneyError]:
    from dsl.localtime import is_zone  # noqa: PLC0415  # zones are read from disk: only where one is named

    quiet, zone = _value(draft, "quiet_hours"), _value(draft, "zone")
    if quiet is not None and not (isinstance(quiet, ir.Clock) and quiet.opens is not None):
        yield _wrong(
            draft, "quiet_hours", f"can't be {in_words(quiet)}", 'for example quiet_hours = between("21:00", "08:00")'
        )
    if zone is not None and not (isinstance(zone, str) and is_zone(zone)):
        yield _wrong(
            draft,
            "zone",
            f"can't be {in_words(zone)}",
            'an IANA name of a time zone, for example zone = "Europe/Paris"',
        )
    for name, kind, words in (
        ("while_active", Active, "reject, restart or queue"),
        ("late_answers", Late, "record or ignore"),
    ):
        value = _value(draft, name)
        if not isinstance(value, kind):
            yield _wrong(draft, name, f"can't be {in_words(value)}", f"it is {words}")


def _purpose(draft: Draft) -> Iterator[JourneyError]:
    purpose = _value(draft, "purpose")
    if purpose not in (None, "marketing", "transactional"):
        yield _wrong(draft, "purpose", f"can't be {in_words(purpose)}", "it is marketing or transactional")
    for box in draft.boxes.values():
        if box.state.kind in CHANNELS and box.state.purpose is None and purpose is None:
            text = f"`{box.name}` sends, but {draft.journey.__name__} doesn't say for which purpose"
            hint = "purpose = marketing (by consent, with a hold-out) or purpose = transactional (none of these)"
            yield problem("J111", text, draft.place, help=hint)
            return


def _rest(draft: Draft) -> Iterator[JourneyError]:
    again, goal, holdout = (_value(draft, name) for name in ("again", "goal", "holdout"))
    plain = (
        isinstance(again, After)
        and again.guard is None
        and again.limit is None
        and isinstance(again.wait, Duration)
        and again.clock is None
    )
    if again is not None and not isinstance(again, Never | Always) and not plain:
        yield _wrong(draft, "again", f"can't be {in_words(again)}", "it is never, always, or after(days=180)")
    if goal is not None and not isinstance(goal, Within):
        hint = "for example goal = Shop.purchased.within(days=30)"
        if isinstance(goal, Event):
            yield _wrong(draft, "goal", "must say how long after entry it counts", hint)
        else:
            yield _wrong(draft, "goal", f"can't be {in_words(goal)}", hint)
    elif goal is not None and (not isinstance(goal.event, Happened) or goal.event.guard is not None):
        yield _wrong(
            draft, "goal", "takes a business event, without `.when(…)`", "ask about its payload with `.where(…)`"
        )
    if holdout is not None and not isinstance(holdout, Percent):
        yield _wrong(draft, "holdout", f"can't be {in_words(holdout)}", "for example holdout = percent(10)")
    elif isinstance(holdout, Percent) and holdout.value and _value(draft, "purpose") == "transactional":
        hint = "what customers must be told is never held out: delete the hold-out"
        yield _wrong(draft, "holdout", "can't go with purpose = transactional", hint)
