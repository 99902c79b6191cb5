"""A stand-in for a print provider: Lob's API for letters, with the PDFs kept in a folder, and no post behind it."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import threading
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engine.letters.lob import sign_lob

__all__ = ["PostOffice", "post_office"]


class PostOffice:
    """The letters taken, one line of JSON each, and their PDFs. A repeated Idempotency-Key gives the first letter again."""

    def __init__(self, folder: Path, token: str) -> None:
        self.folder = folder
        self._token = token
        self._lock = threading.Lock()
        self._letters: list[dict[str, Any]] = []
        self._file = folder / "letters.jsonl"
        if self._file.exists():
            self._letters = [json.loads(line) for line in self._file.read_text("utf-8").splitlines()]

    @property
    def letters(self) -> list[dict[str, Any]]:
        """What was taken, oldest first."""
        return list(self._letters)

    def app(self) -> Starlette:
        """The HTTP application: POST to hand a letter over, GET to list them."""
        return Starlette(
            routes=[
                Route("/v1/letters", self._take, methods=["POST"]),
                Route("/v1/letters", self._list, methods=["GET"]),
            ]
        )

    async def says(self, letter_id: str, event: str, url: str) -> httpx.Response:
        """Call a webhook, signed: what became of a letter (`letter.returned_to_sender`)."""
        letters = {each["id"]: each for each in self._letters}
        body = json.dumps(
            {
                "id": f"evt_{uuid4().hex}",
                "event_type": {"id": event, "resource": "letters"},
                "reference_id": letter_id,
                "date_created": datetime.now(UTC).isoformat(),
                "object": "event",
                "body": letters.get(letter_id),
            }
        ).encode()
        stamp = str(round(time.time() * 1000))
        headers = {
            "Content-Type": "application/json",
            "Lob-Signature": sign_lob(body, stamp, self._token),
            "Lob-Signature-Timestamp": stamp,
        }
        async with httpx.AsyncClient(timeout=10) as client:
            return await client.post(url, content=body, headers=headers)

    async def _take(self, request: Request) -> Response:
        if not self._known(request):
            return _error(401, "unauthorized", "Your API key is not valid")
        key = request.headers.get("Idempotency-Key", "")
        async with request.form() as form:
            file = form.get("file")
            pdf = await file.read() if isinstance(file, UploadFile) else b""
            given = {name: value for name, value in form.items() if isinstance(value, str)}
        for name in ("to[name]", "to[address_line1]", "from[name]"):
            if not given.get(name, "").strip():
                return _error(422, "invalid", f"{name} is required")
        if not pdf.startswith(b"%PDF-"):
            return _error(422, "invalid", "file must be a PDF")
        with self._lock:
            letter = next((each for each in self._letters if key and each["key"] == key), None)
            if letter is None:
                letter = {
                    "id": f"ltr_{sha256(f'{key}{len(self._letters)}'.encode()).hexdigest()[:16]}",
                    "object": "letter",
                    "to": {name: value for name, value in given.items() if name.startswith("to[")},
                    "from": {name: value for name, value in given.items() if name.startswith("from[")},
                    "metadata": {"letter_id": given.get("metadata[letter_id]", "")},
                    "date_created": datetime.now(UTC).isoformat(),
                    "sha256": sha256(pdf).hexdigest(),
                    "key": key,
                }
                self.folder.mkdir(parents=True, exist_ok=True)
                (self.folder / f"{letter['id']}.pdf").write_bytes(pdf)
                with self._file.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(letter, ensure_ascii=False) + "\n")
                self._letters.append(letter)
        return JSONResponse(letter)

    async def _list(self, request: Request) -> Response:
        if not self._known(request):
            return _error(401, "unauthorized", "Your API key is not valid")
        return JSONResponse({"object": "list", "data": self._letters, "count": len(self._letters)})

    def _known(self, request: Request) -> bool:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        try:
            pair = base64.b64decode(given, validate=True)
        except binascii.Error:
            return False
        return kind.lower() == "basic" and hmac.compare_digest(pair, f"{self._token}:".encode())


def post_office(folder: Path, token: str) -> Starlette:
    """The application alone, for a server: see PostOffice."""
    return PostOffice(folder, token).app()


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "status_code": status, "code": code}}, status_code=status)
