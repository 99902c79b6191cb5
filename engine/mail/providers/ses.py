"""Amazon SES: notifications and published events, which come through SNS (`engine.mail.providers.sns`).

https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html and …/event-publishing-retrieving-sns-contents.html
"""

from __future__ import annotations

import binascii
from base64 import b64decode

from engine.mail.codes import enhanced, kind_of
from engine.mail.event import Kind, MailEvent, What
from engine.mail.providers.fields import Fields
from engine.mail.providers.told import Inbound, Names, Told, human

__all__ = ["read"]

_SILENT = {"Send", "AmazonSnsSubscriptionSucceeded"}
_NOT_HERS = {"MessageTooLarge", "ContentRejected", "AttachmentRejected"}


def read(body: object, names: Names, sns_id: str) -> Told:
    """The event in a message of SNS, or the raw mail of a receipt rule; `sns_id` is the message's own."""
    fields = Fields(body)
    name = fields.text("notificationType") or fields.text("eventType")
    if name == "Received":
        mail = _inbound(fields)
        return Told(mails=[mail]) if mail is not None else Told(passed=["Received without its content"])
    event = _event(name, fields, names, sns_id)
    if event is not None:
        return Told([event])
    return Told(passed=[] if name in _SILENT else [name or "(none)"])


def _event(name: str, fields: Fields, names: Names, sns_id: str) -> MailEvent | None:
    mail = fields.inner("mail")
    own = next(iter(mail.texts("tags", "parcours")), "")
    key = names.key(own=own, path=mail.text("source"), message_id=mail.text("commonHeaders", "messageId"))
    kind: Kind | None = None
    code = words = ""
    payload: dict[str, object] = {}
    about = fields.inner(name[:1].lower() + name[1:])
    recipient = next(iter(mail.texts("destination")), "")
    what: What
    match name:
        case "Delivery":
            what, words = "delivered", about.text("smtpResponse")
        case "DeliveryDelay" | "Bounce":
            one = next(about.each("delayedRecipients" if name == "DeliveryDelay" else "bouncedRecipients"), Fields({}))
            words = one.text("diagnosticCode") or about.text("bounceSubType") or about.text("delayType")
            code = one.text("status") or enhanced(words) or ""
            recipient = one.text("emailAddress") or recipient
            what, kind = ("bounced", _kind(about, code, words)) if name == "Bounce" else ("delayed", None)
        case "Reject" | "Rendering Failure":
            about = fields.inner("reject" if name == "Reject" else "failure")
            what, kind, words = "bounced", "undetermined", about.text("reason") or about.text("errorMessage")
        case "Complaint" if about.text("complaintFeedbackType") != "not-spam":
            one = next(about.each("complainedRecipients"), Fields({}))
            recipient = one.text("emailAddress") or recipient
            what, words = "complained", about.text("complaintFeedbackType") or about.text("complaintSubType")
        case "Subscription":
            what = "unsubscribed"
        case "Open":
            payload = human(about.text("userAgent"))
            what = "scanned" if str(payload.get("by", "")).startswith("Apple") else "opened"
        case "Click":
            what, payload = "clicked", {"link": "", "url": about.text("link")}
        case _:
            return None
    return MailEvent(
        what,
        f"ses:{about.text('feedbackId') or sns_id}",
        "ses",
        key,
        signed=True,
        recipient=recipient or None,
        at=about.moment("timestamp"),
        kind=kind,
        code=code or None,
        detail=words.removeprefix("smtp; ")[:300] or None,
        payload=payload,
    )


def _kind(bounce: Fields, code: str, words: str) -> Kind:
    match bounce.text("bounceType"):
        case "Permanent":
            return "hard"
        case "Transient":
            return "undetermined" if bounce.text("bounceSubType") in _NOT_HERS else "soft"
        case _:
            return kind_of(code or None, words)


def _inbound(fields: Fields) -> Inbound | None:
    content = fields.whole("content")
    if not content:
        return None
    raw = content.encode("utf-8", "replace")
    if fields.text("receipt", "action", "encoding").upper() == "BASE64":
        try:
            raw = b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            return None
    recipient = next(iter(fields.texts("receipt", "recipients")), "")
    return Inbound(raw, fields.text("mail", "source"), recipient)
