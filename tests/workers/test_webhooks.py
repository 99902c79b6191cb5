"""Webhooks on a real receiver: signed, tried again, logged; 410 ends the subscription."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from kit.calls import make, task
from sqlalchemy import update
from standardwebhooks.webhooks import Webhook as Verifier

from engine import webhooks
from engine.calls.events import EVENTS
from engine.db import Database, table
from engine.tables import Webhook, WebhookDelivery
from workers.webhooks import Deliverer

NAMES = [f"call_task.{kind}" for kind in EVENTS]
Got = list[tuple[dict[str, str], bytes]]


@contextmanager
def receiver(answer: Callable[[int], int], headers: dict[str, str] | None = None) -> Generator[tuple[str, Got]]:
    """An HTTP server on loopback that answers its n-th call (from 1) as told, and keeps what it got."""
    got: Got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append((dict(self.headers.items()), body))
            self.send_response(answer(len(got)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
            """Nothing on the console."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
async def deliverer(db: Database) -> AsyncIterator[Deliverer]:
    made = Deliverer(db)
    yield made
    await made.close()


def subscribe(db: Database, url: str) -> Webhook:
    with db.write() as conn:
        return webhooks.subscribe(conn, url, [], NAMES, None)


def hurry(db: Database) -> None:
    """The pause is over: times are wall-clock time, so they are moved and nobody waits."""
    with db.write() as conn:
        conn.execute(update(table(WebhookDelivery)).values(due_at=datetime.now(UTC) - timedelta(seconds=1)))


async def test_a_receiver_that_fails_at_first_gets_it_signed_in_the_end(db: Database, deliverer: Deliverer) -> None:
    with receiver(lambda number: 500 if number < 3 else 204) as (url, got):
        hook = subscribe(db, url)
        make(db, task("1-1-0", title="Zoé"))
        for _ in range(3):
            assert await deliverer.round() == 1
            assert await deliverer.round() == 0
            hurry(db)
        assert await deliverer.round() == 0
    ids = {headers["webhook-id"] for headers, _ in got}
    assert len(got) == 3
    assert len(ids) == 1
    for headers, body in got:
        event = Verifier(hook.secret).verify(body, headers)
        assert (event["type"], event["data"]["id"]) == ("call_task.created", "1-1-0")
    with pytest.raises(Exception, match="No matching signature"):
        Verifier(hook.secret).verify(got[0][1] + b" ", got[0][0])
    with db.read() as conn:
        (delivery,) = webhooks.log(conn, hook.id)
        tries = webhooks.tries(conn, [delivery.id or 0])[delivery.id or 0]
    assert (delivery.status, delivery.tries, [one.status for one in tries]) == ("delivered", 3, [500, 500, 204])


async def test_410_ends_the_subscription(db: Database, deliverer: Deliverer) -> None:
    with receiver(lambda _: 410) as (url, got):
        hook = subscribe(db, url)
        make(db, task("1-1-0"))
        await deliverer.round()
        make(db, task("2-1-0"))
        hurry(db)
        assert await deliverer.round() == 0
    assert len(got) == 1
    with db.read() as conn:
        assert webhooks.get(conn, hook.id).disabled_why == "the receiver answered 410 Gone"
        assert [row.status for row in webhooks.log(conn, hook.id)] == ["dropped"]


async def test_who_is_not_there_or_redirects_is_tried_again(sqlite: Database) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        away = subscribe(sqlite, f"http://127.0.0.1:{unused.getsockname()[1]}/hook")
    with receiver(lambda _: 302, {"Location": "http://127.0.0.1:1/"}) as (url, got):
        elsewhere = subscribe(sqlite, url)
        make(sqlite, task("1-1-0"))
        deliverer = Deliverer(sqlite)
        assert await deliverer.round() == 2
        await deliverer.close()
    assert len(got) == 1
    with sqlite.read() as conn:
        for hook, status, error in ((away, None, "ConnectError"), (elsewhere, 302, None)):
            (delivery,) = webhooks.log(conn, hook.id)
            (one,) = webhooks.tries(conn, [delivery.id or 0])[delivery.id or 0]
            assert (delivery.status, one.status) == ("pending", status)
            assert (one.error or "").partition(":")[0] == (error or "")


async def test_a_receiver_that_asks_for_time_gets_it(sqlite: Database) -> None:
    with receiver(lambda _: 429, {"Retry-After": "1000"}) as (url, _):
        hook = subscribe(sqlite, url)
        make(sqlite, task("1-1-0"))
        deliverer = Deliverer(sqlite)
        await deliverer.round()
        await deliverer.close()
    with sqlite.read() as conn:
        assert webhooks.log(conn, hook.id)[0].due_at > datetime.now(UTC) + timedelta(seconds=900)


async def test_a_slow_receiver_does_not_hold_up_the_others(sqlite: Database) -> None:
    with receiver(lambda _: 200) as (url, got), socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        subscribe(sqlite, f"http://127.0.0.1:{silent.getsockname()[1]}/hook")
        subscribe(sqlite, url)
        make(sqlite, *(task(f"{n}-1-0") for n in range(5)))
        deliverer = Deliverer(sqlite)
        running = asyncio.create_task(deliverer.round())
        async with asyncio.timeout(60):
            while len(got) < 5:  # noqa: ASYNC110  # the receiver's threads fill it
                await asyncio.sleep(0.01)
        silent.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await deliverer.close()
    assert len(got) == 5


async def test_a_dead_receiver_with_a_long_queue_keeps_nobody_waiting(sqlite: Database) -> None:
    with receiver(lambda _: 200) as (url, got), socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(200)
        dead = subscribe(sqlite, f"http://127.0.0.1:{silent.getsockname()[1]}/hook")
        make(sqlite, *(task(f"{n}-1-0") for n in range(150)))  # its queue is there first
        subscribe(sqlite, url)
        make(sqlite, *(task(f"{n}-1-0") for n in range(150, 300)))
        deliverer = Deliverer(sqlite, patience=2)
        for _ in range(2):  # a hundred at a time: half of them are its, and then all
            await deliverer.round()
        await deliverer.close()
    assert len(got) >= 140, "a few may come too late on a busy machine"
    with sqlite.read() as conn:
        waiting = webhooks.log(conn, dead.id, most=500)
    assert {row.status for row in waiting} == {"pending"}
    assert sum(row.tries for row in waiting) <= 20, "it was asked a few times, and then left alone"
    assert sum(row.tries for row in waiting) >= 1


async def test_a_receiver_that_is_back_gets_all_that_waited(sqlite: Database) -> None:
    with receiver(lambda _: 200) as (url, got):
        hook = subscribe(sqlite, "http://127.0.0.1:1/hook")
        make(sqlite, *(task(f"{n}-1-0") for n in range(40)))
        deliverer = Deliverer(sqlite, rests=(0.01,))
        assert 1 <= await deliverer.round() < 40
        with sqlite.write() as conn:
            conn.execute(update(table(Webhook)).where(table(Webhook).c.id == hook.id).values(url=url))
        hurry(sqlite)
        async with asyncio.timeout(60):
            while len(got) < 40:
                await deliverer.round()
                await asyncio.sleep(0.01)
        await deliverer.close()
    with sqlite.read() as conn:
        assert {row.status for row in webhooks.log(conn, hook.id)} == {"delivered"}
