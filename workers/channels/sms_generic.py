"""Any gateway that speaks signed JSON (docs/sms.md): a POST a message, a GET to ask for one."""

from __future__ import annotations

import json
from typing import Any

import httpx

from engine.outgoing import Outgoing, Receipt
from engine.settings import Settings
from engine.signed_json import sign
from engine.sms.generic import DEAD, UNSUBSCRIBED
from engine.sms.text import segments
from workers.channels.sms_provider import RETRY, TIMEOUT, Asked, Found, called, said
from workers.web import trust

__all__ = ["Generic"]


class Generic:
    """Messages as JSON, signed by the Standard Webhooks specification; the message's key is the call's id."""

    def __init__(self, settings: Settings, public_url: str) -> None:
        self._url = settings.sms_url
        self._secret = settings.sms_token.get_secret_value()
        self._status = f"{public_url}/v1/sms/generic/status"
        self.client = httpx.AsyncClient(timeout=TIMEOUT, verify=trust())

    async def send(self, message: Outgoing) -> Receipt:
        content = message.content
        body = json.dumps(
            {
                "key": message.key,
                "from": content.sender,
                "to": message.address,
                "text": content.text,
                "media": [content.media] if content.media else [],
                "segments": segments(content.text),
                "status_url": self._status,
            },
            ensure_ascii=False,
        )
        headers = {"Content-Type": "application/json", **sign(self._secret, message.key, body)}

        async def call() -> httpx.Response:
            return await self.client.post(self._url, content=body.encode(), headers=headers)

        reply = await called(call, self, message)
        return reply if isinstance(reply, Receipt) else _read(reply, message)

    async def look_up(self, asked: Asked, known: frozenset[str] = frozenset()) -> Found | None:
        """By our key: the gateway keeps it, since it drops repeats by it."""
        del known
        headers = sign(self._secret, asked.key, "")
        reply = await self.client.get(self._url, params={"key": asked.key}, headers=headers)
        if reply.status_code == 404:
            return None
        reply.raise_for_status()
        answer = said(reply)
        return Found(str(answer["id"]), str(answer.get("status", ""))) if answer.get("id") else None


def _read(reply: httpx.Response, message: Outgoing) -> Receipt:
    answer: dict[str, Any] = dict(said(reply))
    if reply.is_success:
        ident = str(answer["id"]) if answer.get("id") else None
        return Receipt("sent", provider_id=ident, detail=answer.get("status"), cost=message.content.cost)
    code = str(answer.get("code", ""))
    detail = f"{reply.status_code} {code} {answer.get('message', '')}".strip()[:300]
    if reply.status_code in {401, 403, 404, 405}:
        return Receipt("deferred", detail=f"{detail}: check PARCOURS_SMS_URL and _TOKEN", retry_after=RETRY)
    return Receipt("rejected", detail=detail, dead=DEAD.get(code), unsubscribed=code == UNSUBSCRIBED)
