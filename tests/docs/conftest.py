"""What the documents' tests share: a folder with the shipped journeys, and an engine that works in it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from docs.scenario import ROOT
from kit.engine import Engine, working
from kit.printing import OPENING, Desk, Paper
from kit.recording import Recorder

from api.app import create_app
from dsl.compile import compile_journey
from dsl.loading import load
from dsl.step import chart
from engine.db import Database, insert_new
from engine.settings import Settings
from engine.tables import CallTask, Purchase
from workers.local.sink import Sink
from workers.registry import Registry
from workers.server import EmbeddedServer, free_port
from workers.worker import connect


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped journeys, as in a project's own folder."""
    shutil.copytree(ROOT / "journeys", tmp_path / "journeys", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.fixture
async def engine(folder: Path, sqlite: Database) -> AsyncIterator[Engine]:
    """Temporal, a worker and a mail sink over the folder's database."""
    server = EmbeddedServer(folder / "temporal", free_port())
    await server.start()
    try:
        with Sink(folder / "var" / "sink") as sink:
            settings = Settings(
                data=folder / "var",
                journeys=folder / "journeys",
                temporal_address=server.address,
                smtp_port=sink.port,
                tick=0.05,
            )
            async with working(settings):
                yield Engine(settings, sqlite, await connect(settings), server)
    finally:
        await server.stop()


@pytest.fixture
async def http(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    """The real app, in this process; who asks is on this machine, as curl would be."""
    transport = httpx.ASGITransport(create_app(engine.settings, engine.database))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
async def posted(folder: Path, sqlite: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A print run that was handed over, a letter in the next one, and the app to ask: where the print house begins."""
    (folder / "journeys" / "t").mkdir()
    (folder / "journeys" / "t" / "letter.en.typ").write_text("= A present\n\nDear #customer.first_name,\n", "utf-8")
    settings = Settings(data=folder / "var", journeys=folder / "journeys")
    desk = Desk(settings, Engine(settings, sqlite, None), compile_journey(Paper), Registry())  # type: ignore[arg-type]  # no Temporal
    desk.engine.publish(desk.ir)
    desk.registry.add(chart(desk.ir))
    desk.engine.customers("4711", "4713")
    desk.engine.customers("4712", country="DE", postcode="10115", city="Berlin")
    await desk.send("4711", "4712")
    await desk.print()
    await desk.send("4713", moment=OPENING + timedelta(days=1))
    transport = httpx.ASGITransport(create_app(settings, sqlite))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
def books(folder: Path, sqlite: Database) -> Recorder:
    """Two dozen regulars have been in win_back for a fortnight: some clicked, were called, bought; all drop in still."""
    (ir,) = (found.ir for found in load(folder / "journeys") if found.ir.name == "win_back")
    books = Recorder(sqlite, ir, now=datetime.now(UTC) - timedelta(days=20))
    ids = [f"{number}" for number in range(4700, 4724)]
    books.customers(*ids)
    books.enter(*ids)
    books.wait(hours=3)
    treated = [customer for customer in ids if books.arm(customer) == "treated"]
    for customer in treated[:6]:
        books.tell(customer, "email.clicked")
    books.wait(hours=5)
    for customer, outcome in zip(treated, ("interested", "refused") * 3, strict=False):
        books.tell(customer, f"call.{outcome}")
    books.tell(treated[6], "shop.purchased", total=60)
    books.wait(days=14)
    line = {"category": "bread", "product": None, "quantity": 1, "total": 300}
    with sqlite.write() as conn:
        insert_new(
            conn,
            Purchase,
            [
                line | {"id": f"{c}-{n}", "order_id": f"{c}-{n}", "customer_id": c, "at": books.now - timedelta(days=n)}
                for c in ids
                for n in (1, 30, 60)
            ],
        )
    return books


@pytest.fixture
async def task(engine: Engine) -> None:
    """A customer of win_back has clicked, and her call task waits: where the call center begins."""
    (ir,) = (found.ir for found in load(engine.settings.journeys) if found.ir.name == "win_back")
    engine.publish(ir)
    engine.customers("4711", first_name="Zoé", last_name="Lefèvre", phone="+33612345678")
    engine.enter(ir, "4711")
    await engine.until(lambda: [m for m in engine.messages("4711") if m.status == "sent"])
    engine.tell("email.clicked", "4711", key=engine.messages("4711")[-1].key)
    await engine.until(lambda: engine.rows(CallTask))


@pytest.fixture
async def three_tasks(task: None, engine: Engine) -> None:
    """Two more customers have clicked after her: their calls come after hers."""
    del task
    (ir,) = (found.ir for found in load(engine.settings.journeys) if found.ir.name == "win_back")
    for number, customer in enumerate(("4713", "4714"), 2):  # who are not held out
        engine.customers(customer, phone="+33612345679")
        engine.enter(ir, customer)
        await engine.until(lambda customer=customer: [m for m in engine.messages(customer) if m.status == "sent"])
        engine.tell("email.clicked", customer, key=engine.messages(customer)[-1].key)
        await engine.until(lambda number=number: len(engine.rows(CallTask)) == number)
