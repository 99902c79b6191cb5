"""What happens to call tasks is told once, in one order, in the transaction that does it; and a delivery for each subscriber."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest
from kit.calls import MONDAY, claim_one, lapse, make, task
from sqlalchemy import select, update

from engine import webhooks
from engine.calls import events as call_events
from engine.calls import leases as call_leases
from engine.calls import tasks as call_tasks
from engine.calls.events import EVENTS
from engine.db import Database, table
from engine.errors import Invalid, NotFound
from engine.tables import WebhookDelivery

NAMES = [f"call_task.{kind}" for kind in EVENTS]


def told(db: Database) -> list[tuple[str, str, str]]:
    with db.read() as conn:
        return [
            (one.type.removeprefix("call_task."), one.data["id"], one.data["status"])
            for one in call_events.since(conn, (0, 0), 100)
        ]


def test_a_tasks_life_is_told(db: Database) -> None:
    make(db, task("1-1-0"), task("2-1-0"))
    make(db, task("1-1-0"))  # the batch again, after a crash
    first, second = claim_one(db), claim_one(db)
    with db.write() as conn:
        call_leases.accept_task(conn, second.task.id, second.lease_token, 60, MONDAY)
        call_tasks.complete(conn, first.task.id, first.lease_token, "interested", MONDAY)
        call_tasks.complete(conn, first.task.id, first.lease_token, "interested", MONDAY)
        call_tasks.withdraw(conn, ["2-1-0"], MONDAY)
        call_tasks.withdraw(conn, ["2-1-0"], MONDAY)
    assert told(db) == [
        ("created", "1-1-0", "pending"),
        ("created", "2-1-0", "pending"),
        ("reserved", "1-1-0", "reserved"),
        ("reserved", "2-1-0", "reserved"),
        ("completed", "1-1-0", "completed"),
        ("withdrawn", "2-1-0", "assigned"),  # the call is under way
    ]


def test_K1_a_lease_that_ran_out_is_told_once_and_a_flagged_task_goes(db: Database) -> None:
    make(db, task("1-1-0"), task("2-1-0"))
    first, second = claim_one(db), claim_one(db)
    with db.write() as conn:
        call_leases.accept_task(conn, second.task.id, second.lease_token, 60, MONDAY)
        call_tasks.withdraw(conn, ["2-1-0"], MONDAY)
        assert not call_leases.lapsed(conn)
        assert call_leases.lapse(conn, MONDAY) == 0
    lapse(db)
    for expected in (2, 0):
        with db.write() as conn:
            assert call_leases.lapsed(conn) is (expected > 0)
            assert call_leases.lapse(conn, MONDAY) == expected
    assert told(db)[-1] == ("expired", "1-1-0", "pending")
    with db.write() as conn:
        assert call_tasks.get(conn, "2-1-0").status == "withdrawn"
        call_leases.heartbeat(conn, "1-1-0", first.lease_token, 60, MONDAY)  # nobody else has claimed it
    lapse(db)
    with db.write() as conn:
        assert call_leases.lapse(conn, MONDAY) == 1, "it ran out anew"


def test_nothing_personal_is_told(db: Database) -> None:
    make(db, task("1-1-0", title="Call Zoé", script="Zoé bought wine", phone="+33612345678"))
    with db.read() as conn:
        (one,) = call_events.since(conn, (0, 0), 10)
    assert not {"phone", "title", "script", "notes", "answers"} & one.data.keys()


def test_a_reader_passes_over_nothing_however_transactions_end(db: Database) -> None:
    """On PostgreSQL the second transaction ends first: what it told must not hide what the first one tells."""
    make(db, task("0-1-0"))
    with db.read() as conn:
        cursor = call_events.head(conn)
    begun, end = Event(), Event()

    def slow() -> None:
        with db.write() as conn:
            call_tasks.create(conn, [task("1-1-0")], MONDAY)
            begun.set()
            end.wait(30)

    first = Thread(target=slow)
    first.start()
    begun.wait(30)
    second = Thread(target=make, args=(db, task("2-1-0")))
    second.start()
    if not db.is_sqlite:  # there is one writer at a time on SQLite
        second.join(30)
    seen: list[str] = []

    def read() -> None:
        nonlocal cursor
        with db.read() as conn:
            for one in call_events.since(conn, cursor, 10):
                seen.append(one.data["id"])
                cursor = one.cursor

    read()
    end.set()
    first.join(30)
    second.join(30)
    read()
    assert seen == ["1-1-0", "2-1-0"]
    with db.read() as conn:
        assert call_events.head(conn) == cursor


def test_a_delivery_is_a_row_of_the_transaction_it_tells_of(db: Database) -> None:
    with db.write() as conn:
        every = webhooks.subscribe(conn, "https://a.example/hook", [], NAMES, None)
        webhooks.subscribe(conn, "http://b.example:8080/hook", ["call_task.completed"], NAMES, "retention")
        webhooks.subscribe(conn, "http://c.example/hook", ["call_task.created"], NAMES, "other")
    make(db, task("1-1-0"))

    def fail_half_way() -> None:
        with db.write() as conn:
            call_tasks.create(conn, [task("2-1-0")], MONDAY)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    claimed = claim_one(db)
    with db.write() as conn:
        call_tasks.complete(conn, "1-1-0", claimed.lease_token, "refused", MONDAY)
        rows = conn.execute(select(table(WebhookDelivery)).order_by(table(WebhookDelivery).c.id)).all()
    assert [row.type for row in rows if row.webhook_id == every.id] == [
        "call_task.created",
        "call_task.reserved",
        "call_task.completed",
    ]
    assert [row.type for row in rows if row.webhook_id != every.id] == ["call_task.completed"]
    assert len({row.message_id for row in rows}) == 4


def test_tries_have_longer_and_longer_pauses_until_it_is_given_up(db: Database) -> None:
    with db.write() as conn:
        hook = webhooks.subscribe(conn, "http://a.example/", [], NAMES, None)
    make(db, task("1-1-0"))
    pauses: list[float] = []
    row = None
    for number in range(len(webhooks.PAUSES) + 1):
        with db.write() as conn:
            ((_, delivery),) = webhooks.due(conn, 10)
            webhooks.settle(conn, [webhooks.Attempt(delivery, 500 if number % 2 else None, "slow", 3)])
            (row,) = webhooks.log(conn, hook.id)
            pauses.append((row.due_at - datetime.now(UTC)).total_seconds())
            assert webhooks.due(conn, 10) == []
            conn.execute(update(table(WebhookDelivery)).values(due_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert row is not None
    assert row.status == "failed"
    for pause, wanted in zip(pauses, webhooks.PAUSES, strict=False):
        assert wanted - 5 < pause <= wanted * 1.2
    with db.write() as conn:
        assert [one.status for one in webhooks.tries(conn, [row.id or 0])[row.id or 0]] == [None, 500] * 5
        assert webhooks.send_again(conn, hook.id, row.id or 0).status == "pending"
        with pytest.raises(NotFound):
            webhooks.send_again(conn, hook.id, 99)
        webhooks.disable(conn, hook.id, "test")
        assert webhooks.log(conn, hook.id)[0].status == "dropped"
        with pytest.raises(Invalid, match="disabled: test"):
            webhooks.send_again(conn, hook.id, row.id or 0)


@pytest.mark.parametrize(
    "url", ["", "ftp://a.example/", "javascript:alert(1)", "//a.example", "https://", "http://a.example:x/", "file:///etc/passwd",
            "http://a b/", "http://a.example/\n"],
)  # fmt: skip
def test_an_address_that_is_none_of_the_web_is_refused(sqlite: Database, url: str) -> None:
    with sqlite.write() as conn, pytest.raises(Invalid, match="http or https"):
        webhooks.subscribe(conn, url, [], NAMES, None)
