"""Suppressions as a list: addresses that are never written to, why, and taking one back where it was wrong.

They are made by `consent.suppress`, and looked at by the gate.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, tuple_

from engine.db import table
from engine.errors import Invalid, NotFound
from engine.tables import Suppression, SuppressionLift

__all__ = ["lift", "lifts", "listed"]


def listed(
    conn: Connection,
    *,
    channel: str | None = None,
    address: str | None = None,
    after: tuple[str, str] | None = None,
    most: int = 100,
) -> list[Suppression]:
    """Suppressions by channel and address; `after` is the last of the page before. A customer's id finds her letters' too."""
    target = table(Suppression)
    query = select(target).order_by(target.c.channel, target.c.address).limit(most)
    if channel is not None:
        query = query.where(target.c.channel == channel)
    if address is not None:
        hers = target.c.address.startswith(f"{address} @", autoescape=True)
        query = query.where((target.c.address == address) | ((target.c.channel == "letter") & hers))
    if after is not None:
        query = query.where(tuple_(target.c.channel, target.c.address) > after)
    return [Suppression(**row) for row in conn.execute(query).mappings()]


def lift(conn: Connection, channel: str, address: str, who: str, why: str, now: datetime) -> SuppressionLift:
    """Take a suppression back: the address may be written to again, where consent says so. It is kept who did it, and why.

    Raises NotFound where it isn't suppressed, Invalid without a reason.
    """
    if not why.strip():
        raise Invalid("why", why, "say why this address may be written to again: it is kept")
    target = table(Suppression)
    where = (target.c.channel == channel, target.c.address == address)
    row = conn.execute(delete(target).where(*where).returning(*target.c)).mappings().one_or_none()
    if row is None:
        raise NotFound("suppression_not_found", f"{address!r} isn't suppressed on the channel {channel!r}")
    kept: dict[str, Any] = {
        "channel": channel,
        "address": address,
        "reason": row["reason"],
        "suppressed_at": row["at"],
        "source": row["source"],
        "at": now,
        "who": who,
        "why": why.strip(),
    }
    conn.execute(insert(table(SuppressionLift)), kept)
    return SuppressionLift(**kept)


def lifts(conn: Connection, most: int = 100) -> list[SuppressionLift]:
    """What was taken back, the newest first."""
    target = table(SuppressionLift)
    query = select(target).order_by(target.c.id.desc()).limit(most)
    return [SuppressionLift(**row) for row in conn.execute(query).mappings()]
