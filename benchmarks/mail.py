"""Mails a second through our e-mail activity, against bare aiosmtplib with prebuilt bytes of the same size.

Ours does all that a send is: it records the step, renders for each customer, asks the gate twice, reserves and takes the key,
sends, and writes down what became of it (SQLite). Both have the same number of connections to the same server, in a process of
its own: aiosmtpd, which keeps nothing; and, to see what is left of the ratio where the server costs nothing, one that only
says yes. Who sends campaigns has sixteen connections here; measured too is the ratio on the few that a worker has untold.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiosmtplib import SMTP
from sqlalchemy import func, insert, select
from temporalio.testing import ActivityEnvironment

from dsl.ir import IR, After, Arrow, Entry, State
from dsl.step import Row, chart
from engine.db import Database, table
from engine.enrolments import Applicant, enter
from engine.journeys import publish, switch
from engine.links import Links
from engine.outgoing import Outgoing
from engine.settings import Settings
from engine.tables import Consent, Customer, Enrolment, Message
from engine.templating.checking import SAMPLE, SAMPLE_FACTS
from engine.templating.rendering import Renderer
from engine.templating.templates import Templates
from workers.batch import Batch, Item
from workers.channels import channels
from workers.channels.mime import Sender, mail_bytes
from workers.perform import Performer
from workers.registry import Registry
from workers.server import free_port

__all__ = ["measure"]

MAILS = 6_000  # enough that how long the first takes is not what is measured
BATCH = 250
CONNECTIONS = 16
TEMPLATE = "win_back/discount"
SERVERS = {
    "aiosmtpd": """
from aiosmtpd.smtp import SMTP
class Taker:
    async def handle_DATA(self, server, session, envelope):
        return "250 OK"
def made():
    return SMTP(Taker(), hostname="mx")
""",
    "yes": """
class made(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.buffer, self.text = transport, b"", False
        transport.write(b"220 yes\\r\\n")
    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\\r\\n.\\r\\n" if self.text else b"\\r\\n")) >= 0:
            line, self.buffer = self.buffer[:end], self.buffer[end + (5 if self.text else 2):]
            if self.text:
                self.text = False
                self.transport.write(b"250 yes\\r\\n")
            elif line == b"DATA":
                self.text = True
                self.transport.write(b"354 yes\\r\\n")
            elif line == b"QUIT":
                self.transport.write(b"221 yes\\r\\n")
                self.transport.close()
            else:
                self.transport.write(b"250-yes\\r\\n250 PIPELINING\\r\\n" if line[:4] == b"EHLO" else b"250 yes\\r\\n")
""",
}
_SERVE = """
import asyncio, sys
{made}
async def main():
    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", int(sys.argv[1]))
    print("up", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def measure(rounds: int) -> Mapping[str, Any]:
    """Alternate the two for `rounds` rounds against each server; medians."""
    return asyncio.run(_measured(rounds))


@dataclass(frozen=True, slots=True)
class Run:
    """Mails a second, and what one costs: milliseconds of processor time, which neighbours don't lengthen.

    This process's, and that of the processes which make mails beside it.
    """

    speed: float
    cpu_ms: float


async def bare(port: int, connections: int) -> Run:
    """aiosmtplib, as its documentation shows it."""
    settings = Settings()
    links = Links(settings.public_url, b"a key")
    content = Renderer(Templates.of(settings), links).render("email", SAMPLE, TEMPLATE, "1-1-0", SAMPLE_FACTS)
    outgoing = Outgoing(
        "1-1-0", "email", 1, "win_back", "discount", "marketing", SAMPLE, "ada@example.com", content, datetime.now(UTC)
    )
    raw = mail_bytes(outgoing, Sender.of(settings), links)
    left = iter(range(MAILS))

    async def one() -> None:
        smtp = SMTP(hostname="127.0.0.1", port=port, use_tls=False, start_tls=False)
        await smtp.connect()
        for _ in left:
            await smtp.sendmail("bounce@parcours.example", ["ada@example.com"], raw)
        await smtp.quit()

    begun, used = time.perf_counter(), _used()
    await asyncio.gather(*(one() for _ in range(connections)))
    return _run(begun, used)


async def ours(port: int, connections: int) -> Run:
    """The `perform` activity, as many batches at once as a worker has."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), smtp_port=port, smtp_connections=connections)
        database = Database(settings.database_url)
        database.migrate()
        batches, registry = _entered(database)
        ways = channels(settings, database=database)
        await asyncio.to_thread(ways["email"].mailroom.start)  # type: ignore[attr-defined]  # a worker stands for days
        performer = Performer(settings, database, registry, ways)
        few = asyncio.Semaphore(6)

        async def one(batch: Batch) -> None:
            async with few:
                await ActivityEnvironment().run(performer.perform, batch.to_wire())

        begun, used = time.perf_counter(), _used()
        await asyncio.gather(*(one(batch) for batch in batches))
        run = _run(begun, used)
        message = table(Message)
        with database.read() as conn:
            sent = conn.execute(select(func.count()).where(message.c.status == "sent")).scalar_one()
        if sent != MAILS:
            raise SystemExit(f"the books are wrong: {sent} of {MAILS} mails were sent")
        await ways["email"].close()  # type: ignore[attr-defined]
        database.close()
        return run


async def _measured(rounds: int) -> Mapping[str, Any]:
    gc.freeze()  # as a worker does, for both
    found: dict[str, Any] = {"mails": MAILS}
    few = Settings().smtp_connections
    for suffix, name, connections in (
        ("", "aiosmtpd", CONNECTIONS), ("_few", "aiosmtpd", few), ("_yes", "yes", CONNECTIONS),
    ):  # fmt: skip
        mine: list[Run] = []
        theirs: list[Run] = []
        port = free_port()
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _SERVE.format(made=SERVERS[name]), str(port), stdout=subprocess.PIPE
        )
        assert server.stdout is not None  # noqa: S101  # it was asked for
        try:
            await server.stdout.readline()
            for _ in range(rounds):
                mine.append(await ours(port, connections))
                theirs.append(await bare(port, connections))
        finally:
            server.terminate()
            await server.wait()
        found[f"connections{suffix}"] = connections
        for who, runs in (("ours", mine), ("bare", theirs)):
            found[f"{who}_per_second{suffix}"] = round(statistics.median(run.speed for run in runs))
            found[f"{who}_cpu_ms{suffix}"] = round(statistics.median(run.cpu_ms for run in runs), 2)
        pairs = zip(mine, theirs, strict=True)
        found[f"ratio{suffix}"] = round(statistics.median(a.speed / b.speed for a, b in pairs), 2)
    return found


def _run(begun: float, used: float) -> Run:
    return Run(MAILS / (time.perf_counter() - begun), 1000 * (_used() - used) / MAILS)


def _used() -> float:
    """Seconds of processor time of this process and of those that it started and that go on (clock_getcpuclockid(3))."""
    others = (each.pid for each in multiprocessing.active_children() if each.pid is not None)
    return time.process_time() + sum(time.clock_gettime((~pid << 3) | 2) for pid in others)


def _entered(database: Database) -> tuple[list[Batch], Registry]:
    """As many customers, with consent, who have entered a journey of one mail."""
    ir = IR(
        name="one_mail",
        title="OneMail",
        purpose="marketing",
        entry=Entry("api"),
        states=(State("mail", "email", (Arrow(After(86_400), "done"),), template=TEMPLATE), State("done", "final")),
    )
    registry = Registry()
    registry.add(chart(ir))
    now = datetime.now(UTC)
    people = [f"c{number}" for number in range(MAILS)]
    row: dict[str, Any] = {"attributes": {}, "created_at": now, "updated_at": now}
    word: dict[str, Any] = {"channel": "email", "purpose": "marketing", "granted": True, "at": now, "source": "bench"}
    with database.write() as conn:
        conn.execute(
            insert(table(Customer)),
            [
                row | {"id": c, "email": f"{c}@example.com", "first_name": f"Ada-{c}", "last_name": f"Lefèvre {c}"}
                for c in people  # no two are called alike: nothing that is kept from one mail to the next may flatter
            ],
        )
        conn.execute(insert(table(Consent)), [word | {"customer_id": c} for c in people])
        publish(conn, ir, "benchmark", now)
        switch(conn, ir.name, True, "benchmark", "", now)
        enter(conn, ir, [Applicant(c, f"api:{c}", None, now) for c in people], now)
        numbers = list(conn.execute(select(table(Enrolment).c.id)).scalars())
    at = round(now.timestamp() * 1000)
    items = [Item(number, 1, (Row(1, 0, "entry", None, at),)) for number in numbers]
    pieces = [items[start : start + BATCH] for start in range(0, MAILS, BATCH)]
    return [Batch(ir.hash, "send", 0, (), tuple(piece), at) for piece in pieces], registry
