"""A job: work that is done round after round, by the one process that holds its lease."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from engine.db import Database
from workers import lease

__all__ = ["Job", "pause"]

_log = logging.getLogger(__name__)
_LOOK = 1.0
"""Seconds between two looks whether another's lease is free."""
_STAND_BACK = 2 * _LOOK
"""Seconds after a round that failed, so that another process, if there is one, takes over."""


@dataclass(slots=True)
class Job:
    """Work by its name. `round` returns how much it did; after 0 it is asked again a `tick` later."""

    name: str
    round: Callable[[], Awaitable[int]]
    database: Database
    holder: str
    tick: float
    lease: float = 10.0
    """Seconds after which another process takes over from one that died. A round may take longer: it is extended meanwhile."""
    _until: float = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`. A round that fails is logged, and the lease is given back: another may fare better."""
        while not stop.is_set():
            done = 0
            try:
                if time.monotonic() > self._until - self.lease / 2:
                    await self._take()
                if self._until:
                    done = await self._work()
            except Exception:  # noqa: BLE001  # a round that fails must not end the job; nothing is lost, all of it is in rows
                _log.exception("%s: this round failed; it is tried again, by whoever has the lease then", self.name)
                await self._give_back()
                await pause(stop, _STAND_BACK)
                continue
            if not done:
                await pause(stop, self.tick if self._until else _LOOK)
        await self._give_back()

    async def _work(self) -> int:
        over = asyncio.Event()
        renewing = asyncio.create_task(self._renew(over))
        try:
            return await self.round()
        finally:
            over.set()
            await renewing  # not cancelled: what its thread began must not take the lease after it is given back

    async def _renew(self, over: asyncio.Event) -> None:
        while True:
            await pause(over, self.lease / 3)
            if over.is_set():
                return
            try:
                await self._take()
            except Exception:  # noqa: BLE001  # the round goes on: what a lease guards bears an overlap
                _log.exception("%s: its lease can't be extended; trying again", self.name)

    async def _take(self) -> None:
        held = await asyncio.to_thread(lease.take, self.database, self.name, self.holder, self.lease)
        self._until = time.monotonic() + self.lease if held else 0.0

    async def _give_back(self) -> None:
        self._until = 0.0
        try:
            await asyncio.to_thread(lease.give_back, self.database, self.name, self.holder)
        except Exception:  # noqa: BLE001  # it runs out by itself
            _log.exception("%s: its lease can't be given back; it runs out in %g seconds", self.name, self.lease)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until `stop` is set."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
