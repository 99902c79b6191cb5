"""What comes in on the wire, before any route sees it: how large it may be, gzip, and text that no database can hold.

Starlette does not inflate bodies, and has no limit; both are done here for every route, so that a small file that
inflates to a giant one, or a body without a length, costs no memory.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import Any, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import answer

__all__ = ["MAX_BODY", "MAX_INFLATED", "Intake", "suspicious", "unfit"]

MAX_BODY = 9 << 20
"""Most bytes of a body on the wire: RudderStack's client closes a batch when it has passed 4 MB, by a message of up to 4 MB."""
MAX_INFLATED = 16 << 20
"""Most bytes of a body that came as gzip."""

_ONE_BY_ONE = frozenset({"/v1/batch"})
"""Here a message that can't be kept is set aside alone: the route looks at each."""
_DRAINED = 64 << 20
_METHODS = ("POST", "PUT", "PATCH", "DELETE")
# JSON that needs a closer look: NUL, half of a surrogate pair, NaN, Infinity, numbers past the largest.
_SUSPICIOUS = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]|NaN|Infinity|[eE]\+?\d{3}|\d{300}")


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
            if scope["path"] not in _ONE_BY_ONE:
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


def suspicious(body: bytes) -> bool:
    """Whether JSON needs a closer look by `unfit`."""
    return b"\x00" in body or _SUSPICIOUS.search(body) is not None


def unfit(value: Any) -> tuple[str, str] | None:
    """Where a value holds text that PostgreSQL can't hold, or a number that JSON doesn't know, and which."""
    todo: list[tuple[str, Any]] = [("", value)]
    while todo:
        where, value = todo.pop()
        if isinstance(value, str):
            if "\x00" in value:
                return where, "a NUL character"
            if any("\ud800" <= mark <= "\udfff" for mark in value):
                return where, "half of a surrogate pair"
        elif isinstance(value, float):
            if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  # NaN alone is not itself
                return where, "a number that is none (NaN or infinite)"
        elif isinstance(value, dict):
            for name, each in cast("dict[str, Any]", value).items():
                todo.append((f"{where}.{name}".lstrip("."), each))
                todo.append((f"{where} (a name)".lstrip(), name))
        elif isinstance(value, list):
            todo.extend((f"{where}[{index}]", each) for index, each in enumerate(cast("list[Any]", value)))
    return None


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
        found = unfit(json.loads(body, parse_constant=float))
    except (ValueError, RecursionError):
        return  # the route says better what is wrong with it
    if found is not None:
        where, what = found
        raise _Refused(400, "bad_text", f"{where or 'the body'} holds {what}")
