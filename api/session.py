"""Sessions of our own pages: who has signed in with a key, in a cookie that we have signed, and the token of its forms.

The cookie holds what is kept of the key, never the key; a key that is revoked ends its sessions at their next request.
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from fastapi import Request, Response

from api.state import State
from engine import keys

__all__ = ["Session", "begin", "leave", "read", "write"]

_HOURS = 12
_PURPOSE = b"parcours session 1\n"


@dataclass(frozen=True, slots=True)
class Session:
    """Who works here. `notes` is what a page remembers from one request to the next."""

    key: str
    who: str
    token: str
    """What a form must carry: another site can't know it."""
    until: int
    notes: Mapping[str, str] = field(default_factory=dict[str, str])

    def noting(self, **notes: str | None) -> Session:
        """With these notes; None takes one away."""
        both = {**self.notes, **notes}
        return replace(self, notes={name: value for name, value in both.items() if value is not None})


def begin(here: State, key: str, who: str, scope: str) -> Session | None:
    """A new session of who shows a key that opens the scope, else None."""
    caller = keys.authenticate(here.database, key)
    if caller is None or not caller.may(scope):
        return None
    return Session(keys.hashed(key), who, secrets.token_urlsafe(24), int(time.time()) + _HOURS * 3600)


def read(here: State, request: Request, name: str, scope: str) -> Session | None:
    """The session of a request: signed by us, not over, its key still valid. None: sign in."""
    session = _opened(request.cookies.get(name, ""), here.settings.signing_key())
    if session is None or session.until < time.time():
        return None
    caller = keys.holder(here.database, session.key)
    return session if caller is not None and caller.may(scope) else None


def write(here: State, response: Response, name: str, session: Session, path: str) -> None:
    """Set the cookie: not to be read by scripts, not sent from other sites."""
    secure = here.settings.public_url.startswith("https:")
    value = _sealed(session, here.settings.signing_key())
    response.set_cookie(name, value, max_age=_HOURS * 3600, path=path, secure=secure, httponly=True, samesite="strict")


def leave(response: Response, name: str, path: str) -> None:
    """Take the cookie away."""
    response.delete_cookie(name, path=path, httponly=True, samesite="strict")


def _sealed(session: Session, key: bytes) -> str:
    plain = json.dumps([session.key, session.who, session.token, session.until, dict(session.notes)])
    body = urlsafe_b64encode(plain.encode())
    return f"{body.decode()}.{_signature(body, key)}"


def _opened(text: str, key: bytes) -> Session | None:
    body, _, signature = text.partition(".")
    if not hmac.compare_digest(
        _signature(body.encode("utf-8", "replace"), key).encode(), signature.encode("utf-8", "replace")
    ):
        return None
    values: list[Any] = json.loads(urlsafe_b64decode(body))
    return Session(*values)


def _signature(body: bytes, key: bytes) -> str:
    return hmac.new(key, _PURPOSE + body, sha256).hexdigest()
