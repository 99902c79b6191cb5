"""Events in: our API over real HTTP, and the same rows written by sqlite3 alone, alternating in one run.

The API is `parcours api`'s own server, one process, on SQLite; the clients send Segment's batches, as its SDKs make them. The
baseline writes the same events to the same table in transactions of the same size, each one synced to the disk like ours.
"""

from __future__ import annotations

import gzip
import http.client
import json
import multiprocessing
import sqlite3
import statistics
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from engine import keys
from engine.db import Database
from engine.settings import Settings
from workers.server import free_port

__all__ = ["measure"]

EVENTS = 20_000
SENDERS = 4
KINDS = {
    "events": (EVENTS, 100, False),
    "with_orders": (EVENTS, 100, True),
    "small_batches": (EVENTS // 10, 5, False),
}
"""How many events, how many in a batch, and whether every tenth is an order of two lines."""


def messages(count: int, *, purchases: bool) -> list[dict[str, Any]]:
    """Track calls with every field that segment-analytics-python puts into one; every tenth an order of two lines."""
    made: list[dict[str, Any]] = []
    for number in range(count):
        order = purchases and number % 10 == 0
        lines = [{"name": "Chablis", "category": "wine", "price": 12.25, "quantity": 2}, {"name": "Brie", "price": 4.1}]
        made.append(
            {
                "integrations": {},
                "anonymousId": None,
                "properties": {"order_id": uuid4().hex, "products": lines} if order else {"path": f"/p/{number}"},
                "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
                "userId": f"c{number % 5000}",
                "type": "track",
                "event": "Order Completed" if order else "Product Viewed",
                "messageId": str(uuid4()),
            }
        )
    return made


def serve(settings: Settings, port: int) -> None:
    """The API, in a process of its own."""
    import uvicorn  # noqa: PLC0415  # in the server's process alone

    from api.app import create_app  # noqa: PLC0415  # as above

    uvicorn.run(create_app(settings, Database(settings.database_url)), port=port, log_level="error", access_log=False)


def ours(folder: Path, batches: Sequence[Sequence[dict[str, Any]]], senders: int) -> float:
    """Seconds until all batches are answered with 200."""
    settings = Settings(data=folder, key_rate=0)
    database = Database(settings.database_url)
    database.migrate()
    key = keys.create(database, "benchmark", ["ingest"])
    port = free_port()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(settings, port), daemon=True)
    server.start()
    _await(port)
    bodies = [gzip.compress(json.dumps({"batch": batch}).encode(), 1) for batch in batches]
    headers = {
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
        "Authorization": f"Basic {b64encode(f'{key}:'.encode()).decode()}",
    }
    failures: list[str] = []

    def send(mine: Sequence[bytes]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for body in mine:
            connection.request("POST", "/v1/batch", body, headers)
            reply = connection.getresponse()
            text = reply.read()
            if reply.status != 200:
                failures.append(f"{reply.status} {text[:200]!r}")
        connection.close()

    threads = [threading.Thread(target=send, args=(bodies[start::senders],)) for start in range(senders)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    server.terminate()
    server.join()
    with database.read() as conn:
        kept = conn.exec_driver_sql("SELECT count(*) FROM event").scalar_one()
    database.close()
    wanted = sum(len(batch) for batch in batches)
    if failures or kept != wanted:
        raise SystemExit(f"{kept} events of {wanted} are kept; {failures[:3]}")
    return seconds


def bare(folder: Path, batches: Sequence[Sequence[dict[str, Any]]]) -> float:
    """Seconds to write the same events by sqlite3 alone, a transaction a batch."""
    settings = Settings(data=folder)
    database = Database(settings.database_url)
    database.migrate()
    database.close()
    conn = sqlite3.connect(folder / "parcours.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536"):
        conn.execute(f"PRAGMA {pragma}")
    statement = (
        "INSERT INTO event (id, name, customer_id, at, received_at, payload, source) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING"
    )
    begun = time.perf_counter()
    for batch in batches:
        now = str(datetime.now(UTC))
        rows = [
            (m["messageId"], m["event"], m["userId"], m["timestamp"], now, json.dumps(m["properties"]), "track")
            for m in batch
        ]
        conn.execute("BEGIN IMMEDIATE")
        conn.executemany(statement, rows)
        conn.execute("COMMIT")
    seconds = time.perf_counter() - begun
    conn.close()
    return seconds


def _await(port: int) -> None:
    patience = time.monotonic() + 60
    while time.monotonic() < patience:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/v1/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the API did not start")


def measure(rounds: int) -> Mapping[str, Any]:
    """Of each kind of batches: ours, the bare rows, and the ratio; medians."""
    found: dict[str, Any] = {"events": EVENTS, "senders": SENDERS}
    for name, (count, size, purchases) in KINDS.items():
        mine: list[float] = []
        theirs: list[float] = []
        with tempfile.TemporaryDirectory() as folder:
            for run in range(rounds):
                whole = messages(count, purchases=purchases)
                batches = [whole[start : start + size] for start in range(0, count, size)]
                mine.append(count / ours(Path(folder) / f"ours-{run}", batches, SENDERS))
                theirs.append(count / bare(Path(folder) / f"bare-{run}", batches))
        found[f"{name}_per_second"] = round(statistics.median(mine))
        found[f"{name}_sqlite3_per_second"] = round(statistics.median(theirs))
        found[f"{name}_ratio"] = round(statistics.median(a / b for a, b in zip(mine, theirs, strict=True)), 3)
    return found
