"""About forty more providers, by Apprise: it knows neither ids nor codes nor receipts, and says yes or no."""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import quote

from engine.outgoing import Outgoing, Receipt
from engine.settings import Settings
from workers.channels.sms_provider import RETRY, Asked, Found

__all__ = ["ByApprise"]

_NEVER_THERE = re.compile(
    r"Failed to establish a new connection|Name or service not known|Connection refused|Failed to resolve|ConnectTimeout"
)
"""In what Apprise logs of a failure: there was no connection, so the provider has nothing."""


class ByApprise:
    """Messages by the provider of an Apprise URL, in which `{number}` stands for the recipient."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.sms_provider

    async def send(self, message: Outgoing) -> Receipt:
        import apprise  # noqa: PLC0415  # a second, and most projects have Twilio's shape

        client: Any = apprise.Apprise()
        if "{number}" not in self._url or not client.add(self._url.replace("{number}", quote(message.address))):
            detail = "PARCOURS_SMS_PROVIDER is no Apprise URL with {number} in it"
            return Receipt("deferred", detail=detail, retry_after=RETRY)
        picture = {"attach": message.content.media} if message.content.media else {}
        capture: Any = apprise.LogCapture(level=logging.DEBUG)
        with capture as log:
            if await client.async_notify(body=message.content.text, **picture):
                return Receipt("sent", detail="accepted by Apprise", cost=message.content.cost)
            never_there = _NEVER_THERE.search(log.getvalue())
        if never_there:
            return Receipt("deferred", detail=f"Apprise: {never_there[0]}", retry_after=RETRY)
        # It says no of a time-out, too, after which the provider may have it: so it isn't tried again (behaviour S1).
        return Receipt(
            "unknown", detail="Apprise says it failed, and not whether the provider has it; its log says why"
        )

    async def look_up(self, asked: Asked, known: frozenset[str] = frozenset()) -> Found | None:
        """It can't be asked."""
        raise NotImplementedError
