"""Lob's webhooks: their signature, made by our stand-in and verified by the API, and what each of them says of a letter."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha256

__all__ = ["SAYS", "TOLERANCE", "sign_lob", "verify_lob"]

TOLERANCE = timedelta(minutes=5)
"""How old a webhook may be: an older one is a replay."""

SAYS = {
    "letter.mailed": "sent",
    "letter.in_transit": "sent",
    "letter.in_local_area": "sent",
    "letter.processed_for_delivery": "sent",
    "letter.re-routed": "sent",
    "letter.delivered": "delivered",
    "letter.failed": "failed",
    "letter.rejected": "failed",
    "letter.returned_to_sender": "returned",
}
"""What an event says of its letter; others are not about it. https://docs.lob.com/#section/Webhooks"""


def sign_lob(body: bytes, timestamp: str, secret: str) -> str:
    """Lob-Signature: hex of HMAC-SHA256, by the webhook's secret, over `timestamp.body`."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, sha256).hexdigest()


def verify_lob(body: bytes, timestamp: str, signature: str, secret: str, wall: datetime | None = None) -> bool:
    """Whether a webhook is Lob's, and new. `timestamp` is in milliseconds, or seconds, of the wall clock."""
    if not timestamp.isdecimal() or len(timestamp) > 16:
        return False
    seconds = int(timestamp) / (1000 if len(timestamp) > 11 else 1)
    late = abs((wall or datetime.now(UTC)) - datetime.fromtimestamp(seconds, UTC)) > TOLERANCE
    return not late and hmac.compare_digest(sign_lob(body, timestamp, secret).encode(), signature.encode())
