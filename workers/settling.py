"""Text messages in doubt: whether the provider has one whose call broke off, looked up until that is known.

Nothing is sent here. A message that the provider has is `sent`; one that it still doesn't know after a while is `failed`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
from sqlalchemy import select

from engine import messages
from engine.db import Database, table
from engine.outgoing import Channel, Receipt
from engine.settings import Settings
from engine.tables import Message
from workers.channels import SmsChannel
from workers.channels.sms_provider import Asked

__all__ = ["Settler"]

_log = logging.getLogger(__name__)
_EVERY = 30.0
_NOT_NOW = (408, 425, 429)
_AT_ONCE = 50
_GIVEN_UP = timedelta(minutes=10)
"""How long after the call a provider may take to show a message that it has."""
_OLDEST = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class _Doubt:
    asked: Asked
    since: datetime
    cost: int
    sent_awaited: bool


class Settler:
    """Looks up messages in doubt, some at a time. One for each worker process; one of them works at a time."""

    def __init__(self, settings: Settings, database: Database, channel: Channel, *, every: float = _EVERY) -> None:
        self._database = database
        self._channel = channel
        self._clock = settings.clock
        self._every = every
        self._next = 0.0

    async def round(self) -> int:
        """Look up what is in doubt, if it is time to; returns how many were settled."""
        if time.monotonic() < self._next or not isinstance(self._channel, SmsChannel):
            return 0
        self._next = time.monotonic() + self._every
        doubts = await asyncio.to_thread(self._read)
        if not doubts:
            return 0
        receipts: list[tuple[str, Receipt]] = []
        awaited = {doubt.asked.key for doubt in doubts if doubt.sent_awaited}
        async with self._channel.provider() as provider:
            for doubt in doubts:
                known = await asyncio.to_thread(self._known, doubt.asked.address)
                taken = {each.provider_id for _, each in receipts if each.provider_id is not None}
                try:
                    found = await provider.look_up(doubt.asked, known | taken)
                except NotImplementedError:  # a provider that can't be asked: in doubt it stays
                    return 0
                except httpx.HTTPStatusError as error:
                    _log.warning("the SMS provider won't say what it has of %s: %s", doubt.asked.key, error)
                    if error.response.is_server_error or error.response.status_code in _NOT_NOW:
                        break
                    continue  # it refuses this one look-up; the others have nothing to do with it
                except httpx.HTTPError as error:
                    _log.warning("the SMS provider can't be asked what it has; trying again: %s", error)
                    break
                if found is not None:
                    detail = f"looked up: the provider has it, {found.status}"
                    receipts.append((doubt.asked.key, Receipt("sent", found.provider_id, detail, doubt.cost)))
                elif doubt.since < self._clock.now() - _GIVEN_UP * self._clock.scale:
                    receipts.append(
                        (doubt.asked.key, Receipt("rejected", detail="looked up: the provider never took it"))
                    )
        await asyncio.to_thread(self._write, receipts, awaited)
        return len(receipts)

    def _read(self) -> list[_Doubt]:
        rows = table(Message)
        query = (
            select(rows)
            .where(
                rows.c.channel == "sms",
                rows.c.status == "unknown",
                rows.c.provider_id.is_(None),
                rows.c.reserved_at > self._clock.now() - _OLDEST * self._clock.scale,
            )
            .order_by(rows.c.reserved_at)
            .limit(_AT_ONCE)
        )
        with self._database.read() as conn:
            return [
                _Doubt(
                    Asked(row.key, row.sender or "", row.address or "", row.content_hash or ""),
                    row.settled_at or row.reserved_at,
                    row.cost,
                    bool(row.sent_awaited),
                )
                for row in conn.execute(query)
            ]

    def _known(self, address: str) -> frozenset[str]:
        """The ids of the messages to this number that are accounted for."""
        rows = table(Message)
        mine = select(rows.c.provider_id).where(rows.c.channel == "sms", rows.c.address == address)
        with self._database.read() as conn:
            return frozenset(conn.execute(mine.where(rows.c.provider_id.is_not(None))).scalars())

    def _write(self, receipts: list[tuple[str, Receipt]], awaited: set[str]) -> None:
        with self._database.write() as conn:
            messages.settle(conn, receipts, self._clock.now(), awaited)
