"""What comes in on the wire, before any route sees it: how large it may be, gzip, and text that no database can hold.

Starlette does not inflate bodies, and has no limit; both are done here for every route, so that a small file that
inflates to a giant one, or a body without a length, costs no memory.
"""

from __future__ import annotations

import zlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import answer
from engine.json_text import parsed, suspicious, unfit

__all__ = ["MAX_BODY", "MAX_INFLATED", "Intake"]

MAX_BODY = 9 << 20
"""Most bytes of a body on the wire: RudderStack's client closes a batch when it has passed 4 MB, by a message of up to 4 MB."""
MAX_INFLATED = 16 << 20
"""Most bytes of a body that came as gzip."""

_ONE_BY_ONE = frozenset({"/v1/batch"})
"""Here a message that can't be kept is set aside alone: the route looks at each."""
_CLEANED = ("/v1/email/", "/v1/sms/")
"""Below them providers bring mails, texts and their own words, as anybody may have written them: what can't be kept is left out."""
_DRAINED = 64 << 20
_METHODS = ("POST", "PUT", "PATCH", "DELETE")


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.args = (status, code, message)


class Intake:
    """ASGI middleware: reads the body within its limits, inflates it, and refuses what can't be kept."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            _check_address(scope)
            if scope["method"] not in _METHODS:
                await self.app(scope, receive, send)
                return
            headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
            raw = await _read(headers, receive)
            body = _inflated(raw, headers.get(b"content-encoding", ""))
            if scope["path"] not in _ONE_BY_ONE and not scope["path"].startswith(_CLEANED):
                _check_text(body, headers.get(b"content-type", ""))
        except _Refused as refused:
            status, code, message = refused.args
            await answer(status, code, message, {"Connection": "close"})(scope, receive, send)
            return
        if body is not raw:
            kept = [pair for pair in scope["headers"] if pair[0] not in {b"content-encoding", b"content-length"}]
            scope = {**scope, "headers": [*kept, (b"content-length", str(len(body)).encode())]}
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)


def _check_address(scope: Scope) -> None:
    if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
        raise _Refused(400, "bad_text", "the address holds a NUL character")


async def _read(headers: dict[bytes, str], receive: Receive) -> bytes:
    """The body. One that is too large is read and dropped (up to a bound), so that its sender hears the answer."""
    length = headers.get(b"content-length", "")
    too_large = length.isdecimal() and int(length) > MAX_BODY
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(400, "disconnected", "the sender went away")
        part: bytes = message.get("body", b"")
        size += len(part)
        too_large = too_large or size > MAX_BODY
        if not too_large:
            parts.append(part)
        elif size > _DRAINED:
            break
        if not message.get("more_body", False):
            break
    if too_large:
        raise _Refused(413, "body_too_large", f"a body may have {MAX_BODY} bytes; send smaller batches")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _inflated(body: bytes, encoding: str) -> bytes:
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            pass
        case other:
            raise _Refused(415, "unknown_encoding", f"Content-Encoding {other!r} is not known; send gzip or none")
    whole = bytearray()
    rest = body
    try:
        while rest:  # a gzip file may have several members
            member = zlib.decompressobj(wbits=31)
            whole += member.decompress(rest, MAX_INFLATED + 1 - len(whole))
            if len(whole) > MAX_INFLATED:
                raise _Refused(
                    413, "body_too_large", f"a body may inflate to {MAX_INFLATED} bytes; send smaller batches"
                )
            if not member.eof:
                raise _Refused(400, "bad_gzip", "the body says that it is gzip, and is cut off")
            rest = member.unused_data
    except zlib.error as error:
        raise _Refused(400, "bad_gzip", f"the body says that it is gzip, and is not: {error}") from None
    return bytes(whole)


def _check_text(body: bytes, kind: str) -> None:
    """Refuse text that PostgreSQL can't hold, and numbers that JSON doesn't know."""
    if "form" in kind:
        if b"%00" in body or b"\x00" in body:
            raise _Refused(400, "bad_text", "the form holds a NUL character")
        return
    if not suspicious(body):
        return
    try:
        found = unfit(parsed(body))
    except ValueError:
        return  # the route says better what is wrong with it
    if found is not None:
        where, what = found
        raise _Refused(400, "bad_text", f"{where or 'the body'} holds {what}")
