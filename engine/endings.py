"""Endings from outside: an enrolment that is ended by something else than its own chart, and its workflow's being told.

The row decides: from the transaction that ends her on, the gate lets nothing out. That her workflow is still to be told
stands in the row too, so a crash before the signal only delays it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from engine.calls import tasks as call_tasks
from engine.db import chunked, table
from engine.feeds import personal as feeds
from engine.letters import post
from engine.tables import Cohort, Enrolment, Message

__all__ = ["end", "told", "untold"]


def end(conn: Connection, enrolments: Sequence[int], reason: str, now: datetime) -> list[int]:
    """End these enrolments, as far as they are active: open call tasks, letters, items are withdrawn, sends put off given up."""
    enrolment, message = table(Enrolment), table(Message)
    over: list[int] = []
    for piece in chunked(enrolments):
        ended = (
            update(enrolment)
            .where(enrolment.c.id.in_(piece), enrolment.c.ended_at.is_(None))
            .values(
                ended_at=now,
                end_reason=reason,
                stop_owed_at=now,
                joined_at=func.coalesce(enrolment.c.joined_at, now),  # who had not joined yet never will
            )
            .returning(enrolment.c.id)
        )
        gone = list(conn.execute(ended).scalars())
        conn.execute(
            update(message)
            .where(message.c.enrolment_id.in_(gone), message.c.status == "deferred")
            .values(status="not_sent", reason="ended", detail={"ended": reason}, settled_at=now)
        )
        over.extend(gone)
    call_tasks.withdraw(conn, over, now)
    post.withdraw(conn, over, reason, now)
    feeds.withdraw(conn, over, now)
    return over


def untold(conn: Connection) -> dict[str, list[int]]:
    """Enrolments whose workflow is still to be told that they have ended, by workflow; those of none are left out."""
    enrolment, cohort = table(Enrolment), table(Cohort)
    query = (
        select(cohort.c.workflow_id, enrolment.c.id)
        .join(cohort, cohort.c.id == enrolment.c.cohort_id)
        .where(enrolment.c.stop_owed_at.is_not(None))
        .order_by(enrolment.c.id)
    )
    found: dict[str, list[int]] = defaultdict(list)
    for workflow, number in conn.execute(query):
        found[workflow].append(number)
    return found


def told(conn: Connection, enrolments: Sequence[int]) -> None:
    """Their workflows know it, or have ended."""
    enrolment = table(Enrolment)
    for piece in chunked(enrolments):
        conn.execute(update(enrolment).where(enrolment.c.id.in_(piece)).values(stop_owed_at=None))
