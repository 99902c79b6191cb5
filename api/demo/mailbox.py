"""A mailbox: what a customer's mail program sees in a mail that came, and nothing else."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import parseaddr
from pathlib import Path

__all__ = ["Mail", "Mailbox", "links_in", "message_key", "read_mail"]

_HREF = re.compile(r'href="(https?://[^"]+)"')
_PIXEL = re.compile(r'src="(https?://[^"]+/o/[^"]+)"')
_URL = re.compile(r"https?://[^\s<>\"]+")
_TOKEN = re.compile(r"/[cou]/([A-Za-z0-9_-]{1,80}?)\.(?:\d{1,3}\.)?[A-Za-z0-9_-]{16}(?:\.gif)?$")


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as read: addresses in it by what they are for. `clicks` are the tracked links, in order."""

    to: str
    subject: str
    clicks: tuple[str, ...]
    pixel: str | None
    unsubscribe: str | None
    feed: str | None


class Mailbox:
    """A folder of .eml files; `new` gives those which came since the last look."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: set[str] = set()

    def new(self) -> list[Path]:
        """The files that came, by name. One that is still being written is not named .eml yet."""
        if not self.folder.is_dir():
            return []
        names = {path.name for path in self.folder.iterdir() if path.suffix == ".eml"} - self._seen
        self._seen |= names
        return [self.folder / name for name in sorted(names)]


def read_mail(raw: bytes) -> Mail:
    """Read a mail: its HTML part's addresses, and the one-click address of its List-Unsubscribe header (RFC 8058)."""
    message = message_from_bytes(raw, policy=policy.compat32)  # a fifth of the time of the newer policy
    text = ""
    for part in message.walk():
        if part.get_content_type() == "text/html":
            body = part.get_payload(decode=True)
            text = body.decode() if isinstance(body, bytes) else ""
    hrefs = [html.unescape(found) for found in _HREF.findall(text)]
    pixel = _PIXEL.search(text)
    once = _URL.search(str(message.get("List-Unsubscribe", "")))
    return Mail(
        to=parseaddr(str(message.get("To", "")))[1],
        subject=str(make_header(decode_header(str(message.get("Subject", ""))))),
        clicks=tuple(dict.fromkeys(url for url in hrefs if "/c/" in url)),
        pixel=html.unescape(pixel[1]) if pixel is not None else None,
        unsubscribe=once[0] if once is not None else None,
        feed=next((url for url in hrefs if "/f/" in url), None),
    )


def links_in(text: str) -> list[str]:
    """The addresses in a text message."""
    return [url.rstrip(".,;") for url in _URL.findall(text)]


def message_key(url: str) -> str:
    """The message's key within a tracked address: for the ledger alone, no customer reads it."""
    found = _TOKEN.search(url)
    return found[1] if found is not None else ""
