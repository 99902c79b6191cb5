"""What happens to call tasks, as rows: written in the transaction that does it, read by streams, sent by webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import BigInteger, Connection, insert, literal_column, select, tuple_
from sqlalchemy.sql import ColumnElement

from engine import webhooks
from engine.db import table
from engine.tables import CallEvent

__all__ = ["EVENTS", "Cursor", "Kind", "Told", "head", "since", "tell"]

Kind = Literal["created", "reserved", "completed", "withdrawn", "expired"]
EVENTS: Mapping[Kind, str] = {
    "created": "a journey asks for a call",
    "reserved": "an agent has claimed the task",
    "completed": "it has its outcome",
    "withdrawn": "the customer has left the step; with the status `assigned` or `wrapping` the call is under way, and goes on",
    "expired": "a lease ran out: the task is pending again",
}
Cursor = tuple[int, int]
"""Where a reader stands: (transaction, number)."""

_TOLD = (
    "id", "queue", "status", "priority", "value", "skills", "journey", "state", "customer_id", "due_at", "worker",
    "lease_until", "attempts", "outcome", "completed_at", "withdrawn_at",
)  # fmt: skip
_XACT: ColumnElement[int] = literal_column("pg_current_xact_id()::text::bigint", BigInteger)
_CERTAIN: ColumnElement[int] = literal_column("pg_snapshot_xmin(pg_current_snapshot())::text::bigint", BigInteger)


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it is told."""

    cursor: Cursor
    type: str
    at: datetime
    data: Mapping[str, Any]


def tell(conn: Connection, kind: Kind, tasks: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Write down what happened to these tasks (rows of `call_task`), and a delivery for every subscription to it."""
    if not tasks:
        return
    name = f"call_task.{kind}"
    rows: list[dict[str, Any]] = [
        {"type": name, "task_id": task["id"], "queue": task["queue"], "data": _data(task), "at": now} for task in tasks
    ]
    sqlite = conn.dialect.name == "sqlite"
    conn.execute(insert(table(CallEvent)).values(xact=literal_column("0") if sqlite else _XACT), rows)
    webhooks.enqueue(conn, name, [(row["queue"], row["data"]) for row in rows], now)


def since(conn: Connection, cursor: Cursor, most: int, queue: str | None = None) -> list[Told]:
    """The events after a cursor, in one order for everybody. None is ever passed over.

    On PostgreSQL transactions end in another order than they began: one is told when all that began before it have ended.
    """
    rows = table(CallEvent)
    query = select(rows).where(tuple_(rows.c.xact, rows.c.seq) > tuple_(*cursor)).order_by(rows.c.xact, rows.c.seq)
    if queue is not None:
        query = query.where(rows.c.queue == queue)
    found = conn.execute(query.where(*_certain(conn)).limit(most))
    return [Told((row.xact, row.seq), row.type, row.at, row.data) for row in found]


def head(conn: Connection) -> Cursor:
    """The cursor of now: what is after it has not happened yet."""
    rows = table(CallEvent)
    newest = select(rows.c.xact, rows.c.seq).where(*_certain(conn)).order_by(rows.c.xact.desc(), rows.c.seq.desc())
    row = conn.execute(newest.limit(1)).first()
    return (0, 0) if row is None else (row.xact, row.seq)


def _certain(conn: Connection) -> Sequence[ColumnElement[bool]]:
    return () if conn.dialect.name == "sqlite" else (table(CallEvent).c.xact < _CERTAIN,)


def _data(task: Mapping[str, Any]) -> dict[str, Any]:
    """Ids, times and outcome; who she is and her number are to be had with a key alone."""
    found = {name: task[name] for name in _TOLD}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in found.items()}
