"""The API's keys: made once and shown once, kept as their sha256, each with the scopes it opens.

Key times are wall-clock time: a key lives among operators, not in a journey.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from engine.db import Database, insert_new, table
from engine.errors import Invalid, NotFound
from engine.tables import ApiKey

__all__ = ["SCOPES", "Caller", "authenticate", "create", "every", "hashed", "holder", "revoke"]

SCOPES: dict[str, str] = {
    "ingest": "send events in",
    "read": "read customers, journeys, events and messages",
    "tasks": "work on call tasks",
    "operate": "write customers, consents and offers, turn journeys on and off, turn their knobs, enrol customers",
    "approve": "approve that a journey is turned on, where a second person has to",
    "admin": "everything",
}
PREFIX = 10
_THROTTLE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the name of the key, and what it may do."""

    name: str
    prefix: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Whether the key opens this scope; `admin` opens every one."""
        return scope in self.scopes or "admin" in self.scopes


def create(database: Database, name: str, scopes: Sequence[str]) -> str:
    """Make a key of 256 random bits and return it: it is shown this once, only its hash is kept."""
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise Invalid("scopes", list(scopes), f"one or more of {', '.join(SCOPES)} are needed")
    if not name.strip():
        raise Invalid("name", name, "a key needs a name, so that it can be told from others")
    key = f"pk_{secrets.token_urlsafe(32)}"
    row = {
        "hash": hashed(key),
        "prefix": key[:PREFIX],
        "name": name,
        "scopes": sorted(set(scopes)),
        "created_at": datetime.now(UTC),
    }
    with database.write() as conn:
        insert_new(conn, ApiKey, [row])
    return key


def authenticate(database: Database, key: str) -> Caller | None:
    """Who the key's holder is, or None: unknown or revoked. Notes the use, at most once a minute."""
    return holder(database, hashed(key))


def holder(database: Database, digest: str) -> Caller | None:
    """As `authenticate`, by what is kept of a key: for who has shown it before."""
    target = table(ApiKey)
    with database.read() as conn:
        row = conn.execute(select(target).where(target.c.hash == digest, target.c.revoked_at.is_(None))).first()
    if row is None:
        return None
    now = datetime.now(UTC)
    if row.last_used_at is None or now - row.last_used_at >= _THROTTLE:
        with database.write() as conn:
            conn.execute(update(target).where(target.c.hash == digest).values(last_used_at=now))
    return Caller(row.name, row.prefix, frozenset(row.scopes))


def every(database: Database) -> list[ApiKey]:
    """Every key, the oldest first, also those that were revoked."""
    target = table(ApiKey)
    with database.read() as conn:
        return [ApiKey(**row) for row in conn.execute(select(target).order_by(target.c.created_at)).mappings()]


def revoke(database: Database, which: str) -> ApiKey:
    """Revoke the one live key of this name or prefix. Raises NotFound if none or more than one fits."""
    fits = [key for key in every(database) if key.revoked_at is None and which in (key.name, key.prefix)]
    if len(fits) != 1:
        live = ", ".join(f"{key.prefix} ({key.name})" for key in every(database) if key.revoked_at is None) or "none"
        found = "no live key" if not fits else f"{len(fits)} live keys"
        raise NotFound("key_not_found", f"{found} named {which!r}; name one by its prefix. Live keys: {live}")
    target = table(ApiKey)
    now = datetime.now(UTC)
    with database.write() as conn:
        conn.execute(update(target).where(target.c.hash == fits[0].hash).values(revoked_at=now))
    fits[0].revoked_at = now
    return fits[0]


def hashed(key: str) -> str:
    """What is kept of a key, of a lease's or a feed's token: whoever reads the database can't use it."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
