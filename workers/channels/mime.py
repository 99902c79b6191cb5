"""A mail's bytes: headers that nothing can be smuggled into, and the two readings of the body."""

from __future__ import annotations

import re
from binascii import b2a_qp
from dataclasses import dataclass
from email.header import Header
from email.utils import format_datetime, formataddr, parseaddr
from hashlib import sha256

from engine.links import Links
from engine.outgoing import Outgoing

__all__ = ["Sender", "mail_bytes"]

_LONGEST = 900  # RFC 5322 ends a line at 998


@dataclass(frozen=True, slots=True)
class Sender:
    """Who mails are from: name, address, and the domain that Message-IDs and return paths are in."""

    name: str
    address: str

    @classmethod
    def of(cls, mail_from: str) -> Sender:
        """From `Name <local@domain>`. Raises ValueError if there is no address in it."""
        name, address = parseaddr(mail_from)
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", address):
            raise ValueError(f"PARCOURS_MAIL_FROM is like 'Name <local@domain>', not {mail_from!r}")
        return cls(name, address)

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


def mail_bytes(message: Outgoing, sender: Sender, links: Links) -> bytes:
    """The mail with CRLF line ends. Marketing carries RFC 8058's one-click unsubscribing and its list's name."""
    recipient = message.recipient
    name = f"{recipient.first_name} {recipient.last_name}"
    domain = sender.domain
    headers = [
        ("From", formataddr((_clean(sender.name), sender.address))),
        ("To", formataddr((_clean(name), message.address))),
        ("Subject", _text("Subject", message.content.title)),
        ("Date", format_datetime(message.at)),
        ("Message-ID", f"<{message.key}@{domain}>"),
        ("MIME-Version", "1.0"),
    ]
    if message.purpose == "marketing":
        once, mail = links.unsubscribe(message.key), links.unsubscribe_token(message.key)
        headers += [
            ("List-Unsubscribe", f"<{once}>,\r\n <mailto:unsubscribe@{domain}?subject={mail}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ("List-Id", f"<{_label(message.journey)}.{domain}>"),
        ]
    headers.append(("Feedback-ID", ":".join(map(_label, (message.state, message.journey, message.purpose, domain)))))
    boundary = f"=_{sha256(message.key.encode()).hexdigest()[:32]}"
    headers.append(("Content-Type", f'multipart/alternative;\r\n boundary="{boundary}"'))
    lines = [f"{name}: {value}" for name, value in headers]
    parts = [_part("plain", message.content.text), _part("html", message.content.html)]
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts)
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body + b"--%s--\r\n" % boundary.encode()


def _part(kind: str, text: str) -> bytes:
    encoded = b2a_qp(text.replace("\r\n", "\n").encode("utf-8", "replace"), istext=True).replace(b"\n", b"\r\n")
    head = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return head.encode() + encoded


def _clean(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:200]


def _text(header: str, value: str) -> str:
    value = " ".join(value.split())[:_LONGEST]
    if value.isascii() and value.isprintable() and "=?" not in value:
        return value
    value = "".join(each for each in value if each.isprintable() or each in "\u200c\u200d\u200e\u200f")
    return Header(value, "utf-8", header_name=header).encode(linesep="\r\n")


def _label(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:60] or "-"
