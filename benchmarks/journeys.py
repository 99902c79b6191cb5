"""Customers a second through a two-step journey: ours against the textbook's, alternating in one run.

`python -m benchmarks.journeys` prints the ratio, and the history bytes and events of a customer. Both write each step and each
message to SQLite; both run on one embedded server with the same settings. Send, wait for an answer (a tenth answers) or a
timer, send. Quote the ratio, not the seconds: machines are noisy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks.textbook import OneCustomer, Writer
from dsl.ir import IR, After, Answer, Arrow, Entry, State, Then
from engine.db import Database, table
from engine.enrolments import Applicant, enter
from engine.events import Incoming, accept
from engine.journeys import publish, switch
from engine.outgoing import Content, Outgoing, Recipient
from engine.settings import Settings
from engine.tables import Consent, Customer, Enrolment, Message, Step
from workers.cohort import CohortWorkflow
from workers.dispatcher import Dispatcher
from workers.entry import Entry as EntryLoop
from workers.perform import Performer
from workers.registry import REGISTRY
from workers.server import EmbeddedServer, free_port

WAIT = 3
"""Seconds that a customer who does not answer waits."""


def two_steps() -> IR:
    """Send, wait for a click or three seconds, send."""
    clicked = Answer("sms.clicked", "send")
    return IR(
        name="two_steps",
        title="TwoSteps",
        purpose="marketing",
        entry=Entry("api"),
        states=(
            State(
                "first",
                "sms",
                (Arrow(clicked, "second"), Arrow(After(WAIT), "second")),
                template="bench/first",
            ),
            State("second", "sms", (Arrow(Then(), "done"),), template="bench/second"),
            State("done", "final"),
        ),
    )


class Nowhere:
    """A channel of which a message's row is the whole send: what is measured is the engine, not an SMS gateway."""

    name = "sms"

    def address(self, recipient: Recipient) -> str | None:
        return recipient.phone

    def speaks_of(self, template: str, name: str) -> bool:
        del template, name
        return False

    def render(self, recipient: Recipient, template: str, key: str, facts: Mapping[str, Any]) -> Content:
        del facts
        text = f"Hello {recipient.first_name}, {key}"
        return Content(text=text, template=template, template_hash="bench", hash=sha256(text.encode()).hexdigest())

    def keep(self, conn: Connection, messages: Sequence[Outgoing]) -> None:
        """Nothing of its own."""


@dataclass(frozen=True)
class Result:
    """What one run measured."""

    customers_per_second: float
    history_bytes: float
    history_events: float


async def ours(address: str, folder: Path, customers: int, run: int) -> Result:
    """The real engine: entry, cohorts, gate, messages, dispatcher."""
    settings = Settings(data=folder, task_queue=f"ours-{run}", grace=0, tick=0.1)
    database = Database(settings.database_url)
    database.migrate()
    registry = REGISTRY
    client = await Client.connect(address, identity="w")
    now = datetime.now(UTC)
    ir = two_steps()
    with database.write() as conn:
        people = [f"c{number}" for number in range(customers)]
        conn.execute(
            insert(table(Customer)),
            [
                {
                    "id": c,
                    "first_name": "Ada",
                    "phone": "+33639980000",
                    "attributes": {},
                    "created_at": now,
                    "updated_at": now,
                }
                for c in people
            ],
        )
        conn.execute(
            insert(table(Consent)),
            [
                {
                    "customer_id": c,
                    "channel": "sms",
                    "purpose": "marketing",
                    "granted": True,
                    "at": now,
                    "source": "bench",
                }
                for c in people
            ],
        )
        publish(conn, ir, "benchmark", now)
        switch(conn, ir.name, True, "benchmark", "", now)
    registry.load(database)
    performer = Performer(settings, database, registry, {"sms": Nowhere()})
    entry = EntryLoop(settings, database, registry, client)
    dispatcher = Dispatcher(settings, database, registry, client)
    worker = Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[CohortWorkflow],
        activities=[performer.perform],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_concurrent_workflow_tasks=20,
        max_concurrent_activities=8,
    )
    begun = time.perf_counter()
    async with worker:
        applicants = [Applicant(c, f"api:{c}", None, now) for c in people]
        with database.write() as conn:
            enter(conn, ir, applicants, now)
        await entry.round()
        answered: set[int] = set()
        while True:
            await asyncio.to_thread(_answer, database, answered)
            await dispatcher.round()
            with database.read() as conn:
                left = conn.execute(
                    select(func.count()).select_from(table(Enrolment)).where(table(Enrolment).c.ended_at.is_(None))
                ).scalar_one()
            if not left:
                break
            await asyncio.sleep(settings.tick)
        seconds = time.perf_counter() - begun
    with database.read() as conn:
        steps = conn.execute(select(func.count()).select_from(table(Step))).scalar_one()
        sent = conn.execute(
            select(func.count()).select_from(table(Message)).where(table(Message).c.status == "sent")
        ).scalar_one()
    if (steps, sent) != (3 * customers, 2 * customers):
        raise SystemExit(f"the books are wrong: {steps} steps and {sent} messages of {customers} customers")
    size, events = await _histories(client, f"WorkflowType = 'two_steps' AND TaskQueue = 'ours-{run}'")
    database.close()
    return Result(customers / seconds, size / customers, events / customers)


def _answer(database: Database, answered: set[int]) -> None:
    """A tenth of the customers click, once the first message is with them."""
    message = table(Message)
    now = datetime.now(UTC)
    with database.read() as conn:
        sent = conn.execute(
            select(message.c.key, message.c.customer_id, message.c.enrolment_id).where(
                message.c.state == "first", message.c.status == "sent", message.c.enrolment_id % 10 == 0
            )
        ).all()
    new = [row for row in sent if row.enrolment_id not in answered]
    answered.update(row.enrolment_id for row in new)
    if new:
        with database.write() as conn:
            accept(
                conn,
                [
                    Incoming(f"click-{row.key}", "sms.clicked", now, row.customer_id, row.key, {}, "bench")
                    for row in new
                ],
                now,
            )


async def textbook(address: str, folder: Path, customers: int, run: int) -> Result:
    """One workflow per customer, hand-written."""
    database = Database(f"sqlite:///{folder / 'textbook.db'}")
    database.migrate()
    client = await Client.connect(address, identity="w")
    queue = f"textbook-{run}"
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[OneCustomer],
        activities=[Writer(database).send],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_concurrent_workflow_tasks=50,
        max_concurrent_activities=50,
    )
    begun = time.perf_counter()
    async with worker:
        many = asyncio.Semaphore(50)

        async def one(number: int) -> None:
            async with many:
                handle = await client.start_workflow(
                    OneCustomer.run,
                    args=[number, WAIT],
                    id=f"{queue}-{number}",
                    task_queue=queue,
                    request_eager_start=True,
                )
                if number % 10 == 0:
                    await handle.signal(OneCustomer.answered)
            await handle.result()

        await asyncio.gather(*(one(number) for number in range(1, customers + 1)))
        seconds = time.perf_counter() - begun
    size, events = await _histories(client, f"TaskQueue = '{queue}'")
    database.close()
    return Result(customers / seconds, size / customers, events / customers)


async def _histories(client: Client, query: str) -> tuple[int, int]:
    """Bytes and events of the histories that a query finds, as the server counts them."""
    size = events = 0
    async for found in client.list_workflows(query):
        described = await client.get_workflow_handle(found.id, run_id=found.run_id).describe()
        size += described.raw_description.workflow_execution_info.history_size_bytes
        events += described.history_length
    return size, events


async def measure(customers: int, few: int, rounds: int) -> dict[str, Any]:
    """Alternate ours and the textbook's for `rounds` rounds on one server; medians."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedServer(Path(folder) / "temporal", free_port())
        await server.start()
        mine: list[Result] = []
        theirs: list[Result] = []
        try:
            for run in range(rounds):
                mine.append(await ours(server.address, Path(folder) / f"ours-{run}", customers, run))
                theirs.append(await textbook(server.address, Path(folder) / f"textbook-{run}", few, run))
        finally:
            await server.stop()
    speed = statistics.median(result.customers_per_second for result in mine)
    their_speed = statistics.median(result.customers_per_second for result in theirs)
    return {
        "customers": customers,
        "textbook_customers": few,
        "ours_per_second": round(speed),
        "textbook_per_second": round(their_speed, 1),
        "ratio": round(
            statistics.median(
                a.customers_per_second / b.customers_per_second for a, b in zip(mine, theirs, strict=True)
            ),
            1,
        ),
        "history_bytes_a_customer": round(statistics.median(result.history_bytes for result in mine), 1),
        "history_events_a_customer": round(statistics.median(result.history_events for result in mine), 3),
        "textbook_history_bytes": round(statistics.median(result.history_bytes for result in theirs)),
        "textbook_history_events": round(statistics.median(result.history_events for result in theirs), 1),
    }


def main() -> None:
    """Measure and print; exit 1 where a floor of the design is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--textbook", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    found = asyncio.run(measure(given.customers, given.textbook, given.rounds))
    print(json.dumps(found, indent=2))
    if found["ratio"] < 30 or found["history_bytes_a_customer"] > 300:
        raise SystemExit("a floor is missed: at least 30 times the textbook's, at most 300 history bytes a customer")


if __name__ == "__main__":
    main()
