"""Which local stand-ins of providers a stack has: one for each provider that the settings look for on this machine."""

from __future__ import annotations

from urllib.parse import urlsplit

from engine.settings import Settings

__all__ = ["stand_ins"]

_HERE = {"127.0.0.1", "localhost", "::1"}


def stand_ins(settings: Settings) -> dict[str, int]:
    """The setting that names each, and its port on 127.0.0.1: the mail sink, the SMS gateway, the letters' post office."""
    found: dict[str, int] = {}
    if settings.smtp_host in _HERE:
        found["smtp_port"] = settings.smtp_port
    texts = urlsplit(settings.sms_url)
    if texts.hostname in _HERE:
        found["sms_url"] = texts.port or 8025
    letters = urlsplit(settings.letter_provider)
    if letters.hostname in _HERE and letters.port is not None:
        found["letter_provider"] = letters.port
    return found
