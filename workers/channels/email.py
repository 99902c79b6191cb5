"""E-mail over SMTP: one connection for a batch, which outlives a refused recipient."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPResponseException
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import Connection

from engine import feeds
from engine.links import Links
from engine.outgoing import Content, Outgoing, Receipt, Recipient, Send
from engine.rendering import Renderer
from engine.settings import Settings
from engine.templates import Templates
from workers.channels.mime import Sender, mail_bytes

__all__ = ["EmailChannel"]

_TIMEOUT = 30.0
_RETRY = 60.0
_OURS = {421, 530, 534, 535, 538}  # the server is closing, or it is our login that it does not like: not her address
_PERMANENT = 500


class EmailChannel:
    """Sends e-mail. A 4xx reply defers, a 5xx rejects; a line that broke after the text was sent leaves it unknown."""

    name = "email"
    outside = True
    repeats = False
    at_once = 1

    def __init__(self, settings: Settings, templates: Templates, links: Links) -> None:
        self._settings = settings
        self._links = links
        self._templates = templates
        self._renderer = Renderer(templates, links)
        self._sender = Sender.of(settings.mail_from)

    def address(self, recipient: Recipient) -> str | None:
        """Her address in small letters, its domain in ASCII."""
        return _normal(recipient.email) if recipient.email else None

    def speaks_of(self, template: str, name: str) -> bool:
        return self._templates.mentions(template, self.name, name)

    def render(self, recipient: Recipient, template: str, key: str, facts: Mapping[str, Any]) -> Content:
        return self._renderer.render(self.name, recipient, template, key, facts)

    def keep(self, conn: Connection, messages: Sequence[Outgoing]) -> None:
        """Store the templates' versions, and open the feeds that the mails lead to."""
        self._templates.keep(conn, (message.content.template_hash for message in messages))
        leading = [m for m in messages if f"{self._links.public_url}/f/" in m.content.html]
        if leading:
            feeds.ensure(conn, self._links, (m.recipient.id for m in leading), leading[0].at)

    @asynccontextmanager
    async def batch(self, run: str) -> AsyncGenerator[Send]:
        """One connection, opened by the first send."""
        del run
        line = _Line(self._settings)
        lock = asyncio.Lock()  # SMTP is one talk at a time

        async def send(message: Outgoing) -> Receipt:
            raw = await asyncio.to_thread(mail_bytes, message, self._sender, self._links)
            path = f"{self._links.return_path(message.key)}@{self._sender.domain}"
            async with lock:
                return await line.send(path, message.address, raw, f"{message.key}@{self._sender.domain}")

        try:
            yield send
        finally:
            await line.close()


class _Line:
    """A connection that is opened when it is needed, and again after it broke."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._smtp: SMTP | None = None
        self._down: Receipt | None = None

    async def send(self, sender: str, recipient: str, raw: bytes, message_id: str) -> Receipt:
        if self._down is not None:  # the rest of the batch need not wait for the same time-out
            return self._down
        try:
            smtp = await self._open()
        except (SMTPException, OSError) as error:
            self._down = Receipt("deferred", detail=_said(error), retry_after=_RETRY)
            return self._down
        handed_over = False
        try:
            await smtp.mail(sender)
            await smtp.rcpt(recipient)
            handed_over = True
            reply = await smtp.data(raw)
        except SMTPResponseException as error:
            await self._reset(smtp)
            status = "rejected" if error.code >= _PERMANENT and error.code not in _OURS else "deferred"
            return Receipt(status, detail=_said(error), retry_after=_RETRY if status == "deferred" else None)
        except (SMTPException, OSError) as error:
            await self.close()
            if handed_over:  # the server may have it: a second one would be a repeat
                return Receipt("unknown", detail=_said(error))
            return Receipt("deferred", detail=_said(error), retry_after=_RETRY)
        return Receipt("sent", provider_id=message_id, detail=f"{reply.code} {reply.message}"[:300])

    async def _open(self) -> SMTP:
        if self._smtp is not None and self._smtp.is_connected:
            return self._smtp
        settings = self._settings
        smtp = SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user or None,
            password=settings.smtp_password.get_secret_value() or None,
            use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls",
            timeout=_TIMEOUT,
        )
        await smtp.connect()
        self._smtp = smtp
        return smtp

    async def _reset(self, smtp: SMTP) -> None:
        try:
            await smtp.rset()
        except (SMTPException, OSError):
            await self.close()

    async def close(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is None:
            return
        try:
            if smtp.is_connected:
                await smtp.quit()
        except (SMTPException, OSError):
            smtp.close()


def _said(error: Exception) -> str:
    if isinstance(error, SMTPAuthenticationError):
        return f"{error.code} {error.message}: check PARCOURS_SMTP_USER and PARCOURS_SMTP_PASSWORD"[:300]
    if isinstance(error, SMTPResponseException):
        return f"{error.code} {error.message}"[:300]
    return f"{type(error).__name__}: {error}"[:300]


@lru_cache(maxsize=4096)
def _normal(email: str) -> str | None:
    try:
        found = validate_email(email.strip(), check_deliverability=False, allow_smtputf8=False, test_environment=True)
    except EmailNotValidError:
        return None
    return found.ascii_email.lower() if found.ascii_email else None
