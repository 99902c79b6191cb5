"""The books: which keys of messages are taken for a call, and what came of them; whatever is known is written down in the end.

What several batches write at one moment is one transaction. Where the database is away, a key can't be taken; but what came of one
that is taken is tried again for an hour: else nobody could ever tell whether its message went out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from engine import messages
from engine.db import Database
from engine.gate import Candidate, No
from engine.mail.soft import SoftBounces
from engine.outgoing import Receipt
from engine.settings import Settings
from workers.gathering import Gathering

__all__ = ["Books", "Came"]

_log = logging.getLogger(__name__)
_PAUSE = 0.004  # seconds: a transaction costs about as much for one key as for eight
_AGAIN = 1.0  # seconds before another try
_PATIENCE = 3600.0  # seconds until what can't be written is given up

Came = Receipt | No | Literal["given back"]
"""What came of a key that was taken: its call's receipt, a no before the call, or neither."""


@dataclass(frozen=True, slots=True)
class _Entry:
    candidate: Candidate
    what: Came | Literal["taken"]


class Books:
    """One for each worker process."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._clock = settings.clock
        self._soft = SoftBounces.of(settings)
        self._gathering = Gathering[_Entry, bool](self._write, _PAUSE)
        self._held: dict[str, asyncio.Future[None]] = {}
        """Keys that this process has taken, each with the future that says that it is through with it."""
        self._trying: set[asyncio.Task[None]] = set()
        self._process = uuid4().hex

    async def take(self, candidate: Candidate) -> bool:
        """Take a key; False: another attempt has it. Who takes one says what `came` of it, or that `nobody_knows`.

        Where whoever waits is called off, the key is given back if it is taken yet; so it is where the database fails, since that may
        have been after it was taken. Raises what the database does.
        """
        if candidate.key in self._held:
            return False
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.add_done_callback(lambda future: future.exception())  # it is logged, whether anybody waits for it or not
        self._held[candidate.key] = done
        taking = self._gathering.put(_Entry(candidate, "taken"))
        try:
            taken = await asyncio.shield(taking)
        except asyncio.CancelledError:
            self._try(self._undo(candidate, taking))
            raise
        except Exception:
            self._try(self._again(_Entry(candidate, "given back")))
            raise
        if not taken:
            self._release(candidate)
        return taken

    def came(self, candidate: Candidate, what: Came) -> asyncio.Future[None]:
        """Write down what came of a key that was taken. The future is done when that stands; it fails where it can't be written."""
        done = self._held[candidate.key]
        entry = _Entry(candidate, what)

        def written(future: asyncio.Future[bool]) -> None:
            error = None if future.cancelled() else future.exception()
            if error is None:
                self._release(candidate)
            else:
                self._try(self._again(entry))

        self._gathering.put(entry).add_done_callback(written)
        return done

    def nobody_knows(self, candidate: Candidate) -> None:
        """The call came to no end: the key stays taken, and whoever comes next finds it so."""
        self._release(candidate)

    async def through(self, keys: Iterable[str]) -> None:
        """Wait until this process is through with those of these keys that it has taken, for another attempt at their batch."""
        held = [self._held[key] for key in keys if key in self._held]
        if held:
            await asyncio.wait(held)

    async def _undo(self, candidate: Candidate, taking: asyncio.Future[bool]) -> None:
        try:
            taken = await taking
        except Exception:  # noqa: BLE001  # nobody waits to hear it
            await self._again(_Entry(candidate, "given back"))
            return
        if taken:
            self.came(candidate, "given back")
        else:
            self._release(candidate)

    async def _again(self, entry: _Entry) -> None:
        """In a write of its own, so that it keeps nothing else from being written, nor is kept by it."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE
        key = entry.candidate.key
        while True:
            try:
                await asyncio.to_thread(self._write_again, entry)
            except Exception as error:  # noqa: BLE001  # the future says it
                if not _is_away(error) or loop.time() > until:
                    _log.error("what came of %s can't be written down: %s", key, error)
                    self._release(entry.candidate, error)
                    return
                _log.warning("what came of %s is not written down yet, and is tried again: %s", key, error)
                await asyncio.sleep(_AGAIN)
            else:
                self._release(entry.candidate)
                return

    def _release(self, candidate: Candidate, error: BaseException | None = None) -> None:
        done = self._held.pop(candidate.key)
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def _try(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._trying.add(task)
        task.add_done_callback(self._trying.discard)

    def _write(self, entries: Sequence[_Entry]) -> Sequence[bool]:
        """Write everything down, and take the keys that are free; False for a key that another attempt has."""
        with self._database.write() as conn:
            taken = self._enter(conn, entries)
        return [each.what != "taken" or each.candidate.key in taken for each in entries]

    def _write_again(self, entry: _Entry) -> None:
        """Unless it was written after all, and only the word of that was lost: another attempt may have the key since."""
        with self._database.write() as conn:
            if messages.taken_by(conn, entry.candidate.key, self._process):
                self._enter(conn, [entry])

    def _enter(self, conn: Connection, entries: Sequence[_Entry]) -> set[str]:
        now = self._clock.now()
        receipts = [(each.candidate, each.what) for each in entries if isinstance(each.what, Receipt)]
        awaited = [candidate.key for candidate, _ in receipts if candidate.sent_awaited]
        said = [(candidate.key, receipt) for candidate, receipt in receipts]
        messages.settle(conn, said, now, awaited, self._soft)
        messages.refuse(conn, [(each.candidate, each.what) for each in entries if isinstance(each.what, No)], now)
        messages.let_go(conn, [each.candidate.key for each in entries if each.what == "given back"])
        wanted = [each.candidate.key for each in entries if each.what == "taken"]
        return messages.calling(conn, wanted, self._process)


def _is_away(error: Exception) -> bool:
    """Whether it is the database that can't be written to now; not what was to be written."""
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return lost or isinstance(error, OperationalError | PoolTimeoutError | OSError)
