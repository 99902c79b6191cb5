"""The textbook's design, hand-written for comparison: one Temporal workflow per customer, the same steps and messages.

It is what Temporal's own samples would lead one to: an activity per send with the rows folded in, a signal per answer,
a timer, no sandbox, pragmas on: the fastest plain form that we know (its rows are committed one by one).
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert
from temporalio import activity, workflow

from engine.db import Database, table
from engine.tables import Message, Step

__all__ = ["OneCustomer", "Writer"]


@workflow.defn(name="OneCustomer")
class OneCustomer:
    """Send, wait for an answer or a timer, send."""

    def __init__(self) -> None:
        self._answered = False

    @workflow.signal
    def answered(self) -> None:
        self._answered = True

    @workflow.run
    async def run(self, number: int, wait: float) -> None:
        send = {"start_to_close_timeout": timedelta(seconds=60)}
        await workflow.execute_activity("send", args=[number, 1, "first", "entry"], **send)  # type: ignore[arg-type]  # options as a dict
        try:
            await workflow.wait_condition(lambda: self._answered, timeout=timedelta(seconds=wait))
            cause = "answer"
        except TimeoutError:
            cause = "timer"
        await workflow.execute_activity("send", args=[number, 2, "second", cause], **send)  # type: ignore[arg-type]  # options as a dict


class Writer:
    """The activity: sends (to nobody, as ours does in this benchmark) and writes the rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="send")
    async def send(self, number: int, visit: int, state: str, cause: str) -> None:
        await asyncio.to_thread(self._write, number, visit, state, cause)

    def _write(self, number: int, visit: int, state: str, cause: str) -> None:
        now = datetime.now(UTC)
        shared = {"state": state, "hash": "textbook", "arm": "treated", "enrolment_id": number}
        with self._database.write() as conn:
            conn.execute(insert(table(Step)).values(seq=visit, cause=cause, at=now, **shared))
            conn.execute(
                insert(table(Message)).values(
                    key=f"{number}-{visit}-0",
                    customer_id=f"c{number}",
                    journey="two_steps",
                    visit=visit,
                    channel="sms",
                    purpose="marketing",
                    status="sent",
                    cost=0,
                    address="+33639980000",
                    reserved_at=now,
                    settled_at=now,
                    **shared,
                )
            )
            if visit == 2:
                conn.execute(insert(table(Step)).values(seq=3, cause="then", at=now, **shared | {"state": "done"}))
