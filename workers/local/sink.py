"""A mail server that keeps what it gets: every mail is a file, none is passed on."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

__all__ = ["Sink", "StoredMail", "messages"]

_NAME = re.compile(r"(\d{8,})-([A-Za-z0-9_-]*)\.eml")
_MESSAGE_ID = re.compile(rb"^message-id:\s*<([A-Za-z0-9_-]+)@", re.IGNORECASE | re.MULTILINE)

REFUSED = {"bounce": "550 5.1.1 no such mailbox here", "defer": "451 4.7.1 greylisted, come again"}
"""What recipients are refused, by how their address begins, and with which reply."""


@dataclass(frozen=True, slots=True)
class StoredMail:
    """A mail of the sink: its number (they count up), its message key, its file."""

    number: int
    key: str
    path: Path

    def read(self) -> EmailMessage:
        """The mail, parsed."""
        message = message_from_bytes(self.path.read_bytes(), policy=policy.default)
        assert isinstance(message, EmailMessage)  # noqa: S101  # the default policy's class
        return message


def messages(folder: Path, since: int = 0) -> Iterator[StoredMail]:
    """The mails of a sink's folder after number `since`, in the order they came; only their names are read."""
    if not folder.is_dir():
        return
    named = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir())
    found = [StoredMail(int(name[1]), name[2], path) for name, path in named if name]
    yield from sorted((mail for mail in found if mail.number > since), key=lambda mail: mail.number)


class Sink:
    """The server, in a thread of its own: `with Sink(folder) as sink: … sink.port`. Port 0 takes a free one."""

    def __init__(
        self, folder: Path, host: str = "127.0.0.1", port: int = 0, refused: dict[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.host = host
        self.port = port or _free_port(host)
        self._handler = _Handler(folder, REFUSED if refused is None else refused)
        self._controller: Any = Controller(
            self._handler,
            hostname=host,
            port=self.port,
            ready_timeout=60,  # aiosmtpd's five seconds are little on a machine that is busy
            enable_SMTPUTF8=True,
            decode_data=False,
            data_size_limit=40_000_000,
        )

    @property
    def connections(self) -> int:
        """How many connections said hello so far."""
        return self._handler.greetings

    def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._controller.start()

    def stop(self) -> None:
        """Stop listening; what was kept stays."""
        self._controller.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Handler:
    """aiosmtpd's hooks: their names and signatures are its own."""

    def __init__(self, folder: Path, refused: dict[str, str]) -> None:
        self.folder = folder
        self.refused = refused
        self.greetings = 0
        self._lock = threading.Lock()
        self._last: int | None = None

    async def handle_EHLO(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        del server, envelope
        session.host_name = hostname
        self.greetings += 1
        return responses

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session
        for start, reply in self.refused.items():
            if address.lower().startswith(start):
                return reply
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        del server, session
        raw = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        return f"250 2.0.0 kept as {self._keep(raw, envelope.mail_from or '', envelope.rcpt_tos)}"

    def _keep(self, raw: bytes, sender: str, recipients: list[str]) -> str:
        found = _MESSAGE_ID.search(raw[:8192])
        key = found[1].decode() if found else ""
        with self._lock:
            if self._last is None:
                self._last = max((mail.number for mail in messages(self.folder)), default=0)
            self._last += 1
            name = f"{self._last:08d}-{key}.eml"
        envelope = f"Return-Path: <{sender}>\r\nDelivered-To: {', '.join(recipients)}\r\n".encode()
        fresh = self.folder / f".{name}.part"
        fresh.write_bytes(envelope + raw)
        fresh.rename(self.folder / name)  # a reader sees whole mails only
        return name


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
