"""Signed JSON, to who subscribes to us, and to and from an SMS gateway: headers by the Standard Webhooks specification, made and verified.

https://www.standardwebhooks.com: `webhook-id`, `webhook-timestamp`, `webhook-signature` (HMAC-SHA256); what is older than five
minutes is refused.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

__all__ = ["sign", "signed_by"]


def sign(secret: str, ident: str, body: str, at: datetime | None = None) -> dict[str, str]:
    """The headers of a call with this body. `ident` is the call's own: whoever gets it twice drops the second."""
    moment = at or datetime.now(UTC)
    return {
        "webhook-id": ident,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": _hook(secret).sign(ident, moment.astimezone(UTC), body),
    }


def signed_by(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a call is theirs, unchanged, and of the last five minutes."""
    wanted = {name: headers.get(name, "") for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
    if not all(wanted.values()):
        return False
    try:
        _hook(secret).verify(body, wanted)
    except WebhookVerificationError:
        return False
    except ValueError:  # a signature that is no base64, a body that is no JSON
        return False
    return True


def _hook(secret: str) -> Webhook:
    """A secret of theirs (`whsec_…`), or any text."""
    return Webhook(secret if secret.startswith("whsec_") else b64encode(secret.encode()).decode())
