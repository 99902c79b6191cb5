"""E1: an entry while the customer is in the journey already: it is refused, it restarts her, or it waits for her end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Literal

import pytest
from kit.engine import Engine

from dsl import Api, Arrows, Call, Feed, Final, Goal, Journey, Shop, after, always, marketing, queue, restart
from dsl.compile import compile_journey
from dsl.ir import IR, Reentry
from engine import endings, queueing
from engine.cohorts import form_cohorts, to_join
from engine.db import Database, table
from engine.enrolments import Applicant, enter
from engine.gate import Candidate, judge
from engine.journeys import books, switch
from engine.paths import refusals
from engine.settings import Settings
from engine.tables import CallTask, Enrolment, EntryRefusal, Event, Message, QueuedEntry

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ENTRIES: Iterator[int] = count()


class Again(Journey):
    """Begins anew with each entry."""

    enters = Api()
    again = always
    while_active = restart
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Call("t/call")
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused.ignored
        yield Call.not_reached.ignored
        yield after(days=400) >> self.lapsed


class Behind(Journey):
    """Later entries wait."""

    enters = Shop.purchased
    again = always
    while_active = queue
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield Feed.clicked >> self.won
        yield after(days=400) >> self.lapsed


def published(db: Database, active: Literal["reject", "restart", "queue"], again: str = "always") -> tuple[Engine, IR]:
    engine = Engine(Settings(), db, None)  # type: ignore[arg-type]  # no Temporal is needed for rows
    ir = replace(compile_journey(Again), again=Reentry(again, 86400, active=active))  # type: ignore[arg-type]  # of the tests
    return engine, engine.publish(ir)


def apply(db: Database, ir: IR, *customers: str, now: datetime = NOW, tell: bool = True) -> list[str]:
    with db.write() as conn:
        return enter(conn, ir, [Applicant(c, f"api:{next(ENTRIES)}", None, now) for c in customers], now, tell=tell)


def end(db: Database, reason: str = "won", now: datetime = NOW) -> None:
    with db.write() as conn:
        rows = table(Enrolment)
        conn.execute(rows.update().where(rows.c.ended_at.is_(None)).values(ended_at=now, end_reason=reason))


def balanced(db: Database) -> dict[str, int]:
    with db.read() as conn:
        kept = books(conn, "again")
    assert kept.entered == kept.active + sum(kept.ended.values())
    return {"active": kept.active, **kept.ended}


def drain(db: Database, ir: IR, now: datetime = NOW) -> int:
    with db.write() as conn:
        return sum(queueing.let_in(conn, n, ids, lambda _: ir, now) for n, ids in queueing.ready(conn).items())


def test_E1_reject_leaves_a_row(db: Database) -> None:
    engine, ir = published(db, "reject")
    assert apply(db, ir, "ann", "ann") == ["entered", "active"]
    assert [row.reason for row in engine.rows(EntryRefusal)] == ["active"]
    assert balanced(db) == {"active": 1}


def test_E1_restart_ends_the_one_under_way(db: Database) -> None:
    engine, ir = published(db, "restart", "never")
    assert apply(db, ir, "ann", "ben", "ann") == ["entered"] * 3
    assert apply(db, ir, "ann") == ["entered"]
    assert balanced(db) == {"active": 2, "restarted": 2}
    rows = sorted(engine.rows(Enrolment, customer_id="ann"), key=lambda row: row.id)
    assert [(row.end_reason, row.stop_owed_at is not None) for row in rows] == [
        ("restarted", True),
        ("restarted", True),
        (None, False),
    ]
    with db.write() as conn:
        form_cohorts(conn, NOW, 10)
        assert {number for joining in to_join(conn) for number, _ in joining.members} == {rows[2].id, 2}
    assert apply(db, ir, "ann", tell=False) == ["entered"], "an author who writes restart gets it for audiences too"


def test_E1_a_restart_repeats_nothing(db: Database) -> None:
    engine, ir = published(db, "restart")
    for _ in range(3):
        with db.write() as conn:
            enter(conn, ir, [Applicant("ann", "api:one", None, NOW), Applicant("ann", "api:two", None, NOW)], NOW)
    assert sorted(row.entry for row in engine.rows(Enrolment)) == ["api:one", "api:two"]


@pytest.mark.parametrize("active", ["restart", "queue"])
def test_E1_on_several_processes_each_entry_counts_once(db: Database, active: Literal["restart", "queue"]) -> None:
    engine, ir = published(db, active)
    with ThreadPoolExecutor(6) as pool:
        outcomes = [done.result()[0] for done in [pool.submit(apply, db, ir, "ann") for _ in range(24)]]
    expected = {"restart": {"active": 1, "restarted": 23}, "queue": {"active": 1}}
    assert balanced(db) == expected[active]
    assert outcomes.count("queued") == len(engine.rows(QueuedEntry)) == (0 if active == "restart" else 23)
    assert engine.rows(EntryRefusal) == []


def test_E1_a_queue_is_emptied_in_order_and_by_the_rule_of_re_entry(db: Database) -> None:
    engine, ir = published(db, "queue", "after")
    assert apply(db, ir, "ann", "ann", "ben") == ["entered", "queued", "entered"]
    assert apply(db, ir, "ann") == ["queued"]
    with db.read() as conn:
        assert [refusal.reason for refusal in refusals(conn, "ann")] == ["queued", "queued"]
    assert drain(db, ir) == 0
    end(db)
    later = NOW + timedelta(days=2)
    assert apply(db, ir, "ann", now=later) == ["queued"], "behind those who wait"
    assert drain(db, ir, later) == 1
    assert drain(db, ir, later) == 0, "the next one waits for this one's end"
    end(db, now=later)
    assert drain(db, ir, later) == 0
    waiting = sorted(engine.rows(QueuedEntry), key=lambda row: row.id)
    waited = [(row.outcome, row.reason) for row in waiting]
    assert waited == [("entered", "active"), ("too soon", "active"), (None, "active")]
    assert [row.entry for row in engine.rows(EntryRefusal)] == [waiting[1].entry]
    assert balanced(db) == {"active": 0, "won": 3}


def test_E1_who_is_in_an_audience_every_morning_waits_once(db: Database) -> None:
    engine, ir = published(db, "queue")
    apply(db, ir, "ann")
    assert [apply(db, ir, "ann", tell=False) for _ in range(3)] == [["queued"]] * 3
    assert len(engine.rows(QueuedEntry)) == 1


def test_E5_who_waits_while_the_journey_is_switched_off_is_told_so(db: Database) -> None:
    engine, ir = published(db, "queue")
    apply(db, ir, "ann", "ann")
    end(db)
    with db.write() as conn:
        switch(conn, ir.name, False, "test", "", NOW)
    assert drain(db, ir) == 0
    assert [row.reason for row in engine.rows(EntryRefusal)] == ["off"]


def test_the_gate_lets_nothing_out_for_whom_something_else_has_ended(db: Database) -> None:
    engine, ir = published(db, "restart")
    engine.customers("ann")
    apply(db, ir, "ann", "ann")
    asked = [
        Candidate(f"{n}-1-0", n, "ann", ir.name, ir.hash, "call", 1, "treated", "call", "marketing", "+1202")
        for n in (1, 2)
    ]
    with db.read() as conn:
        refused = judge(conn, asked)
    assert {key: (no.reason, no.detail) for key, no in refused.items()} == {"1-1-0": ("ended", {"ended": "restarted"})}


async def test_E1_a_restart_withdraws_the_task_and_stops_the_workflow(engine_on_both: Engine) -> None:
    engine = engine_on_both
    ir = engine.publish(Again)
    engine.customers("ann", "ben")
    engine.enter(ir, "ann", "ben")
    await engine.until(lambda: len(engine.rows(CallTask)) == 2)
    engine.enter(ir, "ann")
    await engine.until(lambda: len(engine.rows(CallTask)) == 3)
    old, new = sorted(engine.rows(Enrolment, customer_id="ann"), key=lambda row: row.id)
    assert (old.end_reason, new.end_reason) == ("restarted", None)
    assert {row.enrolment_id: row.status for row in engine.rows(CallTask, customer_id="ann")} == {
        old.id: "withdrawn",
        new.id: "pending",
    }
    await engine.until(lambda: not engine.rows(Enrolment, id=old.id)[0].stop_owed_at)
    late = engine.tell("call.interested", "ann", key=f"{old.id}-1-0")
    engine.tell("call.interested", "ann", key=f"{new.id}-1-0")
    await engine.until(lambda: engine.rows(Enrolment, id=new.id)[0].end_reason == "won")
    assert engine.rows(Event, id=late)[0].fate == "late"


async def test_E1_a_stop_that_a_crash_delayed_is_told_in_the_end(engine: Engine) -> None:
    ir = engine.publish(Again)
    engine.customers("ann")
    engine.enter(ir, "ann")
    await engine.until(lambda: engine.rows(CallTask))
    before = await engine.history_length("ann")
    with engine.database.write() as conn:  # what the process did that died before any signal
        assert endings.end(conn, [engine.enrolment("ann").id], "restarted", engine.now()) == [1]
        assert endings.end(conn, [engine.enrolment("ann").id], "restarted", engine.now()) == []
    await engine.until(lambda: not engine.enrolment("ann").stop_owed_at)
    workflow = engine.workflow("ann")
    async with asyncio.timeout(20):
        await workflow.result()  # its only member has left, so it ends
    assert await engine.history_length("ann") > before
    assert [row.status for row in engine.rows(CallTask)] == ["withdrawn"]
    assert engine.rows(Message)[0].status == "sent"


async def test_E1_who_waited_in_the_queue_comes_in_by_herself(engine_on_both: Engine) -> None:
    engine = engine_on_both
    engine.publish(Behind)
    engine.customers("ann")
    for number in range(3):
        engine.tell("shop.purchased", "ann", id=f"order-{number}")
    for number in range(3):
        await engine.until(lambda number=number: len(engine.rows(Message, status="sent")) == number + 1)
        engine.tell("feed.clicked", "ann", key=f"{max(row.id for row in engine.rows(Enrolment))}-1-0")
    await engine.until(lambda: all(row.ended_at for row in engine.rows(Enrolment)) and len(engine.rows(Enrolment)) == 3)
    orders = [row.seq for row in sorted(engine.rows(Event, name="shop.purchased"), key=lambda row: row.seq)]
    assert [row.entry for row in sorted(engine.rows(Enrolment), key=lambda row: row.id)] == [
        f"event:{seq}" for seq in orders
    ]
    assert [row.fate for row in sorted(engine.rows(Event, name="shop.purchased"), key=lambda row: row.seq)] == [
        "entered",
        "queued",
        "queued",
    ]
