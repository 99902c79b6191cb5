"""Returned post: letters that came back, from the printer's CSV or a provider's webhook. None goes to that address again."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select, update

from engine import consent, events
from engine.db import table
from engine.errors import Invalid
from engine.letters import post
from engine.tables import Letter, Message

__all__ = ["Returned", "came_back", "check", "rejected"]


@dataclass(frozen=True, slots=True)
class Returned:
    """A letter that came back."""

    key: str
    reason: str
    at: datetime


def came_back(conn: Connection, returned: Returned, now: datetime) -> bool:
    """Keep that a letter came back: on its row, as the event `letter.returned`, and as a suppression. False: it was known.

    Raises NotFound, Invalid (a letter that was never handed over can't come back).
    """
    letter = check(conn, returned.key)
    if letter.status == "returned":
        return False
    target = table(Letter)
    conn.execute(
        update(target)
        .where(target.c.key == letter.key)
        .values(status="returned", reason=returned.reason, returned_at=returned.at)
    )
    post.log(conn, [(letter.key, "returned", returned.reason)], now)
    sent_to = conn.execute(select(table(Message).c.address).where(table(Message).c.key == letter.key)).scalar_one()
    consent.suppress(conn, "letter", sent_to, f"returned: {returned.reason}", "returned post", now)
    sent = events.Answered(letter.key, letter.customer_id, "letter", [])
    payload = {"reason": returned.reason, "code": letter.code}
    return events.answer(
        conn, sent, "returned", returned.at, source="letter", payload=payload, event_id=f"letter:{letter.key}:returned"
    )


def check(conn: Connection, key: str) -> Letter:
    """A letter that can have come back. Raises NotFound, and Invalid for one that was never handed over."""
    letter = post.get(conn, key)
    if letter.status not in {"returned", "handed over", "closed"}:
        raise Invalid("letter_id", key, f"this letter was never handed over: it is {letter.status}")
    return letter


def rejected(path: Path) -> list[dict[str, str]]:
    """The rows that were set aside, as their file has them: row number, reason, column, value."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        names = next(rows)[:4]  # the columns of the file that was read stand behind, and may be named alike
        return [dict(zip(names, row, strict=False)) for row in rows]
