"""What a call is expected to bring, in cents: how often such calls succeed, times what an order of hers is worth.

A plain estimate, to put the calls in an order that matters: the share of the box's last calls that were a success (two of
ten before there are any), and the customer's mean order over the last year, or the project's `PARCOURS_ORDER_VALUE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, select, update

from dsl.outcomes import OUTCOMES
from engine.db import chunked, table
from engine.tables import CallTask, Purchase

__all__ = ["expected", "revalue"]

_YEAR = timedelta(days=365)
_LAST = 200
_BEFORE = (2, 10)
"""Successes and calls that a box begins with, so that one lucky call says little."""
Wanted = tuple[str, str, str]
"""(customer, journey, box)."""


def expected(conn: Connection, wanted: Sequence[Wanted], now: datetime, order_value: int) -> dict[Wanted, int]:
    """The value of a call to each of these customers for this box."""
    orders = _mean_orders(conn, sorted({customer for customer, _, _ in wanted}), now)
    chances = {box: _chance(conn, *box) for box in {(journey, state) for _, journey, state in wanted}}
    return {each: round(chances[each[1], each[2]] * orders.get(each[0], order_value)) for each in wanted}


def revalue(conn: Connection, queue: str, now: datetime, order_value: int) -> int:
    """Estimate the queue's open tasks anew; returns how many are worth something else than before."""
    target = table(CallTask)
    rows = conn.execute(
        select(target.c.id, target.c.customer_id, target.c.journey, target.c.state, target.c.value)
        .where(target.c.queue == queue, target.c.status.in_(("pending", "reserved")))
        .order_by(target.c.id)
    ).all()
    values = expected(conn, [(row.customer_id, row.journey, row.state) for row in rows], now, order_value)
    new = [
        {"of": row.id, "worth": worth}
        for row in rows
        if (worth := values[row.customer_id, row.journey, row.state]) != row.value
    ]
    if new:
        conn.execute(
            update(target).where(target.c.id == bindparam("of")).values(value=bindparam("worth"), updated_at=now), new
        )
    return len(new)


def _mean_orders(conn: Connection, customers: Sequence[str], now: datetime) -> dict[str, float]:
    line = table(Purchase)
    orders, spent = func.count(line.c.order_id.distinct()), func.sum(line.c.total)
    found: dict[str, float] = {}
    for piece in chunked(customers):
        query = select(line.c.customer_id, orders, spent).where(
            line.c.customer_id.in_(piece), line.c.at > now - _YEAR, line.c.at <= now
        )
        for customer, count, total in conn.execute(query.group_by(line.c.customer_id)):
            found[customer] = int(total) / count
    return found


def _chance(conn: Connection, journey: str, state: str) -> float:
    target = table(CallTask)
    last = conn.execute(
        select(target.c.outcome)
        .where(target.c.journey == journey, target.c.state == state, target.c.completed_at.is_not(None))
        .order_by(target.c.completed_at.desc())
        .limit(_LAST)
    ).scalars()
    outcomes = [OUTCOMES.get(outcome) for outcome in last]
    won = sum(outcome is not None and outcome.kind == "success" for outcome in outcomes)
    return (_BEFORE[0] + won) / (_BEFORE[1] + len(outcomes))
