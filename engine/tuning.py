"""Tuning: a journey's IR with other values in its knobs, wherever they stand; and a knob's values in words.

Pure: nothing is read or kept here. `engine.knobs` turns a knob for good.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isclose, isfinite
from typing import Final

from dsl.ir import IR, After, Arrow, Knob, Limit, Share, Until
from dsl.times import duration_words, read_duration
from engine.errors import Invalid

__all__ = ["fitting", "read_value", "tuned", "value_words"]

_WHOLE: Final = 100.0
"""Per cent that a split's shares add up to."""
_SAME: Final = 1e-9

Uses = Mapping[tuple[str, int], Mapping[str, float]]
"""By owner (a box, a stage, or "" for the journey) and place of the arrow: the fields that are set there."""


def read_value(knob: Knob, given: str | float) -> float:
    """A value as somebody writes it: `3 days`, `36h` or seconds for a duration, else a number. Raises Invalid."""
    if isinstance(given, bool):
        raise Invalid(knob.name, given, "it is a number or a duration")
    if not isinstance(given, str):
        return _finite(knob, given)
    text = given.strip()
    try:
        return _finite(knob, float(text.replace(",", ".").removesuffix("%")))
    except ValueError:
        if knob.kind == "number":
            raise Invalid(knob.name, given, f"it is a number from {_bounds(knob)}") from None
    try:
        return read_duration(text).seconds
    except (ValueError, OverflowError) as error:
        raise Invalid(knob.name, given, f"{error}; it goes from {_bounds(knob)}") from None


def value_words(knob: Knob, value: float) -> str:
    """A value of the knob as people say it: `3 days`, `1 day 12 hours`, `30`."""
    return duration_words(value) if knob.kind == "duration" else f"{value:.10g}"


def fitting(knob: Knob, value: float) -> float:
    """The value, if the knob can have it. Raises Invalid, naming the bounds."""
    if not knob.min <= value <= knob.max:
        raise Invalid(knob.name, value_words(knob, value) if value >= 0 else value, f"it goes from {_bounds(knob)}")
    fields = {field for _, _, field in knob.uses}
    if value != int(value) and (knob.kind == "duration" or "times" in fields):
        what = "a duration is whole seconds" if knob.kind == "duration" else "it counts how often: a whole number"
        raise Invalid(knob.name, value, what)
    if "times" in fields and value < 1:
        raise Invalid(knob.name, value, "an arrow that may be taken no time is none: 1 at least")
    return value


def tuned(ir: IR, values: Mapping[str, float]) -> IR:
    """The journey with these values of its knobs, by name; the other knobs stay. Raises Invalid for one that can't be.

    A value stands wherever the knob is used. Where it sets a share of a split, the shares without a knob split what is left in
    their own proportions, so that all add up to 100 again.
    """
    knobs = {knob.name: knob for knob in ir.knobs}
    changed = {
        name: fitting(knobs[name], value) for name, value in values.items() if not isclose(value, knobs[name].value)
    }
    if not changed:
        return ir
    uses: dict[tuple[str, int], dict[str, float]] = {}
    for name, value in changed.items():
        for owner, place, field in knobs[name].uses:
            uses.setdefault((owner, place), {})[field] = value
    return replace(
        ir,
        states=tuple(
            replace(state, arrows=_balanced(ir, state.name, _set(uses, state.name, state.arrows), uses))
            for state in ir.states
        ),
        stages=tuple(replace(stage, arrows=_set(uses, stage.name, stage.arrows)) for stage in ir.stages),
        anywhere=_set(uses, "", ir.anywhere),
        knobs=tuple(replace(knob, value=changed.get(knob.name, knob.value)) for knob in ir.knobs),
    )


def _set(uses: Uses, owner: str, arrows: Sequence[Arrow]) -> tuple[Arrow, ...]:
    return tuple(_arrow(arrow, uses.get((owner, place), {})) for place, arrow in enumerate(arrows))


def _arrow(arrow: Arrow, fields: Mapping[str, float]) -> Arrow:
    on, limit = arrow.on, arrow.limit
    for field, value in fields.items():
        match field, on, limit:
            case "seconds", After(), _:
                if value < 1 and on.clock is None:
                    raise Invalid("value", value, "a wait of no time at all is none: one second at least")
                on = replace(on, seconds=int(value))
            case (("missing" | "at_least" | "at_most"), After(), _):
                on = replace(on, **{field: int(value)})
            case "later" | "earlier", Until(), _:
                on = replace(on, offset=int(value) if field == "later" else -int(value))
            case "percent", Share(), _:
                on = Share(value)
            case "times", _, Limit():
                limit = replace(limit, times=int(value))
            case "every", _, Limit():
                limit = replace(limit, every=int(value))
            case _:
                raise AssertionError(f"no {field} can be set on {arrow!r}")
    return replace(arrow, on=_measured(on) if isinstance(on, After) else on, limit=limit)


def _measured(on: After) -> After:
    """A measured wait, if its bounds are such as it can have."""
    if on.missing is not None and on.missing < 1:
        raise Invalid("value", on.missing, "a wait of no time at all is none: one second at least")
    if on.at_most is not None and on.at_most < max(on.at_least or 0, 1):
        least = duration_words(max(on.at_least or 0, 1))
        raise Invalid(
            "value", duration_words(on.at_most), f"the wait is at least {least}, and can't be shorter at most"
        )
    return on


def _balanced(ir: IR, owner: str, arrows: tuple[Arrow, ...], uses: Uses) -> tuple[Arrow, ...]:
    """The arrows of a split of which a knob sets shares: what has no knob takes what is left."""
    if not any(owner == of and "percent" in fields for (of, _), fields in uses.items()):
        return arrows
    tunable = {place for knob in ir.knobs for of, place, field in knob.uses if of == owner and field == "percent"}
    fixed = sum(on.percent for place, on in _shares(arrows) if place in tunable)
    loose = sum(on.percent for place, on in _shares(arrows) if place not in tunable)
    left = _WHOLE - fixed
    if abs(left - loose) < _SAME:
        return arrows
    if not loose or left <= 0:
        hint = "the others are knobs too" if not loose else "nothing is left for the others"
        raise Invalid(owner, f"{fixed:.10g} %", f"its shares must add up to 100 %, and {hint}")
    return tuple(
        replace(arrow, on=Share(round(arrow.on.percent * left / loose, 9)))
        if isinstance(arrow.on, Share) and place not in tunable
        else arrow
        for place, arrow in enumerate(arrows)
    )


def _shares(arrows: Sequence[Arrow]) -> Iterator[tuple[int, Share]]:
    return ((place, arrow.on) for place, arrow in enumerate(arrows) if isinstance(arrow.on, Share))


def _finite(knob: Knob, value: float) -> float:
    if not isfinite(value):
        raise Invalid(knob.name, value, f"it goes from {_bounds(knob)}")
    return value


def _bounds(knob: Knob) -> str:
    return f"{value_words(knob, knob.min)} to {value_words(knob, knob.max)}"
