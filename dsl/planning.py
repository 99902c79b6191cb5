"""Planning: when a wait that hangs on the customer is over, and when a box may send. One meaning for every driver.

Pure functions of facts, a moment and a place. The drivers bring the facts: the engine from its database, `walk` from a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, cast
from zoneinfo import ZoneInfo

from dsl.chart import Chart
from dsl.expression import Expression
from dsl.ir import IR, After, Clock, NoDate, State, Until
from dsl.localtime import clock_time, fits, fitting, in_window, local_moment, moments
from dsl.times import DAY
from dsl.values import Scalar

__all__ = ["Place", "may_send", "measured", "milliseconds", "moment_of", "no_holiday", "over"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAP = 29
_NEXT = timedelta(milliseconds=1)
_ROUNDS = 50


def no_holiday(day: date) -> bool:
    """A calendar without holidays."""
    del day
    return False


@dataclass(frozen=True, slots=True)
class Place:
    """Where the customer is: her time zone, and what tells the public holidays of her country."""

    zone: ZoneInfo
    holiday: Callable[[date], bool] = no_holiday


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def moment_of(ms: int) -> datetime:
    """The moment, in UTC, of milliseconds since 1970."""
    return _EPOCH + timedelta(milliseconds=ms)


def measured(on: object) -> Expression | None:
    """What must be known of the customer to plan this wait; None: her clock alone, or nothing."""
    return on.moment if isinstance(on, Until) else on.expression if isinstance(on, After) else None


def over(
    chart: Chart, waits: Iterable[tuple[int, Scalar | None]], since: datetime, now: datetime, place: Place
) -> tuple[tuple[int, int], ...]:
    """When the waits of these arrows are over: (arrow, ms), given what is measured for each. A skipped one is left out.

    `since` is when the waiting began. A wait for a time or a date is never over at the very moment at which it is planned:
    whoever waits for nine o'clock at nine waits a day. Where a date is past or missing, and its rule is to exit, it is the
    arrow that leads out.
    """
    found: list[tuple[int, int]] = []
    for arrow, value in waits:
        on = chart.arrows[arrow].on
        if isinstance(on, After):
            found.append((arrow, milliseconds(_after(on, cast("float | None", value), since, place))))
        elif isinstance(on, Until):
            end = _until(on, cast("datetime | None", value), now, place)
            if isinstance(end, datetime):
                found.append((arrow, milliseconds(end)))
            else:
                rule = on.past if end == "past" else on.missing
                if rule != "skip":
                    found.append((_exit(chart, arrow, end) if rule == "exit" else arrow, milliseconds(now)))
    return tuple(found)


def _after(on: After, value: float | None, since: datetime, place: Place) -> datetime:
    seconds = _bounded(on, value)
    end = since + (timedelta(seconds=seconds) if seconds else _NEXT)
    return fitting(on.clock, end, place.zone, place.holiday) if on.clock is not None else end


def _bounded(on: After, value: float | None) -> int:
    if on.seconds is not None:
        return on.seconds
    if value is None:
        return on.missing or 0
    low = max(value, on.at_least or 0)
    return round(min(low, on.at_most) if on.at_most is not None else low)


def _until(on: Until, value: datetime | None, now: datetime, place: Place) -> datetime | Literal["past", "missing"]:
    if value is None:
        return "missing"
    if not on.yearly:
        end = _moved(on, value, place)
        return end if end > now else "past"
    first = now.year - 1 - on.offset // (365 * DAY)  # an offset may lead years on or back, a clock some days
    ends = (_moved(on, _in_year(value, year), place) for year in range(first - 1, first + 10))
    return next(end for end in ends if end > now)


def _in_year(value: datetime, year: int) -> datetime:
    leap = value.month == 2 and value.day == _LEAP and not (year % 4 == 0 and (year % 100 or year % 400 == 0))
    return value.replace(year=year, day=28) if leap else value.replace(year=year)


def _moved(on: Until, value: datetime, place: Place) -> datetime:
    """The date, moved by the offset and on to the clock. One without a time of day is a day of her own calendar."""
    days, rest = divmod(on.offset, DAY)
    if value.timetz() == time(0, tzinfo=UTC):
        moment = local_moment(value.date() + timedelta(days=days), time(0), place.zone) + timedelta(seconds=rest)
    else:
        moment = value + timedelta(seconds=on.offset)
    return fitting(on.clock, moment, place.zone, place.holiday) if on.clock is not None else moment


def _exit(chart: Chart, arrow: int, why: str) -> int:
    """The number of the arrow by which she leaves instead."""
    first = 0
    for state in chart.ir.states:
        if arrow < first + len(state.arrows):
            wanted = NoDate(arrow - first, "past" if why == "past" else "missing")
            return first + next(index for index, each in enumerate(state.arrows) if each.on == wanted)
        first += len(state.arrows)
    raise KeyError(f"arrow {arrow} is no box's own")  # pragma: no cover  # dates are waited for in boxes alone


def may_send(ir: IR, state: State, now: datetime, place: Place) -> datetime:
    """The first moment from `now` on when the box may send: within its hours, and for marketing outside the quiet hours."""
    quiet = ir.quiet if (state.purpose or ir.purpose) == "marketing" else None
    moment = now
    for _ in range(_ROUNDS):
        start = moment
        if state.hours is not None:
            moment = fitting(state.hours, moment, place.zone, place.holiday)
        if quiet is not None:
            moment = _after_quiet(quiet, moment, place)
        if moment == start:
            return moment
    raise ValueError(f"the hours of `{state.name}` lie within the quiet hours of {ir.name}: it could never send")


def _after_quiet(quiet: Clock, moment: datetime, place: Place) -> datetime:
    """The moment itself, or where it is quiet the end of that; at midnight the next day's rule begins."""
    start, end = clock_time(quiet.opens or "00:00"), clock_time(quiet.closes or "00:00")
    today = moment.astimezone(place.zone).date()
    if not in_window(moment, place.zone, start, end) or not fits(quiet, today, place.holiday):
        return moment
    ends = (*moments(today, end, place.zone), local_moment(today + timedelta(days=1), time(0), place.zone))
    return next(each for each in ends if each > moment)
