"""Outcomes: the codes that tell how a call ended, their classes, and the answer to the journey that each of them is.

The engine, an author's tests and a back-test hear a call by the same rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dsl.ir import IR, Answer, State

__all__ = ["CALLBACK", "DO_NOT_CALL", "OUTCOMES", "UNREACHED", "Outcome", "answer_of", "heard_as", "offered"]

CALLBACK: Final = "callback"
DO_NOT_CALL: Final = "do_not_call"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A code that an agent may choose; its class is after the usual ones of task routers."""

    code: str
    label: str
    kind: str
    answer: str
    """What the journey hears (`call.<answer>`) where the task's box has no arrow for the code itself."""


OUTCOMES: Final[dict[str, Outcome]] = {
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
UNREACHED: Final = frozenset(code for code, outcome in OUTCOMES.items() if outcome.answer == "not_reached")
"""Codes of a call that reached nobody: it may be tried again."""


def offered(ir: IR, state: State) -> tuple[str, ...]:
    """The call outcomes that an arrow is there for, in their order: the box's, its stage's, or one from anywhere."""
    around = next((stage.arrows for stage in ir.stages if stage.name == state.stage), ())
    events = (arrow.on.event for arrow in (*state.arrows, *around, *ir.anywhere) if isinstance(arrow.on, Answer))
    codes = (event.removeprefix("call.") for event in events if event.startswith("call."))
    return tuple(dict.fromkeys(code for code in codes if code not in _OWN))


def answer_of(code: str, offered: Sequence[str]) -> str:
    """What the journey hears: the code where its box has an arrow for it, else what the code stands for."""
    return code if code in offered or code not in OUTCOMES else OUTCOMES[code].answer


def heard_as(event: str, ir: IR, state: State) -> str:
    """The name by which an answer to this box's message is heard: `call.busy` may be `call.not_reached`, others are what they are."""
    channel, _, code = event.partition(".")
    return event if channel != "call" else f"call.{answer_of(code, offered(ir, state))}"


_OWN: Final = frozenset({"sent", "not_sent"})
"""What a box's call does itself, before anybody answers it."""
