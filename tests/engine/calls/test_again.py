"""Calls that are made again: attempts and call backs (K2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kit.calls import MONDAY, claim_one, declared, make, task, tasks_of

from engine import consent, events
from engine.calls import again as call_again
from engine.calls import leases as call_leases
from engine.calls import tasks as call_tasks
from engine.calls.again import attempts_left, attempts_of
from engine.calls.hours import rules_of
from engine.db import Database, insert_new
from engine.errors import Conflict, Gone, Invalid
from engine.tables import CallTask, Customer


def call_back(db: Database, at: str, now: datetime = MONDAY, **more: Any) -> CallTask:
    claimed = claim_one(db, now=now)
    with db.write() as conn:
        return call_again.callback(conn, claimed.task.id, claimed.lease_token, at, now, **more)


def test_K2_a_call_back_reported_again_is_the_same_or_refused(db: Database) -> None:
    """What the customer was promised stays: a dialer that says another time must hear that it was not taken."""
    make(db, task("1-1-0"))
    claimed = claim_one(db)
    later = MONDAY + timedelta(minutes=5)

    def again(at: str) -> CallTask:
        with db.write() as conn:
            return call_again.callback(conn, "1-1-0", claimed.lease_token, at, later)

    with db.write() as conn:
        first = call_again.callback(conn, "1-1-0", claimed.lease_token, "15:00", MONDAY)
    assert again("15:00") == again("2026-05-04T15:00") == again("2026-05-04T13:00:00Z") == first
    with pytest.raises(Conflict, match=r"reported with a call back at 2026-05-04T13:00:00\+00:00, which stays"):
        again("16:00")
    with pytest.raises(Invalid, match="at: it must be a time"):
        again("")
    kept = tasks_of(db)["1-1-0"]
    assert (kept.due_at, kept.attempts, kept.status) == (first.due_at, 1, "pending")


def test_a_completed_task_takes_no_call_back(db: Database) -> None:
    make(db, task("1-1-0", outcomes=["interested", "callback"]))
    claimed = claim_one(db)
    with db.write() as conn:
        call_tasks.complete(conn, "1-1-0", claimed.lease_token, "callback", MONDAY)
    with db.write() as conn, pytest.raises(Conflict, match="was completed by ada"):
        call_again.callback(conn, "1-1-0", claimed.lease_token, "15:00", MONDAY)


@pytest.mark.parametrize(
    ("zone", "at", "due"),
    [
        ("Europe/Paris", "15:00", "05-04 13:00"),
        ("Europe/Paris", "10:00", "05-05 08:00"),  # it is 11:00 there: tomorrow's
        ("Europe/Paris", "18:30", "05-05 07:00"),  # the centre has closed by then
        ("Europe/Paris", "2026-05-09T15:00", "05-11 07:00"),  # a Saturday
        ("America/New_York", "15:00", "05-05 12:00"),  # 21:00 in Paris; on the next day she is rung from 08:00 on
        ("Asia/Tokyo", "2026-05-06T16:30", "05-06 07:30"),
        ("Asia/Tokyo", "2026-05-06T07:30:00+00:00", "05-06 07:30"),
        ("Europe/Paris", "2026-05-04T15:00:00Z", "05-04 15:00"),
    ],
)
def test_K2_call_back_at_her_time_within_opening_hours(db: Database, zone: str, at: str, due: str) -> None:
    workdays = ["monday", "tuesday", "wednesday", "thursday", "friday"]
    declared(db, shifts=[{"days": workdays, "opens": "09:00", "closes": "18:00", "agents": 1}])
    make(db, task("1-1-0", zone=zone), now=MONDAY)
    with db.write() as conn:
        conn.execute(CallTask.__table__.update().values(due_at=MONDAY))  # type: ignore[attr-defined]  # SQLModel's
    open_now = MONDAY if zone != "America/New_York" else MONDAY + timedelta(hours=4)
    done = call_back(db, at, open_now)
    assert f"{done.due_at:%m-%d %H:%M}" == due
    assert (done.status, done.callback_at, done.attempts, done.worker) == ("pending", done.due_at, 1, "ada")
    with db.write() as conn:
        assert call_leases.claim(conn, "retention", "bob", 1, 60, done.due_at - timedelta(seconds=1)) == []
        assert len(call_leases.claim(conn, "retention", "bob", 1, 60, done.due_at)) == 1


def test_K2_her_time_zone_is_the_one_she_has_by_then(db: Database) -> None:
    make(db, task("1-1-0", zone="Europe/Paris"))
    row: dict[str, Any] = {
        "id": "c1-1-0",
        "zone": "Asia/Tokyo",
        "attributes": {},
        "created_at": MONDAY,
        "updated_at": MONDAY,
    }
    with db.write() as conn:
        insert_new(conn, Customer, [row])
    assert call_back(db, "20:00").due_at == datetime(2026, 5, 4, 11, tzinfo=UTC)


def test_K2_a_call_back_keeps_its_time_whoever_else_is_worth_more(db: Database) -> None:
    declared(db)
    make(db, task("1-1-0"))
    due = call_back(db, "14:00").due_at
    make(db, *(task(f"{n}-1-0", value=1000, created_at=MONDAY) for n in range(2, 40)))
    assert tasks_of(db)["1-1-0"].due_at == due
    others = [row.slot_at for row in tasks_of(db).values() if row.id != "1-1-0"]
    assert others.count(due) == 1, "it has one of the two places"


def test_K2_attempts_are_limited_and_the_last_is_the_outcome(db: Database) -> None:
    declared(db, attempts=3, retry_minutes=60)
    make(db, task("1-1-0"))
    now = MONDAY

    def report(worker: str, outcome: str) -> CallTask:
        claimed = claim_one(db, worker, now)
        for _ in range(2):  # the same report again is no other attempt
            with db.write() as conn:
                last = call_again.attempt(conn, "1-1-0", claimed.lease_token, outcome, now)
        return last  # pyright: ignore[reportPossiblyUnboundVariable]  # it was reported twice

    for number, outcome in enumerate(("busy", "voicemail"), 1):
        done = report(f"agent {number}", outcome)
        assert (done.status, done.attempts, done.due_at) == ("pending", number, now + timedelta(hours=1))
        with db.read() as conn:
            assert attempts_left(done, rules_of(conn, "retention")) == 3 - number
        now = done.due_at
    done = report("agent 3", "busy")
    assert (done.status, done.outcome, done.attempts) == ("completed", "busy", 2)
    with db.read() as conn:
        (event,) = events.since(conn, 0, 10)
        made = attempts_of(conn, "1-1-0")
    assert (event.name, event.payload["outcome"]) == ("call.not_reached", "busy")
    assert [(one.number, one.outcome, one.worker) for one in made] == [
        (1, "busy", "agent 1"),
        (2, "voicemail", "agent 2"),
    ]


def test_K2_no_call_back_is_promised_that_would_be_one_too_many(db: Database) -> None:
    declared(db, attempts=2)
    make(db, task("1-1-0"))
    now = call_back(db, "15:00").due_at
    claimed = claim_one(db, now=now)
    with db.write() as conn, pytest.raises(Conflict, match="tried 1 times before; 2 calls are the most"):
        call_again.callback(conn, "1-1-0", claimed.lease_token, "17:00", now)
    with db.write() as conn:
        assert call_tasks.complete(conn, "1-1-0", claimed.lease_token, "refused", now).status == "completed"


def test_a_busy_line_has_an_arrow_of_its_own_where_the_box_wants_it(db: Database) -> None:
    make(db, task("1-1-0", outcomes=["interested", "busy"]))
    claimed = claim_one(db)
    with db.write() as conn:
        call_tasks.complete(conn, "1-1-0", claimed.lease_token, "busy", MONDAY)
    with db.read() as conn:
        assert [event.name for event in events.since(conn, 0, 10)] == ["call.busy"]


def test_to_be_called_back_needs_a_time_or_an_arrow(db: Database) -> None:
    make(db, task("1-1-0"), task("2-1-0", outcomes=["interested", "callback"]))
    first, second = claim_one(db), claim_one(db)
    with db.write() as conn, pytest.raises(Invalid, match="Give the time"):
        call_tasks.complete(conn, first.task.id, first.lease_token, "callback", MONDAY)
    with db.write() as conn:
        assert call_tasks.complete(conn, "2-1-0", second.lease_token, "callback", MONDAY).status == "completed"


@pytest.mark.parametrize(
    "at",
    [
        "",
        "soon",
        "25:00",
        "2026-05-04T08:00",
        "2028-01-01T10:00",
        "2026-13-01T10:00",
        "٣:٠٠x",
        "0001-01-01T00:00",
        "9999-12-31T23:59",
        "0001-01-01T00:00+14:00",
        "9999-12-31T23:59-14:00",
    ],
)
def test_a_time_that_is_none_is_refused_and_the_lease_stays(sqlite: Database, at: str) -> None:
    make(sqlite, task("1-1-0"))
    claimed = claim_one(sqlite)
    with sqlite.write() as conn, pytest.raises(Invalid, match="at: it must be"):
        call_again.callback(conn, "1-1-0", claimed.lease_token, at, MONDAY)
    with sqlite.write() as conn:
        call_leases.heartbeat(conn, "1-1-0", claimed.lease_token, 60, MONDAY)


def test_another_number_is_taken_unless_it_must_not_be_called(db: Database) -> None:
    make(db, task("1-1-0", country="FR"))
    claimed = claim_one(db)
    with db.write() as conn:
        consent.suppress(conn, "call", "+33699999999", "do not call", "test", MONDAY)
    for wrong, why in (("06 99 99 99 99", "must not be called"), ("nonsense", "not a phone number")):
        with db.write() as conn, pytest.raises(Invalid, match=why):
            call_again.callback(conn, "1-1-0", claimed.lease_token, "15:00", MONDAY, phone=wrong)
    with db.write() as conn:
        done = call_again.callback(conn, "1-1-0", claimed.lease_token, "15:00", MONDAY, phone="06 12 00 00 00")
    assert done.phone == "+33612000000"


def test_K4_who_has_left_is_not_called_back(db: Database) -> None:
    make(db, task("1-1-0"), task("2-1-0"))
    first, second = claim_one(db), claim_one(db)
    with db.write() as conn:
        for one in (first, second):
            call_leases.accept_task(conn, one.task.id, one.lease_token, 60, MONDAY)
        assert call_tasks.withdraw(conn, ["1-1-0", "2-1-0"], MONDAY) == []
    with db.write() as conn, pytest.raises(Gone):
        call_again.callback(conn, "1-1-0", first.lease_token, "15:00", MONDAY)
    with db.write() as conn:
        assert call_again.attempt(conn, "2-1-0", second.lease_token, "busy", MONDAY).status == "withdrawn"


def test_only_the_holder_reports_an_attempt(db: Database) -> None:
    make(db, task("1-1-0"))
    claimed = claim_one(db)
    with db.write() as conn, pytest.raises(Conflict, match="not valid"):
        call_again.attempt(conn, "1-1-0", "guessed", "busy", MONDAY)
    with db.write() as conn, pytest.raises(Invalid, match="others complete the task"):
        call_again.attempt(conn, "1-1-0", claimed.lease_token, "refused", MONDAY)
    with db.write() as conn:
        call_again.attempt(conn, "1-1-0", claimed.lease_token, "busy", MONDAY)
    with db.write() as conn, pytest.raises(Conflict, match="reported as busy"):
        call_again.callback(conn, "1-1-0", claimed.lease_token, "15:00", MONDAY)
