"""What the documents' tests share: a folder with the shipped journeys, and an engine that works in it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from docs.scenario import ROOT
from kit.engine import Engine, working

from api.app import create_app
from dsl.loading import load
from engine.db import Database
from engine.settings import Settings
from engine.tables import CallTask
from workers.local.sink import Sink
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
async def task(engine: Engine) -> None:
    """A customer of win_back has clicked, and her call task waits: where the call center begins."""
    (ir,) = (found.ir for found in load(engine.settings.journeys) if found.ir.name == "win_back")
    engine.publish(ir)
    engine.customers("4711", first_name="Zoé", last_name="Lefèvre", phone="+33612345678")
    engine.enter(ir, "4711")
    await engine.until(lambda: [m for m in engine.messages("4711") if m.status == "sent"])
    engine.tell("email.clicked", "4711", key=engine.messages("4711")[-1].key)
    await engine.until(lambda: engine.rows(CallTask))
