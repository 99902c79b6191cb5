"""Names: how an arrow, an event and a length of time are said to an author."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dsl.draw.words import arrow_words
from dsl.ir import IR, Stage, State
from dsl.times import DAY, HOUR, MINUTE, Duration

__all__ = ["arrow_said", "event_name", "named", "owner", "span_said"]


def owner(ir: IR, number: int) -> State | Stage | None:
    """Whose arrow it is, of `ir.arrows`; None: it may be taken from anywhere."""
    left = number
    for state in ir.states:
        if left < len(state.arrows):
            return state
        left -= len(state.arrows)
    left -= len(ir.anywhere)
    for stage in ir.stages:
        if 0 <= left < len(stage.arrows):
            return stage
        left -= len(stage.arrows)
    return None


def arrow_said(ir: IR, number: int) -> str:
    """An arrow as its picture has it: `sms: no answer in 2 d → lapsed`."""
    whose, arrow = owner(ir, number), ir.arrows[number]
    said = arrow_words(arrow, whose if isinstance(whose, State) else None)
    return f"{whose.name if whose is not None else 'anywhere'}: {said or 'then'} → {arrow.to}"


def event_name(event: str) -> str:
    """An event as an author writes it: `Email.clicked` of `email.clicked`."""
    family, _, name = event.partition(".")
    return f"{''.join(part.capitalize() for part in family.split('_'))}.{name}"


def span_said(seconds: int) -> str:
    """A length of time as keywords: `days=3, hours=12`."""
    parts: list[str] = []
    left = seconds
    for unit, size in (("days", DAY), ("hours", HOUR), ("minutes", MINUTE)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{unit}={count}")
    return ", ".join(parts) or "minutes=0"


def named(values: Mapping[str, Any]) -> list[str]:
    """Values as keywords: `country="FR"`."""
    return [f"{name}={_value(value)}" for name, value in values.items()]


def _value(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, datetime):
        parts = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
        while len(parts) > 3 and not parts[-1]:
            parts = parts[:-1]
        return f"datetime({', '.join(map(str, parts))}, tzinfo=UTC)"
    if isinstance(value, Duration):
        return f"Duration({value.seconds})"
    return repr(value)
