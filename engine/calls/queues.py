"""Call tasks as lists: what is there by status, in the order of change; each queue in numbers; what had to wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, and_, func, or_, select
from sqlalchemy.sql import ColumnElement

from engine.calls.tasks import LEASED, OPEN, claimable
from engine.db import table
from engine.tables import CallDeferral, CallQueue, CallTask

__all__ = ["Queue", "deferrals", "listed", "queues"]


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue and its tasks by status, and how long the oldest has been due."""

    name: str
    pending: int
    reserved: int
    assigned: int
    wrapping: int
    completed: int
    withdrawn: int
    oldest_due_at: datetime | None


def listed(
    conn: Connection,
    *,
    queue: str | None = None,
    status: str | None = None,
    updated_since: datetime | None = None,
    after: tuple[datetime, str] | None = None,
    most: int = 100,
) -> list[CallTask]:
    """Tasks in the order they changed, the oldest change first; `after` is the last one's `(updated_at, id)`.

    A lease that ran out counts as pending.
    """
    target = table(CallTask)
    query = select(target).order_by(target.c.updated_at, target.c.id).limit(most)
    if queue is not None:
        query = query.where(target.c.queue == queue)
    if status is not None:
        query = query.where(_has_status(status))
    if updated_since is not None:
        query = query.where(target.c.updated_at >= updated_since)
    if after is not None:
        at, key = after
        query = query.where(or_(target.c.updated_at > at, and_(target.c.updated_at == at, target.c.id > key)))
    return [CallTask(**row) for row in conn.execute(query).mappings()]


def queues(conn: Connection) -> list[Queue]:
    """Each queue with its tasks by status, also those that are declared and have none."""
    target, declared = table(CallTask), table(CallQueue)
    lapsed = and_(target.c.status.in_(LEASED), target.c.lease_until <= datetime.now(UTC))
    each = select(
        target.c.queue,
        target.c.status,
        target.c.due_at,
        lapsed.label("lapsed"),
        target.c.withdrawn_at.is_not(None).label("withdrawn"),
    ).subquery()  # grouped from outside: PostgreSQL takes two parameters of one value for two expressions
    by = (each.c.queue, each.c.status, each.c.lapsed, each.c.withdrawn)
    query = select(*by, func.count().label("n"), func.min(each.c.due_at).label("due")).group_by(*by)
    none: dict[str, int] = dict.fromkeys((*OPEN, "completed", "withdrawn"), 0)
    counts: dict[str, dict[str, int]] = {name: dict(none) for name in conn.execute(select(declared.c.name)).scalars()}
    due: dict[str, datetime] = {}
    for row in conn.execute(query):
        status = row.status if not row.lapsed else "withdrawn" if row.withdrawn else "pending"
        of = counts.setdefault(row.queue, dict(none))
        of[status] = of.get(status, 0) + row.n
        if status == "pending":
            due[row.queue] = min(due.get(row.queue, row.due), row.due)
    return [Queue(name, **of, oldest_due_at=due.get(name)) for name, of in sorted(counts.items())]


def deferrals(
    conn: Connection,
    *,
    queue: str | None = None,
    task_id: str | None = None,
    before: int | None = None,
    most: int = 100,
) -> list[CallDeferral]:
    """Tasks that were moved to a later slot, the newest move first."""
    target = table(CallDeferral)
    query = select(target).order_by(target.c.id.desc()).limit(most)
    for column, value in ((target.c.queue, queue), (target.c.task_id, task_id)):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(target.c.id < before)
    return [CallDeferral(**row) for row in conn.execute(query).mappings()]


def _has_status(status: str) -> ColumnElement[bool]:
    target = table(CallTask)
    wall = datetime.now(UTC)
    if status == "pending":
        return claimable(wall)
    if status in LEASED:
        return and_(target.c.status == status, target.c.lease_until > wall)
    if status == "withdrawn":
        return and_(
            target.c.withdrawn_at.is_not(None),
            target.c.status != "completed",
            or_(target.c.lease_until.is_(None), target.c.lease_until <= wall),
        )
    return target.c.status == status
