"""The search for paths: every way of a journey, breadth first, until each arrow was taken, or nothing new is to be found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, TypeVar, cast

from dsl.ir import IR
from dsl.journey import Journey
from dsl.planning import moment_of
from dsl.states import State as Box
from dsl.testing.aiming import Waiting
from dsl.testing.builders import Person
from dsl.testing.hearing import Hearing
from dsl.testing.moves import Change, Move, Refuse, Take, Wait, why_of
from dsl.testing.probing import Question, Walker
from dsl.testing.purchases import Purchases
from dsl.testing.sameness import key_of, staged
from dsl.testing.solving import Known, Wanted, solved
from dsl.testing.walk import Walk
from dsl.triggers import Reason

__all__ = ["Found", "Search", "Start"]

_MINUTE: Final = 60
_TRIES: Final = 3
_PATIENCE: Final = 1_000
"""So many moves walks are followed in their order; then they are aimed at what is missing."""
W = TypeVar("W", bound=Walk)


@dataclass(frozen=True, slots=True)
class Start:
    """How a walk begins: her facts, and what else differs from a plain one."""

    customer: Mapping[str, Any]
    """All of her facts."""
    orders: Sequence[Mapping[str, Any]] = ()
    purchases: Purchases | None = None
    take: tuple[Box, ...] = ()
    refused: Mapping[Box, tuple[Reason | None, ...]] = field(default_factory=dict[Box, "tuple[Reason | None, ...]"])
    """Why boxes send nothing, for each of their channels; None where that one's goes out."""

    def walk(self, kind: type[W], journey: type[Journey], at: datetime, holidays: Iterable[date]) -> W:
        """A walk that begins so."""
        refused = {box: why_of(box, reasons) for box, reasons in self.refused.items()}
        return kind(journey, self.customer, self.orders, at, None, 1, self.take, refused, holidays)


@dataclass(frozen=True, slots=True)
class Found:
    """A walk that was found: how it begins, what is done then, and how many steps she had taken after each move."""

    start: Start
    entered: int
    """How many steps she had taken when she was in."""
    moves: tuple[tuple[Move, int], ...]
    walker: Walker

    def begun(self, kind: type[W]) -> W:
        """A walk that begins like this one."""
        return self.start.walk(kind, self.walker.journey, self.walker.began, self.walker.holidays)


@dataclass(slots=True)
class Search:
    """Looks for a walk for each arrow. `limit` is how many moves it tries."""

    journey: type[Journey]
    customer: Person
    at: datetime
    holidays: tuple[date, ...] = ()
    texts: tuple[str, ...] = ()
    limit: int = 5_000
    found: dict[object, Found] = field(default_factory=dict[object, Found])
    """The shortest walk for each arrow (its number), and for each case of a condition."""
    tried: int = 0
    exhausted: bool = False
    reached: set[str] = field(default_factory=set[str])
    """The boxes that some walk came to."""
    shut: set[int] = field(default_factory=set[int])
    """Arrows for which no facts were found that open them."""
    hearing: Hearing = field(default_factory=Hearing)
    _cases: dict[object, int] = field(default_factory=dict[object, int])
    """How often a case, or facts, were looked for in vain."""

    def run(self) -> Search:
        """Search until each arrow has a walk, or every way was tried, or the limit is reached."""
        waiting: Waiting[Found] = Waiting(self._ir)
        seen: set[object] = set()
        for found in self._entered():
            self._met(found, seen, waiting)
        missing = set(range(len(self._ir.arrows)))
        while waiting and self.tried < self.limit and (missing := missing - self.found.keys()):
            node = waiting.next(missing, aim=self.tried >= _PATIENCE)
            for moves, case in self._moves(node):
                for found in self._outcomes(node, moves):
                    self._met(found, seen, waiting)
                    if case is not None:
                        self.found.setdefault(case, found)
        self.exhausted = not waiting
        return self

    @property
    def _ir(self) -> IR:
        return next(iter(self.found.values())).walker.ir if self.found else self._walker(Start(self.customer)).ir

    def _walker(self, start: Start) -> Walker:
        return start.walk(Walker, self.journey, self.at, self.holidays)

    def _met(self, found: Found, seen: set[object], waiting: Waiting[Found]) -> None:
        """Keep what is new."""
        walker = found.walker
        self.reached.update(step.state.name for step in walker.steps)
        for arrow in walker.arrows:
            self.found.setdefault(arrow, found)
        key = key_of(walker)
        if key not in seen and not walker.ended:
            seen.add(key)
            waiting.add(walker.member.state, walker.member.counts, found)

    # --- ways to go on ------------------------------------------------------------------------------------------------

    def _entered(self) -> Iterator[Found]:
        """Every way in."""
        start = Start(self.customer, orders=self.customer.orders)
        yield from self._tree(None, (), start)

    def _outcomes(self, node: Found, moves: tuple[Move, ...]) -> Iterator[Found]:
        """Every way in which the moves can turn out."""
        yield from self._tree(node, moves, node.start)

    def _tree(self, node: Found | None, moves: tuple[Move, ...], start: Start) -> Iterator[Found]:
        """Each question that comes up is answered in each way. The answers before it stay as they were."""
        waiting: list[tuple[Question, ...]] = [()]
        while waiting and self.tried < self.limit:
            forced = waiting.pop(0)
            found = self._with(node, moves, start, forced) or self._late(node, moves, start, forced)
            if found is None:
                if forced and forced[-1].kind == "guards":
                    place = cast("int", forced[-1].answer)
                    self.shut.update(forced[-1].of[place : place + 1])
                continue
            asked = tuple(found.walker.asked)
            if len(asked) > len(forced) and any(each.kind == "guards" for each in asked):
                found = self._with(node, moves, start, asked) or found  # by values at the border
            for question in asked:
                if question.kind == "send" and question.answer is not None:
                    self.found.setdefault((question.of, question.answer), found)
            yield found
            for place in range(len(forced), len(asked)):
                waiting += [(*asked[:place], other) for other in found.walker.others(asked[place])]
            for place, question in enumerate(asked):
                yield from self._decisive(node, moves, start, asked[:place], question, found.walker)

    def _decisive(
        self,
        node: Found | None,
        moves: tuple[Move, ...],
        start: Start,
        before: tuple[Question, ...],
        question: Question,
        walker: Walker,
    ) -> Iterator[Found]:
        """The same way once more for each part of a condition that decides it, if that was not shown yet."""
        for case, asked in walker.cases(question):
            tries = self._cases.get(case, 0)
            if case not in self.found and tries < _TRIES:
                self._cases[case] = tries + 1
                found = self._with(node, moves, start, (*before, asked))
                if found is not None:
                    self.found[case] = found
                    yield found

    def _late(
        self, node: Found | None, moves: tuple[Move, ...], start: Start, forced: tuple[Question, ...]
    ) -> Found | None:
        """The same, but what she is asked about changes at the end of a wait only: she may have bought meanwhile."""
        (move,) = moves if len(moves) == 1 else (None,)
        if not isinstance(move, Wait) or move.seconds <= _MINUTE:
            return None
        return self._with(node, (Wait(_MINUTE),), start, forced, (Wait(move.seconds - _MINUTE),))

    def _with(
        self,
        node: Found | None,
        moves: tuple[Move, ...],
        start: Start,
        forced: tuple[Question, ...],
        first: tuple[Move, ...] = (),
    ) -> Found | None:
        """The walk on which the questions are answered so; None where none was found."""
        self.tried += 1
        if node is None:
            begun = self._begun(start, forced)
            if begun is None:
                return None
            walker = self._walker(begun)
            found = Found(begun, len(walker.steps), (), walker)
        else:
            walker = node.walker.copy()
            done = list(node.moves)
            for move in first:
                move.do(walker)
                done.append((move, len(walker.steps)))
            before = self._before(walker, forced)
            if before is None:
                return None
            for index, move in enumerate((*before, *moves)):
                if index == len(before):
                    walker.asked = []
                move.do(walker)
                done.append((move, len(walker.steps)))
            found = Found(start, node.entered, tuple(done), walker)
        asked = tuple(found.walker.asked)
        if asked[: len(forced)] != forced:
            return None
        for question in asked:
            if question.kind == "guards" and cast("int", question.answer) < len(question.of):
                self.shut.discard(question.of[cast("int", question.answer)])
        return found

    def _begun(self, start: Start, forced: Sequence[Question]) -> Start | None:
        if not forced:
            return start
        plain = self._walker(start)
        wanted = [each for question in forced for each in plain.wanted(question)]
        known = self._solved(wanted, start.customer, start.orders, self.at)
        if known is None:
            return None
        fields = _changed(known.fields, start.customer)
        person = Person({**start.customer, **fields})
        orders = known.purchases.lines(self.at) if known.purchases is not None else start.orders
        refused = {box: reasons for box, reasons in _refusals(plain, forced) if reasons}
        return Start(person, orders, known.purchases, tuple(_drawn(plain, forced)), refused)

    def _solved(
        self, wanted: Sequence[Wanted], customer: Mapping[str, Any], orders: Sequence[Mapping[str, Any]], base: datetime
    ) -> Known | None:
        """What must become known of her. What could not be found a few times is not looked for any more."""
        asked = tuple((each.condition, each.holds) for each in wanted)
        if self._cases.get(asked, 0) >= _TRIES:
            return None
        known = solved(wanted, customer, orders, base, self.texts)
        if known is None:
            self._cases[asked] = self._cases.get(asked, 0) + 1
        return known

    def _before(self, walker: Walker, forced: Sequence[Question]) -> list[Move] | None:
        """What must become so before the moves."""
        wanted: list[Wanted] = [each for question in forced for each in walker.wanted(question)]
        known = self._solved(wanted, walker.customer, walker.orders, walker.now)
        if known is None:
            return None
        moves: list[Move] = [Take(box) for box in _drawn(walker, forced)]
        fields = _changed(known.fields, walker.customer)
        if fields or known.purchases is not None:
            moves.append(Change(fields, known.purchases))
        for box, reasons in _refusals(walker, forced):
            whys = walker.whys(box)
            if (whys if any(whys) else ()) != reasons:
                moves.append(Refuse(box, reasons))
        return moves

    # --- moves --------------------------------------------------------------------------------------------------------

    def _moves(self, node: Found) -> Iterator[tuple[tuple[Move, ...], object]]:
        """What can be done to her where she is, and the case that it shows, if any."""
        walker = node.walker
        tells = list(self.hearing.tells(walker, self.texts))
        yield from tells
        due = walker.member.deadline
        if due is None:
            return
        seconds = max(_MINUTE, int(-(-(moment_of(due) - walker.now).total_seconds() // _MINUTE)) * _MINUTE)
        yield (Wait(seconds),), None
        if seconds > _MINUTE and staged(walker):  # she may use up her stage's time in one box or in another
            yield from (((Wait(seconds - _MINUTE), *moves), None) for moves, _ in tells)


def _drawn(walker: Walker, forced: Sequence[Question]) -> Iterator[Box]:
    for question in forced:
        if question.kind == "share":
            yield _box(walker, walker.ir.arrows[cast("int", question.answer)].to)


def _refusals(walker: Walker, forced: Sequence[Question]) -> Iterator[tuple[Box, tuple[Reason | None, ...]]]:
    for question in forced:
        if question.kind == "send":
            yield (
                _box(walker, walker.ir.states[question.of[0]].name),
                cast("tuple[Reason | None, ...] | None", question.answer) or (),
            )


def _box(walker: Walker, name: str) -> Box:
    return cast("Box", getattr(walker.journey, name))


def _changed(fields: Mapping[str, Any], held: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if held.get(name) != value}
