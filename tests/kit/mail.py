"""A mail server for tests that does something before it says that it took a mail."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.controller import Controller

from workers.server import free_port

__all__ = ["Taker", "mail_server"]


class Taker:
    """Takes mails; `before` is called with how many it has, before the sender hears that the last was taken."""

    def __init__(self, before: Callable[[int], None] = lambda _: None) -> None:
        self.taken: list[bytes] = []
        self._before = before

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # aiosmtpd's name
        del server, session
        self.taken.append(envelope.content)
        self._before(len(self.taken))
        return "250 OK"


@contextmanager
def mail_server(taker: Taker) -> Generator[int]:
    """The server while the block lasts; its port."""
    port = free_port()
    controller = Controller(taker, hostname="127.0.0.1", port=port, ready_timeout=60)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()
