"""Journeys made of chance, as valid IRs: what the compiler would make of a journey that it accepts.

`random_ir(Random(7))` is always the same; `irs()` is a strategy of Hypothesis over them. `kit.journey_source` writes one as
an author would have, so that a test can ask the compiler whether it is valid.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from hypothesis import strategies as st
from kit.making_valid import onward, reached, taken
from kit.random_words import ANSWERS, CLOCKS, EVENTS, FACTS, MEASURED, MOMENTS, PAYLOADS, WINDOWS, visits

from dsl.ir import (
    CHANNELS,
    IR,
    Action,
    After,
    Answer,
    Arrow,
    Channel,
    Entry,
    Every,
    Goal,
    Learned,
    Limit,
    NoDate,
    Note,
    Otherwise,
    Reentry,
    Rule,
    Share,
    Stage,
    State,
    StateKind,
    Then,
    Until,
    When,
)
from dsl.predicate import Predicate
from dsl.sends import SENT

__all__ = ["EVERYTHING", "Features", "irs", "random_ir"]

HOUR: Final = 3600
DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Features:
    """What the journeys may have, beyond boxes with answers and time-outs."""

    looking_back: bool = True
    boxes: int = 8
    """How many there are at most, before those that nobody can reach are left out."""


EVERYTHING: Final = Features()


def irs(features: Features = EVERYTHING) -> st.SearchStrategy[IR]:
    """Any of them."""
    return st.randoms(use_true_random=False).map(lambda chance: random_ir(chance, features))


def random_ir(chance: random.Random, features: Features = EVERYTHING) -> IR:
    """One of them: each box can be reached and leads to an end, and no loop spins."""
    maker = _Maker(chance, features)
    return _settings(maker, maker.boxes())


def _settings(maker: _Maker, ir: IR) -> IR:
    """What holds for the journey as a whole. No walk depends on it."""
    chance = maker.chance
    purpose = chance.choice(("marketing", "marketing", "transactional"))
    audience = Entry("audience", chance.choice(FACTS), Every("daily", "09:00", local=chance.random() < 0.5))
    entry = chance.choice((audience, Entry("event", event=Answer("shop.signed_up", "customer")), Entry("api")))
    again = chance.choice((Reentry("never"), Reentry("always", active="queue"), Reentry("after", 180 * DAY)))
    return replace(
        ir,
        purpose=purpose,
        entry=entry,
        again=again,
        goal=Goal(Answer("shop.purchased", "customer"), 30 * DAY) if maker.learns else None,
        holdout=chance.choice((0.0, 12.5)) if purpose == "marketing" else 0.0,
        quiet=chance.choice((None, WINDOWS[-1])),
        zone=chance.choice((None, "Europe/Paris")),
        late=chance.choice(("record", "record", "ignore")),
        title="Chance",
        doc="Made of chance.",
        notes={state.name: Note(f"Box {state.name}.") for state in ir.states},
    )


class _Maker:
    def __init__(self, chance: random.Random, features: Features) -> None:
        self.chance = chance
        self.features = features
        self.learns = False
        self.sends: tuple[str, ...] = ()
        """The channels of the first box, which is always reached: what others may hear of any send."""
        self.names = [f"b{number}" for number in range(chance.randint(1, features.boxes))]
        self.ends = ["won", "lapsed", "refused"][: chance.randint(1, 3)]

    def boxes(self) -> IR:
        stages = [f"stage_{number}" for number in range(self.chance.choice((0, 0, 1, 2)))]
        states = [self._state(index, stages) for index in range(len(self.names))]
        ends = [State(end, "goal" if end == "won" else "final") for end in self.ends]
        around = tuple(Stage(name, tuple(taken((*self._around(answers=1), *self._stage_waits())))) for name in stages)
        anywhere = tuple(taken(self._around(answers=self.chance.randint(0, 3))))
        ir = IR("chance", "marketing", Entry("api"), (*states, *ends), anywhere, stages=around)
        return onward(reached(ir), self.ends[-1])

    # --- where arrows lead --------------------------------------------------------------------------------------------

    def _onward(self, index: int) -> str:
        """A box that comes later, or an end: a loop of arrows that are taken at once would spin."""
        return self.chance.choice((*self.names[index + 1 :], *self.ends[: 1 + len(self.names) // 3]))

    def _to(self) -> str:
        """Any box, this one too, or an end."""
        return self.chance.choice((*self.names, *self.ends[: 1 + len(self.names) // 3]))

    # --- boxes --------------------------------------------------------------------------------------------------------

    def _state(self, index: int, stages: Sequence[str]) -> State:
        kinds: tuple[StateKind, ...] = ("email", "email", "sms", "feed", "call", "letter", "wait", "choice", "split")
        kind = self.chance.choice(kinds)
        name, stage = self.names[index], self.chance.choice((None, *stages, *stages))
        if kind == "choice":
            whens = (Arrow(When(), self._onward(index), self._guard(name)) for _ in range(self.chance.randint(1, 3)))
            arrows = (*taken(whens), Arrow(Otherwise(), self._onward(index)))
            return State(name, kind, arrows, stage=stage)
        if kind == "split":
            return State(name, kind, tuple(self._split(index)), stage=stage)
        if kind == "wait":
            return State(name, kind, tuple(self._rest(index, ())), stage=stage)
        also = self._also(kind)
        channels = (kind, *(action.kind for action in also))
        self.sends = self.sends if index else channels
        return State(
            name,
            kind,
            tuple(self._rest(index, channels)),
            f"t/{name}",
            "retention" if kind == "call" else None,
            also=also,
            stage=stage,
            hours=self.chance.choice((None, None, None, WINDOWS[0])),
            offers=self.chance.choice((0, 0, 0, 2)),
        )

    def _also(self, kind: str) -> tuple[Action, ...]:
        others = cast("list[Channel]", [channel for channel in CHANNELS if channel not in (kind, "call")])
        found = self.chance.sample(others, self.chance.choice((0, 0, 0, 0, 1, 2)))
        return tuple(Action(channel, f"t/also_{channel}") for channel in found)

    def _split(self, index: int) -> Iterator[Arrow]:
        if self.chance.random() < 0.25:
            self.learns = True
            yield from (Arrow(Learned(), self._onward(index)) for _ in range(self.chance.randint(2, 3)))
            return
        parts = self.chance.choice(((100.0,), (50.0, 50.0), (10.0, 90.0), (33.3, 33.3, 33.4), (12.5, 62.5, 25.0)))
        yield from (Arrow(Share(part), self._onward(index)) for part in parts)

    def _rest(self, index: int, channels: Sequence[str]) -> Iterator[Arrow]:
        """The arrows of a box that customers rest in: answers, its own outcome, and time; last the ways out of dates."""
        arrows = [self._answer(channels) for _ in range(self.chance.randint(0, 3))]
        if "call" in channels:
            arrows.append(Arrow(Answer("call.refused", "send"), self._to()))
        arrows += [self._not_sent(index, channels) for _ in range(self.chance.choice((0, 0, 1, 2)))] if channels else []
        waits = list(self._waits(index))
        if waits and channels and self.chance.random() < 0.3:
            arrows.append(self._late(channels))
        if not waits and not arrows:  # a box that waits for nothing at all
            arrows.append(Arrow(Answer("shop.purchased", "customer"), self.ends[0]))
        kept = list(taken((*arrows, *waits)))
        yield from kept
        for place, arrow in enumerate(kept):
            on = arrow.on
            if isinstance(on, Until):
                if on.past == "exit":
                    yield Arrow(NoDate(place, "past"), self._onward(index))
                if on.missing == "exit":
                    yield Arrow(NoDate(place, "missing"), self._onward(index))

    def _answer(self, channels: Sequence[str]) -> Arrow:
        what = self.chance.random()
        if what < 0.6 and channels:
            return self._bounded(self._arrow(self._of_channel(self.chance.choice(channels), "send")))
        if what < 0.75 and self.sends:
            return self._bounded(self._arrow(self._of_channel(self.chance.choice(self.sends), "any_send")))
        event = self.chance.choice(EVENTS)
        back = self.chance.choice((None, 2 * DAY)) if self.features.looking_back else None
        return self._arrow(Answer(event, "customer", self.chance.choice((None, *PAYLOADS.get(event, ()))), back))

    def _of_channel(self, channel: str, scope: str) -> Answer:
        event = f"{channel}.{self.chance.choice(ANSWERS[channel])}"
        where = self.chance.choice((None, None, *PAYLOADS.get(event, ())))
        return Answer(event, "send" if scope == "send" else "any_send", where, first=self.chance.random() < 0.1)

    def _arrow(self, on: Answer | After | Until | Then, to: str | None = None) -> Arrow:
        guard = self._guard() if self.chance.random() < 0.25 and not isinstance(on, Then) else None
        return Arrow(on, to or self._to(), guard, self._limit() if self.chance.random() < 0.25 else None)

    def _not_sent(self, index: int, channels: Sequence[str]) -> Arrow:
        event = f"{self.chance.choice(channels)}.not_sent"
        on = Answer(event, "send", self.chance.choice((None, *PAYLOADS["not_sent"])))
        return Arrow(on, self._onward(index), self._guard() if self.chance.random() < 0.3 else None)

    def _late(self, channels: Sequence[str]) -> Arrow:
        return replace(self._arrow(self._of_channel(self.chance.choice(channels), "send")), late=True)

    def _waits(self, index: int) -> Iterator[Arrow]:
        """Time: some waits that hold under conditions, then one on which she can rely; or, seldom, none at all."""
        sure = self.chance.choice(("fixed", "fixed", "fixed", "measured", "clock", "date", "then", "then", "never"))
        if sure == "then":
            if self.chance.random() < 0.3:
                yield Arrow(Then(), self._to(), limit=self._limit())
                yield Arrow(After(self.chance.randint(1, 9) * DAY), self._to())
            else:
                yield Arrow(Then(), self._onward(index))
            return
        last = self.chance.choice((2, 48, 24 * 7, 24 * 30)) if sure == "fixed" else 48
        for _ in range(self.chance.choice((0, 0, 1, 2))):
            arrow = self._arrow(After(self.chance.randint(1, last) * HOUR))
            if arrow.guard is not None or arrow.limit is not None:
                yield arrow
        if self.chance.random() < 0.15:
            yield from self._until(index, "skip")
        to = self._to()
        if sure == "fixed":
            yield Arrow(After(last * HOUR), to)
        elif sure == "measured":
            expression = self.chance.choice(MEASURED)
            yield Arrow(After(None, expression, 2 * DAY, self.chance.choice((None, 45 * DAY)), 21 * DAY), to)
        elif sure == "clock":
            clock = self.chance.choice(CLOCKS)
            at = clock.at is not None and self.chance.random() < 0.5
            yield Arrow(After(0, clock=clock), self._onward(index)) if at else Arrow(After(2 * DAY, clock=clock), to)
        elif sure == "date":
            yield from self._until(index, self.chance.choice(("now", "exit")))

    def _until(self, index: int, rule: Rule) -> Iterator[Arrow]:
        yearly = self.chance.random() < 0.3
        past = "skip" if yearly else rule
        offset = self.chance.choice((0, -14 * DAY, 2 * HOUR))
        date = Until(self.chance.choice(MOMENTS), offset, self.chance.choice((None, *CLOCKS)), yearly, past, rule)
        yield self._arrow(date) if rule == "skip" else Arrow(date, self._onward(index))

    def _bounded(self, arrow: Arrow) -> Arrow:
        """Whoever isn't reached is not called for ever, nor written to because a mail came back."""
        by_itself = ("call.not_reached", "email.bounced", "email.delivered", "sms.delivered", *SENT)
        rings = isinstance(arrow.on, Answer) and arrow.on.event in by_itself and arrow.limit is None
        return replace(arrow, limit=self._limit()) if rings else arrow

    def _around(self, answers: int) -> Iterator[Arrow]:
        """Arrows that stand around boxes: of a stage, or anywhere."""
        for _ in range(answers):
            arrow = self._answer(())
            on = cast("Answer", arrow.on)
            yield replace(arrow, on=replace(on, look_back=None), to=self.chance.choice((arrow.to, *self.ends)))

    def _stage_waits(self) -> Iterator[Arrow]:
        if self.chance.random() < 0.7:
            wait = self.chance.randint(3, 300)
            arrow = self._arrow(After(wait * HOUR))
            free = arrow.guard is None and arrow.limit is None
            yield replace(arrow, on=After(30 * DAY + wait * HOUR)) if free else arrow  # longer than any box's own

    # --- conditions ---------------------------------------------------------------------------------------------------

    def _guard(self, box: str = "b0") -> Predicate:
        """Counts are of the first box, or of the arrow's own: others may prove to be out of reach."""
        count = visits(
            self.chance.choice(("b0", box)), self.chance.randint(1, 3), self.chance.choice(("ge", "lt", "in"))
        )
        fact = self.chance.choice(FACTS)
        return self.chance.choice((fact, fact, fact, count, fact & count, ~(count & ~count) & fact))

    def _limit(self) -> Limit:
        return Limit(self.chance.randint(1, 3), self.chance.choice((0, 0, 45 * 60, 20 * HOUR)))
