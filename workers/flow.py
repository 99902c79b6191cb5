"""The flow: a batch's messages to a provider that takes so much at a time, each as soon as its turn has come.

The last look at consent and the taking of the key come when the turn has come, just before the call (behaviours C2, S1); what
several look for at one moment, in whichever batch, is one transaction. Meanwhile the next wave is made ready.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

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
_PAUSE = 0.004  # seconds: a transaction costs about as much, whether one looks or eight


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
class _Asked:
    """To look whether it may go out, or with a receipt: to write it down."""

    candidate: Candidate
    receipt: Receipt | None = None


class Flow:
    """Sends what is ready. One for each worker process: its batches share their transactions."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._clock = settings.clock
        self._soft = SoftBounces.of(settings)
        self._gathering = Gathering[_Asked, bool | No](self._look, _PAUSE)

    def through(self, send: Paced, at_once: int, *, planned: bool) -> Stream:
        """A stream of one batch's messages, `at_once` side by side. `planned`: they let others pass."""
        return Stream(self._gathering, send, at_once, planned=planned)

    def _look(self, asked: Sequence[_Asked]) -> Sequence[bool | No]:
        """Write the receipts down, ask the gate once more, and take the keys of those who may be called for."""
        now = self._clock.now()
        receipts = [(each.candidate, each.receipt) for each in asked if each.receipt is not None]
        candidates = [each.candidate for each in asked if each.receipt is None]
        with self._database.write() as conn:
            awaited = [candidate.key for candidate, _ in receipts if candidate.sent_awaited]
            said = [(candidate.key, receipt) for candidate, receipt in receipts]
            messages.settle(conn, said, now, awaited, self._soft)
            refused = gate.judge(conn, candidates) if candidates else {}
            messages.refuse(conn, [(c, refused[c.key]) for c in candidates if c.key in refused], now)
            taken = messages.calling(conn, [c.key for c in candidates if c.key not in refused])
        found: list[bool | No] = []
        for each in asked:
            key = each.candidate.key
            found.append(True if each.receipt is not None else refused.get(key) or key in taken)
            if each.receipt is None:
                taken.discard(key)  # two attempts at one batch may ask in one transaction: one gets it
        return found


class Stream:
    """A batch's messages on their way: `add` them as they are ready, then `finish`."""

    def __init__(self, gathering: Gathering[_Asked, bool | No], send: Paced, at_once: int, *, planned: bool) -> None:
        self._gathering = gathering
        self._send = send
        self._at_once = at_once
        self._planned = planned
        self._queue: asyncio.Queue[Ready | None] = asyncio.Queue()
        self._few = asyncio.Event()
        self._done: list[Sent] = []
        self._kept: list[asyncio.Future[bool | No]] = []
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
        async with self._send.turn(planned=self._planned) as call:
            if activity.in_activity() and activity.is_worker_shutdown():
                raise ApplicationError("the worker stops: another one goes on with this batch")
            if self._broken is not None:  # it broke while this one waited for its turn
                return Sent(ready.position)
            found = await self._gathering.put(_Asked(ready.candidate), self._at_once)
            if isinstance(found, No):
                return Sent(ready.position, no=found)
            if not found:
                return Sent(ready.position)
            receipt = ready.outgoing.come_to(await call(ready.outgoing))
        self._kept.append(self._gathering.put(_Asked(ready.candidate, receipt)))
        return Sent(ready.position, receipt)
