"""How customers come in: audiences and their times, calls of the API, re-entry, purpose and hold-out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from dsl import ir
from dsl.clocks import Weekday, time_of_day, weekday, yes
from dsl.in_words import in_words
from dsl.knobs import WHERE, Knob
from dsl.predicate import Predicate
from dsl.problems import LanguageError
from dsl.states import Purpose
from dsl.triggers import fitting

__all__ = [
    "Active",
    "Always",
    "Api",
    "Audience",
    "Late",
    "Never",
    "Percent",
    "always",
    "cron",
    "daily",
    "ignore",
    "marketing",
    "never",
    "once",
    "percent",
    "queue",
    "record",
    "reject",
    "restart",
    "transactional",
    "weekly",
]

marketing: Final[Purpose] = "marketing"
"""By consent, and measured against the hold-out."""
transactional: Final[Purpose] = "transactional"
"""What a customer must be told (her order, her contract): never capped, never held out."""

once: Final = ir.Every("once")
"""The audience is read once, when the journey is switched on."""


def daily(*, at: str, local: bool = False) -> ir.Every:
    """The audience is read every day, `at="09:00"` by the project's clock; with `local=True` by each customer's own."""
    return ir.Every("daily", time_of_day("at=", at), local=yes("local", local))


def weekly(on: Weekday, *, at: str, local: bool = False) -> ir.Every:
    """The audience is read every week, `weekly("monday", at="08:00")`."""
    return ir.Every("weekly", time_of_day("at=", at), weekday("weekly(…)", on), local=yes("local", local))


def cron(line: str, *, local: bool = False) -> ir.Every:
    """The audience is read at the times of a crontab line: `cron("0 9 1 * *")` is nine o'clock on the first of each month.

    Minute, hour, day of the month, month, day of the week, as in crontab(5), in numbers: `*`, `1,15`, `1-5`, `*/10`.
    """
    from dsl.crontab import is_ever_met  # noqa: PLC0415  # it asks for time zones: only where a line is written

    fields = line.split() if isinstance(line, str) else []  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
    bounds = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
    if len(fields) != len(bounds) or not all(_cron(part, *each) for part, each in zip(fields, bounds, strict=True)):
        raise LanguageError(
            f"cron(…) takes five fields of numbers, not {line!r}", 'for example cron("0 9 * * 1-5"): workdays at 09:00'
        )
    if not is_ever_met(line):
        raise LanguageError(f"cron({line!r}) never comes: no such month has such a day", "day of the month, then month")
    return ir.Every("cron", cron=" ".join(fields), local=yes("local", local))


def _cron(field: str, low: int, high: int) -> bool:
    for part in field.split(","):
        found = re.fullmatch(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/([1-9]\d?))?", part, re.ASCII)
        if found is None:
            return False
        numbers = [int(number) for number in (found[1], found[2]) if number is not None]
        if any(not low <= number <= high for number in numbers) or sorted(numbers) != numbers:
            return False
    return True


@dataclass(frozen=True, slots=True)
class Audience:
    """Everyone for whom `condition` holds comes in, whenever the audience is read."""

    condition: Predicate
    every: ir.Every = once

    def __post_init__(self) -> None:
        if not isinstance(self.condition, Predicate):  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
            raise LanguageError(
                f"Audience(…) takes a condition, not {in_words(self.condition)}", 'for example Customer.country == "FR"'
            )
        fitting("Audience", self.condition)
        if not isinstance(self.every, ir.Every):  # pyright: ignore[reportUnnecessaryIsInstance]  # as above
            raise LanguageError(
                f"every= takes once, daily(…), weekly(…) or cron(…), not {in_words(self.every)}",
                'for example daily(at="09:00")',
            )


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
class Active:
    """What becomes of an entry while the customer is in the journey."""

    rule: Literal["reject", "restart", "queue"]


reject: Final = Active("reject")
"""As `while_active`: a second entry is refused, and a row says so."""
restart: Final = Active("restart")
"""As `while_active`: the enrolment under way ends as `restarted`, and a new one begins."""
queue: Final = Active("queue")
"""As `while_active`: the entry waits until the enrolment under way has ended."""


@dataclass(frozen=True, slots=True)
class Late:
    """What becomes of an answer that moves nobody."""

    rule: Literal["record", "ignore"]


record: Final = Late("record")
"""As `late_answers`: a row is kept of it."""
ignore: Final = Late("ignore")
"""As `late_answers`: no row is kept of it (the event itself is)."""


@dataclass(frozen=True, slots=True)
class Percent:
    """A part of a hundred."""

    value: float


def percent(value: float) -> Percent:
    """For `holdout`: so many in a hundred walk the chart and are sent nothing, which measures the difference."""
    if isinstance(value, Knob):  # as above: one share of held out customers for each version compares nothing
        raise LanguageError("percent(…) takes no knob: who is held out must not change while it is measured", WHERE)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 100:  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
        raise LanguageError(f"percent(…) takes a number from 0 to below 100, not {value!r}")
    return Percent(float(value))
