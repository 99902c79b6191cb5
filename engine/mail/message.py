"""A mail as it came, read so that nothing in it can raise: broken MIME, wrong charsets, 8-bit junk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from email import message_from_bytes, policy
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from typing import cast

from inscriptis import get_text  # pyright: ignore[reportMissingTypeStubs]

from engine.mail.event import clean

__all__ = ["Mail", "addresses", "enclosed", "header", "text_of"]

_PARTS = 200
_NESTED = 200
_TEXT = 200_000
_HEADER = 8_000  # characters: of hundreds of thousands, decoding takes minutes
_BROKEN = (ValueError, LookupError, TypeError, AttributeError, AssertionError, MessageError)


class Mail:
    """A raw mail, parsed: headers as text, and its parts. What can't be read is empty, never an error."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.message = _parsed(raw)

    def header(self, name: str) -> str:
        """A header's text, decoded, on one line; empty if there is none."""
        return header(self.message, name)

    @property
    def sender(self) -> str:
        """The address in From, in small letters; empty if there is none."""
        return next(addresses(self.header("From")), "").lower()

    @property
    def id(self) -> str:
        """Its own Message-ID; empty if it has none."""
        return self.header("Message-ID").strip("<> ")

    @property
    def kind(self) -> str:
        """Its content type, in small letters."""
        return self.message.get_content_type()

    def parts(self) -> Iterator[Message]:
        """Every part, the mail itself first, into mails within it; at most 200."""
        todo = [self.message]
        for _ in range(_PARTS):
            if not todo:
                return
            part = todo.pop(0)
            yield part
            todo[:0] = enclosed(part)

    def part(self, kind: str) -> Message | None:
        """The first part of a content type."""
        return next((part for part in self.parts() if part.get_content_type() == kind), None)

    def text(self) -> str:
        """What it says to its reader: its first text part, else its HTML without the tags; not of mails within it."""
        html = ""
        for part in _own(self.message):
            if part.get_filename() is not None:
                continue
            if part.get_content_type() == "text/plain":
                found = text_of(part)
                if found.strip():
                    return found
            elif part.get_content_type() == "text/html" and not html:
                html = text_of(part)
        return _plain(html) if html else ""


def _parsed(raw: bytes) -> Message:
    """Parsed by the old policy: the modern one's header parser raises on some of what the world sends.

    Of a mail with hundreds of parts within parts, which takes the parser minutes, the headers alone are read.
    """
    if raw.count(b"multipart/") <= _NESTED:
        with suppress(RecursionError, *_BROKEN):
            return message_from_bytes(raw, policy=policy.compat32)
    return BytesHeaderParser(policy=policy.compat32).parsebytes(raw)


def enclosed(part: Message) -> list[Message]:
    """The parts within a part; none if it holds text or bytes."""
    return cast("list[Message]", part.get_payload()) if part.is_multipart() else []


def header(part: Message, name: str) -> str:
    """A header of a part, decoded, on one line; 8-bit text, which no standard allows, as UTF-8 or Latin-1."""
    wanted = name.lower()
    text = next((value for each, value in part.raw_items() if each.lower() == wanted), None)
    if text is None:
        return ""
    raw = text[:_HEADER].encode("utf-8", "surrogateescape")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    with suppress(*_BROKEN):  # an unknown charset, broken base64: as it came
        text = "".join(_decoded(piece, charset) for piece, charset in decode_header(text))
    return clean(" ".join(text.split()), 2000)


def addresses(text: str) -> Iterator[str]:
    """The addresses in a header's text; none, where comments stand in comments without an end."""
    with suppress(RecursionError, *_BROKEN):
        yield from (address.strip() for _, address in getaddresses([text]) if address.strip())


def _decoded(piece: bytes | str, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    try:
        return piece.decode(charset or "latin-1")
    except (LookupError, ValueError):
        return piece.decode("latin-1")


def text_of(part: Message) -> str:
    """A text part as text: by its charset, else UTF-8, else Latin-1, which reads anything."""
    try:
        payload = part.get_payload(decode=True)
    except _BROKEN:
        payload = None
    raw = payload if isinstance(payload, bytes) else str(part.get_payload()).encode("utf-8", "replace")
    for charset in (_charset(part), "utf-8"):
        try:
            return clean(raw.decode(charset), _TEXT)
        except (LookupError, ValueError):
            continue
    return clean(raw.decode("latin-1"), _TEXT)


def _charset(part: Message) -> str:
    try:
        return part.get_content_charset() or "utf-8"
    except _BROKEN:
        return "utf-8"


def _own(part: Message) -> Iterator[Message]:
    """The parts of a mail, but not of the mails that it encloses."""
    if part.get_content_maintype() == "message":
        return
    if not part.is_multipart():
        yield part
    for each in enclosed(part)[:_PARTS]:
        yield from _own(each)


def _plain(html: str) -> str:
    try:
        return clean(get_text(html), _TEXT)
    except (*_BROKEN, RecursionError):  # lxml on what is no HTML at all
        return clean(re.sub(r"<[^>]*>", " ", html), _TEXT)
