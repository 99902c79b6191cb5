"""SMS: by a Twilio-shaped provider over HTTP, or by any other that Apprise knows."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from urllib.parse import quote

import httpx
import smsutil  # pyright: ignore[reportMissingTypeStubs]
from sqlalchemy import Connection

from engine.links import Links
from engine.outgoing import Content, Outgoing, Receipt, Recipient, Send
from engine.rendering import Renderer
from engine.settings import Settings
from engine.templates import Templates
from workers.channels.phones import e164

__all__ = ["SmsChannel", "segments", "wide"]

_smsutil: Any = smsutil  # it has no types
_RETRY = 60.0
_TIMEOUT = 20.0
_SERVER = 500


def segments(text: str) -> int:
    """How many messages a text is sent, and billed, as: 160 or 153 letters of GSM's, else 70 or 67."""
    return max(1, len(_smsutil.split(text).parts))


def wide(text: str) -> str:
    """The characters of a text that make it UCS-2 (ê, ç, an emoji), each once; empty if it is GSM's."""
    return "".join(dict.fromkeys(each for each in text if not _smsutil.is_valid_gsm(each)))


@cache
def _trust() -> ssl.SSLContext:
    """The certificates that we trust, read once: it takes longer than sending ten texts."""
    return ssl.create_default_context()


class SmsChannel:
    """Sends SMS. Where the provider may have taken one but did not say so, it is unknown, not sent again."""

    name = "sms"
    outside = True
    repeats = False
    at_once = 10

    def __init__(self, settings: Settings, templates: Templates, links: Links) -> None:
        self._settings = settings
        self._links = links
        self._templates = templates
        self._renderer = Renderer(templates, links)

    def address(self, recipient: Recipient) -> str | None:
        """Her number as E.164, read as her country's, else the project's."""
        return e164(recipient.phone, recipient.country or self._settings.country) if recipient.phone else None

    def speaks_of(self, template: str, name: str) -> bool:
        return self._templates.mentions(template, self.name, name)

    def render(self, recipient: Recipient, template: str, key: str, facts: Mapping[str, Any]) -> Content:
        return self._renderer.render(self.name, recipient, template, key, facts)

    def keep(self, conn: Connection, messages: Sequence[Outgoing]) -> None:
        """Store the templates' versions."""
        self._templates.keep(conn, (message.content.template_hash for message in messages))

    @asynccontextmanager
    async def batch(self, run: str) -> AsyncGenerator[Send]:
        """One HTTP client with its connections."""
        del run
        if self._settings.sms_provider != "twilio":
            yield self._by_apprise
            return
        settings = self._settings
        auth = (settings.sms_account, settings.sms_token.get_secret_value())
        async with httpx.AsyncClient(base_url=settings.sms_url, auth=auth, timeout=_TIMEOUT, verify=_trust()) as client:

            async def send(message: Outgoing) -> Receipt:
                return await self._by_twilio(client, message)

            yield send

    async def _by_twilio(self, client: httpx.AsyncClient, message: Outgoing) -> Receipt:
        settings = self._settings
        try:
            reply = await client.post(
                f"/2010-04-01/Accounts/{settings.sms_account}/Messages.json",
                data={
                    "To": message.address,
                    "From": settings.sms_from,
                    "Body": message.content.text,
                    "StatusCallback": f"{self._links.public_url}/hooks/sms/status?key={message.key}",
                },
                headers={"Idempotency-Key": message.key},
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Receipt("deferred", detail=f"{type(error).__name__}: {error}"[:300], retry_after=_RETRY)
        except httpx.HTTPError as error:  # it was under way: the provider may have it
            return Receipt("unknown", detail=f"{type(error).__name__}: {error}"[:300])
        return self._read(reply, message)

    def _read(self, reply: httpx.Response, message: Outgoing) -> Receipt:
        said = _said(reply)
        if reply.is_success:
            cost = segments(message.content.text) * self._settings.sms_cost
            return Receipt("sent", provider_id=said.get("sid"), detail=said.get("status"), cost=cost)
        detail = f"{reply.status_code} {said.get('code', '')} {said.get('message', '')}".strip()[:300]
        match reply.status_code:
            case 429 | 503:
                return Receipt("deferred", detail=detail, retry_after=_seconds(reply))
            case 401 | 403 | 404:  # our account, not her number
                return Receipt(
                    "deferred", detail=f"{detail}: check PARCOURS_SMS_ACCOUNT and _TOKEN", retry_after=_RETRY
                )
            case code if code >= _SERVER:
                return Receipt("unknown", detail=detail)
            case _:
                return Receipt("rejected", detail=detail)

    async def _by_apprise(self, message: Outgoing) -> Receipt:
        """Apprise knows neither ids nor codes: it says yes or no."""
        import apprise  # noqa: PLC0415  # a second, and most projects have Twilio's shape

        client: Any = apprise.Apprise()
        url = self._settings.sms_provider
        if "{number}" not in url or not client.add(url.replace("{number}", quote(message.address))):
            return Receipt("rejected", detail="PARCOURS_SMS_PROVIDER is no Apprise URL with {number} in it")
        if await client.async_notify(body=message.content.text):
            cost = segments(message.content.text) * self._settings.sms_cost
            return Receipt("sent", detail="accepted by Apprise", cost=cost)
        return Receipt("deferred", detail="Apprise could not hand it over; its log says why", retry_after=_RETRY)


def _said(reply: httpx.Response) -> dict[str, Any]:
    try:
        said = reply.json()
    except ValueError:
        return {"message": reply.text[:200]}
    return said if isinstance(said, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # JSON


def _seconds(reply: httpx.Response) -> float:
    try:
        return float(reply.headers.get("Retry-After", _RETRY))
    except ValueError:  # a date: rare, and a minute is as good
        return _RETRY
