"""Webhooks out: sends what is due to its subscribers, signed, and writes down what each answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from engine import webhooks
from engine.db import Database
from engine.signed_json import sign
from engine.tables import Webhook, WebhookDelivery
from engine.webhooks import PAUSES, Attempt
from workers.web import asked_wait

__all__ = ["Deliverer"]

_AT_ONCE = 100
_SIDE_BY_SIDE = 10  # to one receiver
_PATIENCE = 10.0  # seconds that a receiver may take
_RESTS = PAUSES[:4]  # seconds that a receiver is left alone which answered nothing, once and again


@dataclass(frozen=True, slots=True)
class _Silent:
    """A receiver that answered nothing, so many times, and is left alone until then (monotonic)."""

    times: int
    until: float


class Deliverer:
    """Sends deliveries. One runs at a time; two would only repeat each other, under the same `webhook-id`.

    A receiver that answers nothing is left alone for a while, with all that waits for it: the others' turn does not wait for it.
    """

    def __init__(self, database: Database, *, patience: float = _PATIENCE, rests: Sequence[float] = _RESTS) -> None:
        self._database = database
        self._patience, self._rests = patience, rests
        self._silent: dict[str, _Silent] = {}
        self._http = httpx.AsyncClient(
            timeout=patience, follow_redirects=False, trust_env=False, headers={"User-Agent": "Parcours-Webhooks/1"}
        )

    async def round(self) -> int:
        """Try what is due, once; returns how many were."""
        due = await asyncio.to_thread(self._due)
        if not due:
            return 0
        by_hook: dict[str, list[tuple[Webhook, WebhookDelivery]]] = {}
        for each in due:
            by_hook.setdefault(each[0].id, []).append(each)
        sent = await asyncio.gather(*(self._send_all(each) for each in by_hook.values()))
        attempts = [attempt for of_hook in sent for attempt in of_hook]
        await asyncio.to_thread(self._settle, attempts)
        return len(attempts)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _due(self) -> list[tuple[Webhook, WebhookDelivery]]:
        with self._database.read() as conn:
            now = time.monotonic()
            return webhooks.due(conn, _AT_ONCE, besides=[of for of, one in self._silent.items() if one.until > now])

    def _settle(self, attempts: Sequence[Attempt]) -> None:
        with self._database.write() as conn:
            webhooks.settle(conn, attempts)

    async def _send_all(self, due: Sequence[tuple[Webhook, WebhookDelivery]]) -> list[Attempt]:
        """To one receiver, some side by side; when one gets no answer, the rest stay due, untried."""
        of, silent = due[0][0].id, False
        many = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def one(hook: Webhook, delivery: WebhookDelivery) -> Attempt | None:
            nonlocal silent
            async with many:
                if silent:
                    return None
                attempt = await self._send(hook, delivery)
                silent = silent or attempt.status is None
                return attempt

        attempts = [attempt for attempt in await asyncio.gather(*(one(*each) for each in due)) if attempt is not None]
        if all(attempt.status is None for attempt in attempts):
            times = self._silent[of].times + 1 if of in self._silent else 1
            rest = self._rests[min(times, len(self._rests)) - 1]
            self._silent[of] = _Silent(times, time.monotonic() + rest)
        else:
            self._silent.pop(of, None)
        return attempts

    async def _send(self, hook: Webhook, delivery: WebhookDelivery) -> Attempt:
        signed = sign(hook.secret, delivery.message_id, delivery.body)
        headers = {"Content-Type": "application/json", **signed}
        began = time.monotonic()
        status, error, wait = None, None, None
        try:
            async with (
                asyncio.timeout(self._patience),
                self._http.stream("POST", hook.url, content=delivery.body.encode(), headers=headers) as answer,
            ):  # its body is of no interest, however long it is
                status, wait = answer.status_code, asked_wait(answer)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as failed:
            error = f"{type(failed).__name__}: {failed}"[:500]
        return Attempt(delivery, status, error, round((time.monotonic() - began) * 1000), wait)
