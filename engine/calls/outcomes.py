"""Which outcomes may complete a task; what each means to a journey is the language's own (`dsl.outcomes`)."""

from __future__ import annotations

from collections.abc import Sequence

from dsl.outcomes import CALLBACK, OUTCOMES
from engine.errors import Invalid

__all__ = ["check", "choices"]


def choices(offered: Sequence[str]) -> list[str]:
    """The codes that complete a task: those that its box has arrows for, then the others.

    To be called back is among them only where the box has an arrow for it; else the task itself comes back.
    """
    return list(dict.fromkeys([*offered, *(code for code in OUTCOMES if code != CALLBACK)]))


def check(code: str, offered: Sequence[str]) -> None:
    """Raises Invalid where a code can't complete a task whose box offers these."""
    if code == CALLBACK and code not in offered:
        raise Invalid("outcome", code, "when shall she be called? Give the time by POST …/callback, with `at`")
    if code not in OUTCOMES and code not in offered:
        raise Invalid("outcome", code, f"it must be one of {', '.join(choices(offered))}")
