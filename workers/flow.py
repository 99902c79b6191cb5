"""The flow: a batch's messages to a provider that takes so much at a time, each as soon as its turn has come.

In its turn a message's key is taken (behaviour S1), while those before it are still being handed over; what is written at one moment, in
whichever batch, is one transaction. The last look at consent is a question alone, just before the call (behaviour C2). Meanwhile the
next wave is made ready.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from temporalio import activity
from temporalio.exceptions import ApplicationError

from engine import gate
from engine.db import Database
from engine.gate import Candidate, No
from engine.outgoing import Outgoing, Paced, Receipt
from engine.settings import Settings
from workers.books import Books, Came
from workers.gathering import Gathering

__all__ = ["Flow", "Ready", "Sent"]

_PLENTY = 50  # messages that are ready: the next wave can wait
_LAST = 5.0  # seconds for calls under way when a batch is called off


@dataclass(frozen=True, slots=True)
class Ready:
    """A message whose key is reserved."""

    position: int
    candidate: Candidate
    outgoing: Outgoing


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of it: a receipt, or the gate's no; neither, where another attempt has its key."""

    position: int
    receipt: Receipt | None = None
    no: No | None = None


class Flow:
    """Sends what is ready. One for each worker process: its batches share their transactions."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._books = Books(database, settings)
        self._gate = Gathering[Candidate, No | None](self._judge)
        self._batches = WeakValueDictionary[str, asyncio.Lock]()

    def alone(self, batch: str) -> asyncio.Lock:
        """For one attempt at a batch at a time: Temporal may begin another when it has lost sight of one that comes to its end still."""
        return self._batches.setdefault(batch, asyncio.Lock())

    def through(self, send: Paced, at_once: int, *, planned: bool) -> Stream:
        """A stream of one batch's messages, `at_once` side by side. `planned`: they let others pass."""
        return Stream(self._books, self._look, send, at_once, planned=planned)

    async def quiet(self, keys: Iterable[str]) -> None:
        """Wait until it is written down what came of these in an attempt that is over, and could not wait for it itself."""
        await self._books.through(keys)

    async def _look(self, candidate: Candidate) -> No | None:
        """Ask the gate once more, at once if the database can be asked so; the no, if she may not be written to any more."""
        if gate.clear(self._database, candidate):
            return None
        return await self._gate.put(candidate)

    def _judge(self, candidates: Sequence[Candidate]) -> Sequence[No | None]:
        with self._database.read() as conn:
            refused = gate.judge(conn, candidates)
        return [refused.get(candidate.key) for candidate in candidates]


class Stream:
    """A batch's messages on their way: `add` them as they are ready, then `finish`."""

    def __init__(
        self,
        books: Books,
        look: Callable[[Candidate], Awaitable[No | None]],
        send: Paced,
        at_once: int,
        *,
        planned: bool,
    ) -> None:
        self._books = books
        self._look = look
        self._send = send
        self._planned = planned
        self._queue: asyncio.Queue[Ready | None] = asyncio.Queue()
        self._few = asyncio.Event()
        self._done: list[Sent] = []
        self._kept: list[asyncio.Future[None]] = []
        self._broken: BaseException | None = None
        self._runners = [asyncio.create_task(self._run()) for _ in range(at_once)]

    async def add(self, ready: Sequence[Ready]) -> None:
        """Let them be sent; returns when the next ones are wanted. Raises what went wrong with earlier ones."""
        for each in ready:
            self._queue.put_nowait(each)
        self._few.clear()
        if self._queue.qsize() > _PLENTY and self._broken is None:
            await self._few.wait()
        if self._broken is not None:
            raise self._broken

    async def finish(self) -> list[Sent]:
        """Wait until all are sent and written down; what became of each. Raises what went wrong, when all calls are over."""
        await self._end(None)
        if self._broken is not None:
            raise self._broken
        return self._done

    async def stop(self, why: BaseException) -> None:
        """Send nothing more; let the calls under way come to their end, and write them down.

        Where the batch itself is called off, they have a few seconds for that: what is in a call then stays unknown.
        """
        self._broken = self._broken or why
        await self._end(_LAST if isinstance(why, asyncio.CancelledError) else None)

    async def _end(self, patience: float | None) -> None:
        for _ in self._runners:
            self._queue.put_nowait(None)
        _, late = await asyncio.wait(self._runners, timeout=patience)
        for runner in late:
            runner.cancel()
        await asyncio.gather(*self._runners, return_exceptions=True)
        if not self._kept:
            return
        written, _ = await asyncio.wait(self._kept, timeout=patience)
        for error in [each.exception() for each in written]:
            self._broken = self._broken or error

    async def _run(self) -> None:
        while (ready := await self._queue.get()) is not None:
            if self._queue.qsize() <= _PLENTY:
                self._few.set()
            if self._broken is not None:
                continue
            try:
                self._done.append(await self._one(ready))
            except Exception as error:  # noqa: BLE001  # the others' calls come to their end first
                self._broken = self._broken or error
                self._few.set()

    async def _one(self, ready: Ready) -> Sent:
        candidate = ready.candidate
        async with self._send.turn(planned=self._planned) as way:
            if activity.in_activity() and activity.is_worker_shutdown():
                raise ApplicationError("the worker stops: another one goes on with this batch")
            if self._broken is not None or not await self._books.take(candidate):
                return Sent(ready.position)  # it broke meanwhile; or another attempt has the key
            came: Came | None = "given back"  # unless there is a call
            try:
                async with way() as call:
                    if self._broken is not None:
                        return Sent(ready.position)
                    came = await self._look(candidate) or came
                    if isinstance(came, No):
                        return Sent(ready.position, no=came)
                    came = None  # from here on nobody knows, until the receipt is there
                    came = receipt = ready.outgoing.come_to(await call(ready.outgoing))
            finally:
                if came is None:
                    self._books.nobody_knows(candidate)
                else:
                    self._kept.append(self._books.came(candidate, came))
        return Sent(ready.position, receipt)
