"""Fixtures of a running engine. A day of a journey lasts a second, so that a month takes half a minute, on real timers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from kit.engine import TEMPLATES, Engine, embedded, working
from temporalio.client import Client

from engine.db import Database
from engine.settings import Settings
from workers.local.sink import Sink
from workers.server import EmbeddedServer


@pytest.fixture(scope="session")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """An embedded Temporal server, one for the whole run."""
    with embedded(tmp_path_factory.mktemp("temporal")) as server:
        yield server


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """A folder with one template for each channel: `t/mail`, `t/sms`, `t/feed`, `t/call`, `t/letter`."""
    folder = tmp_path / "journeys"
    for name, text in TEMPLATES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    """A mail sink on a port of its own."""
    with Sink(tmp_path / "var" / "sink") as running:
        yield running


@pytest.fixture
def engine_settings(tmp_path: Path, templates: Path, temporal: EmbeddedServer, sink: Sink) -> Settings:
    """Settings of an engine for which a day lasts a second."""
    now = datetime.now(UTC)
    return Settings(
        data=tmp_path / "var",
        journeys=templates,
        temporal_address=temporal.address,
        task_queue=f"q-{uuid4().hex[:8]}",
        smtp_port=sink.port,
        tick=0.05,
        grace=0.1,
        profile_wait=30 * 86400,
        time_scale=86400,
        time_real_origin=now,
        time_origin=now,
    )


@pytest.fixture
async def engine(engine_settings: Settings, sqlite: Database, temporal: EmbeddedServer) -> AsyncIterator[Engine]:
    """A running engine on SQLite."""
    client = await Client.connect(engine_settings.temporal_address)
    async with working(engine_settings):
        yield Engine(engine_settings, sqlite, client, temporal)


@pytest.fixture
async def engine_on_both(engine_settings: Settings, db: Database, temporal: EmbeddedServer) -> AsyncIterator[Engine]:
    """A running engine, on SQLite and on PostgreSQL."""
    url = db.engine.url.render_as_string(hide_password=False)
    settings = engine_settings.model_copy(update={"database": url})
    client = await Client.connect(settings.temporal_address)
    async with working(settings):
        yield Engine(settings, db, client, temporal)
