"""The flow: a batch's messages to a provider that takes so much at a time, each as soon as its turn has come.

In its turn a message's key is taken (behaviour S1), while those before it are still being handed over; what is written at one moment, in
whichever batch, is one transaction. The last look at consent is a question alone, just before the call (behaviour C2). Meanwhile the
next wave is made ready.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from temporalio import activity
from temporalio.exceptions import ApplicationError

from engine import gate, messages
from engine.db import Database
from engine.gate import Candidate, No
from engine.mail.soft import SoftBounces
from engine.outgoing import Outgoing, Paced, Receipt
from engine.settings import Settings
from workers.gathering import Gathering

__all__ = ["Flow", "Ready", "Sent"]

_PLENTY = 50  # messages that are ready: the next wave can wait
_LAST = 5.0  # seconds for calls under way when a batch is called off
_PAUSE = 0.004  # seconds: a transaction costs about as much for one key as for eight


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


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is to be written of a message's key: that it is taken for a call, or given back since none was made; else what came of it."""

    candidate: Candidate
    what: Literal["taken", "given back"] | Receipt | No


class Flow:
    """Sends what is ready. One for each worker process: its batches share their transactions."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._clock = settings.clock
        self._soft = SoftBounces.of(settings)
        self._books = Gathering[_Entry, bool](self._write, _PAUSE)
        self._gate = Gathering[Candidate, No | None](self._judge)

    def through(self, send: Paced, at_once: int, *, planned: bool) -> Stream:
        """A stream of one batch's messages, `at_once` side by side. `planned`: they let others pass."""
        return Stream(self._books, self._look, send, at_once, planned=planned)

    def _write(self, entries: Sequence[_Entry]) -> Sequence[bool]:
        """Write everything down, and take the keys that are free; False for a key that another attempt has."""
        now = self._clock.now()
        receipts = [(each.candidate, each.what) for each in entries if isinstance(each.what, Receipt)]
        with self._database.write() as conn:
            awaited = [candidate.key for candidate, _ in receipts if candidate.sent_awaited]
            said = [(candidate.key, receipt) for candidate, receipt in receipts]
            messages.settle(conn, said, now, awaited, self._soft)
            messages.refuse(conn, [(each.candidate, each.what) for each in entries if isinstance(each.what, No)], now)
            messages.let_go(conn, [each.candidate.key for each in entries if each.what == "given back"])
            taken = messages.calling(conn, [each.candidate.key for each in entries if each.what == "taken"])
        found: list[bool] = []
        for each in entries:
            key = each.candidate.key
            found.append(each.what != "taken" or key in taken)
            if each.what == "taken":
                taken.discard(key)  # two attempts at one batch may ask in one transaction: one gets it
        return found

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
        books: Gathering[_Entry, bool],
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
        self._kept: list[asyncio.Future[bool]] = []
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
        for outcome in await asyncio.gather(*self._kept, return_exceptions=True):
            if isinstance(outcome, BaseException):
                self._broken = self._broken or outcome

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
            if self._broken is not None or not await self._books.put(_Entry(candidate, "taken")):
                return Sent(ready.position)  # it broke meanwhile; or another attempt has the key
            what: Literal["given back"] | Receipt | No | None = "given back"  # unless there is a call
            try:
                async with way() as call:
                    if self._broken is not None:
                        return Sent(ready.position)
                    what = await self._look(candidate)
                    if what is not None:
                        return Sent(ready.position, no=what)
                    # from here on nobody knows what came of it, until the receipt is there
                    what = receipt = ready.outgoing.come_to(await call(ready.outgoing))
            finally:
                if what is not None:
                    self._kept.append(self._books.put(_Entry(candidate, what)))
        return Sent(ready.position, receipt)
