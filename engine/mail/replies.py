"""What she wrote: a reply without what she quoted, its first word, its language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mailparser_reply.constants import (  # pyright: ignore[reportMissingTypeStubs]
    OUTLOOK_MAIL_SEPARATOR,  # pyright: ignore[reportUnknownVariableType]
)
from mailparser_reply.parser import EmailMessage  # pyright: ignore[reportMissingTypeStubs]

from dsl.replies import first_word
from engine.mail.event import clean
from engine.mail.message import Mail
from engine.sms.keywords import asked

__all__ = ["Reply", "read_reply"]

_LANGUAGES = ("en", "de", "fr", "it", "es", "nl", "pl", "sv", "da", "cs", "ja", "zh", "ko")
_SEPARATOR = re.compile(rf"([^\n]){OUTLOOK_MAIL_SEPARATOR}")
_SEPARATORS = 8
_LINES = 300
_LINE = 1000
_TEXT = 10_000
_FEW = 3


@dataclass(frozen=True, slots=True)
class Reply:
    """`text` may be empty: she answered with nothing but what she quoted."""

    text: str
    keyword: str
    language: str | None
    stops: bool
    """The whole of it asks for no more mail: STOP, unsubscribe, désabonner …"""


def read_reply(mail: Mail) -> Reply:
    """Read what a person wrote in a mail."""
    text = _visible(mail.text())
    return Reply(
        text=text,
        keyword=first_word(text),
        language=_language(mail.header("Content-Language")),
        stops=_stops(text),
    )


def _visible(text: str) -> str:
    """Without the quote. Long lines and long texts are cut first: the library's patterns take their time on those."""
    lines = [line[:_LINE] for line in text.split("\n")[:_LINES]]
    try:
        newest = _Message(text="\n".join(lines)[:_TEXT], languages=list(_LANGUAGES)).read().replies[0]
        found = newest.body or newest.content  # without the signature, unless that is all there is
    except Exception:  # noqa: BLE001  # whatever a library's patterns do with a mail, or Python warns of: it is read without
        found = None
    if found is None:
        found = "\n".join(line for line in lines if not line.lstrip().startswith(">"))
    return clean(str(found), _TEXT)


class _Message(EmailMessage):
    """The library's reading of a text, its lines made even without the call that Python 3.13 warns of."""

    text: str
    read: Any  # it has no types

    def _normalize_text(self) -> None:
        even = "\n".join(line.strip() for line in self.text.replace("\r\n", "\n").split("\n"))
        self.text = _SEPARATOR.sub(r"\1" "\n", even, count=_SEPARATORS)


def _stops(text: str) -> bool:
    """Whether it says no more than STOP, and maybe a name. In front of "please", `Stop by on Monday` is no wish of its own."""
    first, _, rest = text.partition("\n")
    return len(rest.split()) <= _FEW and asked(f"please {first}") == "stop"


def _language(header: str) -> str | None:
    found = re.match(r"\s*([A-Za-z]{2,3})\b", header)
    return found[1].lower() if found is not None else None
