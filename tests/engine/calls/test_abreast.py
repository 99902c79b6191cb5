"""Transactions of the call center side by side on PostgreSQL: no two wait for each other, and a plan moves no claimed task."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from kit.calls import MONDAY, claim_one, declared, make, task, tasks_of
from kit.waiting import waiting
from sqlalchemy import select, update

from engine.calls import again as call_again
from engine.calls import capacity as call_capacity
from engine.calls import leases as call_leases
from engine.calls import results as call_results
from engine.db import Database, table
from engine.tables import CallTask

pytestmark = pytest.mark.parametrize("db", ["postgresql"], indirect=True)  # SQLite has one writer at a time


def out_of_place(db: Database, *keys: str) -> None:
    """These tasks are nowhere: the next plan moves them."""
    rows = table(CallTask)
    with db.write() as conn:
        conn.execute(update(rows).where(rows.c.id.in_(keys)).values(slot_at=None))


def test_K2_a_dialers_file_and_an_agent_who_reached_nobody(db: Database) -> None:
    declared(db)
    make(db, task("3-1-0", value=300), task("1-1-0"), task("2-1-0"))
    held = claim_one(db)
    assert held.task.id == "3-1-0"
    out_of_place(db, "1-1-0", "2-1-0")
    rows = table(CallTask)
    file = "id,outcome,at\n1-1-0,refused,\n2-1-0,callback,15:00\n"

    def attempt() -> CallTask:
        with db.write() as conn:
            return call_again.attempt(conn, held.task.id, held.lease_token, "busy", MONDAY)

    with ThreadPoolExecutor(2) as pool:
        with db.write() as conn:
            conn.execute(select(rows.c.id).where(rows.c.id == "2-1-0").with_for_update())
            dialer = pool.submit(call_results.apply, db, file, "dialer", MONDAY)
            waiting(db, 1)  # it has written the first row's outcome, and comes to the second
            agent = pool.submit(attempt)
            waiting(db, 2)
        assert agent.result().attempts == 1
        assert (dialer.result().applied, dialer.result().rejected) == (2, [])


def test_K3_a_plan_leaves_a_task_alone_that_is_claimed_meanwhile(db: Database) -> None:
    declared(db)
    make(db, task("1-1-0"))
    out_of_place(db, "1-1-0")

    def plan() -> int:
        with db.write() as conn:
            return call_capacity.plan(conn, "retention", MONDAY)

    with ThreadPoolExecutor(1) as pool:
        with db.write() as conn:
            assert len(call_leases.claim(conn, "retention", "ada", 1, 120, MONDAY)) == 1
            planned = pool.submit(plan)
            waiting(db, 1)
        planned.result()
    assert tasks_of(db)["1-1-0"].slot_at is None
