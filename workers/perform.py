"""The `perform` activity: does for a batch of members what their journey asks, and writes everything down.

A retry of a half-done batch repeats nothing: steps are unique by number, messages by key (`workers.sending`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Connection
from temporalio import activity

from dsl.ir import After, Learned, Until
from dsl.localtime import zone_of
from dsl.planning import Place, measured, moment_of, over
from dsl.step import Chart
from dsl.values import Scalar
from engine import facts, learned
from engine.customers import places as customer_places
from engine.db import Database
from engine.holidays import holidays_of
from engine.outgoing import Channel
from engine.settings import Settings
from engine.steps import Moved, Person, explain, people, record
from workers.batch import Batch, Outcome
from workers.registry import Registry
from workers.sending import Sending

__all__ = ["Performer"]

_BEAT = 2.0  # seconds; Temporal gives a silent batch up after ten


class Performer:
    """Performs batches. One for each worker process; holds what they share."""

    def __init__(
        self, settings: Settings, database: Database, registry: Registry, channels: Mapping[str, Channel]
    ) -> None:
        self._database = database
        self._registry = registry
        self._clock = settings.clock
        self._zone = settings.zone
        self._sending = Sending(settings, database, channels)
        self._known = learned.Known()

    @activity.defn(name="perform")
    async def perform(self, wire: list[Any]) -> dict[str, Any]:
        """Perform a batch (`Batch.to_wire`) and say what became of it (`Outcome.to_wire`)."""
        async with _beating():
            return (await self._perform(Batch.from_wire(wire))).to_wire()

    async def _perform(self, batch: Batch) -> Outcome:
        chart = await asyncio.to_thread(self._registry.get, batch.hash, self._database)
        match batch.kind:
            case "send":
                return await self._send(batch, chart)
            case "decide" if isinstance(chart.arrows[batch.arrows[0]].on, Learned):
                return await asyncio.to_thread(self._draw, batch, chart)
            case "decide":
                return await asyncio.to_thread(self._decide, batch, chart)
            case "measure":
                return await asyncio.to_thread(self._measure, batch, chart)
            case _:
                return await asyncio.to_thread(self._record, batch, chart)

    async def _send(self, batch: Batch, chart: Chart) -> Outcome:
        who = await asyncio.to_thread(self._begin, batch, chart)
        not_sent, deferred, reasons = await self._sending.send(batch, chart, who)
        waits = await asyncio.to_thread(self._waits, batch, chart, who)
        return Outcome(not_sent, deferred, waits=waits, reasons=reasons)

    def _begin(self, batch: Batch, chart: Chart) -> dict[int, Person]:
        with self._database.write() as conn:
            return self._write_steps(conn, batch, chart)

    def _write_steps(self, conn: Connection, batch: Batch, chart: Chart) -> dict[int, Person]:
        who = people(conn, [item.enrolment_id for item in batch.items])
        record(
            conn,
            chart,
            [Moved(item.enrolment_id, item.rows, item.late) for item in batch.items],
            who,
            self._clock.now_ms(),
        )
        return who

    def _record(self, batch: Batch, chart: Chart) -> Outcome:
        with self._database.write() as conn:
            self._write_steps(conn, batch, chart)
        return Outcome()

    def _decide(self, batch: Batch, chart: Chart) -> Outcome:
        """Evaluate the arrows' guards on fresh data; the step's row keeps each with its result and its values."""
        guards = [guard for arrow in batch.arrows if (guard := chart.arrows[arrow].guard) is not None]
        with self._database.read() as conn:
            who = people(conn, [item.enrolment_id for item in batch.items])
            decisions = facts.decide(conn, guards, [p.customer_id for p in who.values()], self._clock.now())
        results: list[tuple[bool, ...]] = []
        details: list[tuple[int, int, dict[str, Any]]] = []
        for item in batch.items:
            decision = decisions.get(who[item.enrolment_id].customer_id)
            nothing = (dict[str, Any](),) * len(guards)  # she was erased: no guard holds
            holds = decision.results if decision is not None else (False,) * len(guards)
            inputs = decision.inputs if decision is not None else nothing
            results.append(holds)
            detail = [
                {"predicate": guard.sentence(), "holds": hold, "values": dict(values)}
                for guard, hold, values in zip(guards, holds, inputs, strict=True)
            ]
            details.append((item.enrolment_id, item.visit, {"decided": detail}))
        with self._database.write() as conn:
            self._write_steps(conn, batch, chart)
            explain(conn, details)
        return Outcome(results=tuple(results))

    def _draw(self, batch: Batch, chart: Chart) -> Outcome:
        """Draw each member's arrow of a split whose shares are learned; the step's row keeps what it was drawn on."""
        box = chart.ir.states[batch.state].name
        with self._database.read() as conn:
            before = learned.recorded(conn, [(item.enrolment_id, item.visit) for item in batch.items])
            known = self._known.arms(conn, chart.ir, box, self._clock.now()) if len(before) < len(batch.items) else []
        results: list[tuple[bool, ...]] = []
        details: list[tuple[int, int, dict[str, Any]]] = []
        for item in batch.items:
            to = before.get((item.enrolment_id, item.visit))
            if to is None:
                decision = learned.decide(chart.ir, box, known, item.enrolment_id)
                details.append((item.enrolment_id, item.visit, decision.detail))
                to = decision.to
            results.append(tuple(chart.arrows[arrow].to == to for arrow in batch.arrows))
        with self._database.write() as conn:
            self._write_steps(conn, batch, chart)
            explain(conn, details)
        return Outcome(results=tuple(results))

    def _measure(self, batch: Batch, chart: Chart) -> Outcome:
        with self._database.write() as conn:
            who = self._write_steps(conn, batch, chart)
        return Outcome(waits=self._waits(batch, chart, who))

    def _waits(self, batch: Batch, chart: Chart, who: Mapping[int, Person]) -> tuple[tuple[tuple[int, int], ...], ...]:
        """When each member's measured waits are over."""
        if not batch.arrows:
            return ()
        ons = [chart.arrows[arrow].on for arrow in batch.arrows]
        asked = [measured(on) for on in ons]
        now = self._clock.now()
        customers = [person.customer_id for person in who.values()]
        with self._database.read() as conn:
            expressions = [expression for expression in asked if expression is not None]
            known = facts.measure(conn, expressions, customers, now) if expressions else {}
            local = any(isinstance(on, Until) or (isinstance(on, After) and on.clock is not None) for on in ons)
            places = customer_places(conn, customers) if local else {}
        elsewhere = Place(zone_of(chart.ir.zone, self._zone))
        found: list[tuple[tuple[int, int], ...]] = []
        for item in batch.items:
            customer = who[item.enrolment_id].customer_id
            values: Iterator[Scalar | None] = iter(known.get(customer, ()))
            pairs = [
                (arrow, next(values, None) if expression is not None else None)
                for arrow, expression in zip(batch.arrows, asked, strict=True)
            ]
            zone, country = places.get(customer, (None, None))
            place = (
                Place(zone_of(zone, chart.ir.zone, self._zone), holidays_of(country)) if zone or country else elsewhere
            )
            since = moment_of(item.since) if item.since else now
            ends = over(chart, pairs, since, now, place)
            found.append(tuple((arrow, ms - batch.at) for arrow, ms in ends))
        return tuple(found)


@asynccontextmanager
async def _beating() -> AsyncGenerator[None]:
    """Say that the batch is alive, however long one call or one wait takes: else Temporal starts it a second time."""

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(_BEAT)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
