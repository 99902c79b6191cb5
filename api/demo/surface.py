"""The public surfaces as the crowd uses them: HTTP and nothing else, each answer noted in the ledger."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from api.demo.ledger import Answer, Ledger
from api.demo.mailbox import message_key
from engine.clock import Clock
from engine.settings import Settings
from engine.sms.twilio import sign_twilio

__all__ = ["Surface", "SurfaceError"]

OK = 200
TRIES = 6
BUSY = (429, 500, 502, 503, 504)


class SurfaceError(Exception):
    """A public surface did not answer as documented."""


class Surface:
    """One HTTP client for the whole crowd. `requests` counts what was asked, `seconds` how long the answers took together."""

    def __init__(self, api_url: str, key: str, settings: Settings, clock: Clock, ledger: Ledger) -> None:
        self.requests = 0
        self.seconds = 0.0
        self._api = api_url.rstrip("/")
        self._settings = settings
        self._clock = clock
        self._ledger = ledger
        self._http = httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=32), follow_redirects=False)
        self._key = httpx.BasicAuth(key, "")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    # --- customers ----------------------------------------------------------------------------------------------------

    async def open(self, channel: str, pixel: str) -> None:
        """Load the picture of a mail, as a mail program does."""
        await self._answer(f"{channel}.opened", message_key(pixel), "GET", pixel)

    async def click(self, channel: str, url: str) -> None:
        """Follow a tracked link, up to the redirect."""
        await self._answer(f"{channel}.clicked", message_key(url), "GET", url)

    async def unsubscribe(self, customer: str, channel: str, url: str) -> None:
        """What a mail program does when its unsubscribe button is pressed (RFC 8058)."""
        form = {"List-Unsubscribe": "One-Click"}
        await self._answer("consent.withdrawn", f"{customer}/{channel}", "POST", url, data=form)

    async def reply(self, sid: str, sender: str, to: str, body: str, *, event: str, key: str) -> None:
        """A text message from a phone, as the gateway passes it on: Twilio's form and signature."""
        url = f"{self._settings.public_url.rstrip('/')}/v1/sms/twilio/inbound"
        form = {"MessageSid": sid, "AccountSid": self._settings.sms_account, "From": sender, "To": to, "Body": body}
        signed = sign_twilio(url, form, self._settings.sms_token.get_secret_value())
        await self._answer(event, key, "POST", url, data=form, headers={"X-Twilio-Signature": signed})

    async def feed(self, url: str, etag: str | None) -> httpx.Response:
        """Fetch a personal feed, as a reader does: only if it changed."""
        return await self._ask("GET", url, headers={"If-None-Match": etag} if etag else {})

    async def letter(self, code: str, *, typed: bool) -> None:
        """Answer a letter: by the address in its QR, or by the code typed into the answer page; then press the button."""
        shop = self._settings.public_url.rstrip("/")
        url = f"{shop}/l/{code}"
        if typed:
            found = await self._ask("POST", f"{shop}/l", data={"code": f" {code.lower().replace('-', ' ')} "})
            url = shop + found.headers.get("Location", f"/l answered {found.status_code}")
        page = await self._ask("GET", url)
        if page.status_code != OK:
            raise SurfaceError(f"the answer page of a letter said {page.status_code}: {url}")
        await self._answer("letter.answered", code.replace("-", ""), "POST", url)

    # --- the shop and the call center ---------------------------------------------------------------------------------

    async def events(self, tracks: Sequence[Mapping[str, Any]]) -> None:
        """Send business events, in Segment's form: each has `messageId`, `event`, `userId`, `timestamp`, `properties`."""
        response = await self._ask(
            "POST",
            f"{self._api}/v1/batch",
            json={"batch": [{"type": "track", **track} for track in tracks]},
            auth=self._key,
        )
        if response.status_code != OK:
            raise SurfaceError(f"POST /v1/batch said {response.status_code}: {response.text[:300]}")
        now = self._clock.now()
        for track in tracks:
            self._ledger.add(Answer(track["event"], track["messageId"], "/v1/batch", response.status_code, now))

    async def claim(self, queue: str, worker: str, most: int) -> list[dict[str, Any]]:
        """Take tasks from a queue, each with its lease."""
        body = {"queue": queue, "worker": worker, "max": most, "lease_seconds": 120}
        response = await self._ask("POST", f"{self._api}/v1/call-tasks/claim", json=body, auth=self._key)
        if response.status_code != OK:
            raise SurfaceError(f"POST /v1/call-tasks/claim said {response.status_code}: {response.text[:300]}")
        found: list[dict[str, Any]] = response.json()["tasks"]
        return found

    async def accept(self, task_id: str, lease_token: str) -> bool:
        """Begin a call. False: the customer has left this step of the journey, or the lease ran out."""
        body = {"lease_token": lease_token, "lease_seconds": 120}
        response = await self._ask("POST", f"{self._api}/v1/call-tasks/{task_id}/accept", json=body, auth=self._key)
        return response.status_code == OK

    async def complete(self, task_id: str, body: Mapping[str, Any]) -> int:
        """Report how a call went. 410: the journey withdrew the task while the agent talked."""
        url = f"{self._api}/v1/call-tasks/{task_id}/complete"
        response = await self._answer(f"call.{body['outcome']}", task_id, "POST", url, json=body, auth=self._key)
        return response.status_code

    async def messages(self, since: int) -> list[dict[str, Any]]:
        """Texts that the gateway took, from number `since` on: what the phones of the demo show."""
        account = self._settings.sms_account
        url = f"{self._settings.sms_url.rstrip('/')}/2010-04-01/Accounts/{account}/Messages.json"
        auth = httpx.BasicAuth(account, self._settings.sms_token.get_secret_value())
        response = await self._ask("GET", url, params={"since": since}, auth=auth)
        if response.status_code != OK:
            raise SurfaceError(f"the SMS gateway's list said {response.status_code}: {response.text[:300]}")
        found: list[dict[str, Any]] = response.json()["messages"]
        return found

    # --- within -------------------------------------------------------------------------------------------------------

    async def _answer(self, event: str, key: str, method: str, url: str, **more: Any) -> httpx.Response:
        response = await self._ask(method, url, **more)
        path = re.sub(r"^https?://[^/]+", "", url)
        self._ledger.add(Answer(event, key, path, response.status_code, self._clock.now()))
        return response

    async def _ask(self, method: str, url: str, **more: Any) -> httpx.Response:
        """One request, tried again while the API is busy. Raises SurfaceError when it stays so."""
        wait = 0.1
        problem: object = None
        for _ in range(TRIES):
            self.requests += 1
            began = time.perf_counter()
            try:
                response = await self._http.request(method, url, **more)
            except httpx.TransportError as error:
                problem = error
            else:
                self.seconds += time.perf_counter() - began
                if response.status_code not in BUSY:
                    return response
                problem = response.status_code
                wait = max(wait, float(response.headers.get("Retry-After", 0)))
            await asyncio.sleep(min(wait, 5))
            wait *= 2
        raise SurfaceError(f"{method} {url} failed {TRIES} times, at last with {problem!r}")
