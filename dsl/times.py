"""Durations: how an author says three days, and how a picture prints them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Duration", "days", "duration", "duration_text", "hours", "minutes", "weeks"]

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time in whole seconds. A day is 24 hours; what needs a calendar says so itself."""

    seconds: int

    def __post_init__(self) -> None:
        if self.seconds < 0:
            raise ValueError(f"a duration can't be negative: {self.seconds} seconds")

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


def _of(count: float, size: int, unit: str) -> Duration:
    if isinstance(count, bool) or not isinstance(count, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
        raise TypeError(f"{unit}(...) takes a number, not {count!r}")
    seconds = count * size
    if seconds != int(seconds):
        raise ValueError(f"{unit}({count!r}) is {seconds} seconds: a duration is whole seconds")
    return Duration(int(seconds))
