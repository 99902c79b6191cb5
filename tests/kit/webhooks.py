"""What tests of e-mail providers' webhooks share: whom they write to, a key that signs, and what was kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from engine.db import Database
from engine.events import StoredEvent
from engine.mail import strays

__all__ = ["FIREFOX", "ID", "KEY", "ZOE", "Events", "Sent", "Suppressed", "one", "tallies"]

Events = Callable[[], list[StoredEvent]]
Sent = Callable[..., dict[str, Any]]
Suppressed = Callable[[], list[tuple[str, str, str]]]
ZOE = "zoe@example.com"
ID = "1-1-0@parcours.example"
KEY = ec.generate_private_key(ec.SECP256R1())
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def tallies(db: Database) -> dict[str, int]:
    with db.read() as conn:
        return {tally.reason: tally.count for tally in strays.tallies(conn)}


def one(events: Events) -> tuple[str, str | None, dict[str, Any]]:
    found = events()[0]
    return found.name, found.message_key, dict(found.payload)
