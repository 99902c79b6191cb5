"""What a call center declares of a queue: shifts with their agents, when customers may be rung, how often they are tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from dsl.clocks import weekday
from dsl.localtime import clock_time, is_zone, zone_of
from dsl.problems import LanguageError
from engine.calls import capacity as call_capacity
from engine.calls.hours import Rules, Shift, rules_of
from engine.db import upsert
from engine.errors import Invalid
from engine.tables import CallQueue

__all__ = ["DAYS", "declare", "shift"]

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MIDNIGHT = "00:00"
_DAYS_END = "24:00"
"""ISO 8601's other word for midnight, as people write it; kept as 00:00."""


def declare(
    conn: Connection,
    name: str,
    now: datetime,
    *,
    zone: str,
    country: str,
    shifts: Sequence[Shift] = (),
    holidays: bool = False,
    slot_minutes: int = 30,
    calls_per_agent: int = 3,
    call_from: str = "08:00",
    call_until: str = "20:00",
    attempts: int = 3,
    retry_minutes: int = 240,
) -> Rules:
    """Declare a queue, or declare it anew; its pending tasks get their places by what holds now. Raises Invalid."""
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise Invalid("name", name, "a queue's name is 1 to 100 printable characters")
    if not is_zone(zone):
        raise Invalid("zone", zone, "not an IANA time zone, as Europe/Paris")
    call_until = _end(call_until)
    for field, text in (("call_from", call_from), ("call_until", call_until)):
        _time(field, text)
    for field, number, least, most in (
        ("slot_minutes", slot_minutes, 5, 1440),
        ("calls_per_agent", calls_per_agent, 1, 1000),
        ("attempts", attempts, 1, 20),
        ("retry_minutes", retry_minutes, 1, 60 * 24 * 30),
    ):
        if not least <= number <= most:
            raise Invalid(field, number, f"it must be {least} to {most}")
    _apart(shifts)
    row: dict[str, Any] = {
        "name": name,
        "zone": zone,
        "country": country,
        "shifts": [
            {"days": list(each.days), "opens": each.opens, "closes": each.closes, "agents": each.agents}
            for each in shifts
        ],
        "holidays": holidays,
        "slot_minutes": slot_minutes,
        "calls_per_agent": calls_per_agent,
        "call_from": call_from,
        "call_until": call_until,
        "attempts": attempts,
        "retry_minutes": retry_minutes,
        "planned_slot": None,
        "updated_at": now,
    }
    upsert(conn, CallQueue, [row])
    rules_of(conn, name).next_ring(now, zone_of(zone))  # raises where nobody could ever be rung
    call_capacity.plan(conn, name, now)
    return rules_of(conn, name)


def shift(given: Mapping[str, Any]) -> Shift:
    """A shift as it is written: `{"days": ["monday", …], "opens": "09:00", "closes": "18:00", "agents": 4}`. Raises Invalid."""
    days = given.get("days") or DAYS
    try:
        numbers = tuple(sorted({weekday("days", day) for day in days}))
    except LanguageError as error:
        raise Invalid("days", list(days), str(error)) from None
    opens, closes = str(given["opens"]), _end(str(given["closes"]))
    for field, text in (("opens", opens), ("closes", closes)):
        _time(field, text)
    if closes != _MIDNIGHT and closes <= opens:
        raise Invalid("closes", closes, f"a shift ends on the day it begins, after {opens}; 24:00 is the day's end")
    agents = given.get("agents")
    if agents is not None and not 1 <= agents <= 10_000:
        raise Invalid("agents", agents, "it must be 1 to 10000, or null: any number of calls")
    return Shift(numbers, opens, closes, agents)


def _end(text: str) -> str:
    return _MIDNIGHT if text == _DAYS_END else text


def _time(field: str, text: str) -> None:
    try:
        if f"{clock_time(text):%H:%M}" == text:
            return
    except ValueError:
        pass
    raise Invalid(field, text, "it must be a time of day as HH:MM")


def _apart(shifts: Sequence[Shift]) -> None:
    """A slot is of one shift: where two overlap, nobody could say how many agents there are."""
    for index, one in enumerate(shifts):
        for other in shifts[index + 1 :]:
            first, second = sorted((one, other), key=lambda each: each.opens)
            overlap = first.closes == _MIDNIGHT or second.opens < first.closes
            if overlap and set(one.days) & set(other.days):
                day = DAYS[min(set(one.days) & set(other.days))]
                raise Invalid(
                    "shifts",
                    [f"{each.opens}-{each.closes}" for each in (first, second)],
                    f"on {day} they overlap: make them three shifts, with the agents of each",
                )
