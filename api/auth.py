"""Who calls: a key in Basic (as the user name, as Segment's clients do) or Bearer, and the scope that a route needs."""

from __future__ import annotations

import math
from base64 import b64decode
from typing import Annotated

from fastapi import Depends, Header

from api.errors import ApiError
from api.state import Here
from engine.keys import SCOPES, Caller, authenticate

__all__ = ["INGEST", "OPERATE", "READ", "TASKS", "Ingest", "Need", "Operate", "Tasks"]

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="parcours", Bearer realm="parcours"'}


class Need:
    """A dependency: the caller, if the key opens `scope`; else 401 or 403; 429 if it calls too often."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    def __call__(
        self, here: Here, authorization: Annotated[str | None, Header(include_in_schema=False)] = None
    ) -> Caller:
        if authorization is None:
            raise ApiError(
                401, "no_key", "send a key: Authorization: Bearer KEY, or Basic with the key as user", _CHALLENGE
            )
        caller = authenticate(here.database, _key(authorization))
        if caller is None:
            raise ApiError(401, "bad_key", "this key is not valid, or was revoked", _CHALLENGE)
        wait = here.limits.wait(caller.prefix)
        if wait:
            seconds = math.ceil(wait)
            text = f"the key {caller.prefix} may call {here.limits.rate:g} times a second (PARCOURS_KEY_RATE); wait {seconds} s"
            raise ApiError(429, "too_many_requests", text, {"Retry-After": str(seconds)})
        if not caller.may(self.scope):
            has = ", ".join(sorted(caller.scopes))
            needs = f"this needs the scope {self.scope!r} ({SCOPES[self.scope]})"
            raise ApiError(403, "missing_scope", f"{needs}; the key {caller.prefix} has {has}")
        return caller


def _key(authorization: str) -> str:
    scheme, _, rest = authorization.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip()
        case "basic":
            try:
                return b64decode(rest.strip(), validate=True).decode().partition(":")[0]
            except ValueError:  # not base64, not ASCII, or not UTF-8
                raise ApiError(401, "bad_key", "the Basic credentials are not base64 of KEY:", _CHALLENGE) from None
        case other:
            raise ApiError(401, "bad_key", f"the scheme {other!r} is not known: send Bearer or Basic", _CHALLENGE)


INGEST = [Depends(Need("ingest"))]
OPERATE = [Depends(Need("operate"))]
READ = [Depends(Need("read"))]
TASKS = [Depends(Need("tasks"))]
"""What a call needs, as its `dependencies`; below the same, where a call asks who calls."""
Ingest = Annotated[Caller, Depends(Need("ingest"))]
Tasks = Annotated[Caller, Depends(Need("tasks"))]
Operate = Annotated[Caller, Depends(Need("operate"))]
