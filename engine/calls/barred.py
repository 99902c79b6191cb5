"""Tasks that must not be rung any more: the number was suppressed, or the consent withdrawn, after the task was made.

The gate was asked when the journey made the task; a call is made hours later, by somebody else. So it is asked again when a task
is handed out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from engine import gate
from engine.db import chunked, table
from engine.gate import Candidate
from engine.tables import CallTask, Message

__all__ = ["barred"]

_OF_NONE = {"hash": "", "visit": 0, "arm": "", "channel": "call", "purpose": "transactional"}


def barred(conn: Connection, tasks: Sequence[Any]) -> set[str]:
    """Which of these tasks (with `id` and `phone`) must not be rung, by the gate's own rules; asked of the number as it is now.

    A task of no message, which no journey makes, is asked about its number alone.
    """
    task, message = table(CallTask), table(Message)
    query = select(
        task.c.id.label("key"),
        *(task.c[name] for name in ("enrolment_id", "customer_id", "journey", "state")),
        *(func.coalesce(message.c[name], other).label(name) for name, other in _OF_NONE.items()),
    ).outerjoin(message, message.c.key == task.c.id)
    phones = {each.id: each.phone for each in tasks}
    found: set[str] = set()
    for piece in chunked(list(phones)):
        rows = conn.execute(query.where(task.c.id.in_(piece))).mappings()
        found.update(gate.said_no(conn, [Candidate(**row, address=phones[row["key"]]) for row in rows]))
    return found
