"""How customers come in: audiences and their times, calls of the API, re-entry, purpose and hold-out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from dsl import ir
from dsl.predicate import Predicate
from dsl.problems import LanguageError
from dsl.states import Purpose
from dsl.triggers import fitting

__all__ = [
    "Always",
    "Api",
    "Audience",
    "Never",
    "Percent",
    "Weekday",
    "always",
    "daily",
    "marketing",
    "never",
    "once",
    "percent",
    "transactional",
    "weekly",
]

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_WEEKDAYS: Final[tuple[Weekday, ...]] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

marketing: Final[Purpose] = "marketing"
"""By consent, and measured against the hold-out."""
transactional: Final[Purpose] = "transactional"
"""What a customer must be told (her order, her contract): never capped, never held out."""

once: Final = ir.Every("once")
"""The audience is read once, when the journey is switched on."""


def daily(*, at: str) -> ir.Every:
    """The audience is read every day, `at="09:00"` in the project's zone."""
    return ir.Every("daily", _time(at))


def weekly(on: Weekday, *, at: str) -> ir.Every:
    """The audience is read every week, `weekly("monday", at="08:00")`."""
    if on not in _WEEKDAYS:
        raise LanguageError(f"weekly(…) takes a day of the week, not {on!r}", ", ".join(_WEEKDAYS))
    return ir.Every("weekly", _time(at), _WEEKDAYS.index(on))


@dataclass(frozen=True, slots=True)
class Audience:
    """Everyone for whom `condition` holds comes in, whenever the audience is read."""

    condition: Predicate
    every: ir.Every = once

    def __post_init__(self) -> None:
        if not isinstance(self.condition, Predicate):  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
            raise LanguageError(
                f"Audience(…) takes a condition, not {self.condition!r}", 'for example Customer.country == "FR"'
            )
        fitting("Audience", self.condition)
        if not isinstance(self.every, ir.Every):  # pyright: ignore[reportUnnecessaryIsInstance]  # as above
            raise LanguageError(f"every= takes once, daily(…) or weekly(…), not {self.every!r}")


class Api:
    """A call of the API brings a customer in, and nothing else does."""

    __slots__ = ()


class Never:
    """No second time."""

    __slots__ = ()


class Always:
    """Again as soon as the last enrolment has ended."""

    __slots__ = ()


never: Final = Never()
"""As `again`: nobody comes a second time."""
always: Final = Always()
"""As `again`: as soon as the last enrolment has ended. `after(days=180)`: so long after it."""


@dataclass(frozen=True, slots=True)
class Percent:
    """A part of a hundred."""

    value: float


def percent(value: float) -> Percent:
    """For `holdout`: so many in a hundred walk the chart and are sent nothing, which measures the difference."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 100:  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
        raise LanguageError(f"percent(…) takes a number from 0 to below 100, not {value!r}")
    return Percent(float(value))


def _time(at: object) -> str:
    if not isinstance(at, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", at):
        raise LanguageError(f"at= takes a time of day as HH:MM, not {at!r}", 'for example at="09:00"')
    return at
