"""Messages of a batch that can't be read: set aside with the reason, so that they cost the others nothing and are not lost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, cast

from sqlalchemy import Connection, delete, select

from engine.db import insert_new, table
from engine.tables import RejectedEvent

__all__ = ["Rejected", "keep", "listed"]

_LONGEST = 20_000
_WORD = 200


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message as it came, and what is wrong with it."""

    message: object
    reason: str

    @property
    def message_id(self) -> str | None:
        """The sender's id of it, where it has one that can be kept."""
        return self._word("messageId")

    @property
    def customer_id(self) -> str | None:
        """Whom it is of, likewise."""
        return self._word("userId")

    def _word(self, name: str) -> str | None:
        message: object = self.message
        found = cast("dict[str, Any]", message).get(name) if isinstance(message, dict) else None
        return found if isinstance(found, str) and len(found) <= _WORD and found.isprintable() else None


def keep(conn: Connection, rejected: Sequence[Rejected], sender: str, days: float) -> None:
    """Keep them, and forget those older than `days`. What is kept already is no second, and keeps its time."""
    now = datetime.now(UTC)
    rows = table(RejectedEvent)
    conn.execute(delete(rows).where(rows.c.at < now - timedelta(days=days)))
    insert_new(conn, RejectedEvent, [_row(each, sender, now) for each in rejected])


def listed(conn: Connection, *, before: int | None = None, most: int = 100) -> list[RejectedEvent]:
    """The newest first; `before` is the `id` of the last of the page before."""
    rows = table(RejectedEvent)
    query = select(rows).order_by(rows.c.id.desc()).limit(most)
    if before is not None:
        query = query.where(rows.c.id < before)
    return [RejectedEvent(**row) for row in conn.execute(query).mappings()]


def _row(rejected: Rejected, sender: str, now: datetime) -> Mapping[str, Any]:
    body = _written(rejected.message)
    return {
        "sha256": sha256(f"{sender}\0{body}".encode()).hexdigest(),
        "at": now,
        "sender": sender,
        "customer_id": rejected.customer_id,
        "message_id": rejected.message_id,
        "reason": rejected.reason.encode("utf-8", "replace").decode().replace("\0", "\N{SYMBOL FOR NULL}"),
        "body": body[:_LONGEST],
    }


def _written(message: object) -> str:
    """As JSON, in ASCII: a NUL or half a letter is spelt out. Of one that was read and is too deep to write, the fields in front."""
    try:
        return json.dumps(message)
    except RecursionError:
        fields = cast("dict[str, Any]", message) if isinstance(message, dict) else {}
        return json.dumps({name: each for name, each in fields.items() if not isinstance(each, dict | list)})
