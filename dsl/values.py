"""Values: which kinds a fact can be of, and how a value of each is checked, read from JSON and shown to people."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

__all__ = [
    "MOMENT_PATTERN",
    "TINY",
    "VAST",
    "Kind",
    "Scalar",
    "checked",
    "from_json_value",
    "in_utc",
    "moment_of",
    "number_of",
    "one_of",
    "seconds_between",
    "shown",
]

Kind = Literal["text", "number", "money", "flag", "moment", "seconds"]
"""`money` is whole cents, `seconds` a length of time, `moment` an aware datetime in UTC."""
Scalar = str | int | float | bool | datetime

LARGEST = 2**53
"""Numbers that an author writes stay below: a double holds them exactly, on both databases and in Python."""
VAST, TINY = 10**100, 1e-100
"""Numbers from outside beyond the first are no numbers, below the second they are 0: PostgreSQL refuses to overflow and to
underflow where Python and SQLite don't."""

MOMENT_PATTERN = (
    # Days that the calendar has, by month; the 29th of February in leap years; no time, or one with or without a zone.
    r"(?:(?:19|20|21)[0-9][0-9]-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?!1900|2100)(?:19|20|21)(?:[02468][048]|[13579][26])-02-29)"
    r"(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])?)?"
)
"""A moment as JSON has it. It is read the same by Python's `re` and by PostgreSQL."""
_MOMENT = re.compile(MOMENT_PATTERN)
_ZONE = re.compile(r"(?:Z|[+-][0-9][0-9]:[0-9][0-9])$")


def checked(kind: Kind, value: Scalar) -> Scalar:
    """A value that an author wrote, in its one form (200.0 is 200, moments are UTC). Raises ValueError if it is none."""
    one_of("kind of a constant", kind, get_args(Kind))
    match kind, value:
        case "text", str() if "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value):
            return value
        case "flag", bool():
            return value
        case "moment", datetime():
            return in_utc(value)
        case "moment", str():
            return in_utc(datetime.fromisoformat(value))
        case (("number" | "money" | "seconds"), (int() | float())) if not isinstance(value, bool):
            return _number(value)
        case _:
            raise ValueError(f"{value!r} is no {kind}")


def from_json_value(kind: Kind, value: object) -> Scalar | None:
    """A value of an own attribute or a payload, where any JSON may stand: None if it is not of the kind."""
    match kind:
        case "text":
            return value if isinstance(value, str) else None
        case "flag":
            return value if isinstance(value, bool) else None
        case "moment":
            if isinstance(value, datetime):
                return in_utc(value).replace(microsecond=0)
            return moment_of(value) if isinstance(value, str) else None
        case _:
            return number_of(value)


def moment_of(text: str) -> datetime | None:
    """The moment that a JSON text means, to the second, or None if it is none.

    ISO 8601: `2026-03-01` (midnight UTC) or `2026-03-01T09:30:00`, then a fraction (cut off) and `Z` or `+02:00`; UTC if
    neither. Years 1900 to 2199.
    """
    if _MOMENT.fullmatch(text) is None:
        return None
    zone = _ZONE.search(text)
    at = datetime.fromisoformat(text[:19] if zone is None else text[:19] + zone[0])
    return at.replace(tzinfo=UTC) if zone is None else at.astimezone(UTC)


def number_of(value: object) -> float | None:
    """The number that a JSON value is, as a double; None if it is none, or out of all proportion."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < VAST:
        return None
    return float(value) if abs(value) >= TINY else 0.0


def seconds_between(start: datetime, end: datetime) -> float:
    """From start to end: whole microseconds, divided once, as SQL does it, so that all agree to the last bit."""
    return (end - start) // timedelta(microseconds=1) / 1_000_000


def in_utc(value: datetime) -> datetime:
    """The moment in UTC. Raises ValueError for a datetime without a zone."""
    if value.tzinfo is None:
        raise ValueError(f"a datetime without a zone says no moment: {value!r}; give it one (tzinfo=UTC)")
    return value.astimezone(UTC)


def shown(kind: Kind, value: Scalar | None) -> Any:
    """For people, and fit for JSON: money in currency units, lengths of time in days, moments in ISO 8601."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    number = round(value / {"money": 100, "seconds": 86400}.get(kind, 1), 4)
    return int(number) if number == int(number) else number


def one_of(what: str, value: str, known: Iterable[str]) -> None:
    """Raises ValueError unless the value is known."""
    if value not in known:
        raise ValueError(f"unknown {what}: {value!r}; known: {', '.join(known)}")


def _number(value: float) -> int | float:
    if not math.isfinite(value) or abs(value) >= LARGEST:
        raise ValueError(
            f"{value!r} is too large: a number in a condition is below 2^53, else doubles don't hold it exactly"
        )
    return int(value) if value == int(value) else value
