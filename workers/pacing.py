"""Pacing: makes what calls a provider wait for its place in the rate, a few places in one transaction."""

from __future__ import annotations

import asyncio
from collections import deque

from engine import pace
from engine.db import Database

__all__ = ["Pacing"]

_AHEAD = 0.2  # seconds of places that are taken at once: somebody urgent waits behind them at most


class Pacing:
    """One provider's rate, as this process sees it. `rate`: calls a second, of all processes; 0: as they come."""

    def __init__(self, database: Database | None, name: str, rate: float) -> None:
        self._database = database
        self._name = name
        self._rate = rate if database is not None else 0.0
        self._waiting: dict[bool, deque[asyncio.Future[None]]] = {True: deque(), False: deque()}
        self._serving: dict[bool, asyncio.Task[None]] = {}

    async def turn(self, *, planned: bool) -> None:
        """Wait for a place."""
        if not self._rate:
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[planned].append(place)
        if planned not in self._serving:
            self._serving[planned] = asyncio.create_task(self._serve(planned))
        await place

    async def _serve(self, planned: bool) -> None:
        """Give out places as long as somebody waits: the urgent and the planned each in a line of their own."""
        waiting = self._waiting[planned]
        speed = self._rate * (pace.PLANNED_SHARE if planned else 1)
        loop = asyncio.get_running_loop()
        try:
            while waiting:
                count = max(1, min(len(waiting), int(speed * _AHEAD)))
                begins = loop.time() + await asyncio.to_thread(self._take, count, planned)
                for number in range(count):
                    await asyncio.sleep(max(0.0, begins + number / speed - loop.time()))
                    _next(waiting)
        except Exception as error:  # noqa: BLE001  # those who wait are to hear it, and try again with their batch
            while waiting:
                if not (place := waiting.popleft()).done():
                    place.set_exception(error)
        finally:
            del self._serving[planned]

    def _take(self, count: int, planned: bool) -> float:
        assert self._database is not None  # noqa: S101  # without one there is no rate
        with self._database.write() as conn:
            return pace.take(conn, self._name, self._rate, count, planned=planned)


def _next(waiting: deque[asyncio.Future[None]]) -> None:
    """The place is for the first who still waits."""
    while waiting:
        place = waiting.popleft()
        if not place.done():
            place.set_result(None)
            return
