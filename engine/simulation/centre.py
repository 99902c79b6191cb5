"""The centre: how many calls the declared queues make on each day of the week, by their shifts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile
from math import inf

from sqlalchemy import Connection

from dsl.localtime import zone_of
from engine.calls.hours import Rules, rules_of
from engine.simulation.responses import Week

__all__ = ["declared"]

_DAYS = timedelta(days=8)


def declared(conn: Connection, queues: Iterable[str], now: datetime) -> dict[str, Week]:
    """By queue, the calls that its agents make on each day of the week, of the queues whose agents are limited.

    Of an ordinary week: holidays are days like others.
    """
    known = (rules_of(conn, queue) for queue in queues)
    return {rules.name: _week(rules, now) for rules in known if rules.limited}


def _week(rules: Rules, now: datetime) -> Week:
    here = zone_of(rules.zone)
    tomorrow = (now.astimezone(here) + timedelta(days=1)).date()
    found = [0.0] * 7
    ordinary = replace(rules, holidays=True, country="")
    for slot in takewhile(lambda slot: slot.start < now + _DAYS, ordinary.slots(now)):
        day = slot.start.astimezone(here).date()
        if tomorrow <= day < tomorrow + timedelta(days=7):
            found[day.weekday()] += inf if slot.calls is None else slot.calls
    return tuple(found)
