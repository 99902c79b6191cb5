"""SendGrid: the Event Webhook, signed by ECDSA (P-256, SHA-256) over its timestamp and its body.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from engine.mail.codes import enhanced, kind_of
from engine.mail.event import Kind, MailEvent, What
from engine.mail.providers.age import check_age
from engine.mail.providers.fields import Fields
from engine.mail.providers.told import BadSignature, Names, Told, human

__all__ = ["OLDEST", "read", "verify"]

OLDEST = timedelta(hours=25)
"""SendGrid tries for a day; what is signed earlier is a replay."""
_SILENT = {"processed", "group_resubscribe", "account_status_change"}
_CLASSES: dict[str, Kind] = {
    "invalid address": "hard",
    "mailbox unavailable": "soft",
    "reputation": "undetermined",
    "content": "undetermined",
    "technical": "soft",
    "technical failure": "soft",
    "frequency or volume too high": "undetermined",
}


def verify(key: str, body: bytes, signature: str, timestamp: str) -> None:
    """Raises BadSignature unless the holder of the key's other half has signed this body at this time, lately."""
    try:
        public = load_der_public_key(b64decode("".join(_bare(key).split()), validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        raise BadSignature("PARCOURS_SENDGRID_KEY is no public key in base64") from None
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise BadSignature("PARCOURS_SENDGRID_KEY is not the key of an elliptic curve")
    try:
        public.verify(b64decode(signature, validate=True), timestamp.encode() + body, ec.ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        raise BadSignature("the signature does not fit the body and its timestamp") from None
    check_age(timestamp, OLDEST)


def read(body: object, names: Names) -> Told:
    """The events of a batch."""
    found: list[MailEvent] = []
    passed: list[str] = []
    items = cast("Sequence[object]", body) if isinstance(body, list) else [body]
    for item in items:
        fields = Fields(item)
        event = _event(fields, names)
        name = fields.text("event")
        if event is not None:
            found.append(event)
        elif name not in _SILENT:
            passed.append(name or "(none)")
    return Told(found, passed)


def _event(fields: Fields, names: Names) -> MailEvent | None:
    words = fields.text("reason") or fields.text("response")
    code = fields.text("status") or enhanced(words)
    name = fields.text("event")
    machine = fields.flag("sg_machine_open")
    kind: Kind | None = None
    payload: dict[str, object] = {}
    what: What
    match name:
        case "delivered":
            what = "delivered"
        case "deferred":
            what = "delayed"
        case "bounce" | "dropped":
            what, kind = "bounced", _kind(fields, code, words)
        case "spamreport":
            what = "complained"
        case "unsubscribe" | "group_unsubscribe":
            what = "unsubscribed"
        case "open":
            what, payload = "scanned" if machine else "opened", human(fields.text("useragent"), machine=machine)
        case "click":
            what, payload = "clicked", {"link": "", "url": fields.text("url")}
        case _:
            return None
    return MailEvent(
        what,
        f"sendgrid:{fields.text('sg_event_id') or _made_up(fields)}",
        "sendgrid",
        names.key(own=fields.text("parcours"), message_id=fields.text("smtp-id")),
        signed=True,
        recipient=fields.text("email") or None,
        at=fields.moment("timestamp"),
        kind=kind,
        code=code if what in {"bounced", "delayed"} else None,
        detail=words[:300] or None,
        payload=payload,
    )


def _made_up(fields: Fields) -> str:
    return ":".join(fields.text(name) for name in ("sg_message_id", "email", "event", "timestamp"))


def _kind(fields: Fields, code: str | None, words: str) -> Kind:
    if fields.text("event") == "dropped":  # SendGrid did not even try: it remembers an earlier bounce
        return "hard" if words.lower() in {"bounced address", "invalid"} else "undetermined"
    by_code = kind_of(code, words)
    if by_code != "undetermined":
        return by_code
    return _CLASSES.get(fields.text("bounce_classification").lower(), by_code)


def _bare(key: str) -> str:
    return "".join(line for line in key.splitlines() if not line.startswith("-----"))
