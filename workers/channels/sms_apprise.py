"""About forty more providers, by Apprise: it knows neither ids nor codes nor receipts, and says yes or no."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from engine.outgoing import Outgoing, Receipt
from engine.settings import Settings
from workers.channels.sms_provider import RETRY, Asked, Found

__all__ = ["ByApprise"]


class ByApprise:
    """Messages by the provider of an Apprise URL, in which `{number}` stands for the recipient."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.sms_provider

    async def send(self, message: Outgoing) -> Receipt:
        import apprise  # noqa: PLC0415  # a second, and most projects have Twilio's shape

        client: Any = apprise.Apprise()
        if "{number}" not in self._url or not client.add(self._url.replace("{number}", quote(message.address))):
            return Receipt("rejected", detail="PARCOURS_SMS_PROVIDER is no Apprise URL with {number} in it")
        picture = {"attach": message.content.media} if message.content.media else {}
        if await client.async_notify(body=message.content.text, **picture):
            return Receipt("sent", detail="accepted by Apprise", cost=message.content.cost)
        return Receipt("deferred", detail="Apprise could not hand it over; its log says why", retry_after=RETRY)

    async def look_up(self, asked: Asked, known: frozenset[str] = frozenset()) -> Found | None:
        """It can't be asked."""
        raise NotImplementedError
