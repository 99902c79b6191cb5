"""Gathering: what is asked of the database while it is busy is asked together next, in one transaction (group commit)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

__all__ = ["Gathering"]

T = TypeVar("T")
R = TypeVar("R")


class Gathering(Generic[T, R]):
    """`work` is called in a thread with all that has come up meanwhile, and gives a result for each, in their order.

    Where it fails, it has failed for all of them. `pause`: seconds in which more may come, before each call.
    """

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]], pause: float = 0.0) -> None:
        self._work = work
        self._pause = pause
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._running: asyncio.Task[None] | None = None

    def put(self, item: T) -> asyncio.Future[R]:
        """Ask for it; the future is its result. It is done whether anybody waits for that or not."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return future

    async def _run(self) -> None:
        try:
            while self._waiting:
                if self._pause:
                    await asyncio.sleep(self._pause)
                asked, self._waiting = self._waiting, []
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
