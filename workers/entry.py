"""Entry: brings customers into journeys. Reads audiences when they are due, gives entries a place in a cohort's workflow.

Rows first, workflows then: whatever is repeated after a crash, nobody enters twice and nobody is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from sqlalchemy import func, select, update
from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from dsl.ir import IR, Every
from dsl.localtime import clock_time, local_moment, zone_of
from engine import facts
from engine.db import Database, table
from engine.enrolments import Applicant, Joining, enter, form_cohorts, joined, over, to_join
from engine.settings import Settings
from engine.tables import Journey, JourneyToggle
from workers.cohort import fresh_input, newcomers
from workers.registry import Registry

__all__ = ["Entry", "last_due"]

T = TypeVar("T")
_CHUNK = 2_000  # customers enrolled in one transaction
_TRIGGERED, _PLANNED = 1, 4
"""Temporal's priorities: who has just done something is not to wait behind a campaign (design: performance, trap 5)."""


def last_due(every: Every, now: datetime, zone: str, since: datetime) -> datetime | None:
    """The newest time at which an audience was to be read, after `since` and not after `now`; None: there was none.

    The local time of `zone` counts; an hour that a clock change skips is read when the clocks have moved on.
    """
    if every.kind == "once":
        return since
    there, at = zone_of(zone), clock_time(every.at)
    for back in range(15 if every.kind == "weekly" else 3):
        day = now.astimezone(there).date() - timedelta(days=back)
        due = local_moment(day, at, there)
        if due <= now and (every.kind == "daily" or day.weekday() == every.weekday):
            return due if due > since else None
    return None


class Entry:
    """Reads audiences, forms cohorts and brings their members in. One runs at a time; two would only repeat each other."""

    def __init__(self, settings: Settings, database: Database, registry: Registry, client: Client) -> None:
        self._settings = settings
        self._clock = settings.clock
        self._database = database
        self._registry = registry
        self._client = client

    async def round(self) -> int:
        """Look once: audiences that are due, then new entries. Returns how many customers were brought in."""
        await asyncio.to_thread(self._read_audiences)
        joinings = await asyncio.to_thread(self._form)
        gate = asyncio.Semaphore(20)

        async def bring(joining: Joining) -> Joining | None:
            async with gate:
                return joining if await self._bring(joining) else None

        brought = await asyncio.gather(*(bring(joining) for joining in joinings))
        there = [joining for joining in brought if joining is not None]
        await asyncio.to_thread(self._joined, there)
        return sum(len(joining.members) for joining in there)

    # --- audiences ----------------------------------------------------------------------------------------------------

    def _read_audiences(self) -> None:
        for ir, due in self._due():
            assert ir.entry.audience is not None  # noqa: S101  # `_due` gives audiences alone
            name = "once" if ir.entry.every is None or ir.entry.every.kind == "once" else due.isoformat()
            with self._database.read() as conn:
                found = list(facts.audience(conn, ir.entry.audience, self._clock.now()))
            outcomes: set[str] = set()
            for piece in _pieces(iter(found), _CHUNK):
                now = self._clock.now()
                applicants = [Applicant(customer, f"audience:{name}:{customer}", None, now) for customer in piece]
                with self._database.write() as conn:
                    outcomes.update(enter(conn, ir, applicants, now, tell=False))
            if "off" in outcomes:  # switched off meanwhile: this reading is not over
                continue
            rows = table(Journey)
            with self._database.write() as conn:
                conn.execute(update(rows).where(rows.c.name == ir.name).values(audience_read_at=due))

    def _due(self) -> list[tuple[IR, datetime]]:
        """Journeys that are on, and whose audience was to be read since it was last, with that time."""
        journey, toggle = table(Journey), table(JourneyToggle)
        switched_on = (
            select(toggle.c.journey, func.max(toggle.c.at).label("at"))
            .where(toggle.c["is_on"])
            .group_by(toggle.c.journey)
            .subquery()
        )
        with self._database.read() as conn:
            rows = conn.execute(
                select(journey.c.hash, journey.c.audience_read_at, switched_on.c.at)
                .join(switched_on, switched_on.c.journey == journey.c.name)
                .where(journey.c["is_on"])
            ).all()
        due: list[tuple[IR, datetime]] = []
        for content, read_at, on_at in rows:
            ir = self._registry.get(content, self._database).ir
            if ir.entry.audience is None or ir.entry.every is None:
                continue
            once = ir.entry.every.kind == "once"
            if once and read_at is not None:
                continue
            since = max(read_at, on_at) if read_at is not None else on_at
            when = last_due(ir.entry.every, self._clock.now(), self._settings.zone, since)
            if when is not None:
                due.append((ir, when))
        return due

    # --- cohorts ------------------------------------------------------------------------------------------------------

    def _form(self) -> Sequence[Joining]:
        with self._database.write() as conn:
            form_cohorts(conn, self._clock.now(), self._settings.cohort_size)
        with self._database.read() as conn:
            return to_join(conn)

    async def _bring(self, joining: Joining) -> bool:
        """Start the cohort's workflow, or let its members join it where it runs. False where it has ended."""
        if not joining.started and await self._start(joining):
            return True
        try:
            handle = self._client.get_workflow_handle(joining.workflow_id)
            await handle.signal("join", newcomers(joining.members))
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            await asyncio.to_thread(self._over, joining)
            return False
        return True

    async def _start(self, joining: Joining) -> bool:
        """Start the workflow with its first members. False where it was started before a crash that came before the record."""
        ir = (await asyncio.to_thread(self._registry.get, joining.hash, self._database)).ir
        given = fresh_input(
            joining.hash,
            self._clock,
            joining.members,
            grace=self._settings.grace,
            tick=self._settings.tick,
            batch=self._settings.batch_size,
        )
        try:
            await self._client.start_workflow(
                joining.journey,
                given,
                id=joining.workflow_id,
                task_queue=self._settings.task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                static_summary=f"{ir.title} {joining.hash[:12]}",
                priority=Priority(priority_key=_PLANNED if ir.entry.kind == "audience" else _TRIGGERED),
            )
        except WorkflowAlreadyStartedError:
            return False
        return True

    def _joined(self, joinings: Sequence[Joining]) -> None:
        if joinings:
            with self._database.write() as conn:
                joined(conn, joinings, self._clock.now())

    def _over(self, joining: Joining) -> None:
        with self._database.write() as conn:
            over(conn, joining, self._settings.cohort_size, self._clock.now())


def _pieces(values: Iterator[T], size: int) -> Iterator[list[T]]:
    while piece := list(islice(values, size)):
        yield piece
