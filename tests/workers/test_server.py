"""The embedded server: it comes up, goes down in order, and comes up again by itself when it is killed."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from engine.errors import EngineError
from workers.server import EmbeddedServer, free_port


async def _answers(server: EmbeddedServer) -> bool:
    try:
        return await (await Client.connect(server.address)).service_client.check_health()
    except (RuntimeError, RPCError):
        return False


async def test_S1_a_server_that_is_killed_is_started_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = EmbeddedServer(tmp_path, free_port())
    await server.start()
    try:
        first = server.pid
        assert first is not None
        with caplog.at_level(logging.WARNING, "workers.server"):
            os.kill(first, signal.SIGKILL)
            while server.pid == first or not await _answers(server):
                pass
    finally:
        await server.stop()
    assert server.pid is None
    assert not await _answers(server)
    assert "ended by itself with code -9, and is started again" in caplog.text


async def test_a_server_that_cannot_come_up_says_why(tmp_path: Path) -> None:
    taken = EmbeddedServer(tmp_path / "first", free_port())
    await taken.start()
    try:
        second = EmbeddedServer(tmp_path / "second", int(taken.address.rpartition(":")[2]))
        with pytest.raises(EngineError, match="address already in use"):
            await second.start()
    finally:
        await taken.stop()
