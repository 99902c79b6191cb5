"""Status codes: whether a failure is the address's for good, its for now, or none of its doing.

By the enhanced code (RFC 3463, with what IANA's registry added: RFC 5248, 7293, 7505), then by the words of servers that give
none or a wrong one. The tables below are the documented rule (docs/email-in.md).
"""

from __future__ import annotations

import re

from engine.mail.event import Kind

__all__ = ["HARD", "OURS", "SOFT", "enhanced", "kind_of"]

HARD = {
    "5.1.0": "address rejected",
    "5.1.1": "no such mailbox",
    "5.1.2": "no such domain",
    "5.1.3": "not an address",
    "5.1.4": "the address is of several mailboxes",
    "5.1.6": "the mailbox has moved",
    "5.1.9": "the address takes mail no longer",
    "5.1.10": "the domain takes no mail (RFC 7505)",
    "5.2.1": "the mailbox is disabled",
    "5.4.4": "the domain has no mail server",
    "5.7.13": "the account is disabled (RFC 5248)",
    "5.7.17": "the mailbox has a new owner (RFC 7293)",
    "5.7.18": "the domain has a new owner (RFC 7293)",
}
"""The address is dead: it is suppressed at once."""

SOFT = {
    "5.2.0": "trouble with the mailbox",
    "5.2.2": "the mailbox is full",
    "5.2.4": "the mailing list behind it failed",
    "5.3": "trouble of the receiving system",
    "5.4": "trouble on the way there",
}
"""It took no mail for now (and so does every 4.x.x): counted, and suppressed when it happens again and again."""

OURS = {
    "5.1.7": "our sender's address is not liked",
    "5.1.8": "our sender's domain is not known",
    "5.2.3": "the mail is too large for the mailbox",
    "5.3.4": "the mail is too large for the system",
    "5.5": "a fault in how mail was handed over",
    "5.6": "the mail's content can't be taken",
    "5.7": "refused by a policy: reputation, spam, authentication",
}
"""Not the address's doing: it is neither suppressed nor counted."""

_GENERIC = {"5.1.0", "5.2.0", "5.4.1", "5.5.0", "5.7.1"}
_CODE = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_BASIC = re.compile(r"(?<![\d.])([45])(\d\d)(?=[ -])")
_DEAD = re.compile(
    r"user unknown|unknown (?:user|recipient|mailbox|address)|no such (?:user|mailbox|recipient|address|person)|"
    r"(?:user|mailbox|recipient|account|address)\b[^.;]{0,60}(?:does not exist|doesn't exist|not found|not known|unknown|"
    r"is disabled|has been disabled|is inactive|no longer (?:exists|available|active|valid|in use))|"
    r"invalid (?:recipient|mailbox|address)|not a valid (?:recipient|mailbox|address)|(?:does not|doesn't) have an? .{0,30}account|"
    r"recipient address rejected: (?:access denied|user|undeliverable)|host or domain name not found|domain not found|"
    r"no mailbox here by that name|mailbox (?:unavailable|not available)|recipient rejected",
    re.IGNORECASE,
)
_FULL = re.compile(
    r"(?:mailbox|inbox|account|user|recipient)\b[^.;]{0,40}(?:full|over ?quota|exceeded)|over quota|quota exceeded|"
    r"insufficient (?:system )?storage|out of storage|temporar|try again|greylist|timed? ?out|too many|rate limit",
    re.IGNORECASE,
)
_POLICY = re.compile(
    r"\bspam\b|block(?:ed|list)|blacklist|deny ?list|reputation|policy|dmarc|\bspf\b|dkim|spamhaus|barracuda|"
    r"content (?:rejected|refused)|virus|unauthenticated|not authori[sz]ed|too large|size limit",
    re.IGNORECASE,
)


def enhanced(text: str) -> str | None:
    """The first enhanced status code in a server's words: `smtp; 550 5.1.1 <x>… unknown` has 5.1.1."""
    found = _CODE.search(text)
    return None if found is None else f"{int(found[1])}.{int(found[2])}.{int(found[3])}"


def kind_of(code: str | None, words: str = "") -> Kind:
    """What a failure means for the address: `hard`, `soft`, or `undetermined`.

    A code that says what is wrong is believed. Generic ones (`5.0.0`, `5.1.0`, `5.5.0`, none) are asked for their words:
    servers give them to dead mailboxes and to spam alike.
    """
    code = code or enhanced(words)
    by_words = _by_words(words)
    if code is None or code.startswith("2"):
        return by_words or _by_basic(words)
    if code in _GENERIC and by_words is not None:
        return by_words
    family = code.rpartition(".")[0]
    if code.startswith("4") or (family in SOFT and not {code} & {*HARD, *OURS}) or code in SOFT:
        return "soft"
    if code in HARD:
        return "hard"
    return "undetermined" if {code, family} & OURS.keys() else by_words or _by_basic(words)


def _by_words(words: str) -> Kind | None:
    """Policies first: "blocked: user unknown to our reputation service" is no dead mailbox."""
    if _POLICY.search(words):
        return "undetermined"
    if _FULL.search(words):
        return "soft"
    return "hard" if _DEAD.search(words) else None


def _by_basic(words: str) -> Kind:
    """By the reply code of RFC 5321 alone: 4xx, and 552 of old servers, will pass; 5xx says no more than no."""
    found = _BASIC.search(words)
    if found is None:
        return "undetermined"
    return "soft" if found[1] == "4" or found[0] == "552" else "undetermined"
