"""Call tasks: leases, outcomes, withdrawal (K1, K4)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from kit.calls import MONDAY as NOW
from kit.calls import claim_one, lapse, make, task
from sqlalchemy import select

from engine import consent, events
from engine.calls import leases as call_leases
from engine.calls import queues as call_queues
from engine.calls import tasks as call_tasks
from engine.db import Database, insert_new, table
from engine.errors import Conflict, Gone, Invalid, NotFound
from engine.tables import Message, Suppression


def names(db: Database) -> list[str]:
    with db.read() as conn:
        return [event.name for event in events.since(conn, 0, 100)]


def test_K1_two_agents_never_claim_the_same_task(db: Database) -> None:
    make(db, *(task(f"{n}-1-0") for n in range(120)))
    agents = 6
    start = Barrier(agents)

    def work(agent: int) -> list[str]:
        start.wait()
        mine: list[str] = []
        while True:
            with db.write() as conn:
                claimed = call_leases.claim(conn, "retention", f"agent {agent}", 7, 120, NOW)
            if not claimed:
                return mine
            mine += [one.task.id for one in claimed]

    with ThreadPoolExecutor(agents) as pool:
        shares = list(pool.map(work, range(agents)))
    taken = [key for share in shares for key in share]
    assert len(taken) == len(set(taken)) == 120


def test_claim_takes_the_first_by_priority_then_due_time_and_none_before_its_time(db: Database) -> None:
    make(
        db,
        task("1-1-0", due_at=NOW - timedelta(hours=1)),
        task("2-1-0", due_at=NOW - timedelta(hours=2)),
        task("3-1-0", priority=1),
        task("4-1-0", priority=1, due_at=NOW + timedelta(minutes=1)),
        task("5-1-0", queue="other"),
    )
    with db.write() as conn:
        claimed = call_leases.claim(conn, "retention", "ada", 10, 120, NOW)
    assert [one.task.id for one in claimed] == ["3-1-0", "2-1-0", "1-1-0"]
    assert {one.task.status for one in claimed} == {"reserved"}
    assert claimed[0].lease_token not in str(claimed[0].task)


def test_K1_a_worker_gets_as_many_as_she_asks_for_also_where_some_must_not_be_rung(db: Database) -> None:
    make(db, *(task(f"{n}-1-0", phone="+33600000000" if n == 2 else "+33612345678") for n in range(1, 6)))
    with db.write() as conn:
        consent.suppress(conn, "call", "+33600000000", "do not call", "test", NOW)
        claimed = call_leases.claim(conn, "retention", "ada", 3, 120, NOW)
    assert [one.task.id for one in claimed] == ["1-1-0", "3-1-0", "4-1-0"]


def test_K1_expiry_gives_the_task_back(db: Database) -> None:
    make(db, task("1-1-0"))
    first = claim_one(db)
    with db.write() as conn:
        assert call_leases.claim(conn, "retention", "bob", 1, 120, NOW) == []
    lapse(db)
    with db.read() as conn:
        assert [call_tasks.status_of(row) for row in call_queues.listed(conn, status="pending")] == ["pending"]
        assert call_queues.queues(conn)[0].pending == 1
    second = claim_one(db, "bob")
    assert second.task.id == first.task.id
    with db.write() as conn, pytest.raises(Conflict, match="not valid any more"):
        call_leases.heartbeat(conn, "1-1-0", first.lease_token, 120, NOW)


def test_K1_an_outcome_after_expiry_is_accepted_if_nobody_else_finished(db: Database) -> None:
    make(db, task("1-1-0"), task("2-1-0"))
    first, other = claim_one(db), claim_one(db)
    lapse(db)
    bob = claim_one(db, "bob")
    assert bob.task.id == first.task.id
    with db.write() as conn:
        done = call_tasks.complete(conn, first.task.id, first.lease_token, "interested", NOW)
        call_tasks.complete(conn, other.task.id, other.lease_token, "refused", NOW)
    assert (done.status, done.worker, done.outcome) == ("completed", "ada", "interested")
    with db.write() as conn, pytest.raises(Conflict, match="completed by ada"):
        call_tasks.complete(conn, bob.task.id, bob.lease_token, "refused", NOW)
    assert sorted(names(db)) == ["call.interested", "call.refused"]


def test_completing_twice_is_one_outcome(db: Database) -> None:
    make(db, task("1-1-0"))
    claimed = claim_one(db)
    for _ in range(3):
        with db.write() as conn:
            call_leases.accept_task(conn, "1-1-0", claimed.lease_token, 60, NOW) if not names(db) else None
            call_tasks.complete(
                conn, "1-1-0", claimed.lease_token, "interested", NOW, answers={"wants": "red"}, duration_s=61.5
            )
    with db.read() as conn:
        (event,) = events.since(conn, 0, 10)
    assert (event.name, event.message_key, event.customer_id) == ("call.interested", "1-1-0", "c1-1-0")
    assert event.payload == {"outcome": "interested", "answers": {"wants": "red"}, "duration_s": 61.5, "worker": "ada"}
    with db.write() as conn, pytest.raises(Conflict):
        call_tasks.complete(conn, "1-1-0", claimed.lease_token, "refused", NOW)


def test_do_not_call_suppresses_the_number(db: Database) -> None:
    make(db, task("1-1-0"))
    claimed = claim_one(db)
    with db.write() as conn:
        call_tasks.complete(conn, "1-1-0", claimed.lease_token, "do_not_call", NOW)
    with db.read() as conn:
        row = conn.execute(select(table(Suppression))).one()
    assert (row.channel, row.address, row.reason) == ("call", "+33612345678", "do not call")
    assert names(db) == ["call.do_not_call"]


def test_an_unknown_outcome_names_the_known_ones_and_leaves_the_task(db: Database) -> None:
    make(db, task("1-1-0", outcomes=["interested", "call_back"]))
    claimed = claim_one(db)
    with db.write() as conn, pytest.raises(Invalid, match="interested, call_back, refused"):
        call_tasks.complete(conn, "1-1-0", claimed.lease_token, "keen", NOW)
    with db.write() as conn:
        assert call_tasks.complete(conn, "1-1-0", claimed.lease_token, "call_back", NOW).status == "completed"


def test_a_foreign_token_and_a_missing_task(db: Database) -> None:
    make(db, task("1-1-0"))
    claim_one(db)
    with db.write() as conn, pytest.raises(Conflict, match="another's"):
        call_tasks.complete(conn, "1-1-0", "guessed", "interested", NOW)
    with db.write() as conn, pytest.raises(NotFound, match="no call task '9-9-9'"):
        call_tasks.complete(conn, "9-9-9", "guessed", "interested", NOW)


def test_K4_leaving_the_box_withdraws_open_tasks(db: Database) -> None:
    make(db, task("1-1-0"), task("2-1-0", due_at=NOW - timedelta(hours=1)), task("3-1-0"))
    reserved = claim_one(db)
    with db.write() as conn:
        assert sorted(call_tasks.withdraw(conn, ["2-1-0", 1], NOW)) == ["1-1-0", "2-1-0"]
        assert call_tasks.withdraw(conn, ["2-1-0", 1], NOW) == []
    with db.write() as conn, pytest.raises(Gone):
        call_tasks.complete(conn, reserved.task.id, reserved.lease_token, "interested", NOW)
    with db.read() as conn:
        assert [row.id for row in call_queues.listed(conn, status="withdrawn")] == ["1-1-0", "2-1-0"]
        assert [row.id for row in call_queues.listed(conn, status="pending")] == ["3-1-0"]


def test_K4_a_call_under_way_is_marked_and_not_taken_away(db: Database) -> None:
    make(db, task("1-1-0"))
    claimed = claim_one(db)
    with db.write() as conn:
        call_leases.accept_task(conn, "1-1-0", claimed.lease_token, 120, NOW)
        assert call_tasks.withdraw(conn, [1], NOW) == []
        beat = call_leases.heartbeat(conn, "1-1-0", claimed.lease_token, 120, NOW)
    assert (beat.status, beat.withdrawn_at) == ("assigned", NOW)
    with db.write() as conn:
        assert call_tasks.complete(conn, "1-1-0", claimed.lease_token, "refused", NOW).status == "completed"


def test_K4_a_marked_call_that_is_given_back_or_forgotten_is_withdrawn(db: Database) -> None:
    make(db, task("1-1-0"), task("2-1-0"))
    with db.write() as conn:
        first, second = call_leases.claim(conn, "retention", "ada", 2, 120, NOW)
        for one in (first, second):
            call_leases.accept_task(conn, one.task.id, one.lease_token, 120, NOW)
        call_tasks.withdraw(conn, [1, 2], NOW)
        assert call_leases.release(conn, first.task.id, first.lease_token, NOW).status == "withdrawn"
    lapse(db)
    with db.write() as conn:
        assert call_leases.claim(conn, "retention", "bob", 9, 120, NOW) == []
        assert call_tasks.status_of(call_tasks.get(conn, second.task.id)) == "withdrawn"
        assert call_queues.queues(conn)[0].withdrawn == 2


def test_a_task_given_back_can_be_claimed_at_once(db: Database) -> None:
    make(db, task("1-1-0"))
    claimed = claim_one(db)
    with db.write() as conn:
        call_leases.release(conn, "1-1-0", claimed.lease_token, NOW)
    assert claim_one(db, "bob").task.worker == "bob"


@pytest.mark.parametrize(("most", "seconds"), [(0, 60), (101, 60), (1, 0), (1, 4000)])
def test_a_claim_out_of_bounds_is_refused(sqlite: Database, most: int, seconds: float) -> None:
    with sqlite.write() as conn, pytest.raises(Invalid, match="it must be 1 to"):
        call_leases.claim(conn, "retention", "ada", most, seconds, NOW)


def test_listing_pages_by_change(db: Database) -> None:
    make(db, *(task(f"{n}-1-0", updated_at=NOW + timedelta(seconds=n // 2)) for n in range(6)))
    seen: list[str] = []
    after = None
    with db.read() as conn:
        while page := call_queues.listed(conn, after=after, most=2):
            seen += [row.id for row in page]
            after = (page[-1].updated_at, page[-1].id)
        since = call_queues.listed(conn, updated_since=NOW + timedelta(seconds=2))
    assert seen == [f"{n}-1-0" for n in range(6)]
    assert [row.id for row in since] == ["4-1-0", "5-1-0"]


def test_C2_who_said_stop_since_the_task_was_made_is_not_rung(db: Database) -> None:
    message: dict[str, Any] = {
        "journey": "win_back", "hash": "h", "state": "call", "visit": 1, "arm": "treated", "channel": "call", "status": "sent",
        "cost": 0, "reserved_at": NOW,
    }  # fmt: skip
    make(db, *(task(f"{n}-1-0", phone=f"+3361234567{n}") for n in range(1, 7)))
    with db.write() as conn:
        purposes = {"3": "marketing", "4": "transactional", "5": "marketing", "6": "marketing"}
        rows: list[dict[str, Any]] = [
            message | {"key": f"{n}-1-0", "enrolment_id": int(n), "customer_id": f"c{n}-1-0"} for n in purposes
        ]
        insert_new(conn, Message, [row | {"purpose": purposes[row["key"][0]]} for row in rows])
        consent.suppress(conn, "call", "+33612345671", "do not call", "test", NOW)
        consent.suppress(conn, "sms", "+33612345672", "STOP", "test", NOW)
        consent.record(conn, [consent.Word(f"c{n}-1-0", "call", False) for n in (3, 4)], "test", NOW)
        consent.record(conn, [consent.Word("c5-1-0", "sms", False), consent.Word("c5-1-0", "call", True)], "test", NOW)
    with db.write() as conn:
        claimed = call_leases.claim(conn, "retention", "ada", 10, 120, NOW)
    assert [one.task.id for one in claimed] == ["2-1-0", "4-1-0", "5-1-0"]
    with db.read() as conn:
        assert [row.id for row in call_queues.listed(conn, status="withdrawn")] == ["1-1-0", "3-1-0", "6-1-0"]
