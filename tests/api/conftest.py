"""The API as its clients meet it: the real app over HTTP in the same process, with a key of every scope."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from api.app import create_app
from engine import keys
from engine.db import Database, insert_new, table
from engine.events import StoredEvent, since
from engine.links import Links
from engine.settings import Settings
from engine.tables import Message, Suppression

Row = dict[str, Any]


@pytest.fixture
def app(settings: Settings, sqlite: Database) -> FastAPI:
    return create_app(settings, sqlite)


@pytest.fixture
def key(sqlite: Database) -> str:
    return keys.create(sqlite, "tests", ["admin"])


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without a key."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
async def client(app: FastAPI, key: str) -> AsyncIterator[httpx.AsyncClient]:
    """A caller whose key opens everything, sent as Segment's clients send it."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", auth=(key, "")) as client:
        yield client


@pytest.fixture
def links(settings: Settings) -> Links:
    return Links(settings.public_url, settings.signing_key())


@pytest.fixture
def events(sqlite: Database) -> Callable[[], list[StoredEvent]]:
    """What is kept of events, in order."""

    def kept() -> list[StoredEvent]:
        with sqlite.read() as conn:
            return since(conn, 0, 1000)

    return kept


@pytest.fixture
def sent(sqlite: Database) -> Callable[..., Row]:
    """Make a message that went out: `sent("1-1-0", "email", links=[…])`."""

    def make(key: str = "1-1-0", channel: str = "email", **changes: Any) -> Row:
        row: Row = {
            "key": key,
            "enrolment_id": int(key.split("-", maxsplit=1)[0]),
            "customer_id": "c1",
            "journey": "win_back",
            "hash": "h",
            "state": "discount",
            "visit": 1,
            "arm": "treated",
            "channel": channel,
            "purpose": "marketing",
            "status": "sent",
            "address": "zoe@example.com" if channel == "email" else "+33612345678",
            "links": [{"name": "shop", "url": "https://shop.example/?a=1&b=2"}, {"name": "bad", "url": "javascript:x"}],
            "cost": 0,
            "reserved_at": datetime.now(UTC) - timedelta(hours=1),
            **changes,
        }
        with sqlite.write() as conn:
            insert_new(conn, Message, [row])
        return row

    return make


@pytest.fixture
def suppressed(sqlite: Database) -> Callable[[], list[tuple[str, str, str]]]:
    """The addresses that are never written to."""

    def kept() -> list[tuple[str, str, str]]:
        target = table(Suppression)
        with sqlite.read() as conn:
            rows = conn.execute(select(target.c.channel, target.c.address, target.c.reason))
            return [(row.channel, row.address, row.reason) for row in rows]

    return kept
