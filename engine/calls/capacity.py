"""Capacity: which slot each task of a queue has its place in, where its agents are limited (behaviour K3).

Places go by priority, then by expected value, then by age: a call that counts for more, and comes later, takes the place of
one that counts for less. Whoever is moved to a later slot is a row. A call back keeps the time that the customer asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.sql import ColumnElement

from dsl.localtime import zone_of
from engine.calls.hours import LOOK_AGAIN, Rules, Slot, every_rules, rules_of
from engine.db import insert_new, table
from engine.tables import CallAttempt, CallDeferral, CallQueue, CallTask

__all__ = ["Load", "Wish", "crowded_out", "load", "plan", "roll", "stale", "wishes"]

_MOST_SLOTS = 20_000


@dataclass(slots=True)
class Wish:
    """A call that wants a place. `picky`: in the first slot that suits her, or none."""

    id: str
    priority: int
    value: int
    created_at: datetime
    zone: ZoneInfo
    due_at: datetime | None = None
    slot_at: datetime | None = None
    not_before: datetime | None = None
    picky: bool = False
    suits: Slot | None = None
    """The first slot that suits her, full or not."""
    slot: Slot | None = None
    due: datetime | None = None

    @property
    def rank(self) -> tuple[int, int, datetime, str]:
        """The order in which places are given."""
        return self.priority, -self.value, self.created_at, self.id


@dataclass(frozen=True, slots=True)
class Load:
    """A slot, and how much of it is taken."""

    slot: Slot
    planned: int


def plan(conn: Connection, queue: str, now: datetime) -> int:
    """Give each pending task of a queue its place anew, where its agents are limited. Returns how many were moved."""
    rules = rules_of(conn, queue, lock=True)
    if not rules.limited:
        return _set_free(conn, rules, now)
    asking = wishes(conn, rules)
    _place(rules, now, _taken(conn, rules, now), asking)
    target = table(CallTask)
    changed = [
        wish for wish in asking if wish.slot is not None and (wish.slot.start, wish.due) != (wish.slot_at, wish.due_at)
    ]
    if changed:
        conn.execute(
            update(target)
            .where(target.c.id == bindparam("of"), target.c.status == "pending")  # it may be claimed meanwhile
            .values(slot_at=bindparam("slot"), due_at=bindparam("due"), updated_at=now),
            [{"of": wish.id, "slot": wish.slot.start, "due": wish.due} for wish in changed if wish.slot is not None],
        )
    insert_new(conn, CallDeferral, [row for wish in asking if (row := _deferral(wish, queue, now)) is not None])
    running = next(rules.slots(now), None)
    conn.execute(
        update(table(CallQueue))
        .where(table(CallQueue).c.name == queue)
        .values(planned_slot=running.start if running is not None else None)
    )
    return len(changed)


def stale(conn: Connection, now: datetime) -> bool:
    """Whether another slot of some queue has begun since it was planned."""
    return any(True for _ in _rolled(conn, now))


def roll(conn: Connection, now: datetime) -> int:
    """Plan each queue of which another slot has begun: what it left undone has its place in the next. Returns how many were."""
    begun = list(_rolled(conn, now))
    for rules in begun:
        plan(conn, rules.name, now)
    return len(begun)


def crowded_out(conn: Connection, rules: Rules, candidates: Sequence[Wish], now: datetime) -> dict[str, Wish]:
    """Of calls that are not made yet, the picky ones for which there is no room in the slot that suits them."""
    asking = wishes(conn, rules)
    _place(rules, now, _taken(conn, rules, now), [*asking, *candidates])
    return {wish.id: wish for wish in candidates if wish.picky and wish.slot is None}


def load(conn: Connection, rules: Rules, now: datetime, most: int) -> list[Load]:
    """The next slots of a queue, and how much of each is taken."""
    taken = _taken(conn, rules, now)
    taken.update(wish.slot_at for wish in wishes(conn, rules) if wish.slot_at is not None)
    return [Load(slot, taken[slot.start]) for slot in islice(rules.slots(now), most)]


def wishes(conn: Connection, rules: Rules, *also: ColumnElement[bool]) -> list[Wish]:
    """The pending tasks of a queue that have no appointment, and are `also` so."""
    target = table(CallTask)
    columns = ("id", "priority", "value", "created_at", "zone", "due_at", "slot_at", "not_before")
    query = select(*(target.c[name] for name in columns)).where(
        target.c.queue == rules.name, target.c.status == "pending", target.c.callback_at.is_(None), *also
    )
    return [
        Wish(
            row.id,
            row.priority,
            row.value,
            row.created_at,
            zone_of(row.zone, rules.zone),
            row.due_at,
            row.slot_at,
            row.not_before,
        )
        for row in conn.execute(query)
    ]


def _rolled(conn: Connection, now: datetime) -> Iterator[Rules]:
    for rules in every_rules(conn):
        running = next(rules.slots(now), None) if rules.limited else None
        if running is not None and running.start != rules.planned_slot:
            yield rules


def _set_free(conn: Connection, rules: Rules, now: datetime) -> int:
    """The queue takes any number of calls now: who had a place in a slot to come is due when she may be rung."""
    target = table(CallTask)
    free = wishes(conn, rules, target.c.slot_at.is_not(None))
    if free:
        conn.execute(
            update(target)
            .where(target.c.id == bindparam("of"), target.c.status == "pending")
            .values(slot_at=None, due_at=bindparam("due"), updated_at=now),
            [
                {"of": w.id, "due": rules.ring_time(max(now, w.not_before or now), w.zone) or now + LOOK_AGAIN}
                for w in free
            ],
        )
    return len(free)


def _taken(conn: Connection, rules: Rules, now: datetime) -> Counter[datetime]:
    """Places that nobody else can have: of calls under way or made, of tries that reached nobody, and of appointments."""
    running = next(rules.slots(now), None)
    taken: Counter[datetime] = Counter()
    if running is None:
        return taken
    task, attempt = table(CallTask), table(CallAttempt)
    made = (
        select(task.c.slot_at, func.count())
        .where(
            task.c.queue == rules.name,
            task.c.slot_at >= running.start,
            task.c.status.in_(("reserved", "assigned", "wrapping", "completed")),
        )
        .group_by(task.c.slot_at)
    )
    for start, count in conn.execute(made):
        taken[start] += count
    tried = (
        select(func.count())
        .select_from(attempt)
        .join(task, task.c.id == attempt.c.task_id)
        .where(task.c.queue == rules.name, attempt.c.at >= running.start)
    )
    taken[running.start] += conn.execute(tried).scalar_one()
    fixed = select(task.c.due_at).where(
        task.c.queue == rules.name, task.c.status == "pending", task.c.callback_at.is_not(None)
    )
    appointments = sorted(max(moment, now) for moment in conn.execute(fixed).scalars())
    if appointments:
        ahead = _Ahead(rules, now)
        for moment in appointments:
            index = ahead.first_from(moment)
            if index is not None:
                taken[ahead[index].start] += 1
    return taken


class _Ahead:
    """The slots ahead, made as far as they are asked for."""

    def __init__(self, rules: Rules, now: datetime) -> None:
        self._rules = rules
        self._more: Iterator[Slot] = islice(rules.slots(now), _MOST_SLOTS)
        self._slots: list[Slot] = []
        self._suits: dict[tuple[int, str], datetime | None] = {}
        self._now = now

    def __getitem__(self, index: int) -> Slot:
        return self._slots[index]

    def has(self, index: int) -> bool:
        while len(self._slots) <= index:
            slot = next(self._more, None)
            if slot is None:
                return False
            self._slots.append(slot)
        return True

    def first_from(self, moment: datetime) -> int | None:
        """The first slot that is not over at this moment."""
        index = 0
        while self.has(index):
            if self._slots[index].end > moment:
                return index
            index += 1
        return None

    def moment(self, index: int, zone: ZoneInfo, earliest: datetime) -> datetime | None:
        """When she may be rung in this slot, from `earliest` on."""
        slot = self._slots[index]
        if earliest > slot.start:
            return self._within(slot, zone, earliest)
        key = (index, zone.key)
        if key not in self._suits:
            self._suits[key] = self._within(slot, zone, slot.start)
        return self._suits[key]

    def _within(self, slot: Slot, zone: ZoneInfo, earliest: datetime) -> datetime | None:
        moment = self._rules.next_window(earliest, zone)
        return moment if moment < slot.end else None


def _place(rules: Rules, now: datetime, taken: Mapping[datetime, int], asking: Sequence[Wish]) -> None:
    """Give each wish its slot, in the order of what they count for."""
    ahead = _Ahead(rules, now)
    used: Counter[datetime] = Counter(taken)
    begin: dict[str, int] = {}
    """By zone: slots before this one are full, or don't suit her."""
    for wish in sorted(asking, key=lambda wish: wish.rank):
        earliest = max(now, wish.not_before or now)
        free = wish.not_before is None or wish.not_before <= now
        index = begin.get(wish.zone.key, 0) if free else ahead.first_from(earliest)
        if free:
            wish.suits = _first_suiting(ahead, wish.zone, now)
        while index is not None and ahead.has(index):
            slot = ahead[index]
            moment = ahead.moment(index, wish.zone, earliest)
            if moment is not None:
                wish.suits = wish.suits or slot
                if slot.calls is None or used[slot.start] < slot.calls:
                    used[slot.start] += 1
                    wish.slot, wish.due = slot, _kept_due(wish, slot, moment, now)
                    break
                if wish.picky:
                    break
            index += 1
        if wish.picky and wish.slot is not None and wish.suits is not None and wish.slot.start > wish.suits.start:
            used[wish.slot.start] -= 1
            wish.slot = wish.due = None
        elif free and index is not None:
            begin[wish.zone.key] = index


def _first_suiting(ahead: _Ahead, zone: ZoneInfo, now: datetime) -> Slot | None:
    index = 0
    while ahead.has(index):
        if ahead.moment(index, zone, max(now, ahead[index].start)) is not None:
            return ahead[index]
        index += 1
    return None


def _kept_due(wish: Wish, slot: Slot, moment: datetime, now: datetime) -> datetime:
    """A task that is due already and stays in the running slot keeps since when it is."""
    already = wish.due_at is not None and wish.due_at <= now and slot.start <= now
    return wish.due_at if already and wish.due_at is not None and moment <= now else moment


def _deferral(wish: Wish, queue: str, now: datetime) -> dict[str, Any] | None:
    """The row of a task that has to wait for a later slot than the one it had, or than the first that would suit her."""
    if wish.slot is None or wish.due is None or wish.suits is None:
        return None
    before = wish.suits.start if wish.slot_at is None else max(wish.slot_at, wish.suits.start)
    if wish.slot.start <= before:
        return None
    outranked = wish.slot_at is not None and wish.slot_at >= wish.suits.start
    return {
        "task_id": wish.id,
        "queue": queue,
        "from_at": max(before, now),
        "to_at": wish.due,
        "reason": "outranked" if outranked else "no capacity",
        "priority": wish.priority,
        "value": wish.value,
        "at": now,
    }
