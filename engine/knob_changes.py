"""What was turned: the rows of knobs' changes. The newest row of a knob holds, also when the code is published again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from dsl.ir import IR
from engine.db import table
from engine.errors import Invalid
from engine.tables import KnobChange
from engine.tuning import tuned

__all__ = ["LetGo", "every", "holding", "let_go", "newest", "note"]


@dataclass(frozen=True, slots=True)
class LetGo:
    """A turned value that the code, as it is now, can't have, and why."""

    knob: str
    old: float
    why: str


def every(conn: Connection, journey: str) -> list[KnobChange]:
    """Who turned a journey's knobs, when and why, the newest first."""
    rows = table(KnobChange)
    query = select(rows).where(rows.c.journey == journey).order_by(rows.c.id.desc())
    return [KnobChange(**row) for row in conn.execute(query).mappings()]


def newest(conn: Connection, journey: str) -> dict[str, KnobChange]:
    """The newest change of each knob that was ever turned, the oldest of them first."""
    found = {change.knob: change for change in reversed(every(conn, journey))}
    return dict(sorted(found.items(), key=lambda item: item[1].id or 0))


def holding(conn: Connection, ir: IR) -> tuple[dict[str, float], list[LetGo]]:
    """Of what was turned before: the values that this code can have, and those that it can't."""
    known = {knob.name for knob in ir.knobs}
    held: dict[str, float] = {}
    unfit: list[LetGo] = []
    for name, change in newest(conn, ir.name).items():
        if change.value is None:
            continue
        if name not in known:
            unfit.append(LetGo(name, change.value, "the code has no such knob any more"))
            continue
        try:
            tuned(ir, {**held, name: change.value})
        except Invalid as error:
            unfit.append(LetGo(name, change.value, f"it does not fit the code any more: {error.message}"))
        else:
            held[name] = change.value
    return held, unfit


def let_go(conn: Connection, journey: str, unfit: Sequence[LetGo], version: int, who: str, now: datetime) -> None:
    """Write down that these values hold no longer, and why."""
    for each in unfit:
        note(conn, journey, each.knob, each.old, None, version, who, each.why, now)


def note(  # a row has as many columns
    conn: Connection,
    journey: str,
    knob: str,
    old: float,
    value: float | None,
    version: int,
    who: str,
    why: str,
    now: datetime,
) -> None:
    """Write down a change: `value` None is the code's."""
    row = {"journey": journey, "knob": knob, "old": old, "value": value, "version": version, "at": now}
    conn.execute(table(KnobChange).insert(), [{**row, "who": who, "why": why}])
