"""The desk where providers' webhooks end up: keeps what they told, counts what says nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection

from engine.links import Links
from engine.mail import strays
from engine.mail.door import Door
from engine.mail.keeping import Keeping
from engine.mail.providers.sns import Sns
from engine.mail.providers.told import Inbound, Names, Told
from engine.settings import Settings

__all__ = ["Desk"]

_REASONS = {
    "unknown": "a send that is not ours",
    "passed over": "a click that our own link tells already",
}


@dataclass(frozen=True, slots=True)
class Desk:
    """What webhooks work with, made once."""

    door: Door
    keeping: Keeping
    names: Names
    sns: Sns

    @classmethod
    def of(cls, settings: Settings) -> Desk:
        door = Door(settings)
        links = Links(settings.public_url, settings.signing_key())
        return cls(door, Keeping.of(settings), Names(links, door.domains), Sns(settings.ses_topics))

    def keep(self, conn: Connection, told: Told, provider: str) -> dict[str, int]:
        """Keep what a provider told, in the caller's transaction; how many were kept, repeats, and passed over."""
        done = Counter[str]()
        for event in told.events:
            outcome = self.keeping.keep(conn, event)
            done[outcome] += 1
            if outcome in _REASONS:
                strays.count(conn, provider, _REASONS[outcome], f"{event.what} {event.recipient or event.id}")
        for name in told.passed:
            done["passed over"] += 1
            strays.count(conn, provider, f"an event that says nothing to us: {name}", name)
        for mail in told.mails:
            done[self._take(conn, mail, provider)] += 1
        return {
            "kept": done["kept"],
            "repeats": done["repeat"],
            "passed": sum(done.values()) - done["kept"] - done["repeat"],
        }

    def _take(self, conn: Connection, mail: Inbound, provider: str) -> str:
        reason = self.door.refusal(mail.recipient)
        if reason is not None:
            strays.count(conn, provider, reason, mail.recipient)
            return "passed over"
        taken = self.door.take_in(conn, mail.raw, mail.sender, mail.recipient, provider)
        return "kept" if taken.status == "stray" else taken.status
