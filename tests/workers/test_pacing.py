"""Pacing: places in a rate, of several processes and of two kinds of mails, by the wall clock."""

from __future__ import annotations

import asyncio
import time

import pytest

from engine.db import Database
from workers.pacing import Pacing


async def turns(pacing: Pacing, count: int, at: list[float], *, planned: bool) -> None:
    async def one() -> None:
        await pacing.turn(planned=planned)
        at.append(time.monotonic())

    await asyncio.gather(*(one() for _ in range(count)))


async def test_S6_two_processes_share_one_rate(db: Database) -> None:
    """Each its own object, as two workers have: together they are as fast as one may be."""
    at: list[float] = []
    begun = time.monotonic()
    await asyncio.gather(*(turns(Pacing(db, "smtp", 100.0), 25, at, planned=False) for _ in range(2)))
    assert len(at) == 50
    assert max(at) - begun >= 0.45
    for moment in at:  # no second has more than the rate, and a little for what was late
        assert len([each for each in at if moment <= each < moment + 0.25]) <= 40


async def test_S6_a_triggered_mail_passes_a_mass_send(db: Database) -> None:
    planned: list[float] = []
    urgent: list[float] = []
    pacing = Pacing(db, "smtp", 100.0)
    mass = asyncio.create_task(turns(pacing, 150, planned, planned=True))
    while len(planned) < 10:  # noqa: ASYNC110  # as they come
        await asyncio.sleep(0.005)
    begun = time.monotonic()
    await turns(pacing, 3, urgent, planned=False)
    ahead = len([each for each in planned if each > begun and each < max(urgent)])
    assert ahead < 100, "it waited behind the mass"
    await mass
    assert len(planned) == 150


async def test_without_a_rate_nobody_waits(sqlite: Database) -> None:
    at: list[float] = []
    await turns(Pacing(sqlite, "smtp", 0.0), 1000, at, planned=True)
    await turns(Pacing(None, "smtp", 5.0), 1000, at, planned=True)
    assert len(at) == 2000


async def test_a_database_that_is_away_is_told_to_all_who_wait(sqlite: Database) -> None:
    with sqlite.write() as conn:
        conn.exec_driver_sql("ALTER TABLE pace RENAME TO away")
    pacing = Pacing(sqlite, "smtp", 10.0)
    found = await asyncio.gather(*(pacing.turn(planned=False) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(each, Exception) for each in found)
    with sqlite.write() as conn:
        conn.exec_driver_sql("ALTER TABLE away RENAME TO pace")
    await pacing.turn(planned=False)


async def test_a_place_of_somebody_who_is_gone_is_anothers(sqlite: Database) -> None:
    pacing = Pacing(sqlite, "smtp", 20.0)
    first = asyncio.create_task(pacing.turn(planned=False))
    gone = [asyncio.create_task(pacing.turn(planned=False)) for _ in range(5)]
    await first
    for each in gone:
        each.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    async with asyncio.timeout(30):
        await pacing.turn(planned=False)
    with pytest.raises(asyncio.CancelledError):
        await gone[-1]
