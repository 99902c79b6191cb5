"""The lease: lets one process at a time do a job, such as dispatching. In the database, on wall-clock time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from engine.db import Database, insert_new, table
from engine.tables import Lease

__all__ = ["give_back", "take"]


def take(database: Database, name: str, holder: str, seconds: float) -> bool:
    """Take or extend the lease `name`; False while another holds it. What it guards must bear an overlap all the same."""
    rows = table(Lease)
    now = datetime.now(UTC)
    until = now + timedelta(seconds=seconds)
    with database.write() as conn:
        insert_new(conn, Lease, [{"name": name, "holder": holder, "expires_at": until}])
        taken = conn.execute(
            update(rows)
            .where(rows.c.name == name, (rows.c.holder == holder) | (rows.c.expires_at < now))
            .values(holder=holder, expires_at=until)
        )
        return taken.rowcount == 1


def give_back(database: Database, name: str, holder: str) -> None:
    """Let another take it at once."""
    rows = table(Lease)
    with database.write() as conn:
        conn.execute(rows.delete().where(rows.c.name == name, rows.c.holder == holder))
