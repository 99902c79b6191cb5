"""Postmark: webhooks that carry a user name and a password of our choice (Basic); it signs nothing.

https://postmarkapp.com/developer/webhooks/webhooks-overview
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode

from engine.mail.codes import enhanced, kind_of
from engine.mail.event import Kind, MailEvent, What
from engine.mail.providers.fields import Fields
from engine.mail.providers.told import BadSignature, Inbound, Names, Told, human

__all__ = ["inbound", "read", "verify"]

_BOUNCES: dict[str, tuple[What, Kind | None]] = {
    "HardBounce": ("bounced", "hard"),
    "BadEmailAddress": ("bounced", "hard"),
    "SoftBounce": ("bounced", "soft"),
    "DnsError": ("bounced", "soft"),
    "Transient": ("delayed", None),
    "Blocked": ("bounced", "undetermined"),
    "DMARCPolicy": ("bounced", "undetermined"),
    "ManuallyDeactivated": ("bounced", "undetermined"),
    "SMTPApiError": ("bounced", "undetermined"),
    "SpamNotification": ("bounced", "undetermined"),
    "TemplateRenderingFailed": ("bounced", "undetermined"),
    "VirusNotification": ("bounced", "undetermined"),
    "Unknown": ("bounced", None),
    "AutoResponder": ("auto_replied", None),
    "ChallengeVerification": ("auto_replied", None),
    "SpamComplaint": ("complained", None),
    "Unsubscribe": ("unsubscribed", None),
}
"""Its types of bounces (https://postmarkapp.com/developer/api/bounce-api#bounce-types); others say nothing to us."""

_RECORDS: dict[str, What] = {
    "Delivery": "delivered",
    "SpamComplaint": "complained",
    "Open": "opened",
    "Click": "clicked",
}


def verify(login: str, authorization: str) -> None:
    """Raises BadSignature unless the header carries our user name and password."""
    scheme, _, rest = authorization.strip().partition(" ")
    try:
        given = b64decode(rest.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        given = b""
    if not hmac.compare_digest(given, login.encode()):
        raise BadSignature("it does not carry the user name and password of PARCOURS_POSTMARK_LOGIN")


def read(body: object, names: Names) -> Told:
    """The one event of a webhook."""
    fields = Fields(body)
    what, kind = _what(fields)
    if what is None:
        kind_of_bounce = fields.text("Type") if fields.text("RecordType") == "Bounce" else ""
        name = " ".join(filter(None, (fields.text("RecordType") or "(none)", kind_of_bounce)))
        return Told(passed=[] if fields.text("RecordType") == "SubscriptionChange" else [name])
    words = fields.text("Details") or fields.text("Description")
    code = enhanced(words) if what in {"bounced", "delayed"} else None
    payload: dict[str, object] = {}
    if what in {"opened", "scanned"}:
        payload = human(fields.text("UserAgent"))
        what = "scanned" if str(payload.get("by", "")).startswith("Apple") else what
    elif what == "clicked":
        payload = {"link": "", "url": fields.text("OriginalLink")}
    event = MailEvent(
        what,
        f"postmark:{fields.text('ID') or _made_up(fields)}",
        "postmark",
        names.key(own=fields.text("Metadata", "parcours")),
        signed=True,
        recipient=fields.text("Recipient") or fields.text("Email") or None,
        at=next(filter(None, map(fields.moment, ("BouncedAt", "DeliveredAt", "ReceivedAt", "ChangedAt"))), None),
        kind=kind if kind is not None or what != "bounced" else kind_of(code, words),
        code=code,
        detail=words[:300] or None,
        payload=payload,
    )
    return Told([event])


def inbound(body: object) -> Inbound | None:
    """The raw mail of an inbound webhook that was asked to carry it; None if it doesn't."""
    fields = Fields(body)
    raw = fields.whole("RawEmail")
    return Inbound(raw.encode("utf-8", "replace"), None, fields.text("OriginalRecipient")) if raw else None


def _what(fields: Fields) -> tuple[What | None, Kind | None]:
    record = fields.text("RecordType")
    if record == "Bounce":
        return _BOUNCES.get(fields.text("Type"), (None, None))
    if record == "SubscriptionChange":  # a bounce and a complaint come by webhooks of their own
        by_herself = fields.text("SuppressionReason") == "ManualSuppression" and fields.text("Origin") == "Recipient"
        return ("unsubscribed" if fields.flag("SuppressSending") and by_herself else None), None
    return _RECORDS.get(record), None


def _made_up(fields: Fields) -> str:
    names = ("MessageID", "RecordType", "Recipient", "DeliveredAt", "ReceivedAt", "ChangedAt", "OriginalLink")
    return ":".join(fields.text(name) for name in names)
