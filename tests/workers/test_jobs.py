"""Jobs: one process does each, for as long as it works and fares well."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
from sqlalchemy import select

from engine.db import Database, table
from engine.tables import Lease
from workers import lease
from workers.jobs import Job

LONG = 3600.0


def job(db: Database, holder: str, work: Callable[[], Awaitable[int]], seconds: float = LONG) -> Job:
    return Job("print", work, db, holder, tick=0.01, lease=seconds)


def expiry(db: Database) -> datetime:
    with db.read() as conn:
        return conn.execute(select(table(Lease).c.expires_at)).scalar_one()


async def test_a_round_that_takes_long_keeps_its_lease(db: Database) -> None:
    stop = asyncio.Event()

    async def long() -> int:
        first = await asyncio.to_thread(expiry, db)
        async with asyncio.timeout(60):
            while await asyncio.to_thread(expiry, db) == first:  # noqa: ASYNC110  # it is a row
                await asyncio.sleep(0.01)
        assert not await asyncio.to_thread(lease.take, db, "print", "two", LONG)
        stop.set()
        return 1

    await job(db, "one", long, 1.5).run(stop)
    assert stop.is_set()
    assert lease.take(db, "print", "two", LONG), "it is given back at the end"


async def test_who_fails_leaves_the_job_to_another(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    stop, failed = asyncio.Event(), asyncio.Event()

    async def fails() -> int:
        await asyncio.sleep(0)
        failed.set()
        raise ValueError("no paper")

    async def works() -> int:
        await asyncio.sleep(0)
        stop.set()
        return 1

    async def later() -> None:
        await failed.wait()
        await job(db, "two", works).run(stop)

    await asyncio.wait_for(asyncio.gather(job(db, "one", fails).run(stop), later()), 60)
    assert "no paper" in caplog.text
