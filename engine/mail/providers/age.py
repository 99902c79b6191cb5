"""How old a signed webhook may be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from engine.mail.providers.told import BadSignature

__all__ = ["check_age"]

_AHEAD = timedelta(minutes=10)


def check_age(timestamp: str, oldest: timedelta) -> None:
    """Raises BadSignature for what was signed too long ago, or in the future."""
    try:
        at = datetime.fromtimestamp(int(timestamp), UTC)
    except (ValueError, OverflowError, OSError):
        raise BadSignature("its timestamp is no time") from None
    now = datetime.now(UTC)
    if not now - oldest < at < now + _AHEAD:
        raise BadSignature(f"it was signed at {at:%Y-%m-%d %H:%M} UTC, which is not lately")
