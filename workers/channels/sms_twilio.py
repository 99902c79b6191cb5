"""Twilio, and gateways of its shape: https://www.twilio.com/docs/messaging/api/message-resource."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any

import httpx

from engine.outgoing import Outgoing, Receipt
from engine.settings import Settings
from engine.sms.twilio import DEAD, UNSUBSCRIBED
from workers.channels.sms_provider import RETRY, TIMEOUT, Asked, Found, called, said
from workers.web import trust

__all__ = ["Twilio"]

# https://www.twilio.com/docs/api/errors: our account, our number, or a permission of ours, not her number.
_OURS = {"20003", "20404", "21212", "21266", "21408", "21603", "21606", "21612", "21659", "21660"}
_FULL = {"14107", "20429", "21611", "30001", "63038"}
"""Too many at once: later."""
_SKEW = timedelta(minutes=2)


class Twilio:
    """Messages over its REST API, one client with its connections."""

    def __init__(self, settings: Settings, public_url: str) -> None:
        self._path = f"/2010-04-01/Accounts/{settings.sms_account}/Messages.json"
        self._callback = f"{public_url}/v1/sms/twilio/status?key="
        self.client = httpx.AsyncClient(
            base_url=settings.sms_url,
            auth=(settings.sms_account, settings.sms_token.get_secret_value()),
            timeout=TIMEOUT,
            verify=trust(),
        )

    async def send(self, message: Outgoing) -> Receipt:
        data = {
            "To": message.address,
            "From": message.content.sender,
            "Body": message.content.text,
            "StatusCallback": f"{self._callback}{message.key}",
        }
        if message.content.media:
            data["MediaUrl"] = message.content.media

        async def call() -> httpx.Response:
            return await self.client.post(self._path, data=data, headers={"Idempotency-Key": message.key})

        reply = await called(call, self, message)
        return reply if isinstance(reply, Receipt) else _read(reply, message)

    async def look_up(self, asked: Asked, known: frozenset[str] = frozenset()) -> Found | None:
        """The newest fifty between the two numbers are looked through for this text."""
        between = {"To": asked.address, "From": asked.sender, "PageSize": "50"}
        reply = await self.client.get(self._path, params=between)
        reply.raise_for_status()
        listed: list[dict[str, Any]] = said(reply).get("messages") or []
        for each in listed:
            body = str(each.get("body", ""))
            digests = {sha256(text.encode()).hexdigest() for text in (body, body.rstrip())}
            ours = each.get("sid") not in known and each.get("direction") != "inbound" and _since(each, asked.since)
            if asked.hash in digests and ours:
                return Found(str(each["sid"]), str(each.get("status", "")))
        return None


def _since(listed: Mapping[str, Any], since: datetime | None) -> bool:
    """Whether it was made since then, within what two clocks may differ; Twilio's dates are those of mails (RFC 2822).

    `-0000` is UTC of a place that is not told (3.3).
    """
    if since is None:
        return True
    try:
        made = parsedate_to_datetime(str(listed.get("date_created")))
    except ValueError:
        return False
    return (made if made.tzinfo is not None else made.replace(tzinfo=UTC)) >= since - _SKEW


def _read(reply: httpx.Response, message: Outgoing) -> Receipt:
    answer = said(reply)
    if reply.is_success:
        return Receipt("sent", provider_id=answer.get("sid"), detail=answer.get("status"), cost=message.content.cost)
    code = str(answer.get("code", ""))
    detail = f"{reply.status_code} {code} {answer.get('message', '')}".strip()[:300]
    if code in _FULL:
        return Receipt("deferred", detail=detail, retry_after=RETRY)
    if code in _OURS or reply.status_code in {401, 403, 404}:
        return Receipt("deferred", detail=f"{detail}: check PARCOURS_SMS_ACCOUNT, _TOKEN and _FROM", retry_after=RETRY)
    return Receipt("rejected", detail=detail, dead=DEAD.get(code), unsubscribed=code == UNSUBSCRIBED)
