"""SMS and MMS: by a Twilio-shaped provider, by a gateway of signed JSON, or by any other that Apprise knows."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from engine.db import Database
from engine.links import Links
from engine.outgoing import Content, Outgoing, Paced, Receipt, Recipient, Send, Way
from engine.settings import Settings
from engine.sms.text import Tariff, finished, picture_address
from engine.templating.rendering import Renderer
from engine.templating.templates import Templates
from workers.channels.phones import e164
from workers.channels.sms_apprise import ByApprise
from workers.channels.sms_generic import Generic
from workers.channels.sms_provider import Provider
from workers.channels.sms_twilio import Twilio
from workers.pacing import Pacing

__all__ = ["SmsChannel"]


class SmsChannel:
    """Sends SMS. Where the provider may have taken one but did not say so, it is unknown, not sent again."""

    name = "sms"
    at_once = 10

    def __init__(
        self, settings: Settings, templates: Templates, links: Links, database: Database | None = None
    ) -> None:
        self.pacing = Pacing(database, "sms", settings.sms_rate)
        self._settings = settings
        self._links = links
        self._templates = templates
        self._renderer = Renderer(templates, links)
        self._tariff = Tariff(settings)

    def address(self, recipient: Recipient) -> str | None:
        """Her number as E.164, read as her country's, else the project's."""
        return e164(recipient.phone, recipient.country or self._settings.country) if recipient.phone else None

    def speaks_of(self, template: str, name: str) -> bool:
        return self._templates.mentions(template, self.name, name)

    def render(self, recipient: Recipient, template: str, key: str, facts: Mapping[str, Any]) -> Content:
        """The text in plain signs, its sender and its price; its picture beside it, or as a link where no MMS goes."""
        content = self._renderer.render(self.name, recipient, template, key, facts)
        number = self.address(recipient) or ""
        picture = picture_address(content.media, template, self._links.media)
        mms = self._tariff.mms(number) if picture else None
        made = finished(content, picture, as_link=mms is None)
        cost = self._tariff.price(number, made.text) if mms is None else mms
        return replace(made, sender=self._tariff.sender(number), cost=cost)

    def keep(self, conn: Connection, messages: Sequence[Outgoing]) -> None:
        """Store the templates' versions."""
        self._templates.keep(conn, (message.content.template_hash for message in messages))

    @asynccontextmanager
    async def batch(self) -> AsyncGenerator[Paced]:
        """One provider with its connections, at the rate that all batches of all workers share."""
        async with self.provider() as provider:
            yield _Texts(provider, self.pacing)

    @asynccontextmanager
    async def provider(self) -> AsyncGenerator[Provider]:
        """The provider that the settings name."""
        match self._settings.sms_provider:
            case "twilio":
                twilio = Twilio(self._settings, self._links.public_url)
                async with twilio.client:
                    yield twilio
            case "generic":
                generic = Generic(self._settings, self._links.public_url)
                async with generic.client:
                    yield generic
            case _:
                yield ByApprise(self._settings)


class _Texts:
    """The messages of one batch, each called for when its turn has come (behaviour S6)."""

    def __init__(self, provider: Provider, pacing: Pacing) -> None:
        self._provider = provider
        self._pacing = pacing

    async def __call__(self, message: Outgoing) -> Receipt:
        async with self.turn(planned=False) as way, way() as send:
            return await send(message)

    @asynccontextmanager
    async def turn(self, *, planned: bool) -> AsyncGenerator[Way]:
        await self._pacing.turn(planned=planned)
        yield self._way

    @asynccontextmanager
    async def _way(self) -> AsyncGenerator[Send]:
        yield self._provider.send
