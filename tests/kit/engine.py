"""A running engine for tests: a real Temporal server, a real worker, real channels with their local providers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import pytest
from sqlalchemy import select
from temporalio.client import Client, WorkflowHandle

from dsl import Journey
from dsl.compile import compile_journey
from dsl.ir import IR
from engine.db import Database, insert_new, table, upsert
from engine.enrolments import Applicant, enter
from engine.events import Incoming, accept
from engine.journeys import publish, switch
from engine.settings import Settings
from engine.tables import Cohort, Consent, Customer, Enrolment, Event, Message, Step
from workers.server import EmbeddedServer, free_port
from workers.worker import run_worker

__all__ = ["PATIENCE", "TEMPLATES", "Engine", "embedded", "working"]

CHANNELS = ("email", "sms", "feed", "call", "letter")

TEMPLATES = {
    "t/mail.en.mjml": """<mjml><mj-head><mj-title>Hello {{ customer.first_name }}</mj-title></mj-head><mj-body>
        <mj-section><mj-column><mj-text>Hello</mj-text>
        <mj-button href="{{ link('https://shop.example/', 'shop') }}">Shop</mj-button>
        <mj-text><a href="{{ unsubscribe_url }}">unsubscribe</a></mj-text></mj-column></mj-section></mj-body></mjml>""",
    "t/sms.en.txt": "Hello {{ customer.first_name }} {{ link('https://shop.example/', 'shop') }}",
    "t/feed.en.html": "<title>Hello</title><p>{{ customer.first_name }} <a href='{{ link('https://shop.example/', 'shop') }}'>x</a></p>",
    "t/call.en.html": "<title>Call {{ customer.first_name }}</title><p>Say hello.</p>",
    "t/letter.en.typ": "Hello",
}


PATIENCE = 90.0
"""Seconds that a fact is waited for. It costs nothing while all is well, and a server's restart fits in, on a slow machine too."""


@contextmanager
def embedded(folder: Path) -> Generator[EmbeddedServer]:
    """A server that outlives the loop of one test."""
    server = EmbeddedServer(folder, free_port())
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(server.start())
        yield server
    finally:
        loop.run_until_complete(server.stop())
        loop.close()


@dataclass
class Engine:
    """A worker in this process, and what a test does from outside: events in, rows out."""

    settings: Settings
    database: Database
    client: Client
    server: EmbeddedServer | None = None
    """The Temporal server that it lives by, where the test has one of its own to look at."""

    def now(self) -> datetime:
        return self.settings.clock.now()

    def publish(self, journey: type[Journey] | IR, *, on: bool = True) -> IR:
        ir = journey if isinstance(journey, IR) else compile_journey(journey)
        with self.database.write() as conn:
            publish(conn, ir, "test", self.now())
            switch(conn, ir.name, on, "test", "", self.now())
        return ir

    def customers(self, *ids: str, consent: Sequence[str] = CHANNELS, **fields: Any) -> None:
        now = self.now()
        given: dict[str, Any] = {
            "first_name": "Zoé", "last_name": "Lefèvre", "phone": "+12025550101", "address": "3 rue des Lilas",
            "postcode": "69003", "city": "Lyon", "country": "FR", "language": "en", "zone": "Europe/Paris",
            "attributes": {}, "created_at": now, "updated_at": now,
        }  # fmt: skip
        with self.database.write() as conn:
            upsert(conn, Customer, [given | {"id": c, "email": f"{c}@example.com"} | fields for c in ids])
            word = {"purpose": "marketing", "granted": True, "at": now, "source": "test"}
            insert_new(
                conn, Consent, [word | {"customer_id": c, "channel": channel} for c in ids for channel in consent]
            )

    def enter(self, ir: IR, *ids: str) -> list[str]:
        with self.database.write() as conn:
            return enter(conn, ir, [Applicant(c, f"api:{uuid4().hex}", None, self.now()) for c in ids], self.now())

    def tell(
        self,
        name: str,
        customer: str | None = None,
        *,
        key: str | None = None,
        id: str | None = None,  # noqa: A002  # it is the event's id
        at: datetime | None = None,
        **payload: Any,
    ) -> str:
        event = id or uuid4().hex
        with self.database.write() as conn:
            accept(conn, [Incoming(event, name, at or self.now(), customer, key, payload, "test")], self.now())
        return event

    def rows(self, model: Any, **where: Any) -> list[Any]:
        target = table(model)
        query = select(target).where(*(target.c[name] == value for name, value in where.items()))
        with self.database.read() as conn:
            return list(conn.execute(query).all())

    def enrolment(self, customer: str) -> Any:
        (found,) = self.rows(Enrolment, customer_id=customer)
        return found

    def at(self, customer: str) -> str | None:
        state: str | None = self.enrolment(customer).state
        return state

    def path(self, customer: str) -> list[str]:
        steps = sorted(self.rows(Step, enrolment_id=self.enrolment(customer).id), key=lambda step: step.seq)
        return [step.state for step in steps]

    def messages(self, customer: str, **where: Any) -> list[Any]:
        return sorted(self.rows(Message, customer_id=customer, **where), key=lambda message: message.visit)

    async def until(self, what: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Wait until something is so, by looking: a test waits for facts, not for times."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not await asyncio.to_thread(what):
            if asyncio.get_running_loop().time() > deadline:
                self._fail(f"it did not come about within {seconds} s")
            if self.server is not None and self.server.given_up is not None:
                self._fail("it can't come about any more")
            await asyncio.sleep(0.02)

    def _fail(self, why: str) -> NoReturn:
        where = [(e.customer_id, e.state, e.end_reason) for e in self.rows(Enrolment)]
        events = [(e.name, e.fate) for e in self.rows(Event)]
        sends = [(m.key, m.state, m.status, m.reason, m.detail) for m in self.rows(Message)]
        server = "" if self.server is None else f"\n{self.server.state()}"
        pytest.fail(f"{why}; enrolments: {where}; events: {events}; messages: {sends}{server}")

    async def until_at(self, customer: str, state: str) -> None:
        await self.until(lambda: self.at(customer) == state)

    async def until_sent(self, customer: str, state: str) -> Any:
        """Wait until the box's message is with its provider, and give it."""
        sent = {"sent", "delivered", "held_out"}
        await self.until(lambda: [m for m in self.messages(customer, state=state) if m.status in sent])
        return self.messages(customer, state=state)[-1]

    async def history_length(self, customer: str) -> int:
        """How many events her workflow's history has, when no more are being added: nothing is under way in it."""
        before = -1
        while True:
            described = await self.workflow(customer).describe()
            raw = described.raw_description
            busy = raw.HasField("pending_workflow_task") or len(raw.pending_activities) > 0
            if not busy and described.history_length == before:
                return before
            before = -1 if busy else described.history_length
            await asyncio.sleep(0.3)

    def workflow(self, customer: str) -> WorkflowHandle[Any, Any]:
        (cohort,) = self.rows(Cohort, id=self.enrolment(customer).cohort_id)
        return self.client.get_workflow_handle(cohort.workflow_id)


@asynccontextmanager
async def working(settings: Settings) -> AsyncGenerator[None]:
    """A worker in this process for as long as the block lasts; it is stopped in order."""
    stop = asyncio.Event()
    running = asyncio.create_task(run_worker(settings, stop))
    try:
        yield
    finally:
        stop.set()
        await running
