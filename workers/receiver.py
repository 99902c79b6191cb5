"""The receiver: a mail server for what comes back. It answers 250 when a mail is committed, and sends nothing itself."""

from __future__ import annotations

import asyncio
import logging
import ssl
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope
from sqlalchemy.exc import SQLAlchemyError

from engine.db import Database
from engine.mail.door import Door
from engine.settings import Settings

__all__ = ["Receiver"]

_log = logging.getLogger(__name__)
_SOURCE = "smtp"
_LATER = "451 4.3.0 it can't be kept just now; please come again"
_LINE = (
    1_000_000  # RFC 5321 allows 1,000 bytes in a line; bounces of odd servers have more, and are wanted all the same
)
_QUIET = 120.0


class Receiver:
    """The server, in a thread of its own: `with Receiver(settings, database) as receiver: … receiver.port`."""

    def __init__(self, settings: Settings, database: Database) -> None:
        door = Door(settings)
        self.host = settings.mail_in_host
        self.port = settings.mail_in_port
        self._controller: Any = _Listening(
            _Handler(door, database),
            hostname=self.host,
            port=self.port,
            ready_timeout=60,  # aiosmtpd's five seconds are little on a machine that is busy
            server_hostname=door.domain,
            ident="Parcours",
            enable_SMTPUTF8=True,
            decode_data=False,
            data_size_limit=door.largest,
            timeout=_QUIET,
            tls_context=_tls(settings.mail_in_tls),
        )

    def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        self._controller.start()

    def stop(self) -> None:
        """Stop listening. A mail that is being kept is kept; its sender, who did not hear so, brings a repeat."""
        self._controller.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Patient(SMTP):
    line_length_limit = _LINE


class _Listening(Controller):
    def factory(self) -> SMTP:
        kwargs: Any = self.SMTP_kwargs
        return _Patient(self.handler, **kwargs)


class _Handler:
    """aiosmtpd's hooks: their names and signatures are its own."""

    def __init__(self, door: Door, database: Database) -> None:
        self._door = door
        self._database = database

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session
        if envelope.rcpt_tos:  # each mail is kept, or not, for one address: the sender brings it again for the next
            return "452 4.5.3 one recipient at a time, please"
        reason = self._door.refusal(address)
        if reason is not None:
            await asyncio.to_thread(self._refused, address, reason)
            return f"550 5.1.1 {reason}"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        del server, session
        raw = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        (recipient,) = envelope.rcpt_tos
        try:
            taken = await asyncio.to_thread(
                self._door.take, self._database, raw, envelope.mail_from or "", recipient, _SOURCE
            )
        except SQLAlchemyError as error:
            _log.error("a mail to %s can't be kept, and was sent away for now: %s", recipient, error)
            return _LATER
        return f"250 2.0.0 {taken.status}"

    async def handle_exception(self, error: Exception) -> str:
        _log.error("a mail can't be taken in, and was sent away for now", exc_info=error)
        return _LATER

    def _refused(self, address: str, reason: str) -> None:
        try:
            self._door.refuse(self._database, address, reason, _SOURCE)
        except SQLAlchemyError as error:
            _log.warning("a refusal of %s (%s) could not be counted: %s", address, reason, error)


def _tls(path: str) -> ssl.SSLContext | None:
    if not path:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context
