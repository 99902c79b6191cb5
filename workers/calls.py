"""The call center's housekeeping: leases that ran out are told, and what a slot left undone gets its place in the next."""

from __future__ import annotations

import asyncio

from engine.calls import capacity as call_capacity
from engine.calls import leases as call_leases
from engine.clock import Clock
from engine.db import Database

__all__ = ["CallKeeper"]


class CallKeeper:
    """Keeps the queues. One runs at a time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def round(self) -> int:
        """Look once; always 0, so that the next look has time."""
        await asyncio.to_thread(self._keep)
        return 0

    def _keep(self) -> None:
        with self._database.read() as conn:
            wanted = call_leases.lapsed(conn) or call_capacity.stale(conn, self._clock.now())
        if wanted:
            with self._database.write() as conn:
                call_leases.lapse(conn, self._clock.now())
                call_capacity.roll(conn, self._clock.now())
