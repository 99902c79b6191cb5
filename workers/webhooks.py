"""Webhooks out: sends what is due to its subscribers, signed, and writes down what each answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import httpx

from engine import webhooks
from engine.db import Database
from engine.signed_json import sign
from engine.tables import Webhook, WebhookDelivery
from engine.webhooks import Attempt
from workers.web import asked_wait

__all__ = ["Deliverer"]

_AT_ONCE = 100
_SIDE_BY_SIDE = 20
_PATIENCE = 10.0  # seconds that a receiver may take


class Deliverer:
    """Sends deliveries. One runs at a time; two would only repeat each other, under the same `webhook-id`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._http = httpx.AsyncClient(
            timeout=_PATIENCE, follow_redirects=False, trust_env=False, headers={"User-Agent": "Parcours-Webhooks/1"}
        )

    async def round(self) -> int:
        """Try what is due, once; returns how many were."""
        due = await asyncio.to_thread(self._due)
        if not due:
            return 0
        many = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def one(hook: Webhook, delivery: WebhookDelivery) -> Attempt:
            async with many:
                return await self._send(hook, delivery)

        attempts = await asyncio.gather(*(one(*each) for each in due))
        await asyncio.to_thread(self._settle, attempts)
        return len(attempts)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _due(self) -> list[tuple[Webhook, WebhookDelivery]]:
        with self._database.read() as conn:
            return webhooks.due(conn, _AT_ONCE)

    def _settle(self, attempts: Sequence[Attempt]) -> None:
        with self._database.write() as conn:
            webhooks.settle(conn, attempts)

    async def _send(self, hook: Webhook, delivery: WebhookDelivery) -> Attempt:
        signed = sign(hook.secret, delivery.message_id, delivery.body)
        headers = {"Content-Type": "application/json", **signed}
        began = time.monotonic()
        status, error, wait = None, None, None
        try:
            async with (
                asyncio.timeout(_PATIENCE),
                self._http.stream("POST", hook.url, content=delivery.body.encode(), headers=headers) as answer,
            ):  # its body is of no interest, however long it is
                status, wait = answer.status_code, asked_wait(answer)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as failed:
            error = f"{type(failed).__name__}: {failed}"[:500]
        return Attempt(delivery, status, error, round((time.monotonic() - began) * 1000), wait)
