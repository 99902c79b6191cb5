"""Places in a queue's slots: K3, by priority, expected value and age; hours and calling windows; what is moved is a row."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kit.calls import MONDAY, claim_one, declared, make, task, tasks_of
from sqlalchemy import select, update

from engine.calls import capacity as call_capacity
from engine.calls import leases as call_leases
from engine.calls import queues as call_queues
from engine.calls import tasks as call_tasks
from engine.calls import value as call_value
from engine.calls.capacity import Wish, crowded_out
from engine.calls.hours import rules_of
from engine.db import Database, insert_new, table
from engine.errors import Invalid
from engine.tables import CallTask, Customer, Purchase

HALF = timedelta(minutes=30)


def deferred(db: Database) -> list[tuple[str, str, datetime, datetime, int]]:
    with db.read() as conn:
        rows = call_queues.deferrals(conn, queue="retention")
    return [(row.task_id, row.reason, row.from_at, row.to_at, row.value) for row in reversed(rows)]


def dues(db: Database) -> dict[str, datetime]:
    return {key: row.due_at for key, row in sorted(tasks_of(db).items())}


def test_K3_overflow_goes_to_the_next_slot_highest_value_first_and_each_deferral_is_a_row(db: Database) -> None:
    declared(db)
    make(db, *(task(f"{n}-1-0", value=n * 100) for n in range(1, 6)))
    assert dues(db) == {
        "5-1-0": MONDAY, "4-1-0": MONDAY,
        "3-1-0": MONDAY + HALF, "2-1-0": MONDAY + HALF,
        "1-1-0": MONDAY + 2 * HALF,
    }  # fmt: skip
    assert sorted(deferred(db)) == [
        ("1-1-0", "no capacity", MONDAY, MONDAY + 2 * HALF, 100),
        ("2-1-0", "no capacity", MONDAY, MONDAY + HALF, 200),
        ("3-1-0", "no capacity", MONDAY, MONDAY + HALF, 300),
    ]
    with db.read() as conn:
        loads = call_capacity.load(conn, rules_of(conn, "retention"), MONDAY, 4)
    assert [(load.slot.calls, load.planned) for load in loads] == [(2, 2), (2, 2), (2, 1), (2, 0)]


def test_K3_who_comes_later_and_counts_for_more_takes_the_place_of_who_counts_for_less(db: Database) -> None:
    declared(db)
    make(db, task("1-1-0", value=10), task("2-1-0", value=20))
    make(db, task("3-1-0", value=30), task("4-1-0", value=5, priority=1))
    assert [key for key, due in dues(db).items() if due == MONDAY] == ["3-1-0", "4-1-0"]
    assert sorted((key, reason) for key, reason, *_ in deferred(db)) == [("1-1-0", "outranked"), ("2-1-0", "outranked")]


def test_K3_a_call_that_was_claimed_keeps_its_place(db: Database) -> None:
    declared(db)
    make(db, task("1-1-0", value=10), task("2-1-0", value=20))
    claim_one(db)
    claim_one(db)
    make(db, task("3-1-0", value=500))
    assert tasks_of(db)["3-1-0"].due_at == MONDAY + HALF


def test_K3_with_a_substitute_a_call_waits_for_no_later_slot(db: Database) -> None:
    declared(db)
    make(db, task("1-1-0", value=10), task("2-1-0", value=20))
    with db.read() as conn:
        rules = rules_of(conn, "retention")
        zone = call_capacity.wishes(conn, rules)[0].zone
        wanted = [
            Wish(key, 5, value, MONDAY, zone, picky=picky)
            for key, value, picky in (
                ("a", 15, True), ("b", 5, True), ("c", 1, False), ("d", 40, True), ("e", 12, True),
            )
        ]  # fmt: skip
        left_out = crowded_out(conn, rules, wanted, MONDAY)
    # d and the task worth 20 have the two places; a and e would have had to take the one of 20
    assert sorted(left_out) == ["a", "b", "e"]
    assert left_out["a"].suits is not None
    assert left_out["a"].suits.calls == 2


def test_K3_what_a_slot_left_undone_has_its_place_in_the_next(db: Database) -> None:
    declared(db)
    make(db, *(task(f"{n}-1-0", value=n) for n in range(1, 5)))
    later = MONDAY + HALF
    with db.write() as conn:
        assert call_capacity.stale(conn, later)
        assert call_capacity.roll(conn, later) == 1
        assert call_capacity.roll(conn, later) == 0
    slots = Counter(row.slot_at for row in tasks_of(db).values())
    assert slots == {later: 2, later + HALF: 2}
    assert tasks_of(db)["4-1-0"].due_at == MONDAY, "it has been due since then"
    assert tasks_of(db)["1-1-0"].due_at == later + HALF


def test_K3_more_agents_bring_calls_forward_and_no_limit_sets_all_free(db: Database) -> None:
    declared(db)
    make(db, *(task(f"{n}-1-0") for n in range(1, 8)))
    assert max(dues(db).values()) == MONDAY + 3 * HALF
    declared(db, shifts=[{"opens": "09:00", "closes": "18:00", "agents": 3}])
    assert max(dues(db).values()) == MONDAY + HALF
    declared(db, shifts=[{"opens": "09:00", "closes": "18:00"}])
    assert set(dues(db).values()) == {MONDAY}
    assert {row.slot_at for row in tasks_of(db).values()} == {None}


def test_slots_of_two_shifts_over_the_week_end_and_a_clock_change(db: Database) -> None:
    workdays = ["monday", "tuesday", "wednesday", "thursday", "friday"]
    rules = declared(
        db,
        shifts=[
            {"days": workdays, "opens": "16:00", "closes": "18:00", "agents": 2},
            {"days": workdays, "opens": "09:00", "closes": "10:15", "agents": 1},
        ],
    )
    friday = datetime(2026, 3, 27, 16, 10, tzinfo=UTC)  # 17:10 in Paris, on Sunday the clocks go forward
    slots = [slot for slot, _ in zip(rules.slots(friday), range(6), strict=False)]
    assert [f"{slot.start:%d %H:%M}-{slot.end:%H:%M} {slot.calls}" for slot in slots] == [
        "27 16:00-16:30 4",
        "27 16:30-17:00 4",
        "30 07:00-07:30 2",  # 09:00 in Paris
        "30 07:30-08:00 2",
        "30 08:00-08:15 2",
        "30 14:00-14:30 4",
    ]


def test_a_customer_far_away_has_a_place_when_she_may_be_rung(db: Database) -> None:
    declared(db, shifts=[{"opens": "00:00", "closes": "00:00", "agents": 1}], call_from="09:00", call_until="12:00")
    make(db, task("1-1-0", zone="America/Los_Angeles"), task("2-1-0", zone="Asia/Tokyo"), task("3-1-0"))
    assert {key: f"{due:%d %H:%M}" for key, due in dues(db).items()} == {
        "1-1-0": "04 16:00",
        "2-1-0": "05 00:00",
        "3-1-0": "04 09:00",  # 11:00 in Paris
    }


def test_a_task_is_not_handed_out_when_she_may_not_be_rung(db: Database) -> None:
    declared(db, shifts=[], call_from="09:00", call_until="20:00")
    make(db, task("1-1-0", zone="Asia/Tokyo"), task("2-1-0"))
    evening = MONDAY + timedelta(hours=4)  # 22:00 in Tokyo, 15:00 in Paris
    with db.write() as conn:
        claimed = call_leases.claim(conn, "retention", "ada", 5, 120, evening)
    assert [one.task.id for one in claimed] == ["2-1-0"]
    assert tasks_of(db)["1-1-0"].due_at == datetime(2026, 5, 5, 0, tzinfo=UTC)


def test_public_holidays_are_off_unless_told_otherwise(db: Database) -> None:
    rules = declared(db, holidays=False)
    labour_day = datetime(2026, 5, 1, 9, tzinfo=UTC)
    assert not rules.open_at(labour_day)
    assert declared(db, holidays=True).open_at(labour_day)


def test_skills_leave_a_task_to_who_has_them(db: Database) -> None:
    make(
        db,
        task("1-1-0", skills=["wine", "language:fr"], value=9),
        task("2-1-0", skills=["language:fr"], value=8),
        task("3-1-0", skills=["language:de"], value=7),
        task("4-1-0", skills=[], value=6),
    )

    def given(skills: list[str] | None) -> list[str]:
        with db.write() as conn:
            claimed = call_leases.claim(conn, "retention", "ada", 10, 120, MONDAY, skills=skills)
            for one in claimed:
                call_leases.release(conn, one.task.id, one.lease_token, MONDAY)
        return [one.task.id[0] for one in claimed]

    assert given(["language:fr"]) == ["2", "4"]
    assert given(["language:fr", "wine", "beer"]) == ["1", "2", "4"]
    assert given([]) == ["4"]
    assert given(["language:f%"]) == ["4"]
    assert given(None) == ["1", "2", "3", "4"]


def test_expected_value_is_chance_times_order_and_can_be_estimated_anew(db: Database) -> None:
    def bought(customer: str, order: str, total: int, days: int) -> dict[str, Any]:
        at = MONDAY - timedelta(days=days)
        line: dict[str, Any] = {"id": f"{order}-{total}", "order_id": order, "customer_id": customer, "quantity": 1}
        return line | {"at": at, "total": total}

    lines = [
        bought("c1-1-0", "a", 6000, 10), bought("c1-1-0", "a", 2000, 10), bought("c1-1-0", "b", 2000, 200),
        bought("c2-1-0", "c", 90000, 400),
    ]  # fmt: skip
    with db.write() as conn:
        insert_new(conn, Purchase, lines)
        first = ("c1-1-0", "win_back", "call")
        second = ("c2-1-0", "win_back", "call")
        assert call_value.expected(conn, [first, second], MONDAY, 3000) == {first: 1000, second: 600}
    make(db, task("1-1-0"), task("2-1-0"), *(task(f"{n}-1-0") for n in range(10, 20)))
    with db.write() as conn:
        won = table(CallTask).c.id.like("1_-1-0")
        conn.execute(
            update(table(CallTask)).where(won).values(status="completed", outcome="interested", completed_at=MONDAY)
        )
        assert call_value.revalue(conn, "retention", MONDAY, 3000) == 2
        assert call_value.revalue(conn, "retention", MONDAY, 3000) == 0
    worth = tasks_of(db)
    assert (worth["1-1-0"].value, worth["2-1-0"].value) == (3000, 1800)  # 12 of 20, by now
    assert claim_one(db).task.id == "1-1-0"


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ({"zone": "Mars/Base"}, "IANA"),
        ({"call_from": "9"}, "HH:MM"),
        ({"slot_minutes": 1}, "5 to 1440"),
        ({"attempts": 0}, "1 to 20"),
        ({"shifts": [{"opens": "09:00", "closes": "08:00"}]}, "ends on the day it begins"),
        ({"shifts": [{"opens": "9:00", "closes": "18:00"}]}, "HH:MM"),
        ({"shifts": [{"opens": "09:00", "closes": "18:00", "agents": 0}]}, "1 to 10000"),
        ({"shifts": [{"days": ["someday"], "opens": "09:00", "closes": "18:00"}]}, "day of the week"),
        ({"shifts": [{"opens": "09:00", "closes": "12:00"}, {"opens": "11:00", "closes": "18:00"}]}, "overlap"),
        ({"shifts": [{"opens": "02:00", "closes": "03:00"}]}, "no time in common"),
    ],
)
def test_a_queue_that_makes_no_sense_is_refused_and_nothing_is_kept(
    sqlite: Database, rules: dict[str, Any], why: str
) -> None:
    with pytest.raises(Invalid, match=why):
        declared(sqlite, **rules)
    with sqlite.read() as conn:
        assert not rules_of(conn, "retention").declared


def test_a_thousand_calls_are_planned_in_good_time(sqlite: Database) -> None:
    declared(sqlite)
    make(sqlite, *(task(f"{n}-1-0", value=n % 97) for n in range(1000)))
    slots = Counter(row.slot_at for row in tasks_of(sqlite).values())
    assert set(slots.values()) == {2}
    assert len(deferred(sqlite)) == 100  # a page of the 998
    with sqlite.read() as conn:
        order = (
            conn.execute(select(table(CallTask).c.value).order_by(table(CallTask).c.slot_at, table(CallTask).c.rank))
            .scalars()
            .all()
        )
    assert order == sorted(order, reverse=True)


def test_withdrawing_frees_the_place(db: Database) -> None:
    declared(db)
    make(db, task("1-1-0", value=9), task("2-1-0", value=8), task("3-1-0", value=7))
    with db.write() as conn:
        call_tasks.withdraw(conn, ["1-1-0"], MONDAY)
        call_capacity.plan(conn, "retention", MONDAY)
    assert tasks_of(db)["3-1-0"].due_at == MONDAY


def test_a_customer_whose_day_is_the_queues_night_stops_nobody_else(db: Database) -> None:
    declared(db, shifts=[{"opens": "09:00", "closes": "18:00"}], call_from="08:00", call_until="20:00")
    make(db, task("1-1-0"), task("2-1-0"))
    with db.write() as conn:
        insert_new(conn, Customer, [{"id": "c1-1-0", "zone": "Pacific/Honolulu", "attributes": {}, "created_at": MONDAY,
                                     "updated_at": MONDAY}])  # fmt: skip
    assert claim_one(db).task.id == "2-1-0"
    assert tasks_of(db)["1-1-0"].due_at == MONDAY + timedelta(days=1), "it is looked at again then"
