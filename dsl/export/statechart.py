"""The statechart of a journey: where its boxes, stages and arrows stand in the tree that the exports write down.

A box's own arrows stand in it, before those around it: late ones, its stage's, those of `@Anywhere`. A statechart asks the
innermost state first, in the order of its transitions, which is the order of the language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dsl.chart import Box, Chart, chart
from dsl.export.counting import conditions
from dsl.export.tree import ENTER, MEASURED, NOT_SENT, PUT_OFF, SENT, TOLD, Asked, Move, Node, Statechart, Timer
from dsl.ir import CHANNELS, ENDS, IR, After, Answer, NoDate, State

__all__ = ["statechart"]


def statechart(ir: IR) -> Statechart:
    """The journey as a statechart. Raises KeyError where an arrow leads to no state (the compiler refuses that before)."""
    return _Builder(chart(ir)).built()


@dataclass
class _Builder:
    chart: Chart
    rests: dict[str | None, dict[str, Node]] = field(default_factory=dict[str | None, dict[str, Node]])
    """By stage: where she rests on arrows with a pause."""

    def __post_init__(self) -> None:
        self.ir = self.chart.ir
        self.first: dict[str, int] = {}
        number = 0
        for state in self.ir.states:
            self.first[state.name] = number
            number += len(state.arrows)
        self.anywhere = range(number, number + len(self.ir.anywhere))
        number += len(self.ir.anywhere)
        self.staged: dict[str, range] = {}
        for stage in self.ir.stages:
            self.staged[stage.name] = range(number, number + len(stage.arrows))
            number += len(stage.arrows)

    def built(self) -> Statechart:
        arrows = self.chart.arrows
        learned = [number for box in self.chart.boxes for number in box.learned]
        guards = {number for number, arrow in enumerate(arrows) if arrow.guard is not None}
        return Statechart(
            self.ir,
            self.chart,
            self._live(),
            tuple(Node(state.name, state=state, steps=True) for state in self.ir.states if state.kind in ENDS),
            tuple(sorted(guards.union(learned))),
            tuple(number for number, arrow in enumerate(arrows) if arrow.limit is not None),
            tuple(box.name for box in self.chart.boxes if box.shares),
            tuple(box.name for box in self.chart.boxes if box.counted),
            tuple(box.name for box in self.chart.boxes if box.late),
        )

    # --- what is around the boxes -------------------------------------------------------------------------------------

    def _live(self) -> Node:
        name = _free("live", self.ir)
        around = (*self._late(None), *self._all(self.anywhere, None))
        entrance = Node(f"{name}-entrance", moves=(Move(ENTER, self.ir.start.name),))
        within: list[Node] = [entrance]
        done: set[str] = set()
        for state in self.ir.states:
            if state.stage is None and state.kind not in ENDS:
                within.append(self._box(state))
            elif state.stage is not None and state.stage not in done:
                done.add(state.stage)
                within.append(self._stage(state.stage))
        return Node(name, (*within, *self.rests.get(None, {}).values()), around)

    def _stage(self, name: str) -> Node:
        own = self.staged[name]
        waits = [number for number in own if isinstance(self.chart.arrows[number].on, After)]
        answers = [number for number in own if number not in waits]
        # To a box of the same stage she goes without leaving it: the wait for the stage goes on. An arrow of `live` would leave.
        around = (*self._late(name), *self._all(answers, name), *self._timed(waits, name, around=True))
        if any(self._stays(number, name) for number in self.anywhere):
            around = (*around, *self._all(self.anywhere, name))
        boxes = [self._box(state) for state in self.ir.states if state.stage == name]
        return Node(name, (*boxes, *self.rests.get(name, {}).values()), around, tuple(self._timers(waits)))

    def _stays(self, number: int, stage: str) -> bool:
        arrow = self.chart.arrows[number]
        return self.ir.by_name[arrow.to].stage == stage or (arrow.limit is not None and arrow.limit.every > 0)

    def _late(self, stage: str | None) -> Iterator[Move]:
        """Late arrows of every box, as they stand in a stage or in `live`."""
        for box in self.chart.boxes:
            for number in sorted(each for numbers in box.late.values() for each in numbers):
                yield self._answered(number, stage, around=True, left=box.name)

    def _all(self, numbers: Iterable[int], stage: str | None) -> Iterator[Move]:
        for number in numbers:
            yield self._answered(number, stage, around=True)

    # --- boxes --------------------------------------------------------------------------------------------------------

    def _box(self, state: State) -> Node:
        index = next(i for i, box in enumerate(self.chart.boxes) if box.name == state.name)
        box = self.chart.boxes[index]
        if box.choices:
            return Node(
                state.name, moves=tuple(self._move(n, None, state.stage) for n in box.choices), state=state, steps=True
            )
        if box.learned:
            moves = [self._move(number, None, state.stage, guard=number) for number in box.learned]
            last = Move(None, self.chart.arrows[box.learned[0]].to, arrow=box.learned[0])
            return Node(state.name, moves=(*moves, last), state=state, steps=True)
        if box.shares:
            return Node(state.name, moves=tuple(self._shares(box)), state=state, steps=True)
        return self._resting(state, box)

    def _shares(self, box: Box) -> Iterator[Move]:
        for bound, number in box.shares[:-1]:
            yield Move(None, self.chart.arrows[number].to, Asked(below=(box.name, bound)), number)
        _, last = box.shares[-1]
        yield Move(None, self.chart.arrows[last].to, arrow=last)

    def _resting(self, state: State, box: Box) -> Node:
        own = range(self.first[state.name], self.first[state.name] + len(state.arrows))
        arrows = self.chart.arrows
        heard = [n for n in own if isinstance(arrows[n].on, Answer) and not arrows[n].late and n not in box.not_sent]
        waits = [n for n in own if isinstance(arrows[n].on, After | NoDate) or n in box.measured]
        answers = [self._answered(number, state.stage) for number in heard]
        if box.late and state.stage is not None:  # who goes on by the stage's time-out leaves this box unanswered, too
            timed = [n for n in self.staged[state.stage] if isinstance(arrows[n].on, After)]
            answers += self._timed(timed, state.stage, leaves=state.name)
        leaves = state.name if box.late else None
        timers, timed = tuple(self._timers(waits)), tuple(self._timed(waits, state.stage, leaves=leaves))
        if box.dated:
            timed = (*timed, Move(MEASURED, None, replans=tuple(timer for timer in timers if timer.told)))
        waiting = Node(f"{state.name}-waiting", moves=timed, timers=timers)
        first = self._first(state, box, waiting.id)
        if first is None:
            return Node(state.name, (), (*answers, *timed), timers, state, steps=True)
        parts = [first, waiting, *self._put_off(state, first.id)]
        return Node(state.name, tuple(parts), tuple(answers), state=state, steps=True)

    def _first(self, state: State, box: Box, waiting: str) -> Node | None:
        """What she does in the box before she waits, if anything."""
        leaves = state.name if box.late else None

        def then(on: str | None) -> Iterator[Move]:
            for number in box.thens:
                yield self._move(number, on, state.stage, leaves=leaves)
            yield Move(on, waiting)

        if state.kind in CHANNELS:
            refused = (self._answered(number, state.stage, on=NOT_SENT) for number in box.not_sent)
            moves = (*then(SENT), *refused, *then(NOT_SENT), Move(PUT_OFF, f"{state.name}-put-off"))
            return Node(f"{state.name}-sending", moves=moves)
        if box.measured:
            return Node(f"{state.name}-measuring", moves=tuple(then(MEASURED)))
        return Node(f"{state.name}-arrived", moves=tuple(then(None))) if box.thens else None

    def _put_off(self, state: State, sending: str) -> Iterator[Node]:
        if state.kind in CHANNELS:
            retry = f"parcours.retry.{state.name}"
            yield Node(f"{state.name}-put-off", moves=(Move(retry, sending),), timers=(Timer(retry, told=TOLD),))

    # --- arrows -------------------------------------------------------------------------------------------------------

    def _timers(self, numbers: Iterable[int]) -> Iterator[Timer]:
        for number in numbers:
            on = self.chart.arrows[number].on
            fixed = on.seconds if isinstance(on, After) and on.clock is None else None
            yield Timer(f"parcours.after.{number}", fixed, "" if fixed is not None else f"wait_{number}")

    def _timed(
        self, numbers: Iterable[int], stage: str | None, *, around: bool = False, leaves: str | None = None
    ) -> Iterator[Move]:
        for number in numbers:
            yield self._move(number, f"parcours.after.{number}", stage, around=around, leaves=leaves)

    def _answered(
        self, number: int, stage: str | None, *, around: bool = False, left: str | None = None, on: str | None = None
    ) -> Move:
        answer = self.chart.arrows[number].on
        if not isinstance(answer, Answer):  # pragma: no cover  # the callers give arrows that wait for answers
            raise TypeError(f"arrow {number} waits for no answer: {answer!r}")
        payload = self.ir.listens.index(answer) if answer.where is not None else None
        own = answer.scope == "send" and not around and on is None
        return self._move(number, on or answer.event, stage, around=around, answer=payload, own=own, left=left)

    def _move(
        self,
        number: int,
        on: str | None,
        stage: str | None,
        *,
        around: bool = False,
        guard: int | None = None,
        answer: int | None = None,
        own: bool = False,
        left: str | None = None,
        leaves: str | None = None,
    ) -> Move:
        arrow, counts = self.chart.arrows[number], self.chart.counts.get(number)
        asked = Asked(
            number if arrow.guard is not None else guard,
            answer,
            own,
            left,
            (number, arrow.limit.times) if arrow.limit is not None else None,
            conditions(counts) if counts is not None else None,
        )
        to, rests = arrow.to, arrow.limit is not None and arrow.limit.every > 0
        if rests and arrow.limit is not None:
            to = f"rest-{number}" if stage is None else f"rest-{number}-{stage}"
            over = f"parcours.rest.{number}"
            self.rests.setdefault(stage, {})[to] = Node(
                to, (), (Move(over, arrow.to),), (Timer(over, arrow.limit.every),), steps=True, rests=number
            )
        inner = around and stage is not None and (rests or self.ir.by_name[arrow.to].stage == stage)
        return Move(on, to, asked, number, inner, arrow.limit is not None, leaves, left)


def _free(name: str, ir: IR) -> str:
    """A name that no box and no stage has; theirs have no hyphen."""
    taken = {state.name for state in ir.states} | {stage.name for stage in ir.stages}
    return f"{name}-" if name in taken else name
