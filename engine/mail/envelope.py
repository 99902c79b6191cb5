"""Whom a mail came to and from, where only the mail itself is there: a file, a pipe that was given no addresses."""

from __future__ import annotations

from dataclasses import dataclass

from engine.mail.door import Door
from engine.mail.message import Mail, addresses

__all__ = ["Envelope", "envelope"]

_TO = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To", "Cc")


@dataclass(frozen=True, slots=True)
class Envelope:
    """`sender` is "" for the null sender, None where it isn't known; `refusal` says why nothing is taken for the recipient."""

    recipient: str
    sender: str | None
    refusal: str | None


def envelope(raw: bytes, to: str, sender: str | None, door: Door) -> Envelope:
    """The addresses that were given, else those of the headers; of several recipients the first that is ours."""
    mail = Mail(raw)
    path = mail.header("Return-Path")
    if sender is None and path:
        sender = path.strip("<> ")
    # one by one: where one of several is no address, newer Pythons find none in any of them
    found = [to] if to else [address for name in _TO for address in addresses(mail.header(name))]
    ours = next((address for address in found if door.refusal(address) is None), None)
    if ours is not None:
        return Envelope(ours, sender, None)
    return Envelope(found[0] if found else "", sender, door.refusal(found[0]) if found else "it says not to whom")
