"""Outcomes: the codes that tell how a call ended, their classes, and the answer to the journey that each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import Invalid

__all__ = ["CALLBACK", "DO_NOT_CALL", "OUTCOMES", "UNREACHED", "Outcome", "answer_of", "check", "choices"]

CALLBACK = "callback"
DO_NOT_CALL = "do_not_call"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A code that an agent may choose; its class is after the usual ones of task routers."""

    code: str
    label: str
    kind: str
    answer: str
    """What the journey hears (`call.<answer>`) where the task's box has no arrow for the code itself."""


OUTCOMES: dict[str, Outcome] = {
    outcome.code: outcome
    for outcome in (
        Outcome("interested", "Interested", "success", "interested"),
        Outcome("refused", "Refused", "refused", "refused"),
        Outcome("not_reached", "Not reached", "no answer", "not_reached"),
        Outcome("busy", "Busy", "busy", "not_reached"),
        Outcome("voicemail", "Voicemail", "voicemail", "not_reached"),
        Outcome("wrong_number", "Wrong number", "wrong number", "wrong_number"),
        Outcome(CALLBACK, "Call back", "callback", "callback"),
        Outcome(DO_NOT_CALL, "Must not be called again", "do not call", DO_NOT_CALL),
    )
}
UNREACHED = frozenset(code for code, outcome in OUTCOMES.items() if outcome.answer == "not_reached")
"""Codes of a call that reached nobody: it may be tried again."""


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


def answer_of(code: str, offered: Sequence[str]) -> str:
    """What the journey hears: the code where its box has an arrow for it, else what the code stands for."""
    return code if code in offered or code not in OUTCOMES else OUTCOMES[code].answer
