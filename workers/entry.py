"""Entry: brings customers into journeys. Reads audiences when they are due, gives entries a place in a cohort's workflow.

Rows first, workflows then: whatever is repeated after a crash, nobody enters twice and nobody is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import func, select, update
from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from dsl.crontab import last_met
from dsl.ir import IR, Every
from dsl.localtime import clock_time, local_moment, zone_of
from engine import customers, endings, facts, queueing
from engine.cohorts import Joining, form_cohorts, joined, over, to_join
from engine.db import Database, chunked, table
from engine.enrolments import Applicant, enter
from engine.settings import Settings
from engine.tables import Journey, JourneyToggle
from workers.cohort import fresh_input, newcomers
from workers.registry import NotLoaded, Registry

__all__ = ["Due", "Entry", "last_due"]

_CHUNK = 2_000  # customers enrolled in one transaction
_TRIGGERED, _PLANNED = 1, 5
"""Temporal's priorities: who has just done something is not to wait behind a campaign (design: performance, trap 5)."""


class Due(NamedTuple):
    """When an audience is to be read: the moment, and what the clocks then say (naive), as the entry is named by it."""

    at: datetime
    local: datetime


def last_due(every: Every, now: datetime, zone: ZoneInfo, since: datetime) -> Due | None:
    """The newest time at which an audience was to be read, after `since` and not after `now`; None: there was none.

    The local time of `zone` counts; an hour that a clock change skips is read when the clocks have moved on.
    """
    if every.kind == "once":
        return Due(since, since.astimezone(zone).replace(tzinfo=None))
    if every.cron is not None:
        met = last_met(every.cron, now, zone, since)
        return Due(*met) if met is not None else None
    at = clock_time(every.at)
    for back in range(15 if every.kind == "weekly" else 3):
        day = now.astimezone(zone).date() - timedelta(days=back)
        due = local_moment(day, at, zone)
        if due <= now and (every.kind == "daily" or day.weekday() == every.weekday):
            return Due(due, datetime.combine(day, at)) if due > since else None
    return None


class Entry:
    """Reads audiences, forms cohorts, brings their members in, and stops whom something else has ended.

    One runs at a time; two would only repeat each other.
    """

    def __init__(self, settings: Settings, database: Database, registry: Registry, client: Client) -> None:
        self._settings = settings
        self._clock = settings.clock
        self._database = database
        self._registry = registry
        self._client = client
        self._looked: dict[str, datetime] = {}
        """The minute of the last look at an audience that is read by each customer's clock."""

    async def round(self) -> int:
        """Look once: audiences that are due, then new entries. Returns how many customers were brought in."""
        await asyncio.to_thread(self.read_audiences)
        await asyncio.to_thread(self.empty_queue)
        joinings = await asyncio.to_thread(self._form)
        gate = asyncio.Semaphore(20)

        async def bring(joining: Joining) -> Joining | None:
            async with gate:
                return joining if await self._bring(joining) else None

        brought = await asyncio.gather(*(bring(joining) for joining in joinings))
        there = [joining for joining in brought if joining is not None]
        await asyncio.to_thread(self._joined, there)
        await self._stop()
        return sum(len(joining.members) for joining in there)

    # --- audiences ----------------------------------------------------------------------------------------------------

    def read_audiences(self) -> None:
        """Take in who is in an audience that is due."""
        for ir, since in self._regular():
            every = ir.entry.every or Every("once")
            if every.local and every.kind != "once":
                self._read_by_zone(ir, every, since)
                continue
            due = last_due(every, self._clock.now(), zone_of(self._settings.zone), since)
            if due is not None:
                name = "once" if every.kind == "once" else due.at.isoformat()
                self._take_in(ir, self._audience(ir), lambda _, name=name: name, due.at)

    def _read_by_zone(self, ir: IR, every: Every, since: datetime) -> None:
        """Take in those whose own clocks have come to the time since the last reading (behaviour T2).

        The reading's own moment is kept, not a due time: each zone has one of its own. An entry is named by the local time,
        so who moves to another zone meanwhile is not taken in a second time for the same Monday.
        """
        now = self._clock.now()
        minute = now.replace(second=0, microsecond=0)
        if self._looked.get(ir.hash) == minute:  # nothing falls due between two minutes
            return
        due = {name: last_due(every, now, ZoneInfo(name), since) for name in sorted(available_timezones())}
        if not any(due.values()):
            self._looked[ir.hash] = minute
            return
        found = self._audience(ir)
        with self._database.read() as conn:
            places = customers.places(conn, found)
        names: dict[str, str] = {}
        for customer in found:
            name, _ = places.get(customer, (None, None))
            zone = zone_of(name, ir.zone, self._settings.zone)
            if zone.key not in due:  # a name of the machine's own, such as posix/Europe/Paris
                due[zone.key] = last_due(every, now, zone, since)
            theirs = due[zone.key]
            if theirs is not None:
                names[customer] = theirs.local.isoformat()
        if self._take_in(ir, list(names), names.__getitem__, now):
            self._looked[ir.hash] = minute

    def _audience(self, ir: IR) -> list[str]:
        """Who is in a journey's audience now."""
        assert ir.entry.audience is not None  # noqa: S101  # `_regular` gives audiences alone
        with self._database.read() as conn:
            return list(facts.audience(conn, ir.entry.audience, self._clock.now()))

    def _take_in(self, ir: IR, found: Sequence[str], named: Callable[[str], str], read_at: datetime) -> bool:
        """Enrol an audience, then note that it was read. False where the journey was switched off meanwhile."""
        outcomes: set[str] = set()
        for piece in chunked(found, _CHUNK):
            now = self._clock.now()
            applicants = [Applicant(c, f"audience:{named(c)}:{c}", None, now) for c in piece]
            with self._database.write() as conn:
                outcomes.update(enter(conn, ir, applicants, now, tell=False))
        if "off" in outcomes:  # this reading is not over
            return False
        rows = table(Journey)
        with self._database.write() as conn:
            conn.execute(update(rows).where(rows.c.name == ir.name).values(audience_read_at=read_at))
        return True

    def _regular(self) -> list[tuple[IR, datetime]]:
        """Journeys that are on and have an audience which may be due, with the time since when."""
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
        found: list[tuple[IR, datetime]] = []
        for content, read_at, on_at in rows:
            chart = self._registry.find(content, self._database)
            if chart is None:
                continue
            ir = chart.ir
            if ir.entry.audience is None or ir.entry.every is None:
                continue
            if ir.entry.every.kind == "once" and read_at is not None:
                continue
            found.append((ir, max(read_at, on_at) if read_at is not None else on_at))
        return found

    def empty_queue(self) -> None:
        """Let in whose turn it is: who waited until her enrolment under way had ended."""
        with self._database.read() as conn:
            waiting = queueing.ready(conn)

        def ir_of(content: str) -> IR:
            return self._registry.get(content, self._database).ir

        for name, numbers in waiting.items():
            with suppress(NotLoaded), self._database.write() as conn:  # they wait on, and the other journeys' come in
                queueing.let_in(conn, name, numbers, ir_of, self._clock.now())

    # --- cohorts ------------------------------------------------------------------------------------------------------

    def _form(self) -> Sequence[Joining]:
        with self._database.write() as conn:
            form_cohorts(conn, self._clock.now(), self._settings.cohort_size)
        with self._database.read() as conn:
            return to_join(conn)

    async def _bring(self, joining: Joining) -> bool:
        """Start the cohort's workflow, or let its members join it where it runs.

        False where it has ended, or where this worker can't read its version.
        """
        chart = await asyncio.to_thread(self._registry.find, joining.hash, self._database)
        if chart is None:
            return False
        if not joining.started and await self._start(joining, chart.ir):
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

    async def _start(self, joining: Joining, ir: IR) -> bool:
        """Start the workflow with its first members. False where it was started before a crash that came before the record."""
        given = fresh_input(
            joining.hash,
            self._clock,
            joining.members,
            grace=self._settings.grace,
            tick=self._settings.tick,
            batch=self._settings.batch_size,
            events=self._settings.history_events,
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
                priority=Priority(priority_key=_PLANNED if ir.planned else _TRIGGERED),
            )
        except WorkflowAlreadyStartedError:
            return False
        return True

    async def _stop(self) -> None:
        """Tell workflows whom they carry no longer. The rows remember it until they know, so that no crash forgets it.

        After the joins of the same round: nobody is told to stop before she was told to join.
        """
        with self._database.read() as conn:  # a look at an index that is empty as a rule
            untold = endings.untold(conn)
        for workflow, members in untold.items():
            try:
                await self._client.get_workflow_handle(workflow).signal("stop", members)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:  # it has ended, or never began: there is nobody to tell
                    raise
            await asyncio.to_thread(self._told, members)

    def _told(self, members: Sequence[int]) -> None:
        with self._database.write() as conn:
            endings.told(conn, members)

    def _joined(self, joinings: Sequence[Joining]) -> None:
        if joinings:
            with self._database.write() as conn:
                joined(conn, joinings, self._clock.now())

    def _over(self, joining: Joining) -> None:
        with self._database.write() as conn:
            over(conn, joining, self._settings.cohort_size, self._clock.now())
