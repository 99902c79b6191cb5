"""Delivery reports: RFC 3464's, and those of servers that write their own (flufl.bounce knows most)."""

from __future__ import annotations

import logging
import re
from base64 import b64decode
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from quopri import decodestring
from typing import Any, Literal

import flufl.bounce  # pyright: ignore[reportMissingTypeStubs]

from engine.mail.codes import enhanced, kind_of
from engine.mail.event import Kind, clean
from engine.mail.message import Mail, enclosed, header

__all__ = ["Report", "read_report", "read_unusual"]

_flufl: Any = flufl.bounce  # it has no types
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # it logs a traceback for junk, which is everyday
_STATUS = re.compile(r"\d\.\d{1,3}\.\d{1,3}")
_ASCII = bytes(range(128)) + b"?" * 128
_GLOBAL = "message/global-delivery-status"
_RECIPIENTS = 100
_WORDS = 4000
_NESTED = 200
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Report:
    """What a delivery report says of one recipient."""

    what: Literal["bounced", "delayed", "delivered"]
    recipient: str | None
    code: str | None
    kind: Kind | None
    words: str


_ACTIONS: dict[str, Literal["bounced", "delayed", "delivered"]] = {
    "failed": "bounced",
    "delayed": "delayed",
    "delivered": "delivered",
    # "relayed" and "expanded" say that nobody will tell us more: nothing to know
}


def read_report(mail: Mail) -> list[Report]:
    """The reports in a delivery status notification (RFC 3464), of each recipient; none if it is no such mail."""
    part = mail.part("message/delivery-status") or mail.part(_GLOBAL)
    if part is None:
        return []
    return [report for block in _blocks(part) if (report := _of(block, mail)) is not None]


def read_unusual(mail: Mail) -> Report | None:
    """The report in a bounce of a form of its own; None if none can be read in it."""
    if mail.raw.count(b"multipart/") > _NESTED:
        return None
    try:
        # a header with a byte above 127 is an object that its detectors don't know
        temporary, permanent = _flufl.all_failures(message_from_bytes(mail.raw.translate(_ASCII)))
    except Exception:  # noqa: BLE001  # its detectors trip over junk in every way
        return None
    found = sorted(permanent) or sorted(temporary)
    if not found:
        return None
    words = mail.text()[:_WORDS]
    recipient = found[0].decode("utf-8", "replace") if isinstance(found[0], bytes) else str(found[0])
    code = enhanced(words)
    if not permanent:
        return Report("delayed", recipient, code, None, _short(words))
    return Report("bounced", recipient, code, kind_of(code, words), _short(words))


def _blocks(part: Message) -> list[Message]:
    """The blocks of fields: of the mail, then of each recipient. Of RFC 6533's kind, with UTF-8, the parser makes one mail."""
    inner = enclosed(part)
    if part.get_content_type() != _GLOBAL or not inner:
        return inner
    try:
        raw = inner[0].as_bytes()
        match header(part, "Content-Transfer-Encoding").lower():
            case "base64":
                raw = b64decode(raw)
            case "quoted-printable":
                raw = decodestring(raw)
            case _:
                pass
    except Exception:  # noqa: BLE001  # junk, in every way
        return inner
    return [message_from_bytes(block) for block in re.split(rb"\r?\n[ \t]*\r?\n", raw)[:_RECIPIENTS] if block.strip()]


def _of(block: Message, mail: Mail) -> Report | None:
    """One recipient's fields. The first block is of the whole mail, and has no Action."""
    what = _ACTIONS.get("".join(header(block, "Action").lower().split()[:1]))
    if what is None:
        return None
    words = re.sub(r"^smtp\s*;\s*", "", header(block, "Diagnostic-Code"), flags=re.IGNORECASE)
    status = _STATUS.search(header(block, "Status"))
    # A server in between says 5.0.0 or 5.1.1 of its own accord; what the last one said is the better word.
    code = status[0] if status is not None else None
    told = enhanced(words)
    if told is not None and (code is None or code.endswith(".0.0") or told.startswith(code[0])):
        code = told
    kind = kind_of(code, words[:_WORDS] or mail.text()[:_WORDS]) if what == "bounced" else None
    recipient = _address(header(block, "Final-Recipient")) or _address(header(block, "Original-Recipient"))
    return Report(what, recipient, code, kind, _short(words))


def _address(field: str) -> str | None:
    """`rfc822; zoe@example.com` → `zoe@example.com`."""
    address = field.rpartition(";")[2].strip().strip("<>").lower()
    return address if "@" in address else None


def _short(words: str) -> str:
    return clean(" ".join(words.split()), _SHOWN)
