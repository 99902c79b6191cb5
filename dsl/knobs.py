"""Knobs: numbers of a journey that may be tuned without a developer, each within its bounds."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from dsl.problems import LanguageError
from dsl.times import Duration

__all__ = ["WHERE", "Knob", "turned"]

T = TypeVar("T", Duration, float, int)
V = TypeVar("V", Duration, float, int)
WHERE: Final = "a knob stands in after(…), in until(… - self.knob), in share(…) and in .up_to(…)"
"""The way out for one that stands elsewhere, where it would be read once and no tuning would reach it."""


class Knob(Generic[T]):
    """A setting of the journey that a marketer may change: `pause = Knob(days(3), min=days(1), max=days(10), label="…")`.

    In a body: `yield after(self.pause) >> self.sms`. A change makes a new version of the journey. Raises LanguageError for a
    value out of its bounds.
    """

    __slots__ = ("label", "max", "min", "name", "value")

    def __init__(self, value: T, *, min: T, max: T, label: str = "") -> None:  # noqa: A002  # the words of the field
        kinds = {type(each) is Duration for each in (value, min, max)}
        numbers = all(
            isinstance(each, int | float | Duration) and not isinstance(each, bool)  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
            for each in (value, min, max)
        )
        if len(kinds) > 1 or not numbers:
            raise LanguageError(
                f"Knob(…) takes three durations or three numbers, not {value!r}, {min!r} and {max!r}",
                "for example Knob(days(3), min=days(1), max=days(10))",
            )
        if min > max:
            raise LanguageError(f"min={min} is above max={max}", "exchange the two")
        if not min <= value <= max:
            raise LanguageError(
                f"{value} is not between min={min} and max={max}", "widen the bounds, or move the value"
            )
        if not isinstance(label, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # as above
            raise LanguageError(
                f"label= takes words for who turns the knob, not {label!r}", 'for example label="Pause"'
            )
        self.value = value
        self.min = min
        self.max = max
        self.label = label
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    def __repr__(self) -> str:
        return f"<knob {self.name or 'without a name'}: {self.value}>"


def turned(given: V | Knob[V]) -> V:
    """The value, or what the knob is set to."""
    return given.value if isinstance(given, Knob) else given
