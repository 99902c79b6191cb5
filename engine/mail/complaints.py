"""Complaints: reports of a mailbox provider that she called our mail spam (ARF, RFC 5965)."""

from __future__ import annotations

from dataclasses import dataclass
from email import message_from_string, policy
from email.message import Message

from engine.mail.message import Mail, addresses, enclosed, header, text_of

__all__ = ["Complaint", "read_complaint"]


@dataclass(frozen=True, slots=True)
class Complaint:
    """What was reported: `abuse`, `fraud`, `not-spam`, `opt-out` …, by whom it was received, if it says so."""

    feedback: str
    recipient: str | None
    agent: str


def read_complaint(mail: Mail) -> Complaint | None:
    """The report in a mail; None if it is none."""
    part = mail.part("message/feedback-report")
    if part is None:
        return None
    fields = _fields(part)
    recipient = header(fields, "Original-Rcpt-To") or header(fields, "Removal-Recipient")
    return Complaint(
        header(fields, "Feedback-Type").lower() or "abuse",
        next(addresses(recipient), "").lower() or None,
        header(fields, "User-Agent"),
    )


def _fields(part: Message) -> Message:
    """The report's fields. The parser takes a `message/…` part for a mail: the fields are its headers, or its text."""
    first = next(iter(enclosed(part)), part)
    if header(first, "Feedback-Type"):
        return first
    return message_from_string(text_of(first), policy=policy.compat32)
