"""Twilio's signature of webhooks, made by our gateway stand-in and verified by the API; and its words for dead numbers and for STOP."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha1

__all__ = ["DEAD", "UNSUBSCRIBED", "sign_twilio", "verify_twilio"]

# https://www.twilio.com/docs/api/errors
DEAD = {
    "30005": "unknown number",
    "30006": "landline",
    "21211": "not a number",
    "21217": "not a number",
    "21614": "not a mobile number",
}
"""Errors that say a number is no good for anybody."""
UNSUBSCRIBED = "21610"
"""The error that says that she has sent STOP, which Twilio or the carrier took for itself."""


def sign_twilio(url: str, params: Mapping[str, str | Sequence[str]], token: str) -> str:
    """X-Twilio-Signature: base64 of HMAC-SHA1, by the account's token, over the URL and the sorted parameters.

    `url` is exactly what Twilio called, query included. Several values of one name are sorted, and repeats count once,
    as Twilio's own validator has it (https://www.twilio.com/docs/usage/security#validating-requests).
    """
    text = url
    for name in sorted(params):
        value = params[name]
        values = [value] if isinstance(value, str) else sorted(set(value))
        text += "".join(name + each for each in values)
    return b64encode(hmac.new(token.encode(), text.encode(), sha1).digest()).decode()


def verify_twilio(url: str, params: Mapping[str, str | Sequence[str]], signature: str, token: str) -> bool:
    """Whether a webhook is Twilio's. Behind a proxy, `url` is the public one, and its default port may be spelt or not."""
    return any(
        hmac.compare_digest(sign_twilio(spelling, params, token).encode(), signature.encode())
        for spelling in (url, _other_port(url))
    )


def _other_port(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    port = ":443" if scheme == "https" else ":80"
    other = host.removesuffix(port) if host.endswith(port) else host if ":" in host else host + port
    return f"{scheme}://{other}{slash}{path}"
