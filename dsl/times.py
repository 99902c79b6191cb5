"""Durations: how an author says three days, and how a picture prints them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from typing import Final

__all__ = [
    "Duration",
    "days",
    "duration",
    "duration_text",
    "duration_words",
    "hours",
    "minutes",
    "read_duration",
    "weeks",
]

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
_LONGEST: Final = 36_525 * DAY

_PART: Final = re.compile(r"(\d+(?:[.,]\d+)?)\s*([a-z]+)(?:\s*,\s*|\s+and\s+|\s*)", re.IGNORECASE)
_SIZES: Final = {
    **dict.fromkeys(("w", "wk", "week", "weeks"), WEEK),
    **dict.fromkeys(("d", "day", "days"), DAY),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), HOUR),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), MINUTE),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
}


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time in whole seconds. A day is 24 hours; what needs a calendar says so itself."""

    seconds: int

    def __post_init__(self) -> None:
        if self.seconds < 0:
            raise ValueError(f"a duration can't be negative: {self.seconds} seconds")
        if self.seconds > _LONGEST:
            raise ValueError(f"a duration is a hundred years at most, not {self.seconds / (365 * DAY):,.0f}")

    def __add__(self, other: Duration) -> Duration:
        return Duration(self.seconds + other.seconds)

    def __mul__(self, times: int) -> Duration:
        return Duration(self.seconds * times)

    __rmul__ = __mul__

    def __str__(self) -> str:
        return duration_text(self.seconds)


def weeks(count: float) -> Duration:
    """`weeks(2)`: fourteen times 24 hours."""
    return _of(count, WEEK, "weeks")


def days(count: float) -> Duration:
    """`days(3)`: three times 24 hours."""
    return _of(count, DAY, "days")


def hours(count: float) -> Duration:
    """`hours(20)`."""
    return _of(count, HOUR, "hours")


def minutes(count: float) -> Duration:
    """`minutes(15)`."""
    return _of(count, MINUTE, "minutes")


def duration(*, weeks: float = 0, days: float = 0, hours: float = 0, minutes: float = 0) -> Duration:
    """The sum of what is given: `duration(days=1, hours=12)`. What takes `days=3` as keywords is built on this."""
    parts = (
        _of(weeks, WEEK, "weeks"),
        _of(days, DAY, "days"),
        _of(hours, HOUR, "hours"),
        _of(minutes, MINUTE, "minutes"),
    )
    return Duration(sum(part.seconds for part in parts))


def duration_text(seconds: float) -> str:
    """Short, as a picture's label has it: `90 d`, `20 h`, `1 d 12 h`; the two largest units, the rest is cut off."""
    left = int(seconds)
    parts: list[str] = []
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) if parts else "0 s"


def duration_words(seconds: float) -> str:
    """In whole words, nothing cut off: `3 days`, `1 day 12 hours`, `90 days`."""
    left = round(seconds)
    parts: list[str] = []
    for size, unit in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (1, "second")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}" if count == 1 else f"{count} {unit}s")
    return " ".join(parts) or "0 seconds"


def read_duration(text: str) -> Duration:
    """A duration as people write it: `3 days`, `36h`, `1 d 12 h`, `1.5 hours`. Raises ValueError, saying how it is written."""
    rest, seconds = text.strip(), 0.0
    while part := _PART.match(rest):
        if part[2].lower() not in _SIZES:
            break
        seconds += float(part[1].replace(",", ".")) * _SIZES[part[2].lower()]
        rest = rest[part.end() :]
    if rest or not text.strip():
        raise ValueError("write a duration as 3 days, 36 h or 1 day 12 hours")
    if seconds != int(seconds):
        raise ValueError("a duration is whole seconds")
    return Duration(int(seconds))


def _of(count: float, size: int, unit: str) -> Duration:
    if isinstance(count, bool) or not isinstance(count, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
        raise TypeError(f"{unit}(...) takes a number, not {count!r}")
    if not isfinite(count):
        raise ValueError(f"{unit}({count!r}) is no length of time")
    seconds = count * size
    if seconds != int(seconds):
        raise ValueError(f"{unit}({count!r}) is {seconds} seconds: a duration is whole seconds")
    return Duration(int(seconds))
