"""Plurals: a number with what it counts."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, what: str) -> str:
    """`1 arrow`, `2 arrows`, `1,000 arrows`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
