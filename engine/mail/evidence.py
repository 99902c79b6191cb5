"""Which of our sends a mail is about, and whether it proves it.

A token of ours proves it: the return path that a bounce came to (VERP), the address that a reply went to, or, in what is
quoted or returned, the unsubscribe link or a tracked one. Our Message-ID names a send too, but anybody could write it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.links import ForgedLink, Links
from engine.mail.message import Mail, header, text_of

__all__ = ["Evidence", "find", "message_key"]

_KEY = r"\d{1,19}-\d{1,9}-\d{1,3}"
_MESSAGE_ID = re.compile(rf"<?({_KEY})@([A-Za-z0-9.-]+)>?")
_VERP = re.compile(rf"((?:bounce|reply)\+{_KEY}=[A-Za-z2-7]{{16}})")
_LINK = re.compile(rf"/([ucol])/({_KEY}(?:\.\d{{1,3}})?\.[A-Za-z0-9_-]{{16}})")
_UNSUBSCRIBE = re.compile(rf"subject=({_KEY}\.[A-Za-z0-9_-]{{16}})")
_LOOKED = 400_000
_MANY = 50


@dataclass(frozen=True, slots=True)
class Evidence:
    """The send, and whether it is proved."""

    key: str
    signed: bool


def find(mail: Mail, local: str, links: Links, domains: frozenset[str]) -> Evidence | None:
    """The send that a mail is about; None if it speaks of none. `local` is the local part that it came to."""
    proved = _signed(local, links)
    if proved is not None:
        return Evidence(proved, signed=True)
    named = list(_named(mail, domains))
    proofs = list(dict.fromkeys(_proofs(mail, links)))
    both = next((key for key in named if key in proofs), None)
    if both is not None or proofs:
        return Evidence(both or proofs[0], signed=True)
    return Evidence(named[0], signed=False) if named else None


def message_key(message_id: str, domains: frozenset[str]) -> str | None:
    """The key in a Message-ID of ours; None in another's."""
    found = _MESSAGE_ID.fullmatch(message_id.strip())
    return found[1] if found is not None and found[2].lower() in domains else None


def _named(mail: Mail, domains: frozenset[str]) -> Iterator[str]:
    """Keys in Message-IDs of ours: of the mail that came back, and what this one answers, the newest first."""
    answered = [mail.header("In-Reply-To"), *reversed(mail.header("References").split())]
    returned = [header(part, "Message-ID") for part in mail.parts() if part is not mail.message]
    # text/rfc822-headers has them as its text
    texts = [text_of(part) for part in mail.parts() if part.get_content_type() == "text/rfc822-headers"]
    returned += [found for text in texts for found in re.findall(r"(?im)^message-id:\s*(<[^>\s]+>)", text[:_LOOKED])]
    for given in (*returned, *answered):
        for each in given.split()[:_MANY]:
            key = message_key(each, domains)
            if key is not None:
                yield key


def _proofs(mail: Mail, links: Links) -> Iterator[str]:
    """Keys that tokens of ours in the mail prove, headers of what it encloses first."""
    for text in _texts(mail):
        for verp in _VERP.findall(text)[:_MANY]:
            yield from filter(None, [_signed(verp, links)])
        for token in _UNSUBSCRIBE.findall(text)[:_MANY]:
            yield from _read(links.read_unsubscribe, token)
        for purpose, token in _LINK.findall(text)[:_MANY]:
            match purpose:
                case "u":
                    yield from _read(links.read_unsubscribe, token)
                case "o":
                    yield from _read(links.read_open, token)
                case "c":
                    yield from _read(lambda each: links.read_click(each)[0], token)
                case _:
                    pass


def _texts(mail: Mail) -> Iterator[str]:
    yield mail.raw[:_LOOKED].decode("latin-1")
    for part in mail.parts():
        if part is not mail.message and not part.is_multipart() and part.get_content_maintype() == "text":
            yield text_of(part)[:_LOOKED]
    if not mail.message.is_multipart():
        yield text_of(mail.message)[:_LOOKED]


def _signed(local: str, links: Links) -> str | None:
    for read in (links.read_return_path, links.read_reply_to):
        try:
            return read(local)
        except ForgedLink:
            continue
    return None


def _read(read: Callable[[str], str], token: str) -> Iterator[str]:
    try:
        yield read(token)
    except ForgedLink:
        return
