"""CloudEvents 1.0, read into our events: a structured event, a batch of them, or one in binary mode, in headers and body.

Pure: what comes in is made into a message of Segment's form (`api.segment`), so that both doors lead to one place. See
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and its HTTP binding.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast
from urllib.parse import unquote

from api.segment import Malformed, Read, read
from engine.json_text import parsed, unfit

__all__ = ["BATCH", "STRUCTURED", "from_binary", "from_object"]

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

_REQUIRED = ("id", "source", "specversion", "type")
_KNOWN = (*_REQUIRED, "datacontenttype", "dataschema", "subject", "time", "data", "data_base64")
_NAME = re.compile(r"[a-z0-9]+")
_LONGEST = 255
_JSON = re.compile(r"(?:application|text)/(?:[\w.-]+\+)?json\b", re.IGNORECASE)


def from_object(given: object, now: datetime) -> Read:
    """A structured event, as JSON has it. Raises Malformed."""
    if not isinstance(given, dict):
        raise Malformed("event", given, "it must be an object")
    event = cast("dict[str, Any]", given)
    if event.get("data") is not None and event.get("data_base64") is not None:
        raise Malformed("data_base64", event["data_base64"], "an event has data or data_base64, not both")
    data = event.get("data")
    if event.get("data_base64") is not None:
        data = _decoded(event["data_base64"], event.get("datacontenttype"))
    return _read({name: value for name, value in event.items() if name not in {"data", "data_base64"}}, data, now)


def from_binary(headers: Mapping[str, str], body: bytes, now: datetime) -> Read:
    """An event in binary mode: its attributes are the headers that begin with `ce-`, its data is the body. Raises Malformed."""
    event: dict[str, Any] = {}
    for name, value in headers.items():
        if name.lower().startswith("ce-"):
            try:
                text = unquote(value.encode("latin-1").decode(), errors="strict")
            except UnicodeError:
                raise Malformed(name, value, "a header's text is UTF-8, percent-encoded") from None
            event[name[3:].lower()] = _fit(name[3:].lower(), text, value)
    kind = headers.get("content-type", "")
    if kind:
        event["datacontenttype"] = kind
    return _read(event, _content(body, kind) if body else None, now)


def _read(event: Mapping[str, Any], data: object, now: datetime) -> Read:
    """The event as a message: what happened is `type`, to whom is `customerid` (an extension) or `subject`."""
    for name in _REQUIRED:
        if not isinstance(event.get(name), str) or not event[name].strip():
            raise Malformed(name, event.get(name), "a CloudEvent has it, as text")
    if event["specversion"] != "1.0":
        raise Malformed("specversion", event["specversion"], "1.0 is what is read here")
    for name in event:
        if name not in _KNOWN and not _NAME.fullmatch(name):
            raise Malformed(name, event[name], "an attribute's name is small letters and digits")
    for name in ("id", "source"):
        if len(event[name]) > _LONGEST:
            raise Malformed(name, event[name], f"it may have {_LONGEST} characters")
    customer = event.get("customerid", event.get("subject"))
    what = cast("dict[str, Any]", data) if isinstance(data, dict) else {} if data is None else {"data": data}
    message: dict[str, Any] = {
        "type": "track",
        "event": event["type"],
        "properties": what,
        "timestamp": event.get("time"),
        "userId": customer,
        "anonymousId": event["source"],
    }
    if event["type"] == "customer.identified":
        message = {**message, "type": "identify", "traits": what}
    # Source and id are unique together; no URI has a blank in it, so no other pair makes this id.
    ident = f"{event['source'].replace(' ', '%20')} {event['id']}"
    try:
        return read(message, now, ident=ident, source="cloudevent")
    except Malformed as error:
        raise _renamed(error) from None


_THEIRS = {
    "userId": "subject",
    "timestamp": "time",
    "event": "type",
    "properties": "data",
    "traits": "data",
    "messageId": "source",
}


def _renamed(error: Malformed) -> Malformed:
    """The error with the sender's own name of the field."""
    first, dot, rest = error.field.partition(".")
    return Malformed(f"{_THEIRS.get(first, first)}{dot}{rest}", error.value, error.reason)


def _decoded(text: object, kind: object) -> object:
    try:
        raw = b64decode(text if isinstance(text, str) else "?", validate=True)
    except (NotBase64, ValueError):
        raise Malformed("data_base64", text, "it must be base64") from None
    return _content(raw, kind if isinstance(kind, str) else "application/octet-stream")


def _content(raw: bytes, kind: str) -> object:
    """What the bytes say: JSON, text, or else bytes in base64 as they came."""
    if not kind or _JSON.match(kind):
        try:
            data = parsed(raw)
        except ValueError as error:
            raise Malformed("data", raw[:40], f"it says that it is JSON, and is not: {error}") from None
        return _fit("data", data, raw[:40])
    if kind.startswith("text/"):
        try:
            return _fit("data", raw.decode(), raw[:40])
        except UnicodeDecodeError:
            raise Malformed("data", raw[:40], "it says that it is text, and is no UTF-8") from None
    return {"data_base64": b64encode(raw).decode(), "datacontenttype": kind}


def _fit(field: str, value: Any, given: object) -> Any:
    """The value, which the intake could not look into: it was written in base64, in a header, or is no JSON."""
    found = unfit(value)
    if found is not None:
        where, what = found
        raise Malformed(f"{field}.{where}" if where else field, given, f"it holds {what}")
    return value
