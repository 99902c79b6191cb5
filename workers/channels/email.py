"""E-mail over SMTP: a few lines to the mail server, shared by the batches of a worker, at the pace that it takes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import Any

from aiosmtplib import SMTPException
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import Connection

from engine.db import Database
from engine.feeds import personal as feeds
from engine.links import Links
from engine.outgoing import Content, Outgoing, Paced, Receipt, Recipient, Send, Way
from engine.settings import Settings
from engine.templating.templates import Templates
from workers.channels.lines import Lines
from workers.channels.mailroom import Mailroom, Maker, Order
from workers.channels.mime import Sender, mail_bytes
from workers.channels.smtp import SmtpLine, said
from workers.pacing import Pacing

__all__ = ["EmailChannel", "normal"]

_RETRY = 60.0  # seconds until another try where there is no server
_SHORT = 64  # letters: no limit of an address is near
_SIMPLE = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")
"""Names before an @ in which there is nothing to be looked for."""


class EmailChannel:
    """Sends e-mail. A 4xx reply defers, a 5xx rejects; a line that broke after the text was sent leaves it unknown."""

    name = "email"

    def __init__(
        self, settings: Settings, templates: Templates, links: Links, database: Database | None = None
    ) -> None:
        self.at_once = 2 * settings.smtp_connections  # while one has a line, the next makes ready
        self.lines = Lines(settings)
        self.pacing = Pacing(database, "smtp", settings.smtp_rate)
        self._links = links
        self._templates = templates
        self._sender = Sender.of(settings)
        self._maker = Maker(templates, links, self._sender)
        self.mailroom = Mailroom(self._maker, settings.mail_processes)

    def address(self, recipient: Recipient) -> str | None:
        """Her address in small letters, its domain in ASCII."""
        return normal(recipient.email) if recipient.email else None

    def speaks_of(self, template: str, name: str) -> bool:
        return self._templates.mentions(template, self.name, name)

    def render(self, recipient: Recipient, template: str, key: str, facts: Mapping[str, Any]) -> Content:
        return self._maker.renderer.render(self.name, recipient, template, key, facts)

    def render_all(self, template: str, wanted: Sequence[Order]) -> Sequence[Content | str]:
        made = self.mailroom.make(template, wanted)
        for language in {message.recipient.language for message, _ in wanted}:
            self._templates.find(template, self.name, language)  # what `keep` stores the version of
        return made

    def keep(self, conn: Connection, messages: Sequence[Outgoing]) -> None:
        """Store the templates' versions, and open the feeds that the mails lead to."""
        self._templates.keep(conn, (message.content.template_hash for message in messages))
        leading = [message for message in messages if message.content.to_feed]
        if leading:
            feeds.ensure(conn, self._links, (m.recipient.id for m in leading), leading[0].at)

    @asynccontextmanager
    async def batch(self) -> AsyncGenerator[Paced]:
        """The lines are the process's; what the mails of a batch share is that there may be no server."""
        yield _Mails(self)

    async def hand_over(self, line: SmtpLine, message: Outgoing, *, test: bool = False) -> Receipt:
        """Send one mail over a line."""
        raw = message.content.raw or mail_bytes(message, self._sender, self._links, test=test)
        path = f"{self._links.return_path(message.key)}@{self._sender.back}"
        return await line.send(path, message.address, raw, f"{message.key}@{self._sender.domain}")

    async def send_test(self, message: Outgoing) -> Receipt:
        """Send a mail that says that it is a test, before those of campaigns."""
        await self.pacing.turn(planned=False)
        async with self.lines.line() as line:
            return await self.hand_over(line, message, test=True)

    async def close(self) -> None:
        """Close the lines that are open, and the mailroom."""
        await self.lines.close()
        await asyncio.to_thread(self.mailroom.close)


class _Mails:
    """The mails of one batch. Where there is no server, those after the first need not wait for the same time-out."""

    def __init__(self, channel: EmailChannel) -> None:
        self._channel = channel
        self._down: Receipt | None = None

    async def __call__(self, message: Outgoing) -> Receipt:
        async with self.turn(planned=False) as way, way() as send:
            return await send(message)

    @asynccontextmanager
    async def turn(self, *, planned: bool) -> AsyncGenerator[Way]:
        """A place in the rate, then one among the next."""
        if self._down is None:
            await self._channel.pacing.turn(planned=planned)
        async with self._channel.lines.next[planned].place(planned=planned):
            yield partial(self._way, planned)

    @asynccontextmanager
    async def _way(self, planned: bool) -> AsyncGenerator[Send]:
        """A line that stands."""
        async with self._channel.lines.line(planned=planned) as line:
            if self._down is None and not line.is_open:
                try:
                    await line.open()
                except (SMTPException, OSError) as error:
                    self._down = Receipt("deferred", detail=said(error), retry_after=_RETRY)
            yield partial(self._send, line)

    async def _send(self, line: SmtpLine, message: Outgoing) -> Receipt:
        return self._down or await self._channel.hand_over(line, message)


@lru_cache(maxsize=4096)
def normal(email: str) -> str | None:
    """An address in small letters, its domain in ASCII; None: it is none."""
    email = email.strip()
    name, _, domain = email.rpartition("@")
    if len(email) <= _SHORT and domain.isascii() and _SIMPLE.fullmatch(name):
        known = _domain(domain)
        return f"{name}@{known}".lower() if known else None
    return _checked(email)


@lru_cache(maxsize=4096)
def _domain(domain: str) -> str | None:
    """In ASCII, if mail can go there. A mass mailing has many addresses, and few domains."""
    checked = _checked(f"a@{domain}")
    return checked and checked.removeprefix("a@")


def _checked(email: str) -> str | None:
    try:
        found = validate_email(email, check_deliverability=False, allow_smtputf8=False, test_environment=True)
    except EmailNotValidError:
        return None
    return found.ascii_email.lower() if found.ascii_email else None
