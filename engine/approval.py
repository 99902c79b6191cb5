"""A second person: a journey is turned on when somebody asks for it and somebody else approves, where the project wants that.

A person is a name: of a key, or of who gives a command. Turning off needs nobody else.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from engine import journeys
from engine.db import table, upsert
from engine.errors import Conflict
from engine.tables import JourneyRequest

__all__ = ["approve", "ask", "waiting"]


def ask(conn: Connection, name: str, who: str, why: str, now: datetime) -> bool:
    """Ask that a journey be turned on, as it is now. False if it is on. Asked anew, the newest asking counts.

    Raises NotFound.
    """
    row = journeys.get(conn, name)
    if not row.on:
        upsert(conn, JourneyRequest, [{"journey": name, "hash": row.hash, "at": now, "who": who, "why": why}])
    return not row.on


def waiting(conn: Connection, name: str) -> JourneyRequest | None:
    """What waits to be approved of."""
    rows = table(JourneyRequest)
    row = conn.execute(select(rows).where(rows.c.journey == name)).mappings().first()
    return None if row is None else JourneyRequest(**row)


def approve(conn: Connection, name: str, who: str, now: datetime) -> None:
    """Turn on what was asked for. Raises NotFound, and Conflict: nobody asked, the same person, or another version by now."""
    journeys.lock(conn, journeys.get(conn, name).name)
    row, asked = journeys.get(conn, name), waiting(conn, name)
    if asked is None:
        raise Conflict("nothing_to_approve", f"nobody has asked that {name} be turned on")
    if asked.who == who:
        raise Conflict("same_person", f"{who} has asked for it; another person has to approve")
    if asked.hash != row.hash:
        text = f"version {row.version} of {name} is newer than what {asked.who} asked for; ask anew"
        raise Conflict("version_changed", text)
    journeys.switch(conn, name, True, asked.who, asked.why, now, approved_by=who)
