"""Waits: the trigger that fires when no answer came for so long, fixed or measured for each customer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

from dsl.expression import Expression
from dsl.fact_kinds import Elapsed
from dsl.problems import LanguageError
from dsl.spans import AT_ONCE, is_duration, span_of
from dsl.times import Duration, duration
from dsl.triggers import Conditional

__all__ = ["After", "after"]


@dataclass(frozen=True, slots=True, eq=False)
class After(Conditional):
    """No answer came for a while. As `again = after(days=180)`: so long after the last enrolment ended."""

    wait: Duration | Expression = AT_ONCE
    at_least: Duration | None = None
    at_most: Duration | None = None
    missing: Duration | None = None


@overload
def after(wait: Duration, /) -> After: ...
@overload
def after(*, weeks: float = 0, days: float = 0, hours: float = 0, minutes: float = 0) -> After: ...
@overload
def after(
    wait: Elapsed, /, *, missing: Duration, at_least: Duration | None = None, at_most: Duration | None = None
) -> After: ...
def after(
    wait: Duration | Elapsed | None = None,
    /,
    *,
    weeks: float = 0,
    days: float = 0,
    hours: float = 0,
    minutes: float = 0,
    missing: Duration | None = None,
    at_least: Duration | None = None,
    at_most: Duration | None = None,
) -> After:
    """When no answer came for so long: `after(days=3)`, `after(hours(36))`, or what is measured for this customer.

    A measured wait (`after(Orders.rhythm(), missing=days(30))`) must say what stands in where there is nothing to
    measure; `at_least` and `at_most` keep it within bounds.
    """
    if not isinstance(wait, Elapsed):
        if missing is not None or at_least is not None or at_most is not None:
            raise LanguageError("missing=, at_least= and at_most= belong to a measured wait, not to a fixed one")
        return After(wait=span_of("after", wait, duration(weeks=weeks, days=days, hours=hours, minutes=minutes)))
    if weeks or days or hours or minutes:
        raise LanguageError("after(…) takes one wait: measured, or fixed")
    for word, value in (("missing", missing), ("at_least", at_least), ("at_most", at_most)):
        if value is not None:
            is_duration(word, value)
    if at_least is not None and at_most is not None and at_most < at_least:
        raise LanguageError(f"at_most={at_most} is shorter than at_least={at_least}")
    return After(wait=wait.expression, at_least=at_least, at_most=at_most, missing=missing)
