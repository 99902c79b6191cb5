"""Tasks that must not be rung any more: the number was suppressed, or the consent withdrawn, after the task was made.

The gate was asked when the journey made the task; a call is made hours later, by somebody else. So it is asked again when a task
is handed out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, select

from engine.db import chunked, table
from engine.tables import CallTask, Consent, Message, Suppression

__all__ = ["barred"]


def barred(conn: Connection, tasks: Sequence[Any]) -> set[str]:
    """Which of these tasks (with `id` and `phone`) must not be rung: by a suppressed number, or a consent that was withdrawn.

    A transactional call needs no consent.
    """
    found: set[str] = set()
    number, task, message, word = table(Suppression), table(CallTask), table(Message), table(Consent)
    for piece in chunked(tasks):
        phones = sorted({each.phone for each in piece})
        query = select(number.c.address).where(number.c.channel == "call", number.c.address.in_(phones))
        suppressed = set(conn.execute(query).scalars())
        found.update(each.id for each in piece if each.phone in suppressed)
        withdrawn = (
            select(task.c.id)
            .join(message, message.c.key == task.c.id)
            .join(word, and_(word.c.customer_id == task.c.customer_id, word.c.purpose == message.c.purpose))
            .where(
                task.c.id.in_([each.id for each in piece]),
                message.c.purpose != "transactional",
                word.c.channel == "call",
                word.c.granted.is_(False),
            )
        )
        found.update(conn.execute(withdrawn).scalars())
    return found
