"""When a queue calls: its shifts and their slots, on its own clock, and when a customer may be rung, on hers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping, select

from dsl.ir import Clock
from dsl.localtime import clock_time, fits, fitting, in_window, local_moment, next_local, zone_of
from engine.db import table
from engine.errors import Invalid
from engine.holidays import holidays_of
from engine.tables import CallQueue

__all__ = ["LOOK_AGAIN", "Rules", "Shift", "Slot", "every_rules", "rules_of"]

_MIDNIGHT = "00:00"
_AHEAD = 366
_ROUNDS = 1000
_DAY = timedelta(days=1)
LOOK_AGAIN = _DAY
"""After how long a task is looked at again whose customer can't be rung at any hour of the queue's."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A window of the week in which so many agents call. `closes` "00:00" is the day's end."""

    days: tuple[int, ...]
    opens: str
    closes: str
    agents: int | None
    """None: as many as it takes."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A stretch of a shift, and how many calls it takes; None: any number."""

    start: datetime
    end: datetime
    calls: int | None


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for a queue. One that nobody declared is always open and takes any number of calls."""

    name: str
    zone: str = "UTC"
    country: str = ""
    shifts: tuple[Shift, ...] = ()
    holidays: bool = True
    slot_minutes: int = 30
    calls_per_agent: int = 3
    call_from: str = _MIDNIGHT
    call_until: str = _MIDNIGHT
    """Both the same: a customer may be rung at any time."""
    attempts: int = 3
    retry_minutes: int = 240
    planned_slot: datetime | None = None
    declared: bool = False

    @property
    def limited(self) -> bool:
        """Whether its slots take a limited number of calls."""
        return any(shift.agents is not None for shift in self.shifts)

    def may_ring(self, moment: datetime, zone: ZoneInfo) -> bool:
        """Whether the centre is open, and it is a time at which a customer of this zone may be rung."""
        return self.open_at(moment) and self._in_her_window(moment, zone)

    def open_at(self, moment: datetime) -> bool:
        """Whether one of its shifts works."""
        here = zone_of(self.zone)
        return not self.shifts or any(
            in_window(moment, here, clock_time(shift.opens), clock_time(shift.closes))
            and self._works(shift, moment.astimezone(here))
            for shift in self.shifts
        )

    def next_ring(self, earliest: datetime, zone: ZoneInfo) -> datetime:
        """The first moment from `earliest` on at which she may be rung. Raises Invalid where a year has none."""
        moment = self.ring_time(earliest, zone)
        if moment is None:
            raise Invalid(
                "queue",
                self.name,
                f"its shifts and the calling window of customers in {zone} have no time in common",
            )
        return moment

    def ring_time(self, earliest: datetime, zone: ZoneInfo) -> datetime | None:
        """As `next_ring`; None where the centre never works at an hour at which customers of this zone may be rung."""
        moment = earliest
        for _ in range(_ROUNDS):
            opens = self._next_open(moment)
            moment = self.next_window(opens, zone)
            if moment == opens:
                return moment
            if moment - earliest > _AHEAD * _DAY:
                break
        return None

    def next_window(self, earliest: datetime, zone: ZoneInfo) -> datetime:
        """The first moment from `earliest` on at which a customer of this zone may be rung, whoever works then."""
        if self._in_her_window(earliest, zone):
            return earliest
        return next_local(earliest, zone, clock_time(self.call_from))

    def slots(self, now: datetime) -> Iterator[Slot]:
        """The slots that are not over, in their order, a year ahead."""
        here = zone_of(self.zone)
        first = now.astimezone(here).date()
        for ahead in range(_AHEAD):
            day = first + timedelta(days=ahead)
            noon = datetime.combine(day, clock_time("12:00"), here)
            for shift in sorted(self.shifts, key=lambda shift: shift.opens):
                if not self._works(shift, noon):
                    continue
                start = local_moment(day, clock_time(shift.opens), here)
                last = day if shift.closes != _MIDNIGHT else day + _DAY
                closes = local_moment(last, clock_time(shift.closes), here)
                calls = None if shift.agents is None else shift.agents * self.calls_per_agent
                while start < closes:
                    end = min(start + timedelta(minutes=self.slot_minutes), closes)
                    if end > now:
                        yield Slot(start, end, calls)
                    start = end

    def _works(self, shift: Shift, local: datetime) -> bool:
        clock = Clock(None, shift.opens, shift.closes, shift.days, self.holidays)
        return fits(clock, local.date(), holidays_of(self.country or None))

    def _next_open(self, earliest: datetime) -> datetime:
        if not self.shifts or self.open_at(earliest):
            return earliest
        here, holiday = zone_of(self.zone), holidays_of(self.country or None)
        clocks = [Clock(None, shift.opens, shift.closes, shift.days, self.holidays) for shift in self.shifts]
        return min(fitting(clock, earliest, here, holiday) for clock in clocks)

    def _in_her_window(self, moment: datetime, zone: ZoneInfo) -> bool:
        return self.call_from == self.call_until or in_window(
            moment, zone, clock_time(self.call_from), clock_time(self.call_until)
        )


def rules_of(conn: Connection, queue: str, *, lock: bool = False) -> Rules:
    """A queue's rules. `lock`: nobody else plans this queue until the transaction ends (PostgreSQL)."""
    target = table(CallQueue)
    query = select(target).where(target.c.name == queue)
    row = conn.execute(query.with_for_update() if lock else query).mappings().first()
    return Rules(queue) if row is None else _read(row)


def every_rules(conn: Connection) -> list[Rules]:
    """The rules of every queue that was declared, by name."""
    target = table(CallQueue)
    return [_read(row) for row in conn.execute(select(target).order_by(target.c.name)).mappings()]


def _read(row: RowMapping) -> Rules:
    values: dict[str, Any] = {
        name: row[name] for name in CallQueue.model_fields if name not in {"shifts", "updated_at"}
    }
    shifts: list[dict[str, Any]] = row["shifts"]
    made = tuple(Shift(tuple(each["days"]), each["opens"], each["closes"], each["agents"]) for each in shifts)
    return Rules(**values, shifts=made, declared=True)
