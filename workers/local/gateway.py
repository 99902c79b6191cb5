"""A stand-in for an SMS provider: Twilio's API for sending, with a list of what was sent, and no phone network behind it."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engine.sms.text import segments
from engine.sms.twilio import sign_twilio

__all__ = ["INVALID", "STOPPED", "Gateway", "gateway"]

INVALID = "+1555000"
"""Numbers beginning so are refused with Twilio's error 21211; a test prefix, no phone has one."""

STOPPED = "+1202555019"
"""Numbers beginning so have sent STOP to the carrier: refused with Twilio's error 21610; for films, no phone has one."""

_PATH = "/2010-04-01/Accounts/{account}/Messages.json"


class Gateway:
    """The messages taken, kept in a file of JSON lines. A repeated Idempotency-Key gives the first message again."""

    def __init__(self, file: Path, account: str, token: str, *, callbacks: bool = False) -> None:
        self.file = file
        self.account = account
        self._token = token
        self._callbacks = callbacks
        self._lock = threading.Lock()
        self._messages: list[dict[str, Any]] = []
        self._by_key: dict[str, dict[str, Any]] = {}
        if file.exists():
            for line in file.read_text("utf-8").splitlines():
                self._remember(json.loads(line))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What was taken, oldest first."""
        return list(self._messages)

    def app(self) -> Starlette:
        """The HTTP application: POST to send, GET to list."""
        return Starlette(routes=[Route(_PATH, self._send, methods=["POST"]), Route(_PATH, self._list, methods=["GET"])])

    async def _send(self, request: Request) -> Response:
        if not self._known(request):
            return _error(401, 20003, "Authenticate")
        async with request.form() as form:
            given = {name: str(value) for name, value in form.items()}
        for name, code in (("To", 21604), ("From", 21603), ("Body", 21602)):
            if not given.get(name, "").strip():
                return _error(400, code, f"A '{name}' is required")
        if given["To"].startswith(INVALID) or not given["To"].startswith("+"):
            return _error(400, 21211, f"The 'To' number {given['To']} is not a valid phone number.")
        if given["To"].startswith(STOPPED):
            return _error(400, 21610, "Attempt to send to unsubscribed recipient")
        message = self._take(given, request.headers.get("Idempotency-Key", ""))
        callback = given.get("StatusCallback")
        after = BackgroundTask(self._delivered, callback, message) if self._callbacks and callback else None
        return JSONResponse(message, status_code=201, background=after)

    async def _list(self, request: Request) -> Response:
        if not self._known(request):
            return _error(401, 20003, "Authenticate")
        asked = request.query_params
        since = int(asked.get("since", "0"))
        to, sender = asked.get("To"), asked.get("From")
        found = [each for each in self._messages[since:] if to in {None, each["to"]} and sender in {None, each["from"]}]
        if "PageSize" in asked:  # as Twilio lists them: a page, the newest first
            found = found[::-1][: int(asked["PageSize"])]
        return JSONResponse({"messages": found, "end": len(self._messages)})

    def _take(self, given: Mapping[str, str], key: str) -> dict[str, Any]:
        with self._lock:
            if key and key in self._by_key:
                return self._by_key[key]
            message = {
                "sid": f"SM{sha256(f'{key}{len(self._messages)}'.encode()).hexdigest()[:32]}",
                "account_sid": self.account,
                "to": given["To"],
                "from": given["From"],
                "body": given["Body"],
                "num_segments": str(segments(given["Body"])),
                "num_media": "1" if given.get("MediaUrl") else "0",
                "media_url": given.get("MediaUrl"),
                "direction": "outbound-api",
                "status": "queued",
                "date_created": format_datetime(datetime.now(UTC)),
                "key": key,
            }
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(message, ensure_ascii=False) + "\n")
            self._remember(message)
            return message

    def _remember(self, message: dict[str, Any]) -> None:
        self._messages.append(message)
        if message["key"]:
            self._by_key[message["key"]] = message

    async def _delivered(self, url: str, message: Mapping[str, Any]) -> None:
        form = {
            "MessageSid": message["sid"], "MessageStatus": "delivered", "AccountSid": self.account,
            "To": message["to"], "From": message["from"],
        }  # fmt: skip
        async with httpx.AsyncClient(timeout=10) as client:
            try:
                await client.post(url, data=form, headers={"X-Twilio-Signature": sign_twilio(url, form, self._token)})
            except httpx.HTTPError:
                return  # nobody listens: a message is taken all the same

    def _known(self, request: Request) -> bool:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "basic" or request.path_params["account"] != self.account:
            return False
        try:
            pair = base64.b64decode(given, validate=True)
        except binascii.Error:
            return False
        return hmac.compare_digest(pair, f"{self.account}:{self._token}".encode())


def gateway(file: Path, account: str, token: str, *, callbacks: bool = False) -> Starlette:
    """The application alone, for a server: see Gateway."""
    return Gateway(file, account, token, callbacks=callbacks).app()


def _error(status: int, code: int, message: str) -> JSONResponse:
    return JSONResponse({"code": code, "message": message, "status": status}, status_code=status)
