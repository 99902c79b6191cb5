"""What a mail, or a provider's webhook, says of one of our sends: the one model that everything which comes in is read into."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

__all__ = ["Kind", "MailEvent", "What", "clean"]

What = Literal[
    "delivered",
    "delayed",
    "bounced",
    "complained",
    "replied",
    "auto_replied",
    "unsubscribed",
    "opened",
    "clicked",
    "scanned",
]
"""`delayed`: under way still. `auto_replied` and `scanned`: a machine's doing, which is never an answer."""

Kind = Literal["hard", "soft", "undetermined"]
"""Of a bounce: the address is dead; it took no mail for now; or it is something else, as our own reputation."""

_LONGEST = 500


@dataclass(frozen=True, slots=True)
class MailEvent:
    """One saying about one send. `key` names it; without, it is the newest to `recipient`."""

    what: What
    id: str
    """Of this saying: a second one of the same id is a repeat, and changes nothing."""
    source: str
    """By which way it came: `smtp`, `pipe`, `ses`, `sendgrid`, `mailgun`, `postmark`."""
    key: str | None = None
    signed: bool = False
    """Whether we know, by a signature of ours or of the provider, that it is about this key. A Message-ID can be guessed."""
    recipient: str | None = None
    """Whom the send went to, as this saying has it."""
    at: datetime | None = None
    """When it happened, on the wall clock; None: now."""
    kind: Kind | None = None
    code: str | None = None
    """The enhanced status code (RFC 3463) of a bounce or a delay, `5.1.1`."""
    detail: str | None = None
    """The receiving server's words."""
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the event carries besides: a reply's text and keyword, a click's link."""


def clean(text: str, longest: int = _LONGEST) -> str:
    """A text from outside as it can be kept: no control characters but line ends, no halves of pairs, cut to a length."""
    kept = (
        each for each in text.replace("\r\n", "\n") if each in "\n\t" or unicodedata.category(each) not in {"Cc", "Cs"}
    )
    return "".join(kept)[:longest].strip()
