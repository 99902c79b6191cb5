"""The embedded server: it comes up on its port, and comes up again by itself when it is killed, so that journeys go on."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from kit.engine import PATIENCE, Engine, working
from temporalio.client import Client
from temporalio.service import RPCError

from dsl import Anywhere, Api, Arrows, Feed, Final, Goal, Journey, Shop, after, marketing
from engine.db import Database
from engine.errors import EngineError
from engine.settings import Settings
from workers.server import EmbeddedServer, free_port


class Twice(Journey):
    """Two items, one after the other was clicked; then she buys."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Feed("t/feed")
    def first(self) -> Arrows:
        yield Feed.clicked >> self.second
        yield after(days=900) >> self.lapsed

    @Feed("t/feed")
    def second(self) -> Arrows:
        yield after(days=900) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased >> self.won


@asynccontextmanager
async def running(folder: Path, port: int | None = None, *, most: int = 8) -> AsyncGenerator[EmbeddedServer]:
    server = EmbeddedServer(folder, port or free_port(), most=most)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def answers(server: EmbeddedServer) -> bool:
    try:
        return await (await Client.connect(server.address)).service_client.check_health()
    except (RuntimeError, RPCError):
        return False


async def up_again(server: EmbeddedServer, restarts: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while server.restarts < restarts or not await answers(server):
        assert time.monotonic() < deadline, server.state()
        await asyncio.sleep(0.05)


def kill(server: EmbeddedServer) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)


async def test_S1_a_journey_goes_on_by_itself_when_the_server_is_killed(
    tmp_path: Path, templates: Path, sqlite: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path / "temporal") as server:
        settings = Settings(
            data=tmp_path / "var", journeys=templates, temporal_address=server.address, tick=0.05, grace=0.1
        )
        async with working(settings):
            engine = Engine(settings, sqlite, await Client.connect(server.address), server)
            ir = engine.publish(Twice)
            engine.customers("ann", "ben")
            engine.enter(ir, "ann")
            message = await engine.until_sent("ann", "first")
            with caplog.at_level(logging.WARNING, "workers.server"):
                kill(server)
                engine.enter(ir, "ben")  # while it is away
                engine.tell("feed.clicked", "ann", key=message.key)
                await engine.until_sent("ann", "second")
                await engine.until_sent("ben", "first")
            kill(server)
            engine.tell("shop.purchased", "ann", total=20)
            engine.tell("shop.purchased", "ben", total=20)
            await engine.until(lambda: all(engine.enrolment(one).ended_at for one in ("ann", "ben")))
        assert (engine.path("ann"), engine.path("ben")) == (["first", "second", "won"], ["first", "won"])
        assert server.restarts == 2
        assert "ended by itself (signal 9, Killed), and is started again" in caplog.text
    assert server.pid is None
    assert not await answers(server)


async def test_a_server_that_dies_again_and_again_is_given_up(tmp_path: Path) -> None:
    async with running(tmp_path, most=2) as server:
        for restarts in (1, 2):
            kill(server)
            await up_again(server, restarts)
        (tmp_path / "temporal.log").write_text("its last words")
        kill(server)
        with pytest.raises(
            EngineError, match=r"3 times within 5 minutes: it stays down; its log ends:\nits last words"
        ):
            await asyncio.wait_for(server.lost(), PATIENCE)
        assert "does not run, was started again 2×" in server.state()


async def test_a_server_that_dies_as_it_comes_up_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = EmbeddedServer(tmp_path, free_port())
    starting = asyncio.create_task(server.start())
    while server.pid is None:  # noqa: ASYNC110  # the server knows no event for it
        await asyncio.sleep(0)
    kill(server)
    await starting
    try:
        assert await answers(server)
        assert "ended (signal 9, Killed) as it came up (start 1 of 3)" in caplog.text
    finally:
        await server.stop()


async def test_a_server_that_is_stopped_in_order_stays_down(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        kill(server)
        await server.stop()  # before the watch has started it again
        await asyncio.sleep(1)
        assert server.pid is None
        await server.start()
        assert server.given_up is None
        assert await answers(server)


async def test_a_port_that_another_has_is_refused_at_once(tmp_path: Path) -> None:
    async with running(tmp_path / "first") as taken:
        port = int(taken.address.rpartition(":")[2])
        second = EmbeddedServer(tmp_path / "second", port)
        with pytest.raises(EngineError, match=f"can't have {taken.address}: Address already in use"):
            await second.start()
        assert second.pid is None
        assert await answers(taken)


async def test_a_server_that_cannot_come_up_says_why(tmp_path: Path) -> None:
    (tmp_path / "temporal.db").write_text("this is no database")
    server = EmbeddedServer(tmp_path, free_port())
    with pytest.raises(EngineError, match="not a database"):
        await server.start()
    assert server.pid is None


_RANGE = 51
"""IP_LOCAL_PORT_RANGE, which the socket module doesn't name: the ports that the system may choose from for a socket."""


@pytest.mark.skipif(sys.platform != "linux", reason="how the system gives ports away is its own affair")
async def test_nobody_is_given_the_port_before_the_server_has_it_or_while_it_is_away(tmp_path: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        assert _given(port, elsewhere) == set(), "after the probe"
        async with running(tmp_path, port, most=0) as server:
            kill(server)
            with pytest.raises(EngineError, match="signal 9"):
                await asyncio.wait_for(server.lost(), PATIENCE)
            assert _given(port, elsewhere) == set(), "while it is down"


def _given(port: int, elsewhere: socket.socket) -> set[str]:
    """Who is given the port, of those to whom the system may give no other: a server of any port, a client's own end."""
    found: set[str] = set()
    for who in ("server", "client"):
        with socket.socket() as one:
            one.setsockopt(socket.IPPROTO_IP, _RANGE, (port | port << 16).to_bytes(4, sys.byteorder))
            try:
                if who == "server":
                    one.bind(("127.0.0.1", 0))
                else:
                    one.connect(elsewhere.getsockname())
            except OSError:
                continue
            found.add(who)
    return found
