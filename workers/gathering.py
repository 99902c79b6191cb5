"""Gathering: what is asked of the database while it is busy is asked together next, in one transaction (group commit)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["Gathering"]

T = TypeVar("T")
R = TypeVar("R")


class Gathering(Generic[T, R]):
    """`work` is called in a thread with all that has come up meanwhile, and gives a result for each, in their order.

    Where it fails, it has failed for all of them. `pause`: seconds in which more may come, before each call; it is over sooner
    where nobody is left who could come.
    """

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]], pause: float = 0.0) -> None:
        self._work = work
        self._pause = pause
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._idle = 0
        self._all = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def put(self, item: T, of: int = 0) -> asyncio.Future[R]:
        """Ask for it; the future is its result. It is done whether anybody waits for that or not.

        `of`: how many there are who, like whoever asks, do nothing else until their own is done.
        """
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._idle += 1 if of else 0
        if of and self._idle >= of:
            self._all.set()
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return future

    async def _run(self) -> None:
        try:
            while self._waiting:
                if self._pause:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._pause):
                            await self._all.wait()
                asked, self._waiting, self._idle = self._waiting, [], 0
                self._all.clear()
                try:
                    results = await asyncio.to_thread(self._work, [item for item, _ in asked])
                except Exception as error:  # noqa: BLE001  # it is theirs who asked
                    for _, future in asked:
                        if not future.done():
                            future.set_exception(error)
                else:
                    for (_, future), result in zip(asked, results, strict=True):
                        if not future.done():
                            future.set_result(result)
        finally:
            self._running = None
