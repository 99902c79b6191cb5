"""An ASGI application on a real socket of this machine, with the statuses that it answered."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import uvicorn

__all__ = ["Served", "serving"]


class Served:
    """A server: its address, and what it has answered so far as `(path, status)`."""

    def __init__(self, app: Any, url: str) -> None:
        self.url = url
        self.answers: list[tuple[str, int]] = []
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def heard(message: Any) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                self.answers.append((scope["path"], message["status"]))

        await self._app(scope, receive, heard)

    def until(self, status: int, seconds: float = 60) -> None:
        """Wait until it has answered so."""
        patience = time.monotonic() + seconds
        while not any(found == status for _, found in self.answers):
            assert time.monotonic() < patience, f"no answer {status} in {self.answers}"
            time.sleep(0.01)


@contextmanager
def serving(app: Any) -> Generator[Served]:
    """The server while the block lasts."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        served = Served(app, f"http://127.0.0.1:{listener.getsockname()[1]}")
        server = uvicorn.Server(uvicorn.Config(served, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield served
        finally:
            server.should_exit = True
            thread.join(30)
