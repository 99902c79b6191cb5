"""The door for mail: which addresses are ours, and what becomes of a mail that came to one.

The receiver, the pipe and providers' inbound webhooks all come in here.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parseaddr
from typing import Literal

from sqlalchemy import Connection

from engine.db import Database
from engine.links import ForgedLink, Links
from engine.mail import strays
from engine.mail.keeping import Keeping
from engine.mail.reading import Reader, Stray
from engine.settings import Settings

__all__ = ["Door", "Taken"]

_ROLES = {"unsubscribe", "postmaster", "abuse", "fbl"}
"""Besides the sender's own: where lists are left, where RFC 5321 and 2142 want somebody, where complaints are sent."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a mail: kept as an answer, as a repeat of one, or as a stray, with the reason."""

    status: Literal["kept", "repeat", "stray", "nothing"]
    said: str


class Door:
    """Takes mails in for the project that the settings describe."""

    def __init__(self, settings: Settings) -> None:
        sender = parseaddr(settings.mail_from)[1].lower()
        self._own, _, domain = sender.rpartition("@")
        self.domain = (settings.mail_in_domain or domain).lower()
        self.domains = frozenset(filter(None, (self.domain, domain)))
        self._links = Links(settings.public_url, settings.signing_key())
        self._reader = Reader(self._links, self.domains)
        self._keeping = Keeping.of(settings)
        self._days = settings.stray_days
        self.largest = settings.mail_in_size

    def refusal(self, address: str) -> str | None:
        """Why no mail is taken for an address; None where it is."""
        local, _, domain = address.strip().strip("<>").rpartition("@")
        if not local and domain.lower() == "postmaster":  # RFC 5321 4.5.1: without a domain, too
            return None
        if domain.lower() not in self.domains:
            return "not a domain of ours"
        word = local.lower().partition("+")[0]
        read = {"bounce": self._links.read_return_path, "reply": self._links.read_reply_to}.get(word)
        if read is None or "+" not in local:
            return None if word in _ROLES or local.lower() == self._own else "no such address"
        try:
            read(local)
        except ForgedLink as error:
            return str(error)
        return None

    def refuse(self, database: Database, address: str, reason: str, source: str) -> None:
        """Write down that a mail was refused."""
        with database.write() as conn:
            strays.count(conn, source, reason, address)

    def take(self, database: Database, raw: bytes, sender: str | None, recipient: str, source: str) -> Taken:
        """Read a mail and keep what it says, in one transaction. What it raises is the database's."""
        with database.write() as conn:
            return self.take_in(conn, raw, sender, recipient, source)

    def again(self, conn: Connection, number: int) -> Taken:
        """Take a stray mail in again, as an operator who has looked at it asks: what it names is believed. Raises NotFound."""
        kept = strays.get(conn, number)
        taken = self.take_in(conn, kept.raw, kept.sender, kept.recipient, kept.source, believed=True)
        if taken.status != "stray":
            strays.drop(conn, number)
        return taken

    def take_in(
        self, conn: Connection, raw: bytes, sender: str | None, recipient: str, source: str, *, believed: bool = False
    ) -> Taken:
        """As `take`, in the caller's transaction. `believed`: it needs to prove nothing."""
        read = self._reader.read(raw, recipient, sender, source, believed=believed)
        if isinstance(read, Stray):
            return self._stray(conn, raw, read.reason, sender, recipient, source)
        if not read:
            strays.count(conn, source, "a report that asks for nothing", recipient)
            return Taken("nothing", "a report that asks for nothing")
        (event,) = read
        outcome = self._keeping.keep(conn, event)
        said = f"email.{event.what} of {event.key or event.recipient}"
        if outcome == "kept" or outcome == "repeat":  # noqa: PLR1714  # a type checker narrows this form alone
            return Taken(outcome, said)
        if event.key is None:
            reason = "nobody has the address that it came from"
        elif event.signed:
            reason = f"the send {event.key} is no longer kept"
        else:
            reason = f"it names the send {event.key}, and neither proves it nor comes from its address"
        return self._stray(conn, raw, reason, sender, recipient, source)

    def _stray(
        self, conn: Connection, raw: bytes, reason: str, sender: str | None, recipient: str, source: str
    ) -> Taken:
        strays.keep(conn, raw, reason, source=source, sender=sender, recipient=recipient, days=self._days)
        return Taken("stray", reason)
