"""Soft bounces: mailboxes that take no mail for now, counted by address. So many within a window, and it is suppressed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from engine import consent
from engine.db import insert_new, table
from engine.mail.codes import enhanced
from engine.settings import Settings
from engine.tables import Bounce, Message

__all__ = ["SoftBounces"]

_ARRIVED = ("sent", "delivered")


@dataclass(frozen=True, slots=True)
class SoftBounces:
    """The limit: `most` of an address within `window`."""

    most: int
    window: timedelta

    @classmethod
    def of(cls, settings: Settings) -> SoftBounces:
        return cls(settings.soft_bounces, timedelta(days=settings.soft_bounce_days))

    def refused(self, conn: Connection, key: str, address: str, words: str, now: datetime) -> None:
        """A server refused a mail at its door, since the mailbox is full: once a message, however often that is tried."""
        fact = {"kind": "soft", "proved": True, "code": enhanced(words), "detail": words, "source": "rcpt"}
        insert_new(conn, Bounce, [{"key": key, "address": address, "at": now, **fact}])
        self.count(conn, address, "rcpt", now)

    def count(self, conn: Connection, address: str, source: str, now: datetime) -> None:
        """Suppress the address where it has had too many. A mail that arrived after all counts for nothing."""
        bounce, message = table(Bounce), table(Message)
        recent = (
            select(func.count())
            .select_from(bounce.join(message, message.c.key == bounce.c.key))
            .where(
                bounce.c.address == address,
                bounce.c.at > now - self.window,
                bounce.c.kind.in_(("soft", "hard")),
                message.c.status.not_in(_ARRIVED),
            )
        )
        if conn.execute(recent).scalar_one() >= self.most:
            consent.suppress(conn, "email", address, "soft bounces", source, now)
