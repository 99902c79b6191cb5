"""Local time: when it is nine o'clock, Monday, or night for a customer. Pure functions of a moment and a zone.

A moment is an aware datetime; answers are UTC. A time that a clock change skips (02:30) is met when the gap ends (03:00);
a time that comes twice is met the first time only. RFC 5545 (3.3.5) would read the skipped one as 03:30: sooner is kinder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dsl.ir import Clock

__all__ = ["clock_time", "fits", "fitting", "in_window", "is_zone", "local_moment", "moments", "next_local", "zone_of"]


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zone_of(*names: str | None) -> ZoneInfo:
    """The first of the names that is a time zone: the customer's, the journey's, the project's; UTC if none is (T4)."""
    return next((zone for name in names if name and (zone := _zone(name)) is not None), ZoneInfo("UTC"))


def is_zone(name: str) -> bool:
    """Whether this machine knows the time zone."""
    return _zone(name) is not None


def clock_time(text: str) -> time:
    """`09:00` as a time of day. Raises ValueError that names the text and the form."""
    try:
        hour, minute = text.split(":")
        return time(int(hour), int(minute))
    except ValueError:
        raise ValueError(f"{text!r} is no time of day: write HH:MM, from 00:00 to 23:59") from None


def local_moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, when the clocks of `zone` show `at` on `day`: the first such, or where the gap that skips it ends."""
    first = datetime.combine(day, at, zone)
    there = first.astimezone(UTC)
    if there.astimezone(zone).replace(tzinfo=None) == first.replace(tzinfo=None):
        return there
    before = first.replace(fold=0).utcoffset() or timedelta(0)
    after = first.replace(fold=1).utcoffset() or timedelta(0)
    low, high = (first.replace(tzinfo=UTC) - max(before, after), first.replace(tzinfo=UTC) - min(before, after))
    while high - low > timedelta(seconds=1):  # the clocks jump at one moment within this hour: find it
        middle = low + (high - low) / 2
        if middle.astimezone(zone).replace(tzinfo=None) < first.replace(tzinfo=None):
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def moments(day: date, at: time, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The moments, in UTC, when the clocks of `zone` show `at` on `day`: one, or two where they are put back."""
    first = local_moment(day, at, zone)
    again = datetime.combine(day, at, zone).replace(fold=1).astimezone(UTC)
    return (first, again) if again > first and again.astimezone(zone).time() == at else (first,)


def next_local(after: datetime, zone: ZoneInfo, at: time, weekdays: Sequence[int] = range(7)) -> datetime:
    """The first moment after `after` when it is `at` in `zone` on one of the weekdays (Monday is 0), in UTC.

    Raises ValueError for no weekday at all.
    """
    wanted = frozenset(weekdays)
    if not wanted or not wanted <= set(range(7)):
        raise ValueError(f"weekdays {sorted(wanted)} can't be met: give some of 0 (Monday) to 6 (Sunday)")
    day = after.astimezone(zone).date() - timedelta(days=1)
    while True:
        if day.weekday() in wanted:
            moment = local_moment(day, at, zone)
            if moment > after:
                return moment
        day += timedelta(days=1)


def in_window(moment: datetime, zone: ZoneInfo, start: time, end: time) -> bool:
    """Whether the clocks of `zone` stand within [start, end): overnight where `end` is not after `start` (quiet hours, T3)."""
    now = moment.astimezone(zone).time()
    return start <= now < end if start < end else now >= start or now < end


_YEARS = 366 * 5


def fitting(clock: Clock, earliest: datetime, zone: ZoneInfo, holiday: Callable[[date], bool]) -> datetime:
    """The first moment from `earliest` on that fits the clock in `zone`, in UTC; `holiday` tells the public holidays there.

    A window that closes before it opens runs overnight; a day is that of the moment itself. Raises ValueError where no day of
    five years fits.
    """
    day = earliest.astimezone(zone).date()
    for ahead in range(_YEARS):
        found = _on(clock, day + timedelta(days=ahead), earliest, zone)
        if found is not None and fits(clock, found.astimezone(zone).date(), holiday):
            return found
    raise ValueError(f"no day of the next five years fits {clock}")


def fits(clock: Clock, day: date, holiday: Callable[[date], bool]) -> bool:
    """Whether the clock runs on this day: by its weekdays and holidays."""
    return (clock.weekdays is None or day.weekday() in clock.weekdays) and (clock.holidays or not holiday(day))


def _on(clock: Clock, day: date, earliest: datetime, zone: ZoneInfo) -> datetime | None:
    """The first moment of a day that fits, from `earliest` on."""
    if clock.at is not None:
        moment = local_moment(day, clock_time(clock.at), zone)
        return moment if moment >= earliest else None
    opens, closes = clock_time(clock.opens or "00:00"), clock_time(clock.closes or "00:00")
    midnight = local_moment(day, time(0), zone)
    first = max(earliest, midnight)
    if first.astimezone(zone).date() != day:
        return None
    if in_window(first, zone, opens, closes):
        return first.astimezone(UTC)
    return next((moment for moment in moments(day, opens, zone) if moment >= first), None)
