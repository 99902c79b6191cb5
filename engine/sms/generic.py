"""A gateway of signed JSON: its words for dead numbers, in its answers and in its webhooks."""

from __future__ import annotations

__all__ = ["DEAD"]

DEAD = {"invalid_number": "not a number", "unknown_number": "unknown number", "landline": "landline"}
"""Codes that say a number is no good for anybody."""
