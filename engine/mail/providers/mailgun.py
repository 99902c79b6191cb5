"""Mailgun: webhooks signed by HMAC-SHA256 over a timestamp and a token, which is good once: the body is not signed.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from sqlalchemy import Connection, delete

from engine.db import insert_new_returning, table
from engine.mail.codes import enhanced, kind_of
from engine.mail.event import Kind, MailEvent, What
from engine.mail.providers.age import check_age
from engine.mail.providers.fields import Fields
from engine.mail.providers.told import BadSignature, Inbound, Names, Told, human
from engine.tables import WebhookToken

__all__ = ["OLDEST", "first_time", "inbound", "read", "verify"]

OLDEST = timedelta(hours=25)
"""Mailgun tries for eight hours; what is signed a day earlier is a replay."""
_SILENT = {"accepted", "stored", "list_member_uploaded"}


def verify(key: str, timestamp: str, token: str, signature: str) -> None:
    """Raises BadSignature unless it was signed with the key, lately. Whether the token is new, `first_time` says."""
    made = hmac.new(key.encode(), f"{timestamp}{token}".encode(), sha256).hexdigest()
    if not token or not hmac.compare_digest(made.encode(), signature.lower().encode()):
        raise BadSignature("the signature does not fit the timestamp and the token")
    check_age(timestamp, OLDEST)


def first_time(conn: Connection, token: str) -> bool:
    """Take a token, in the transaction that keeps what came with it. False: it was taken before, this is a replay."""
    rows = table(WebhookToken)
    now = datetime.now(UTC)
    conn.execute(delete(rows).where(rows.c.at < now - 2 * OLDEST))
    mark = sha256(token.encode()).hexdigest()
    return bool(insert_new_returning(conn, WebhookToken, [{"id": f"mailgun:{mark}", "at": now}], "id"))


def read(body: object, names: Names) -> Told:
    """The one event of a webhook."""
    fields = Fields(body).inner("event-data")
    event = _event(fields, names)
    if event is not None:
        return Told([event])
    name = fields.text("event")
    return Told(passed=[] if name in _SILENT else [name or "(none)"])


def inbound(form: Mapping[str, str]) -> Inbound | None:
    """The raw mail of a route that forwards it (`…/mime`); None if the form has none."""
    raw = form.get("body-mime", "")
    if not raw:
        return None
    return Inbound(raw.encode("utf-8", "surrogateescape"), form.get("sender"), form.get("recipient", ""))


def _event(fields: Fields, names: Names) -> MailEvent | None:
    status = fields.inner("delivery-status")
    words = status.text("message") or status.text("description") or fields.text("reject", "reason")
    code = status.text("enhanced-code") or enhanced(words) or None
    what, kind = _what(fields, code, f"{status.text('code')} {words}")
    if what is None or not fields.text("id"):
        return None
    payload: dict[str, object] = {}
    if what in {"opened", "scanned"}:
        payload = human(fields.text("client-info", "user-agent"), machine=what == "scanned")
    elif what == "clicked":
        payload = {"link": "", "url": fields.text("url")}
    return MailEvent(
        what,
        f"mailgun:{fields.text('id')}",
        "mailgun",
        names.key(
            own=fields.text("user-variables", "parcours"),
            path=fields.text("envelope", "sender"),
            message_id=fields.text("message", "headers", "message-id"),
        ),
        signed=True,
        recipient=fields.text("recipient") or None,
        at=fields.moment("timestamp"),
        kind=kind,
        code=code if what in {"bounced", "delayed"} else None,
        detail=words[:300] or None,
        payload=payload,
    )


def _what(fields: Fields, code: str | None, words: str) -> tuple[What | None, Kind | None]:
    match fields.text("event"):
        case "failed" if fields.text("severity") == "temporary":
            return "delayed", None
        case "failed":
            # Mailgun did not even try: it remembers an earlier bounce, complaint, or unsubscribing
            known: dict[str, Kind] = {
                "suppress-bounce": "hard",
                "suppress-complaint": "undetermined",
                "suppress-unsubscribe": "undetermined",
            }
            return "bounced", known.get(fields.text("reason")) or kind_of(code, words)
        case "rejected":
            return "bounced", "undetermined"
        case "opened":
            bot = fields.text("client-info", "bot")
            return ("scanned" if bot and bot != "gmail" else "opened"), None
        case "delivered" | "complained" | "unsubscribed" | "clicked" as same:
            return same, None
        case _:
            return None, None
