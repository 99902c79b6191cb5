"""Waits: triggers that fire when time has passed: so long without an answer, at a time of the day, at a date of the customer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast, overload

from dsl import ir
from dsl.clocks import Weekday, clock
from dsl.expression import Expression
from dsl.fact_kinds import Anniversary, Day, Elapsed, Moment
from dsl.in_words import in_words
from dsl.knobs import Knob, turned
from dsl.problems import LanguageError
from dsl.spans import AT_ONCE, is_duration, span_of
from dsl.times import Duration, duration
from dsl.triggers import Conditional

if TYPE_CHECKING:
    from dsl.states import State

__all__ = ["After", "Missed", "Until", "after", "at", "now", "skip", "until"]


@dataclass(frozen=True, slots=True, eq=False)
class After(Conditional):
    """No answer came for a while. As `again = after(days=180)`: so long after the last enrolment ended."""

    wait: Duration | Expression = AT_ONCE
    at_least: Duration | None = None
    at_most: Duration | None = None
    missing: Duration | None = None
    clock: ir.Clock | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """What holds where a date is past or missing."""

    rule: Literal["now", "skip"]


now: Final = Missed("now")
"""For a date that is past or missing: the arrow is taken at once."""
skip: Final = Missed("skip")
"""For a date that is past or missing: the arrow isn't there; the box goes on waiting for its others."""


@dataclass(frozen=True, slots=True, eq=False)
class Until(Conditional):
    """A date of the customer's has come."""

    day: Day | None = None
    clock: ir.Clock | None = None
    past: Missed | State | None = None
    missing: Missed | State | None = None


@overload
def after(
    wait: Duration | Knob[Duration],
    /,
    *,
    at: str | None = None,
    on: Iterable[Weekday] | None = None,
    during: ir.Clock | None = None,
    holidays: bool = True,
) -> After: ...
@overload
def after(
    *,
    weeks: float = 0,
    days: float = 0,
    hours: float = 0,
    minutes: float = 0,
    at: str | None = None,
    on: Iterable[Weekday] | None = None,
    during: ir.Clock | None = None,
    holidays: bool = True,
) -> After: ...
@overload
def after(
    wait: Elapsed,
    /,
    *,
    missing: Duration | Knob[Duration],
    at_least: Duration | Knob[Duration] | None = None,
    at_most: Duration | Knob[Duration] | None = None,
) -> After: ...
def after(
    wait: Duration | Knob[Duration] | Elapsed | None = None,
    /,
    *,
    weeks: float = 0,
    days: float = 0,
    hours: float = 0,
    minutes: float = 0,
    missing: Duration | Knob[Duration] | None = None,
    at_least: Duration | Knob[Duration] | None = None,
    at_most: Duration | Knob[Duration] | None = None,
    at: str | None = None,
    on: Iterable[Weekday] | None = None,
    during: ir.Clock | None = None,
    holidays: bool = True,
) -> After:
    """When no answer came for so long: `after(days=3)`, `after(hours(36))`, or what is measured for this customer.

    With `at` the wait goes on to that time of the customer's day (`after(days=2, at="09:00", on=workdays)`), with `during`
    into that window (`during=between("09:00", "18:00")`).

    A measured wait (`after(Orders.rhythm(), missing=days(30))`) must say what stands in where there is nothing to
    measure; `at_least` and `at_most` keep it within bounds. Each of the three may be a knob.
    """
    dial = _dial("after", at, on, during, holidays)
    if not isinstance(wait, Elapsed):
        if missing is not None or at_least is not None or at_most is not None:
            raise LanguageError("missing=, at_least= and at_most= belong to a measured wait, not to a fixed one")
        span = span_of("after", wait, duration(weeks=weeks, days=days, hours=hours, minutes=minutes))
        return After(wait=span, clock=dial, knobs=_knobs(seconds=wait))
    if weeks or days or hours or minutes:
        raise LanguageError("after(…) takes one wait: measured, or fixed")
    knobs = _knobs(missing=missing, at_least=at_least, at_most=at_most)
    missing, at_least, at_most = (turned(each) if each is not None else None for each in (missing, at_least, at_most))
    for word, value in (("missing", missing), ("at_least", at_least), ("at_most", at_most)):
        if value is not None:
            is_duration(word, value)
            if value.seconds <= 0 and word != "at_least":  # else a loop of such waits would never let time pass
                raise LanguageError(f"{word}={value} is no wait: it must be above zero", f"for example {word}=days(3)")
    if at_least is not None and at_most is not None and at_most < at_least:
        raise LanguageError(f"at_most={at_most} is shorter than at_least={at_least}")
    return After(wait=wait.expression, at_least=at_least, at_most=at_most, missing=missing, clock=dial, knobs=knobs)


def _knobs(**given: object) -> tuple[tuple[str, Knob[Any]], ...]:
    """Of what was given the knobs, by the field of the IR that they set."""
    return tuple((name, cast("Knob[Any]", each)) for name, each in given.items() if isinstance(each, Knob))


def at(time: str, /, *, on: Iterable[Weekday] | None = None, holidays: bool = True) -> After:
    """When it is this time for the customer, next: `at("09:00")`, `at("18:30", on=["friday"])`, `holidays=False`.

    By her own time zone, through clock changes; without one by the journey's `zone`, else by the project's.
    """
    return After(clock=clock(time, on, holidays=holidays))


@overload
def until(
    day: Anniversary,
    /,
    *,
    missing: Missed | State,
    at: str | None = None,
    on: Iterable[Weekday] | None = None,
    during: ir.Clock | None = None,
    holidays: bool = True,
) -> Until: ...
@overload
def until(
    day: Moment | Day,
    /,
    *,
    past: Missed | State,
    missing: Missed | State,
    at: str | None = None,
    on: Iterable[Weekday] | None = None,
    during: ir.Clock | None = None,
    holidays: bool = True,
) -> Until: ...
def until(
    day: Moment | Day,
    /,
    *,
    past: Missed | State | None = None,
    missing: Missed | State | None = None,
    at: str | None = None,
    on: Iterable[Weekday] | None = None,
    during: ir.Clock | None = None,
    holidays: bool = True,
) -> Until:
    """When a date of the customer's comes: `until(Member.renewal - days(14), at="09:00", past=now, missing=self.lapsed)`.

    `past` and `missing` must say what holds where the date is over, or not known: `now`, `skip`, or the box to go to; an
    anniversary (`Member.birthday.yearly()`) is never past. If the date, or her time zone, changes meanwhile, the wait is
    planned anew. A date without a time of day is the day's beginning on her own clock.
    """
    from dsl.states import State  # noqa: PLC0415  # the boxes are made of triggers

    if not isinstance(day, Moment | Day):  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
        raise LanguageError(
            f"until(…) takes a date of the customer's, not {in_words(day)}", "for example Member.renewal"
        )
    for word, rule in (("past", past), ("missing", missing)):
        if rule is not None and not isinstance(rule, Missed | State):  # pyright: ignore[reportUnnecessaryIsInstance]  # as above
            raise LanguageError(f"{word}= takes now, skip or a box of the journey, not {in_words(rule)}")
    found = day if isinstance(day, Day) else day + AT_ONCE
    if isinstance(found, Anniversary) and past is not None:
        raise LanguageError("an anniversary comes round again: past= can't hold for it", "delete past=")
    dial = _dial("until", at, on, during, holidays)
    return Until(day=found, clock=dial, past=past, missing=missing, knobs=found.knobs)


def _dial(
    word: str, at: str | None, on: Iterable[Weekday] | None, during: ir.Clock | None, holidays: object
) -> ir.Clock | None:
    """The one clock that was given, if any."""
    if during is not None:
        if not isinstance(during, ir.Clock) or at is not None or on is not None or holidays is not True:  # pyright: ignore[reportUnnecessaryIsInstance]  # as above
            raise LanguageError(
                f"{word}(…) takes a time (at=, on=, holidays=) or a window (during=between(…)), not both"
            )
        return during
    if at is None:
        if on is not None or holidays is not True:
            raise LanguageError("on= and holidays= go with a time of day", 'for example at="09:00", on=workdays')
        return None
    return clock(at, on, holidays=cast("bool", holidays))
