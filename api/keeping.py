"""What came in is kept: events, and the profiles and purchase lines in them; each once, and on the disk when it is answered.

Requests that come in side by side are kept by one transaction: waiting for the disk is most of what a commit costs, and the
wait is shared. A request that can't be kept fails alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from sqlalchemy.exc import InterfaceError, OperationalError

from api.segment import Read
from engine import answers, customers, events
from engine.db import Database

__all__ = ["Keeper"]

_TOGETHER = 2000
"""Most events of one transaction, so that nobody waits long for the others' work."""


@dataclass(slots=True)
class _Waiting:
    """A request's events, until they are kept."""

    parsed: Sequence[Read]
    now: datetime
    done: bool = False
    error: BaseException | None = None


class Keeper:
    """Keeps what requests bring, one transaction at a time. One for each API process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: deque[_Waiting] = deque()
        self._turn = Lock()

    def keep(self, parsed: Sequence[Read], now: datetime) -> None:
        """Keep them, whole or not at all. One whose id was seen before is dropped, with all that it says.

        Whoever has the turn does the work of all who wait.
        """
        mine = _Waiting(parsed, now)
        self._queue.append(mine)
        with self._turn:
            while not mine.done:
                self._work(self._taken())
        if mine.error is not None:
            raise mine.error

    def _taken(self) -> list[_Waiting]:
        taken: list[_Waiting] = []
        count = 0
        while self._queue and (not taken or count + len(self._queue[0].parsed) <= _TOGETHER):
            taken.append(self._queue.popleft())
            count += len(taken[-1].parsed)
        return taken

    def _work(self, taken: Sequence[_Waiting]) -> None:
        try:
            self._write([each for one in taken for each in one.parsed], max(one.now for one in taken))
        except (OperationalError, InterfaceError) as error:  # the database is away, for each of them
            for one in taken:
                one.error = error
        except BaseException as error:  # noqa: BLE001  # raised to its own caller; which one of them it is of shows one by one
            if len(taken) == 1:
                taken[0].error = error
            else:
                for one in taken:
                    self._work([one])
        for one in taken:
            one.done = True

    def _write(self, parsed: Sequence[Read], now: datetime) -> None:
        with self._database.write(durable=True) as conn:
            new = set(events.accept(conn, [each.event for each in parsed], now))
            fresh: list[Read] = []
            for each in parsed:
                if each.event.id in new:
                    new.remove(each.event.id)  # of two with one id, the first
                    fresh.append(each)
            profiles = [
                (each.event.customer_id, each.profile)
                for each in fresh
                if each.profile is not None and each.event.customer_id is not None
            ]
            customers.put_new_or_changed(conn, profiles, now)
            customers.add_purchases(conn, [line for each in fresh for line in each.lines])
            orders = [each.event.payload for each in fresh if each.event.name == "shop.purchased"]
            if orders:
                answers.redeem(conn, orders, now)
