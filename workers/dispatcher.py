"""The dispatcher: brings events to the members who wait for them, at least once, in batched signals.

An event that no journey of hers listens to is filtered out here, before Temporal: it costs a waiting customer nothing
(behaviour R9). The workflow drops repeats by the event's number, so a crash between signal and record is no harm.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, select, update
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from dsl.ir import IR, Answer
from dsl.predicate import Facts
from engine.clock import to_ms
from engine.db import Database, chunked, insert_new, table
from engine.enrolments import Applicant, enter
from engine.messages import read_key
from engine.settings import Settings
from engine.tables import Cohort, Customer, Enrolment, Event, Journey, LateAnswer
from workers.registry import Registry

__all__ = ["Dispatcher"]

_log = logging.getLogger(__name__)
_AT_ONCE = 2_000  # events looked at in one go
_IN_SIGNAL = 1_000  # answers in one signal: some 40 KB of the 2 MB that a payload may have

Record = Any
"""A row of a query; SQLAlchemy types its columns only for the ORM."""

Wire = list[Any]
"""[enrolment, event number, event time in ms, listens, visit] as the workflow's signal takes it."""


@dataclass(slots=True)
class _Round:
    """What one round found out: answers by cohort, and the fate of each event."""

    answers: dict[str, list[Wire]] = field(default_factory=lambda: defaultdict(list))
    fates: dict[int, str] = field(default_factory=dict[int, str])
    late: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    not_yet: set[int] = field(default_factory=set[int])
    """Events for an enrolment that no workflow carries yet: they are looked at again in the next round."""


class Dispatcher:
    """Takes events from the database to the workflows. One runs at a time; two would only repeat each other."""

    def __init__(self, settings: Settings, database: Database, registry: Registry, client: Client) -> None:
        self._clock = settings.clock
        self._profile_wait = timedelta(seconds=settings.profile_wait)
        self._held_back = 0
        self._database = database
        self._registry = registry
        self._client = client

    async def round(self) -> int:
        """Look once, and deliver; returns how many events found their fate. Raises RPCError where Temporal is away."""
        await asyncio.to_thread(self._wake)
        events = await asyncio.to_thread(self._read)
        if not events:
            return 0
        found = await asyncio.to_thread(self._resolve, events)
        self._held_back = len(found.not_yet)
        await self._deliver(found)
        await asyncio.to_thread(self._write, found)
        return len(found.fates)

    # --- reading ------------------------------------------------------------------------------------------------------

    def _read(self) -> Sequence[Record]:
        rows = table(Event)
        with self._database.read() as conn:
            ahead = _AT_ONCE + self._held_back  # those that wait for a workflow must not keep the others waiting
            return conn.execute(select(rows).where(rows.c.fate.is_(None)).order_by(rows.c.seq).limit(ahead)).all()

    def _wake(self) -> None:
        """Look again at events that wait for a profile: it came, or the time is over (behaviour R11)."""
        rows, customer = table(Event), table(Customer)
        known = select(customer.c.id).where(customer.c.id == rows.c.customer_id).exists()
        over = rows.c.received_at < self._clock.now() - self._profile_wait
        with self._database.read() as conn:
            ready = conn.execute(select(rows.c.seq).where(rows.c.fate == "waiting", known | over).limit(1)).first()
        if ready is None:
            return
        with self._database.write() as conn:
            conn.execute(update(rows).where(rows.c.fate == "waiting", known).values(fate=None))
            conn.execute(update(rows).where(rows.c.fate == "waiting", over).values(fate="unheard"))

    # --- who waits for it ---------------------------------------------------------------------------------------------

    def _resolve(self, events: Sequence[Record]) -> _Round:
        found = _Round()
        self._registry.load(self._database)
        with self._database.read() as conn:
            known = _known(conn, {event.customer_id for event in events if event.customer_id is not None})
            on = self._on(conn)
            targets = _targets(conn, events)
        for event in events:
            facts = Facts(customer={}, orders=(), payload=event.payload or {})
            for enrolment in targets.get(event.seq, ()):
                self._address(event, enrolment, facts, targets[event.seq], found)
            if event.message_key is None and event.customer_id is not None and event.customer_id not in known:
                found.fates.setdefault(event.seq, "waiting")
        self._enter(events, on, found)
        for event in events:
            if event.seq not in found.not_yet:
                found.fates.setdefault(event.seq, "unheard")
            else:
                found.fates.pop(event.seq, None)
        return found

    def _on(self, conn: Connection) -> list[IR]:
        rows = table(Journey)
        hashes = conn.execute(select(rows.c.hash).where(rows.c["is_on"])).scalars().all()
        charts = (self._registry.find(content, self._database) for content in hashes)
        return [chart.ir for chart in charts if chart is not None]

    def _address(self, event: Record, enrolment: Record, facts: Facts, others: Sequence[Record], found: _Round) -> None:
        """One event and one enrolment that it may concern, of all those of the customer."""
        chart = self._registry.find(enrolment.hash, self._database)
        if chart is None:  # it waits for a worker that can read this version
            found.not_yet.add(event.seq)
            return
        ir = chart.ir
        listens = self._heard(ir, event, facts)
        if ir.again.parallel is not None and event.message_key is None:
            same = [other.id for other in others if other.journey == enrolment.journey]
            meant = tuple(index for index in listens if _meant(ir.listens[index], event, enrolment, same))
            if listens and not meant and any(ir.listens[index].moves == "error" for index in listens):
                found.fates.setdefault(event.seq, "ambiguous")
                found.late.append(_late(event.seq, enrolment.id, self._clock.now(), "several enrolments"))
            listens = meant
        if not listens:
            return
        if enrolment.ended_at is not None:
            found.fates.setdefault(event.seq, "late")
            found.late.append(_late(event.seq, enrolment.id, self._clock.now()))
        elif enrolment.joined_at is None:
            found.not_yet.add(event.seq)
        elif enrolment.entry != f"event:{event.seq}":  # what brought her in does not move her on as well
            visit = read_key(event.message_key)[1] if event.message_key is not None else None
            answer: Wire = [enrolment.id, event.seq, to_ms(event.at), list(listens), visit]
            found.answers[enrolment.workflow_id].append(answer)
            found.fates[event.seq] = "delivered"

    def _heard(self, ir: IR, event: Record, facts: Facts) -> tuple[int, ...]:
        """The answers that the journey waits for which this event is: by name, and by what its payload says."""
        return tuple(
            index
            for index, answer in enumerate(ir.listens)
            if answer.event == event.name and (answer.where is None or answer.where.evaluate(facts, event.at))
        )

    def _enter(self, events: Sequence[Record], on: Sequence[IR], found: _Round) -> None:
        """Enrol customers in the journeys that begin with an event. A row each, unique by the event's number."""
        for ir in on:
            first = ir.entry.event
            if first is None:
                continue
            applicants = self._applicants(ir, first, events, found)
            if not applicants:
                continue
            with self._database.write() as conn:
                outcomes = enter(conn, ir, applicants, self._clock.now())
            for applicant, outcome in zip(applicants, outcomes, strict=True):
                seq = int(applicant.entry.removeprefix("event:"))
                if outcome == "queued":
                    found.fates.setdefault(seq, "queued")
                elif outcome == "entered":
                    if found.fates.get(seq) != "delivered":
                        found.fates[seq] = "entered"
                    self._hold_back(events, applicant.customer_id, seq, ir, found)

    def _applicants(self, ir: IR, first: Answer, events: Sequence[Record], found: _Round) -> list[Applicant]:
        """Whom these events bring to the journey's door."""
        applicants: list[Applicant] = []
        for event in events:
            if event.name != first.event or event.customer_id is None or found.fates.get(event.seq) == "waiting":
                continue
            payload: Mapping[str, Any] = event.payload or {}
            if first.where is not None and not first.where.evaluate(Facts({}, (), payload), event.at):
                continue
            key = str(payload.get(ir.again.parallel, "")) if ir.again.parallel is not None else None
            applicants.append(Applicant(event.customer_id, f"event:{event.seq}", key, event.at))
        return applicants

    def _hold_back(self, events: Sequence[Record], customer: str, entry: int, ir: IR, found: _Round) -> None:
        """What a customer did after the event that brought her in is for her new enrolment: look at it when she has joined."""
        for event in events:
            if event.customer_id == customer and event.seq > entry and event.message_key is None:
                facts = Facts(customer={}, orders=(), payload=event.payload or {})
                if self._heard(ir, event, facts):
                    found.not_yet.add(event.seq)

    # --- delivering ---------------------------------------------------------------------------------------------------

    async def _deliver(self, found: _Round) -> None:
        """Signal; an event of which one signal fails keeps no fate, and is delivered again in the next round."""
        pieces = [
            (workflow, piece) for workflow, answers in found.answers.items() for piece in chunked(answers, _IN_SIGNAL)
        ]
        many = asyncio.Semaphore(20)

        async def one(workflow: str, answers: Sequence[Wire]) -> bool:
            async with many:
                return await self._signal(workflow, answers)

        done = await asyncio.gather(*(one(*piece) for piece in pieces), return_exceptions=True)
        ended: set[int] = set()
        heard: set[int] = set()
        failed: set[int] = set()
        for (_, answers), outcome in zip(pieces, done, strict=True):
            seqs = [seq for _, seq, *_ in answers]
            if isinstance(outcome, BaseException):
                failed.update(seqs)
                _log.warning("a signal failed, and is sent again: %s", outcome)
            elif outcome:
                heard.update(seqs)
            else:  # the cohort's last member has ended since we looked
                ended.update(seqs)
                found.late.extend(_late(seq, number, self._clock.now()) for number, seq, *_ in answers)
        found.fates.update(dict.fromkeys(ended - heard, "late"))
        for seq in failed:
            found.fates.pop(seq, None)

    async def _signal(self, workflow: str, answers: Sequence[Wire]) -> bool:
        """Bring answers to a workflow; False where it has ended."""
        try:
            await self._client.get_workflow_handle(workflow).signal("answers", list(answers))
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return True

    def _write(self, found: _Round) -> None:
        rows = table(Event)
        with self._database.write() as conn:
            insert_new(conn, LateAnswer, found.late)
            if found.fates:
                conn.execute(
                    update(rows).where(rows.c.seq == bindparam("of")).values(fate=bindparam("new")),
                    [{"of": seq, "new": fate} for seq, fate in found.fates.items()],
                )


def _meant(answer: Answer, event: Record, enrolment: Record, same: Sequence[int]) -> bool:
    """Whether an event of a customer who is in a journey several times is for this enrolment (behaviour R10)."""
    if answer.by is not None:
        payload: Mapping[str, Any] = event.payload or {}
        key = str(payload.get(answer.by, ""))
        return bool(enrolment.slot == f"{enrolment.customer_id}/{key}")
    match answer.moves:
        case "oldest":
            return bool(enrolment.id == min(same))
        case "newest":
            return bool(enrolment.id == max(same))
        case "error":
            return len(same) == 1
        case _:
            return True


def _late(seq: int, enrolment: int, now: datetime, reason: str = "ended") -> dict[str, Any]:
    return {"event_seq": seq, "enrolment_id": enrolment, "state": None, "reason": reason, "at": now}


def _known(conn: Connection, customers: set[str]) -> set[str]:
    rows = table(Customer)
    found: set[str] = set()
    for piece in chunked(sorted(customers)):
        found.update(conn.execute(select(rows.c.id).where(rows.c.id.in_(piece))).scalars())
    return found


def _targets(conn: Connection, events: Sequence[Record]) -> dict[int, list[Record]]:
    """The enrolments that each event may concern: the one that was written to, or the customer's active ones."""
    enrolment, cohort = table(Enrolment), table(Cohort)
    what = (
        select(
            enrolment.c.id,
            enrolment.c.customer_id,
            enrolment.c.journey,
            enrolment.c.hash,
            enrolment.c.entry,
            enrolment.c.slot,
            enrolment.c.ended_at,
            enrolment.c.joined_at,
            cohort.c.workflow_id,
        )
        .select_from(enrolment)
        .join(cohort, cohort.c.id == enrolment.c.cohort_id, isouter=True)
    )
    written_to = {event.seq: _enrolment_of(event.message_key) for event in events if event.message_key is not None}
    customers = sorted({e.customer_id for e in events if e.message_key is None and e.customer_id is not None})
    by_id: dict[int, Record] = {}
    for piece in chunked(sorted({number for number in written_to.values() if number is not None})):
        by_id.update({row.id: row for row in conn.execute(what.where(enrolment.c.id.in_(piece)))})
    by_customer: dict[str, list[Record]] = defaultdict(list)
    for piece in chunked(customers):
        for row in conn.execute(what.where(enrolment.c.customer_id.in_(piece), enrolment.c.ended_at.is_(None))):
            by_customer[row.customer_id].append(row)
    targets: dict[int, list[Record]] = {}
    for event in events:
        if event.message_key is not None:
            number = written_to[event.seq]
            targets[event.seq] = [by_id[number]] if number is not None and number in by_id else []
        elif event.customer_id is not None:
            targets[event.seq] = by_customer.get(event.customer_id, [])
    return targets


def _enrolment_of(key: str) -> int | None:
    try:
        return read_key(key)[0]
    except ValueError:
        return None
