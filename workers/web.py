"""Calls to servers of others over HTTP: the certificates that we trust, and how long a server asks us to wait."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache

import httpx

__all__ = ["asked_wait", "trust"]


@cache
def trust() -> ssl.SSLContext:
    """The certificates that we trust, read once: it takes longer than sending ten texts."""
    return ssl.create_default_context()


def asked_wait(reply: httpx.Response) -> float | None:
    """Retry-After in seconds, from a number or a date (RFC 9110); None where it says nothing that can be read."""
    given = reply.headers.get("Retry-After", "").strip()
    if given.isascii() and given.replace(".", "", 1).isdecimal() and len(given) < 10:
        return float(given)
    try:
        return max((parsedate_to_datetime(given) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):  # no date, or one without a zone
        return None
