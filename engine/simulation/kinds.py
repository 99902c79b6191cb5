"""Kinds: what can happen in a journey, box by box, and what is asked of a customer: what a response model has rates for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from dsl.chart import chart
from dsl.expression import Facts
from dsl.ir import CHANGED, IR, Answer, Arrow, Stage, State
from dsl.planning import measured
from dsl.predicate import Predicate

__all__ = [
    "Kind",
    "actions_of",
    "arrows_of",
    "events_in",
    "guards_in",
    "heard_in",
    "hears",
    "kinds_of",
    "refusals_in",
    "waits_in",
]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event that a journey listens to: its name, and what is asked of its payload."""

    event: str
    where: Predicate | None = None

    @property
    def name(self) -> str:
        """As a model has it: `email.clicked`, `email.clicked, link = shop`."""
        return self.event if self.where is None else f"{self.event}, {self.where.sentence()}"

    @property
    def channel(self) -> str:
        return self.event.partition(".")[0]

    def answers(self, answer: Answer) -> bool:
        """Whether an event of this kind is one that `answer` waits for: one with a condition is one without, too."""
        return answer.event == self.event and answer.where in (None, self.where)


def kinds_of(arrows: Iterator[Arrow] | tuple[Arrow, ...]) -> tuple[Kind, ...]:
    """The kinds of events that fire these arrows, without what a box does itself (`not_sent`) and the engine's own."""
    found: dict[Kind, None] = {}
    for arrow in arrows:
        if isinstance(arrow.on, Answer) and not arrow.on.event.endswith(".not_sent") and arrow.on.event != CHANGED:
            found[Kind(arrow.on.event, arrow.on.where)] = None
    return tuple(found)


def arrows_of(ir: IR, state: State) -> Iterator[Arrow]:
    """Every arrow that may be fired from a box: its own, its stage's, those of anywhere."""
    yield from state.arrows
    stage = next((stage for stage in ir.stages if stage.name == state.stage), Stage(""))
    yield from stage.arrows
    yield from ir.anywhere


def actions_of(state: State) -> tuple[tuple[str, str | None], ...]:
    """What a box sends: (channel, queue), its first action's first."""
    first = ((state.kind, state.queue),) if state.channels else ()
    return (*first, *((action.kind, action.queue) for action in state.also))


def heard_in(ir: IR, state: State) -> tuple[Kind, ...]:
    """The answers to a box's own messages that anything comes of: it waits for them itself, or they count wherever she is."""
    widened = (a for a in ir.arrows if isinstance(a.on, Answer) and a.on.scope == "any_send")
    found = kinds_of((*arrows_of(ir, state), *widened))
    return tuple(kind for kind in found if kind.channel in state.channels)


def refusals_in(ir: IR, state: State, channel: str) -> tuple[Answer, ...]:
    """What a box's arrows ask of a message of this channel that isn't sent."""
    asked = (arrow.on for arrow in arrows_of(ir, state) if isinstance(arrow.on, Answer))
    return tuple(on for on in asked if on.event == f"{channel}.not_sent")


def hears(on: Answer, reason: str) -> bool:
    """Whether an arrow that waits for what isn't sent takes this reason."""
    return on.where is None or on.where.evaluate(Facts(payload={"reason": reason}), _EPOCH)


def events_in(ir: IR) -> tuple[Kind, ...]:
    """The business events that the journey listens to."""
    return kinds_of(tuple(a for a in ir.arrows if isinstance(a.on, Answer) and a.on.scope == "customer"))


def guards_in(ir: IR) -> dict[int, Predicate]:
    """By the number of its arrow, each condition that is asked of a customer; how often she was in a box isn't."""
    return {number: arrow.guard for number, arrow in enumerate(chart(ir).arrows) if arrow.guard is not None}


def waits_in(ir: IR) -> Iterator[tuple[str, Arrow]]:
    """The waits that are measured for each customer, by the name that a model has for them: `box`, `box 2` and so on."""
    owners = [(state.name, state.arrows) for state in ir.states] + [(stage.name, stage.arrows) for stage in ir.stages]
    for owner, arrows in owners:
        asked = [arrow for arrow in arrows if measured(arrow.on) is not None]
        for number, arrow in enumerate(asked, 1):
            yield owner if number == 1 else f"{owner} {number}", arrow
