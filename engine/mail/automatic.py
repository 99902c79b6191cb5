"""Mail that no person wrote: automatic replies (RFC 3834), receipts, lists, and challenges. Never an answer."""

from __future__ import annotations

import re
from typing import Literal

from engine.mail.message import Mail

__all__ = ["Automatic", "automatic", "is_daemon"]

Automatic = Literal["auto reply", "challenge", "receipt", "list"]

_DAEMON = re.compile(
    r"(?:mailer-daemon|postmaster|mail-?daemon|mdaemon|double-bounce|abuse|mail delivery (?:sub)?system)(?:@|$)",
    re.IGNORECASE,
)
_NOBODY = re.compile(
    r"(?:no-?reply|do-?not-?reply|auto-?(?:reply|responder?|matic)|notifications?)[^@]*@", re.IGNORECASE
)
_HEADERS = (
    "X-Autoreply",
    "X-Autorespond",
    "X-Autoresponder",
    "X-AutoReply-From",
    "X-Auto-Reply",
    "X-Auto-Response-Id",
    "X-Mail-Autoreply",
    "X-FC-MachineGenerated",
    "X-Cron-Env",
)
_PRECEDENCE = {"auto_reply", "auto-reply", "bulk", "junk", "list"}
_CHALLENGE_HEADERS = ("X-TMDA-Fingerprint", "X-Spamarrest-Challenge", "X-Boxbe-Challenge", "X-Challenge-Response")
_CHALLENGE = re.compile(
    r"\(conf#|please (?:verify|confirm) (?:your|that you|you)|verification required|confirm (?:your )?(?:e-?mail|message|delivery)|"
    r"approve (?:this|your) sender|are you (?:a )?human|spam ?arrest|boxbe|action required to deliver",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"^(?:auto(?:matic)?[\s_-]*(?:reply|response|answer)\b|auto\s*:|automatically generated|out of (?:the )?office|ooo\b|"
    r"away from (?:the )?office|"
    r"on vacation|vacation (?:reply|response)|réponse automatique|reponse automatique|absence du bureau|message d'absence|absent\b|"
    r"abwesenheits|abwesend|automatische (?:antwort|rückmeldung)|respuesta automática|respuesta automatica|fuera de (?:la )?oficina|"
    r"risposta automatica|fuori (?:sede|ufficio)|assente\b|resposta automática|automatisch antwoord|afwezig|autosvar|automaattinen|"
    r"odpowiedź automatyczna|自動返信|自动回复)",
    re.IGNORECASE,
)


def automatic(mail: Mail, envelope_from: str | None) -> Automatic | None:
    """What kind of automatic mail this is; None if a person seems to have written it.

    `envelope_from` is the SMTP sender: "" (the null sender) is how automatic mail is to be sent; None if it isn't known.
    """
    if any(mail.header(name) for name in _CHALLENGE_HEADERS):
        return "challenge"
    by_machine = _by_machine(mail, envelope_from)
    if by_machine and _CHALLENGE.search(mail.header("Subject")):
        return "challenge"
    if mail.part("message/disposition-notification") is not None:
        return "receipt"
    if mail.header("List-Id") or mail.header("List-Unsubscribe") or mail.header("Precedence").lower() == "list":
        return "list"
    return "auto reply" if by_machine else None


def is_daemon(mail: Mail, envelope_from: str | None) -> bool:
    """Whether a mail system wrote it: the null sender, or a name that such systems have."""
    return envelope_from in {"", "<>"} or _DAEMON.match(mail.sender) is not None


def _by_machine(mail: Mail, envelope_from: str | None) -> bool:
    submitted = mail.header("Auto-Submitted").lower()
    return (
        (submitted != "" and not submitted.startswith("no"))
        or any(mail.header(name) for name in _HEADERS)
        or mail.header("Precedence").lower() in _PRECEDENCE
        or mail.header("Return-Path") == "<>"
        or is_daemon(mail, envelope_from)
        or _NOBODY.match(mail.sender) is not None
        or _SUBJECT.match(mail.header("Subject")) is not None
    )
