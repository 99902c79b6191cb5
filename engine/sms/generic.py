"""A gateway of signed JSON: its words for dead numbers and for STOP, in its answers and in its webhooks."""

from __future__ import annotations

__all__ = ["DEAD", "UNSUBSCRIBED"]

DEAD = {"invalid_number": "not a number", "unknown_number": "unknown number", "landline": "landline"}
"""Codes that say a number is no good for anybody."""
UNSUBSCRIBED = "unsubscribed"
"""The code that says that she has sent STOP, which the gateway took for itself."""
