"""The keys of test mails: no send has such a key, so what comes back by one is nobody's, and changes nothing."""

from __future__ import annotations

import re
from secrets import token_hex

__all__ = ["PATTERN", "is_trial", "new_key"]

PATTERN = r"t-[0-9a-f]{12}"


def new_key() -> str:
    """The key of another test."""
    return f"t-{token_hex(6)}"


def is_trial(key: str) -> bool:
    """Whether it is a test's."""
    return re.fullmatch(PATTERN, key) is not None
