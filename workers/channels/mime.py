"""A mail's bytes: headers that nothing can be smuggled into, the two readings of the body, and the files that it carries.

It is put together by hand: the standard library's way takes ten times as long. The parts nest as RFC 2046 and 2387 have it:
mixed (attachments) around related (pictures) around alternative (text, HTML), and only as deep as there is something.
"""

from __future__ import annotations

import re
from binascii import b2a_base64, b2a_qp
from collections.abc import Sequence
from dataclasses import dataclass
from email.charset import SHORTEST, Charset
from email.header import Header
from email.utils import encode_rfc2231, format_datetime, formataddr, parseaddr
from functools import lru_cache
from hashlib import sha256

from engine.links import Links
from engine.mail.providers.marks import marks
from engine.outgoing import CarriedFile, Content, Outgoing
from engine.settings import Settings

__all__ = ["Sender", "mail_bytes"]

_LONGEST = 900  # RFC 5322 ends a line at 998
_LINE = 76  # RFC 2045, 6.8
_FOLDED = 75  # RFC 2047, 2: so long may an encoded word be
_FOLD = "\r\n"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who mails are from, where what comes back to them goes, and what a provider is told of them."""

    name: str
    address: str
    back: str
    """The domain of return paths, and of the address that unsubscribes."""
    answered: bool
    """Whether replies go there too; else to the sender's own mailbox, which may be a person's."""
    marks: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, settings: Settings) -> Sender:
        """From `Name <local@domain>`, and the domain of mail that comes back. Raises ValueError for what is neither."""
        name, address = parseaddr(settings.mail_from)
        if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", address) or not address.isascii():
            raise ValueError(f"PARCOURS_MAIL_FROM is like 'Name <local@domain>', not {settings.mail_from!r}")
        back = settings.mail_in_domain.lower()
        if back and not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", back):
            raise ValueError(f"PARCOURS_MAIL_IN_DOMAIN is like 'back.example.com', not {settings.mail_in_domain!r}")
        return cls(name, address, back or address.rpartition("@")[2], bool(back), marks(settings))

    @property
    def domain(self) -> str:
        """The domain of Message-IDs and lists."""
        return self.address.rpartition("@")[2]


def mail_bytes(
    message: Outgoing, sender: Sender, links: Links, content: Content | None = None, *, test: bool = False
) -> bytes:
    """The mail with CRLF line ends. Marketing carries RFC 8058's one-click unsubscribing and its list's name.

    `content`: where the message has none of its own yet.
    `test`: a mail to whoever writes it, which says so. It has its list's headers, for mailbox providers to be tried out with; its key
    is no send's, so they unsubscribe nobody.
    """
    content = content or message.content
    recipient = message.recipient
    name = f"{recipient.first_name} {recipient.last_name}"
    domain = sender.domain
    headers = [
        ("From", _mailbox("From", sender.name, sender.address)),
        ("To", _mailbox("To", name, message.address)),
        ("Subject", _text("Subject", content.title)),
        ("Date", format_datetime(message.at)),
        ("Message-ID", f"<{message.key}@{domain}>"),
        ("MIME-Version", "1.0"),
    ]
    if test:
        headers += [
            ("Auto-Submitted", "auto-generated"),
            ("X-Parcours-Test", f"{_label(message.journey)}.{_label(message.state)}"),
        ]
    if message.purpose == "marketing":
        token = links.unsubscribe_token(message.key)
        once, mail = links.unsubscribe_by(token), f"unsubscribe@{sender.back}?subject={token}"
        headers += [
            ("List-Unsubscribe", f"<{once}>,\r\n <mailto:{mail}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ("List-Id", f"<{_atom(message.journey)}.{domain}>"),
        ]
    if not test:
        if sender.answered:
            reply = f"{links.reply_to(message.key)}@{sender.back}"
            headers.append(("Reply-To", _mailbox("Reply-To", sender.name, reply)))
        headers += [(header, value % message.key) for header, value in sender.marks]
    words = (message.state, message.journey, message.purpose, domain)
    headers.append(("Feedback-ID", ":".join(map(_label, words))))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return head.encode("ascii") + _body(message.key, content)


def _body(key: str, content: Content) -> bytes:
    mark = f"=_{sha256(key.encode()).hexdigest()[:32]}"
    body = _multipart("alternative", f"{mark}a", (_plain(content.text), _html(content.html)))
    pictures = [_file(each) for each in content.files if each.content_id]
    if pictures:
        body = _multipart('related; type="multipart/alternative"', f"{mark}r", (body, *pictures))
    attached = [_file(each) for each in content.files if not each.content_id]
    return _multipart("mixed", f"{mark}m", (body, *attached)) if attached else body


def _multipart(kind: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    mark = boundary.encode()
    head = f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    return head + b"".join(b"--%s\r\n%s\r\n" % (mark, part) for part in parts) + b"--%s--\r\n" % mark


def _plain(text: str) -> bytes:
    raw = _lines(text).encode("utf-8", "replace")
    return _encoded("plain", raw, as_it_is=text.isascii() and _travels(raw))


def _html(page: str) -> bytes:
    """HTML says every letter in ASCII, so a mail need not be encoded; but for what stands in a style sheet."""
    page = _lines(page)
    raw = page.encode("ascii", "xmlcharrefreplace")
    if _travels(raw) and (page.isascii() or not (_C1.search(raw) or _in_sheets(raw))):
        return _encoded("html", raw, as_it_is=True)
    return _encoded("html", page.encode("utf-8", "replace"), as_it_is=False)


def _in_sheets(raw: bytes) -> bool:
    """Whether a letter's number stands in a style sheet, which doesn't read them."""
    small, end = raw.lower(), 0
    while (start := small.find(b"<style", end)) >= 0:
        end = small.find(b"</style>", start)
        if end < 0:  # it is never closed
            end = len(small)
        if small.find(b"&#", start, end) >= 0:
            return True
    return False


_C1 = re.compile(rb"&#1(?:2[89]|[345]\d);")  # HTML reads these numbers as other letters: &#133; is an ellipsis
_PRINTED = bytes((9, 10, *range(32, 127)))


def _lines(text: str) -> str:
    """With line feeds alone: a stray carriage return is where mail servers disagree about a line's end."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _travels(raw: bytes) -> bool:
    """Whether every server passes it on as it is (RFC 2045, 2.7)."""
    return not raw.translate(None, _PRINTED) and _has_short_lines(raw)


def _has_short_lines(raw: bytes) -> bool:
    at, last = 0, len(raw) - _LONGEST
    while at < last:  # from the last line's end within reach to the next, not from line to line
        end = raw.rfind(b"\n", at, at + _LONGEST + 1)
        if end < 0:
            return False
        at = end + 1
    return True


def _encoded(kind: str, raw: bytes, *, as_it_is: bool) -> bytes:
    how = "7bit" if as_it_is else "quoted-printable"
    head = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: {how}\r\n\r\n".encode()
    return head + (raw if as_it_is else b2a_qp(raw, istext=True)).replace(b"\n", b"\r\n")


@lru_cache(maxsize=64)
def _file(file: CarriedFile) -> bytes:
    """A file's part; the same for everyone, so it is made once."""
    name = _filename(file.name)
    if file.content_id:
        head = f"Content-ID: <{file.content_id}>\r\nContent-Disposition: inline;\r\n filename{name}\r\n"
    else:
        head = f"Content-Disposition: attachment;\r\n filename{name}\r\n"
    code = b2a_base64(file.data, newline=False)
    lines = b"\r\n".join(code[at : at + _LINE] for at in range(0, len(code), _LINE))
    return f"Content-Type: {file.type}\r\n{head}Content-Transfer-Encoding: base64\r\n\r\n".encode("ascii") + lines


def _filename(name: str) -> str:
    """RFC 2183 and 2231: `="terms.pdf"`, or what is not ASCII, percent-encoded."""
    if re.fullmatch(r"[A-Za-z0-9 ._()+-]+", name):
        return f'="{name}"'
    return f"*={encode_rfc2231(name, 'utf-8')}"


_UTF8 = Charset("utf-8")
_UTF8.header_encoding = SHORTEST  # ours alone: apprise sets another for the whole process, three times as long


def _mailbox(header: str, name: str, address: str) -> str:
    """A name, in quotes or in encoded words, and its address."""
    name = _clean(name)
    if name.isascii() and "=?" not in name:
        return formataddr((name, address))
    return f"{_words(header, name)} <{address}>"


def _words(header: str, text: str) -> str:
    """Encoded words, folded: RFC 2047, 2 has them of 75 letters at most, and a fold begins with a blank."""
    word = _UTF8.header_encode(text)  # a name is one word mostly, and to look for folds takes longer than all else here
    if len(header) + len(": ") + len(word) <= _FOLDED:
        return word
    return Header(text, _UTF8, maxlinelen=_FOLDED, header_name=header).encode(linesep=_FOLD)


def _clean(text: str) -> str:
    if not text.isprintable():
        text = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(text.split())[:200]


def _text(header: str, value: str) -> str:
    value = " ".join(value.split())[:_LONGEST]
    if value.isascii() and value.isprintable() and "=?" not in value:
        return value
    value = "".join(each for each in value if each.isprintable() or each in "\u200c\u200d\u200e\u200f")
    return _words(header, value)


@lru_cache(maxsize=1024)
def _label(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:60] or "-"


def _atom(text: str) -> str:
    """A label of a List-Id (RFC 2919, 3): letters, digits, `_` and `-`, with dots between them alone."""
    return re.sub(r"\.{2,}", ".", _label(text)).strip(".") or "-"
