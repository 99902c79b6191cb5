"""What a webhook told: events, raw mails, and what was passed over; and how a provider names our send."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.links import ForgedLink, Links
from engine.machines import looker
from engine.mail.event import MailEvent
from engine.mail.evidence import message_key

__all__ = ["BadSignature", "Inbound", "Names", "Told", "human"]

_KEY = re.compile(r"\d{1,19}-\d{1,9}-\d{1,3}")


class BadSignature(ValueError):
    """A webhook that is not the provider's, or is too old; the text says why."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A raw mail that a provider took for us."""

    raw: bytes
    sender: str | None
    recipient: str


@dataclass(frozen=True, slots=True)
class Told:
    """`passed`: names of events that say nothing to us; they are counted."""

    events: Sequence[MailEvent] = ()
    passed: Sequence[str] = ()
    mails: Sequence[Inbound] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """Finds our key in what a provider says: our own field, the return path, our Message-ID. None: go by the recipient."""

    links: Links
    domains: frozenset[str]

    def key(self, *, own: str = "", path: str = "", message_id: str = "") -> str | None:
        if _KEY.fullmatch(own):
            return own
        try:
            return self.links.read_return_path(path.strip().strip("<>").rpartition("@")[0])
        except ForgedLink:
            return message_key(message_id, self.domains)


def human(agent: str, *, machine: bool = False) -> dict[str, object]:
    """The payload of an open that a provider saw: whether a person did it, as far as can be told."""
    seen = looker(agent) if agent else None
    if machine or (seen is not None and seen.kind == "machine"):
        return {"human": False, "by": seen.by if seen is not None and seen.by else "a machine, as the provider has it"}
    if seen is None or seen.kind == "proxy":
        return {"human": False, "by": seen.by if seen is not None else "unknown"}
    return {"human": True}
