"""Playing: customers go through a journey in virtual time, by a plan, and what becomes of them is counted.

The loop is the same whether the stepper's steps are remembered (`Transitions`) or taken for each customer (`Plain`); it
draws, compares times, and leaves to the stepper where she goes.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import log
from random import Random
from typing import Final

from dsl.ir import IR
from engine.simulation.plan import Action, Hazard, Person, Place, Plan
from engine.simulation.responses import GRID, NO_CAPACITY
from engine.simulation.transitions import Transitions
from engine.simulation.ways import DECIDES, ENDS, MEASURES, WAITS, Edge, Node

__all__ = ["Tally", "play", "weekday"]

_DAY: Final = 86_400_000
_HORIZON: Final = 3 * 366 * _DAY
"""Nobody is followed longer than three years: a box may wait for ever."""
_THURSDAY: Final = 3
"""1 January 1970 was one."""
_NO_CONSENT: Final = "no consent"
"""Why nothing is sent to a customer of whom a channel isn't known."""

Coming = tuple[int, int, tuple[int, ...]]
"""An answer on its way: when it comes, the visit that it answers, and what it is heard as."""


@dataclass
class Tally:
    """What became of the customers of one run. Lists by the number of the arrow or box."""

    ir: IR
    customers: int = 0
    held_out: int = 0
    taken: list[int] = field(default_factory=list[int])
    entered: list[int] = field(default_factory=list[int])
    spent: list[int] = field(default_factory=list[int])
    """Milliseconds, by box."""
    sent: list[list[int]] = field(default_factory=list[list[int]])
    """By box and action."""
    not_sent: list[int] = field(default_factory=list[int])
    late: list[int] = field(default_factory=list[int])
    """Answers to a box's messages that came when she had left it."""
    contacts: dict[int, int] = field(default_factory=dict[int, int])
    """By how many messages they got, the customers who were not held out."""
    days: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict[tuple[str, str], dict[int, int]])
    """By (channel, queue), the calls and letters of each day from the first on."""
    under_way: list[int] = field(default_factory=list[int])
    """By box, those who were still waiting there when they were no longer followed."""
    lasted: int = 0
    """Milliseconds from entry to end, of all."""

    def __post_init__(self) -> None:
        states = len(self.ir.states)
        self.taken = [0] * len(self.ir.arrows)
        self.entered, self.spent, self.not_sent = [0] * states, [0] * states, [0] * states
        self.late, self.under_way = [0] * states, [0] * states
        self.sent = [[0] * len(state.channels) for state in self.ir.states]

    def gather(self, edges: Iterable[Edge]) -> None:
        """Take over the counts that stand on edges, and set them back."""
        for edge in edges:
            if not edge.taken:
                continue
            for arrow in edge.arrows:
                self.taken[arrow] += edge.taken
            for state in edge.entered:
                self.entered[state] += edge.taken
            if edge.source >= 0:
                self.spent[edge.source] += edge.spent
            edge.taken = edge.spent = 0


def weekday(day: int) -> int:
    """Which day of the week a day since 1970 is, Monday's 0."""
    return (day + _THURSDAY) % 7


def play(plan: Plan, steps: Transitions, crowd: Iterable[tuple[int, Person]], random: Random) -> Tally:
    """Let customers through, each from her moment of entry (milliseconds, on the grid), and count."""
    tally = Tally(plan.ir)
    player = _Player(plan, steps, tally, random)
    for began, person in crowd:
        player.follow(began, person)
        if steps.crowded():
            tally.gather(steps.edges)
            steps.forget()
    tally.gather(steps.edges)
    return tally


class _Player:
    """Follows one customer after the other."""

    def __init__(self, plan: Plan, steps: Transitions, tally: Tally, random: Random) -> None:
        self._plan = plan
        self._steps = steps
        self._tally = tally
        self._random = random

    def follow(self, began: int, person: Person) -> None:
        """From her entry to her end."""
        steps, tally, places = self._steps, self._tally, self._plan.places
        held_out = person.held_out
        coming: list[Coming] = []
        messages = 0
        edge = steps.enter(began)
        edge.taken += 1
        node, base, now = edge.target, began, began
        while node.kind != ENDS:
            place = places[node.state]
            if node.kind == WAITS:
                hazard = place.held_out if held_out else place.treated
                at, listens, visit = self._next(hazard, now, base + node.wait, coming)
                if at > began + _HORIZON:
                    tally.under_way[node.state] += 1
                    break
                now = int(at)
                edge = steps.due(node) if listens is None else steps.heard(node, listens, visit, now - base)
                edge.taken += 1
                if edge.stays:
                    continue
                edge.spent += now - base
                base = now
                if coming and edge.target.visit != node.visit and not self._plan.lives_on:
                    tally.late[node.state] += len(coming)
                    coming = []
                node = edge.target
                continue
            if node.kind == DECIDES:
                edge = steps.decided(node, self._results(node, person))
            elif node.kind == MEASURES:
                edge = steps.acted(node, True, (), self._waits(node, now, person))
            elif place.hours and (seconds := self._plan.held(node.state, now, person)):
                edge = steps.held(node, seconds)
            else:
                sent, reasons = self._send(place, node, person, now, coming)
                messages += sent
                edge = steps.acted(node, sent > 0, reasons, self._waits(node, now, person) if node.arrows else ())
            edge.taken += 1
            node = edge.target
        tally.customers += 1
        tally.lasted += now - began
        if held_out:
            tally.held_out += 1
        else:
            tally.contacts[messages] = tally.contacts.get(messages, 0) + 1

    def _next(
        self, hazard: Hazard, now: int, due: float, coming: list[Coming]
    ) -> tuple[float, tuple[int, ...] | None, int | None]:
        """What comes first, and when: the deadline (None), a business event, or an answer that is on its way."""
        at, listens, visit = due, None, None
        if hazard.rate:
            # Events have no memory, so what is left of a wait may be drawn anew at each turn.
            draw = self._random.random
            arrives = now + int(-log(1.0 - draw()) / (hazard.rate * GRID) + 1) * GRID
            if arrives <= at:
                at, listens = arrives, hazard.which(draw())
        if coming and coming[0][0] <= at:
            at, visit, listens = coming.pop(0)
        return at, listens, visit

    def _send(
        self, place: Place, node: Node, person: Person, now: int, coming: list[Coming]
    ) -> tuple[int, tuple[str, ...]]:
        """Send a box's messages, and draw the answers to them; how many went out, and if none did, why by each channel.

        Who is held out gets none, and walks as if they had gone out.
        """
        if person.held_out:
            for action in place.actions:
                for delay, listens in action.went(self._random.random):
                    insort(coming, (now + delay, node.visit, listens))
            return 1, ()
        tally, draw, known = self._tally, self._random.random, person.reach
        sent, reasons = 0, ()
        for index, action in enumerate(place.actions):
            if known is not None:
                no = known.get(action.route, _NO_CONSENT)
            else:
                luck = draw()
                no = action.why(luck) if luck >= action.reach else ""
            day = now // _DAY
            if not no and action.places is not None and self._made(action, day) >= action.places[weekday(day)]:
                no = NO_CAPACITY
            if no:
                tally.not_sent[node.state] += 1
                reasons = (*reasons, no)
                continue
            sent += 1
            tally.sent[node.state][index] += 1
            if action.counted is not None:
                days = tally.days.setdefault(action.counted, {})
                days[day] = days.get(day, 0) + 1
            for delay, listens in action.answers(draw):
                insort(coming, (now + delay, node.visit, listens))
        return sent, () if sent else reasons

    def _made(self, action: Action, day: int) -> int:
        """How many calls the queue of an action makes on a day so far. Customers go one after another, so chance tells whose."""
        return self._tally.days.get(action.counted or ("", ""), {}).get(day, 0)

    def _waits(self, node: Node, now: int, person: Person) -> tuple[tuple[int, int], ...]:
        return self._plan.over(node.arrows, now + node.since, now, person, self._random)

    def _results(self, node: Node, person: Person) -> tuple[bool, ...]:
        """Which guards hold: by what is known of her, else by the model; of a split's, one by its share."""
        draw, lots, known = self._random.random, self._plan.lots, person.guards
        first = lots[node.arrows[0]]
        if first.split:
            luck, results = draw(), list[bool]()
            for arrow in node.arrows:
                share = lots[arrow].share
                results.append(0 <= luck < share)
                luck -= share
            return tuple(results)
        if known is not None:
            return tuple([known[arrow] for arrow in node.arrows])
        return tuple([draw() < lots[arrow].share for arrow in node.arrows])
