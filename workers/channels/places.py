"""Places: so many at a time, and of those who wait, the urgent ones first."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count

__all__ = ["Places"]


class Places:
    """A semaphore whose queue knows who is planned, and lets others pass."""

    def __init__(self, many: int) -> None:
        self._left = many
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()

    @asynccontextmanager
    async def place(self, *, planned: bool) -> AsyncGenerator[None]:
        """Wait for a place, and have it for a while. Who is not planned is served first."""
        await self._turn(planned)
        try:
            yield
        finally:
            self._next()

    async def _turn(self, planned: bool) -> None:
        if self._left and not self._waiting:
            self._left -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (int(planned), next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was given a place, and can't take it
                self._next()
            raise

    def _next(self) -> None:
        while self._waiting:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                return
        self._left += 1
