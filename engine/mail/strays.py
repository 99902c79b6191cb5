"""Mails that belong to no send, kept whole with the reason; and what was refused or passed over, counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, delete, select

from engine.db import insert_new_returning, inserting, table
from engine.errors import NotFound
from engine.mail.event import clean
from engine.mail.message import Mail
from engine.tables import MailTally, StrayMail

__all__ = ["Kept", "Tally", "count", "drop", "get", "keep", "listed", "tallies"]

_EXAMPLE = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """A stray mail as an operator sees it."""

    id: int
    at: datetime
    reason: str
    source: str
    sender: str
    recipient: str
    subject: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something was refused or passed over."""

    source: str
    reason: str
    count: int
    last_at: datetime
    example: str


def keep(
    conn: Connection, raw: bytes, reason: str, *, source: str, sender: str | None, recipient: str, days: float
) -> bool:
    """Keep a mail, and forget those older than `days`. False if this very mail is kept already."""
    now = datetime.now(UTC)
    rows = table(StrayMail)
    conn.execute(delete(rows).where(rows.c.at < now - timedelta(days=days)))
    row = {
        "sha256": sha256(recipient.encode("utf-8", "replace") + b"\0" + raw).hexdigest(),
        "reason": reason,
        "source": source,
        "sender": clean(sender or "", _EXAMPLE),
        "recipient": clean(recipient, _EXAMPLE),
        "subject": Mail(raw).header("Subject")[:_EXAMPLE],
        "raw": raw,
        "at": now,
    }
    return bool(insert_new_returning(conn, StrayMail, [row], "id"))


def listed(conn: Connection, limit: int = 50) -> list[Kept]:
    """The newest stray mails, newest first."""
    rows = table(StrayMail)
    found = conn.execute(select(rows).order_by(rows.c.id.desc()).limit(limit))
    return [_kept(row) for row in found.mappings()]


def get(conn: Connection, number: int) -> Kept:
    """A stray mail by its number. Raises NotFound."""
    rows = table(StrayMail)
    row = conn.execute(select(rows).where(rows.c.id == number)).mappings().first()
    if row is None:
        raise NotFound("mail_not_found", f"no stray mail has the number {number}; `parcours mail list` shows them")
    return _kept(row)


def drop(conn: Connection, number: int) -> None:
    """Forget a stray mail. Raises NotFound."""
    rows = table(StrayMail)
    if conn.execute(delete(rows).where(rows.c.id == number)).rowcount == 0:
        get(conn, number)


def count(conn: Connection, source: str, reason: str, example: str = "") -> None:
    """Count something that was refused or passed over, with its newest example."""
    now = datetime.now(UTC)
    target = table(MailTally)
    insert = inserting(conn, MailTally)
    conn.execute(
        insert.values(
            source=source,
            reason=clean(reason, 100),
            count=1,
            last_at=now,
            example=clean(example, _EXAMPLE),
        ).on_conflict_do_update(
            index_elements=list(target.primary_key),
            set_={"count": target.c["count"] + 1, "last_at": now, "example": insert.excluded.example},
        )
    )


def tallies(conn: Connection) -> list[Tally]:
    """What was counted, by source and reason."""
    rows = table(MailTally)
    wanted = (rows.c.source, rows.c.reason, rows.c["count"], rows.c.last_at, rows.c.example)
    return [Tally(*row) for row in conn.execute(select(*wanted).order_by(rows.c.source, rows.c.reason))]


def _kept(row: Mapping[Any, Any]) -> Kept:
    return Kept(**{name: row[name] for name in Kept.__dataclass_fields__})
