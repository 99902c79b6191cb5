"""Crontab lines: when a line as crontab(5) has it was last met on the clocks of a zone. Numbers only, as `cron(…)` takes them.

Where both the day of the month and the day of the week are restricted (neither begins with `*`), either will do. A time
that a clock change skips is met when the gap ends; one that comes twice is met the first time only (`dsl.localtime`).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from dsl.localtime import local_moment

__all__ = ["is_ever_met", "last_met"]

_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SUNDAY = 7
_LONGEST = 366 * 8 + 2  # days from one 29 February to the next, where a century's year between is no leap year


@dataclass(frozen=True, slots=True)
class _Line:
    times: tuple[time, ...]
    """Of a day, in order."""
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """As `date.isoweekday` has them: Sunday is 7."""
    either: bool
    """Whether a day of the month or a day of the week is enough."""

    def meets(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() in self.weekdays
        return in_month or in_week if self.either else in_month and in_week


def is_ever_met(line: str) -> bool:
    """Whether there is any day that meets the line: the 30th of February never comes."""
    read = _read(line)
    return read.either or any(day <= _DAYS[month - 1] for day in read.days for month in read.months)


def last_met(line: str, now: datetime, zone: ZoneInfo, since: datetime) -> tuple[datetime, datetime] | None:
    """The newest moment (UTC) after `since` and not after `now` that meets the line, with its local time; None: there is none.

    The local time is naive: what the line says, also where the clocks of `zone` skipped it.
    """
    read = _read(line)
    today, first = now.astimezone(zone).date(), since.astimezone(zone).date() - timedelta(days=1)
    for back in range(min((today - first).days + 1, _LONGEST)):
        day = today - timedelta(days=back)
        if not read.meets(day):
            continue
        # On any day later times come later, or at the same moment where a gap ends: so the list can be searched by halves.
        place = bisect_right(read.times, now, key=lambda at, day=day: local_moment(day, at, zone))
        if place:
            due = local_moment(day, read.times[place - 1], zone)
            return (due, datetime.combine(day, read.times[place - 1])) if due > since else None
    return None


@lru_cache(maxsize=256)
def _read(line: str) -> _Line:
    fields = line.split()
    minutes, hours, days, months, weekdays = (
        _numbers(field, *bounds) for field, bounds in zip(fields, _BOUNDS, strict=True)
    )
    return _Line(
        tuple(time(hour, minute) for hour in sorted(hours) for minute in sorted(minutes)),
        days,
        months,
        frozenset(number or _SUNDAY for number in weekdays),
        either=not fields[2].startswith("*") and not fields[4].startswith("*"),
    )


def _numbers(field: str, low: int, high: int) -> frozenset[int]:
    """The numbers of a field: `*`, `1,15`, `1-5`, `*/10`, `8-18/2`; `5/20` begins at 5 and goes on to the end."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            start, end = low, high
        else:
            start = int(first)
            end = int(last) if last else high if step else start
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)
