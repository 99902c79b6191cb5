"""Knobs: what a marketer may tune of a published journey, without a developer.

Another value is other behaviour, so turning a knob makes a new version of the journey, which holds for who enters from now
on; customers under way stay on theirs. Who turned what, when and why is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import isclose

from sqlalchemy import Connection

from dsl import ir as language
from dsl.problems import meant
from engine import journeys, knob_changes
from engine.errors import NotFound
from engine.tables import KnobChange
from engine.tuning import fitting, read_value, tuned, value_words

__all__ = ["Knob", "Turned", "history", "listed", "turn"]


@dataclass(frozen=True, slots=True)
class Knob:
    """A knob as it stands: durations in seconds, `…_words` as people say them."""

    name: str
    label: str
    kind: str
    """`duration` or `number`."""
    value: float
    default: float
    """What the code says."""
    min: float
    max: float
    value_words: str
    default_words: str
    min_words: str
    max_words: str
    turned: bool
    """Whether somebody turned it away from what the code says."""
    boxes: tuple[str, ...]
    """Where it acts: boxes and stages by name; `anywhere` for the journey's own arrows."""
    changed: KnobChange | None
    """Its newest change, if it was ever turned."""


@dataclass(frozen=True, slots=True)
class Turned:
    """What turning a knob did: the knob as it is now, the version that is current, and whether anything changed."""

    knob: Knob
    version: int
    hash: str
    changed: bool


def listed(conn: Connection, journey: str) -> list[Knob]:
    """A journey's knobs, in the order of the code. Raises NotFound."""
    code = journeys.load_code(conn, journey)
    values, _ = knob_changes.holding(conn, code)
    changes = knob_changes.newest(conn, journey)
    return [_shown(knob, values.get(knob.name, knob.value), changes.get(knob.name)) for knob in code.knobs]


def history(conn: Connection, journey: str) -> list[KnobChange]:
    """Who turned a journey's knobs, when and why, the newest first. Raises NotFound."""
    journeys.get(conn, journey)
    return knob_changes.every(conn, journey)


def turn(
    conn: Connection, journey: str, knob: str, value: str | float | None, who: str, why: str, now: datetime
) -> Turned:
    """Set a knob, or with None give it back to the code; the same again changes nothing. Call it in a transaction that writes.

    Raises NotFound, and Invalid for a value that it can't have, naming its bounds.
    """
    journeys.get(conn, journey)
    journeys.lock(conn, journey)  # two who turn at once: the second builds on what the first has made
    code = journeys.load_code(conn, journey)
    found = next((each for each in code.knobs if each.name == knob), None)
    if found is None:
        names = [each.name for each in code.knobs]
        hint = meant(knob, names) if names else "it has none"
        raise NotFound("knob_not_found", f"journey {journey!r} has no knob {knob!r}; {hint}")
    values, _ = knob_changes.holding(conn, code)
    old = values.get(knob, found.value)
    new = None if value is None else fitting(found, read_value(found, value))
    if new is not None and isclose(new, found.value):
        new = None
    wanted = {name: each for name, each in values.items() if name != knob} | ({} if new is None else {knob: new})
    if wanted == values:
        row = journeys.get(conn, journey)
        return Turned(_shown(found, old, knob_changes.newest(conn, journey).get(knob)), row.version, row.hash, False)
    made = journeys.make_current(conn, tuned(code, wanted), who, now)
    knob_changes.note(conn, journey, knob, old, new, made.version, who, why, now)
    shown = _shown(found, found.value if new is None else new, knob_changes.newest(conn, journey)[knob])
    return Turned(shown, made.version, made.hash, True)


def _shown(knob: language.Knob, value: float, change: KnobChange | None) -> Knob:
    return Knob(
        name=knob.name,
        label=knob.label,
        kind=knob.kind,
        value=value,
        default=knob.value,
        min=knob.min,
        max=knob.max,
        value_words=value_words(knob, value),
        default_words=value_words(knob, knob.value),
        min_words=value_words(knob, knob.min),
        max_words=value_words(knob, knob.max),
        turned=not isclose(value, knob.value),
        boxes=tuple(dict.fromkeys(owner or "anywhere" for owner, _, _ in knob.uses)),
        changed=change,
    )
