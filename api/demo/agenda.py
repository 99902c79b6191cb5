"""The agenda: what the crowd is going to do, and when, in journey time. Due actions run a bounded number at a time."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from itertools import count

from engine.clock import Clock

__all__ = ["DAY", "HOUR", "MINUTE", "Action", "Agenda"]

Action = Callable[[], Awaitable[None]]
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Agenda:
    """Actions by their due time (ms of journey time). One that fails stands in `failures`, and stops no other.

    Few at once: more would only wait for each other at a SQLite file, which has one writer.
    """

    def __init__(self, clock: Clock, *, at_once: int = 4, tick: float = 0.05) -> None:
        self.clock = clock
        self.done = 0
        self.failures: list[str] = []
        self.lags: list[int] = []
        """How long after its due time each action began, in ms of journey time."""
        self._at_once = at_once
        self._tick = tick
        self._due: list[tuple[int, int, Action]] = []
        self._order = count()
        self._running: set[asyncio.Task[None]] = set()

    def add(self, due_ms: int, action: Action) -> None:
        """Do it at this time, or as soon after it as a place is free."""
        heapq.heappush(self._due, (due_ms, next(self._order), action))

    def after(self, delay_ms: float, action: Action) -> None:
        """Do it so long from now."""
        self.add(self.clock.now_ms() + round(delay_ms), action)

    def __len__(self) -> int:
        return len(self._due) + len(self._running)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what has begun. What is due later stays undone."""
        while not stop.is_set():
            now = self.clock.now_ms()
            while self._due and self._due[0][0] <= now and len(self._running) < self._at_once:
                due, _, action = heapq.heappop(self._due)
                self.lags.append(now - due)
                self._start(action)
            full = len(self._running) >= self._at_once
            if full:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(self._tick)
            self._reap()
        if self._running:
            await asyncio.wait(self._running)
        self._reap()

    def _start(self, action: Action) -> None:
        async def act() -> None:
            await action()

        self._running.add(asyncio.create_task(act()))

    def _reap(self) -> None:
        for task in [task for task in self._running if task.done()]:
            self._running.discard(task)
            self.done += 1
            error = task.exception()
            if error is not None:
                self.failures.append(f"{type(error).__name__}: {error}")
