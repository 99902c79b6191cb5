"""Reads a raw mail into what it says of our sends. Nothing that anybody can send raises here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from engine.links import ForgedLink, Links
from engine.mail import automatic, bounces, complaints, replies
from engine.mail.event import MailEvent, What
from engine.mail.evidence import Evidence, find
from engine.mail.message import Mail
from engine.trials import PATTERN

__all__ = ["Reader", "Stray", "read_local"]

_TOKEN = re.compile(rf"(?:\d{{1,19}}-\d{{1,9}}-\d{{1,3}}|{PATTERN})\.[A-Za-z0-9_-]{{16}}")
"""A send's key, or a test mail's, which is no send's: by that nobody is unsubscribed."""
_OPT_OUT = {"opt-out", "opt-out-list", "unsubscribe"}


@dataclass(frozen=True, slots=True)
class Stray:
    """A mail that can't be put to any send, and why; it is kept for a person to look at."""

    reason: str


def read_local(address: str) -> str:
    """The local part of an address, as we made it: only the word before `+` is in small letters."""
    return address.strip().strip("<>").rpartition("@")[0]


class Reader:
    """Reads mails with the project's keys and domains."""

    def __init__(self, links: Links, domains: frozenset[str]) -> None:
        self._links = links
        self._domains = domains

    def read(
        self, raw: bytes, to: str, envelope_from: str | None, source: str, *, believed: bool = False
    ) -> Sequence[MailEvent] | Stray:
        """What a mail to one of our addresses says; an empty list where it says nothing that matters.

        `envelope_from` is its SMTP sender, "" for the null sender, None where that isn't known.
        `believed`: the send that it names needs no proof.
        """
        mail = Mail(raw)
        local = read_local(to)
        evidence = find(mail, local, self._links, self._domains)
        if evidence is not None and believed:
            evidence = replace(evidence, signed=True)
        mark = sha256(mail.id.encode("utf-8", "replace") if mail.id else raw).hexdigest()[:32]
        reports = bounces.read_report(mail)
        if reports:
            return self._reported(reports, evidence, source, mark)
        complaint = complaints.read_complaint(mail)
        if complaint is not None:
            return self._complained(complaint, evidence, source, mark)
        word = local.lower().partition("+")[0]
        if word == "unsubscribe":
            return self._unsubscribed(mail, source, mark, envelope_from)
        return self._free(mail, word == "bounce", evidence, source, mark, envelope_from)

    def _free(
        self, mail: Mail, to_bounces: bool, evidence: Evidence | None, source: str, mark: str, envelope_from: str | None
    ) -> Sequence[MailEvent] | Stray:
        """A mail of no standard's form: a bounce of some server's own, a machine's reply, or a person's."""
        kind = automatic.automatic(mail, envelope_from)
        daemon = automatic.is_daemon(mail, envelope_from)
        if daemon or (to_bounces and kind is None):
            unusual = bounces.read_unusual(mail)
            if unusual is not None:
                return self._reported([unusual], evidence, source, mark)
        if kind is not None:
            return self._automatic(mail, kind, evidence, source, mark)
        if to_bounces:
            return Stray("neither a bounce nor an automatic reply can be read in it")
        return self._replied(mail, evidence, source, mark)

    def _reported(
        self, reports: Sequence[bounces.Report], evidence: Evidence | None, source: str, mark: str
    ) -> Sequence[MailEvent] | Stray:
        if evidence is None:
            return Stray("a delivery report that names no send of ours")
        # A mail of ours has one recipient; a forwarder may report on several: the worst word is what counts
        report = next((each for each in reports if each.what == "bounced"), reports[0])
        event = MailEvent(
            report.what,
            mark,
            source,
            evidence.key,
            evidence.signed,
            report.recipient,
            kind=report.kind,
            code=report.code,
            detail=report.words or None,
        )
        return [event]

    def _complained(
        self, complaint: complaints.Complaint, evidence: Evidence | None, source: str, mark: str
    ) -> Sequence[MailEvent] | Stray:
        if complaint.feedback == "not-spam":
            return []
        if evidence is None or not evidence.signed:
            return Stray("a complaint in which nothing is signed by us")
        what: What = "unsubscribed" if complaint.feedback in _OPT_OUT else "complained"
        words = f"{complaint.feedback}, told by {complaint.agent}" if complaint.agent else complaint.feedback
        return [
            MailEvent(what, mark, source, evidence.key, signed=True, recipient=complaint.recipient, detail=words[:200])
        ]

    def _unsubscribed(
        self, mail: Mail, source: str, mark: str, envelope_from: str | None
    ) -> Sequence[MailEvent] | Stray:
        for token in _TOKEN.findall(f"{mail.header('Subject')} {mail.text()[:2000]}"):
            try:
                key = self._links.read_unsubscribe(token)
            except ForgedLink:
                continue
            return [MailEvent("unsubscribed", mark, source, key, signed=True)]
        if automatic.automatic(mail, envelope_from) is not None or not mail.sender:
            return Stray("a mail to unsubscribe@ without a token, and not written by a person")
        return [MailEvent("unsubscribed", mark, source, recipient=mail.sender)]

    def _automatic(
        self, mail: Mail, kind: str, evidence: Evidence | None, source: str, mark: str
    ) -> Sequence[MailEvent] | Stray:
        if evidence is None:
            return Stray(f"{kind}, of no send of ours")
        by = mail.sender or None
        return [MailEvent("auto_replied", mark, source, evidence.key, evidence.signed, recipient=by, detail=kind)]

    def _replied(self, mail: Mail, evidence: Evidence | None, source: str, mark: str) -> Sequence[MailEvent] | Stray:
        reply = replies.read_reply(mail)
        if reply.stops:
            return [_by(MailEvent("unsubscribed", mark, source, recipient=mail.sender or None), evidence)]
        if evidence is None:
            return Stray("a mail that answers no send of ours")
        payload = {"text": reply.text, "keyword": reply.keyword}
        if reply.language is not None:
            payload["language"] = reply.language
        return [
            MailEvent(
                "replied", mark, source, evidence.key, evidence.signed, recipient=mail.sender or None, payload=payload
            )
        ]


def _by(event: MailEvent, evidence: Evidence | None) -> MailEvent:
    return event if evidence is None else replace(event, key=evidence.key, signed=evidence.signed)
