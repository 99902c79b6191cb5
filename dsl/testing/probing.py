"""Probing: a walk that writes down each question on which its way hung, with the answer, so that another answer can be tried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal, cast, get_args

from dsl.expression import Constant
from dsl.facts import facts
from dsl.ir import Answer, Learned, Until
from dsl.planning import milliseconds, moment_of
from dsl.predicate import Compare, IsMissing, Operator, Predicate
from dsl.sends import sent_awaited
from dsl.step import Acted, Chart, Decided, Effect, Postponed, Row, Send, Snapshot
from dsl.testing.cases import Case, cases
from dsl.testing.solving import Wanted, nodes
from dsl.testing.walk import Walk
from dsl.triggers import Reason

__all__ = ["Question", "Walker"]

_MARGIN: Final = timedelta(days=400)
"""How far a date lies from the moment at which it is planned, so that no clock or offset makes it another case."""
_FAR: Final = timedelta(days=8000)
"""Further than anything else that a box waits for."""
_SOON: Final = timedelta(minutes=1)
"""Nearer than anything else that a box waits for."""
_LIES: Final = {"past": -_MARGIN, "soon": _SOON, "ahead": _MARGIN, "far": _FAR}
_IS: Final[Mapping[str, Operator]] = {"past": "le", "soon": "eq"}


@dataclass(frozen=True, slots=True)
class Question:
    """A question that came up on the way, and how it was answered."""

    kind: Literal["guards", "date", "send", "share"]
    of: tuple[int, ...]
    """The arrows whose guards were asked for; the arrow that waits for a date; else the box."""
    answer: object
    """The place of the first open arrow; soon, ahead, far, past or missing; why nothing was sent by each channel (None for
    one that went out), or None where all did; the arrow that was drawn."""
    now: datetime
    case: tuple[int, int] | None = field(default=None, compare=False)
    """Of the guard at this place, the case with this number is wanted (`dsl.testing.cases`)."""


class Walker(Walk):
    """A walk for the search for paths: what it takes counts for no report."""

    asked: list[Question]
    began: datetime
    silent = True

    def _enter(self) -> None:
        self.asked, self.began = [], self.now
        super()._enter()

    @property
    def member(self) -> Snapshot:
        """Where she is, as the stepper has it."""
        return self._member

    @property
    def most(self) -> int:
        """The visits of a box that are worth telling apart: one more than any condition asks for."""
        asked = [
            leaf.literal
            for guard in self.charted.counts.values()
            for leaf in nodes(guard)
            if isinstance(leaf, Constant) and isinstance(leaf.literal, int | float)
        ]
        return int(max(asked, default=0)) + 1

    @property
    def charted(self) -> Chart:
        """The journey's chart."""
        return self._charted()

    def others(self, question: Question) -> Iterator[Question]:
        """The same question, answered in each other way."""
        for answer in self._answers(question):
            if answer != question.answer:
                yield Question(question.kind, question.of, answer, question.now)

    def cases(self, question: Question) -> Iterator[tuple[object, Question]]:
        """The same answer once for each part of a guard that can decide it: what it shows, and the question."""
        if question.kind != "guards":
            return
        answer = cast("int", question.answer)
        for place, holds in ((answer, True), (answer - 1, False)):
            if 0 <= place < len(question.of):
                guard = cast("Predicate", self.charted.arrows[question.of[place]].guard)
                ways = len(cases(guard, holds=holds))
                for number in range(ways if ways > 1 else 0):
                    yield (question.of[place], holds, number), replace(question, case=(place, number))

    def _case(self, question: Question, place: int, arrow: int) -> Case:
        guard, holds = cast("Predicate", self.charted.arrows[arrow].guard), place == question.answer
        asked, number = question.case or (place, 0)
        return cases(guard, holds=holds)[number] if asked == place else ((guard, holds),)

    def wanted(self, question: Question) -> Iterator[Wanted]:
        """What must hold of her facts for the question to be answered so."""
        arrows = self.charted.arrows
        if question.kind == "guards":
            for place, number in enumerate(question.of):
                if place <= cast("int", question.answer):
                    for part, holds in self._case(question, place, number):
                        yield Wanted(part, holds, question.now)
        elif question.kind == "date":
            until = cast("Until", arrows[question.of[0]].on)
            missing = IsMissing(until.moment)
            yield Wanted(missing, question.answer == "missing", question.now)
            if question.answer == "soon" or (question.answer != "missing" and not until.yearly):
                border = question.now - timedelta(seconds=until.offset)
                moment = Constant("moment", border + _LIES[cast("str", question.answer)])
                operator: Operator = _IS.get(cast("str", question.answer), "ge")
                yield Wanted(Compare(until.moment, operator, moment), True, question.now)

    def _answers(self, question: Question) -> Iterator[object]:
        arrows = self.charted.arrows
        match question.kind:
            case "guards":
                yield from range(len(question.of) + 1)
            case "date":
                yield "ahead"
                if not cast("Until", arrows[question.of[0]].on).yearly:
                    yield from ("far", "past")
                yield from ("missing", "soon")
            case "send":
                yield None
                yield from self._reasons(question.of[0])
            case "share":
                box = self.charted.boxes[question.of[0]]
                yield from (*(arrow for _, arrow in box.shares), *box.learned)

    def _reasons(self, box: int) -> Iterator[tuple[Reason | None, ...]]:
        """Of each channel the reasons that the box's arrows name, and one that they don't, while the others have that one.

        Where something comes of it that a message went out: also those of which one channel's does, or all but one's.
        """
        ons = [self.charted.arrows[number].on for number in self.charted.boxes[box].not_sent]
        answers = [on for on in ons if isinstance(on, Answer)]
        channels = self.ir.states[box].channels
        named = {channel: _named(answers, channel) for channel in channels}
        every = cast("tuple[Reason, ...]", get_args(Reason))
        others: list[Reason] = [_other(every, named[channel]) for channel in channels]
        tries: dict[tuple[Reason | None, ...], None] = {}
        for place, channel in enumerate(channels):
            for reason in every:
                if reason in named[channel] or reason == others[place]:
                    each = others.copy()
                    each[place] = reason
                    tries[tuple(each)] = None
        if len(channels) > 1 and sent_awaited(self.ir, self.ir.states[box]):
            for place in range(len(channels)):
                for alone in (True, False):
                    some: list[Reason | None] = [
                        None if (at == place) is alone else why for at, why in enumerate(others)
                    ]
                    tries[tuple(some)] = None
        return iter(tries)

    # --- writing it down ----------------------------------------------------------------------------------------------

    def _perform(self, effects: list[Effect]) -> Acted | Decided | Postponed | None:
        for effect in effects:
            if isinstance(effect, Row) and effect.cause == "share":
                self.asked.append(Question("share", (self._box_of(effect.arrow),), effect.arrow, self.now))
        return super()._perform(effects)

    def _decided(self, arrows: Sequence[int]) -> tuple[bool, ...]:
        results = super()._decided(arrows)
        if not isinstance(self.charted.arrows[arrows[0]].on, Learned):
            first = next((place for place, result in enumerate(results) if result), len(results))
            self.asked.append(Question("guards", tuple(arrows), first, self.now))
        return results

    def _send(self, effect: Send) -> Acted | Postponed:
        result = super()._send(effect)
        state = self.ir.states[effect.state]
        hangs = self.charted.boxes[effect.state].not_sent or sent_awaited(self.ir, state)
        if isinstance(result, Acted) and hangs:
            whys = self.whys(self._state(effect.state))
            self.asked.append(Question("send", (effect.state,), whys if any(whys) else None, self.now))
        return result

    def _measured(self, arrows: Iterable[int], since: datetime) -> tuple[tuple[int, int], ...]:
        numbers = tuple(arrows)
        waits = super()._measured(numbers, since)
        for number in numbers:
            on = self.charted.arrows[number].on
            if isinstance(on, Until):
                missing = on.moment.value(facts(self.customer, self.orders), self.now) is None
                over = next((over for arrow, over in waits if arrow == number), 0) - milliseconds(self.now)
                answer = "missing" if missing else _lies(over, yearly=on.yearly)
                self.asked.append(Question("date", (number,), answer, self.now))
        return waits

    def _box_of(self, arrow: int) -> int:
        return next(
            index
            for index, box in enumerate(self.charted.boxes)
            if arrow in box.learned or any(arrow == share for _, share in box.shares)
        )


def _lies(over: int, *, yearly: bool) -> str:
    """Where a date lies that is reached in so many milliseconds. One that the next clocks and days of the week bring is soon."""
    if over <= 0:
        return "past"
    if over < milliseconds(moment_of(0) + _MARGIN / 16):
        return "soon"
    return "far" if not yearly and over > milliseconds(moment_of(0) + _FAR - _MARGIN) else "ahead"


def _other(every: Sequence[Reason], named: set[object]) -> Reason:
    """The first reason that is not named; where all are, the first."""
    found: list[Reason] = [reason for reason in every if reason not in named]
    return (found or every)[0]


def _named(answers: Iterable[Answer], channel: str) -> set[object]:
    """The reasons that a channel's arrows name."""
    wheres = [on.where for on in answers if on.where is not None and on.event.partition(".")[0] == channel]
    return {leaf.literal for where in wheres for leaf in nodes(where) if isinstance(leaf, Constant)}
