"""The plan of a simulation: a journey and a response model, laid out for drawing: box by box what may be drawn there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from random import Random
from typing import Final

from dsl.chart import Chart, chart
from dsl.ir import IR, Answer, Learned, Share, State, Until
from dsl.localtime import zone_of
from dsl.planning import Place as Spot
from dsl.planning import may_send, moment_of, over
from dsl.values import Scalar
from engine.simulation.kinds import (
    Kind,
    actions_of,
    arrows_of,
    events_in,
    guards_in,
    heard_in,
    hears,
    kinds_of,
    refusals_in,
    waits_in,
)
from engine.simulation.responses import MONTH, NO_CAPACITY, ResponseModel, Week

__all__ = ["Action", "Chance", "Hazard", "Lot", "Person", "Place", "Plan"]

Waits = tuple[tuple[int, int], ...]
"""(arrow, milliseconds) pairs."""

_UNSAID: Final = "no consent"
"""Why nothing is sent where a model gives no reason."""
_EXCLUSIVE: Final = frozenset({"call"})
"""Channels of which a message has one answer at most: a call has one outcome."""


@dataclass(frozen=True, slots=True)
class Chance:
    """An answer that may come: its share of the messages, equally likely delays in milliseconds, and what it is heard as."""

    share: float
    delays: tuple[int, ...]
    listens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Action:
    """A message of a box: whom it reaches, and the answers; of `exclusive` ones a customer gives one at most."""

    route: tuple[str, str]
    """(channel, purpose)."""
    reach: float
    sent: Chance | None
    """That it went out, where an arrow waits for it."""
    chances: tuple[Chance, ...]
    exclusive: bool
    counted: tuple[str, str] | None
    """(channel, queue) if it is counted by days: calls, for they are work, and letters."""
    unsent: tuple[tuple[float, str], ...] = ()
    """(upper bound of the draw, why nothing is sent), from `reach` on."""
    places: Week | None = None
    """How many calls its queue takes on each day of the week, if there is an arrow for those that find no place."""

    def why(self, luck: float) -> str:
        """Why nothing is sent, by the draw that was not within reach."""
        return next((reason for bound, reason in self.unsent if luck < bound), self.unsent[-1][1])

    def went(self, draw: Callable[[], float]) -> list[tuple[int, tuple[int, ...]]]:
        """That it went out: of what is sent, and of what only would be, since she is held out."""
        told = self.sent
        if told is None or draw() >= told.share:
            return []
        return [(told.delays[int(draw() * len(told.delays))], told.listens)]

    def answers(self, draw: Callable[[], float]) -> list[tuple[int, tuple[int, ...]]]:
        """The answers that one message gets: (delay in milliseconds, listens). One draw tells whether, and when."""
        return self.drawn(draw) if self.sent is None else [*self.went(draw), *self.drawn(draw)]

    def drawn(self, draw: Callable[[], float]) -> list[tuple[int, tuple[int, ...]]]:
        """The same, but for that it went out."""
        found: list[tuple[int, tuple[int, ...]]] = []
        left = draw() if self.exclusive else 0.0
        for chance in self.chances:
            luck = left if self.exclusive else draw()
            if luck < chance.share:
                delay = chance.delays[int(luck / chance.share * len(chance.delays))]
                found.append((delay, chance.listens))
                if self.exclusive:
                    break
            left -= chance.share
        return found


@dataclass(frozen=True, slots=True)
class Hazard:
    """Business events that may come while she waits: all of them together as a rate per millisecond, and which it is."""

    rate: float = 0.0
    kinds: tuple[tuple[float, tuple[int, ...]], ...] = ()
    """(upper bound of the draw, listens)."""

    def which(self, draw: float) -> tuple[int, ...]:
        return next((listens for bound, listens in self.kinds if draw < bound), self.kinds[-1][1])


@dataclass(frozen=True, slots=True)
class Lot:
    """What decides an arrow's guard where no customer's facts do: a share of customers, or of a split's draw."""

    share: float
    split: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A box, as customers meet it."""

    actions: tuple[Action, ...]
    treated: Hazard
    held_out: Hazard
    hours: bool
    """Whether the clock may hold its messages back."""


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Who goes through the journey. Without facts of her own she is drawn from the model."""

    held_out: bool = False
    guards: Mapping[int, bool] | None = None
    """By arrow, whether its guard holds for her."""
    waits: Mapping[int, Scalar | None] | None = None
    """By arrow, what is measured of her: seconds, a date, or None where it is missing."""
    reach: Mapping[tuple[str, str], str] | None = None
    """By (channel, purpose): empty if she may be written to so, else why not."""
    spot: Spot | None = None
    """Where she lives; None: where the journey says."""


@dataclass(frozen=True)
class Plan:
    """What is drawn, laid out once. `places` by the number of the box."""

    ir: IR
    model: ResponseModel
    zone: str | None = None
    """The project's time zone; None: UTC."""
    places: tuple[Place, ...] = field(init=False)
    lots: Mapping[int, Lot] = field(init=False)
    waits: Mapping[int, tuple[int, ...]] = field(init=False)
    """By arrow: equally likely waits in seconds, or distances of a date."""
    spot: Spot = field(init=False)
    """Where a customer lives of whom it isn't known."""
    _chart: Chart = field(init=False, repr=False)
    _over: Callable[[tuple[tuple[int, Scalar | None], ...], int, int, Spot], Waits] = field(init=False, repr=False)
    _later: Callable[[int, int, Spot], float] = field(init=False, repr=False)
    lives_on: bool = field(init=False)
    """Whether an answer can count in another box than the one that it answers."""

    def __post_init__(self) -> None:
        write = object.__setattr__
        write(self, "_chart", chart(self.ir))
        write(self, "spot", Spot(zone_of(self.ir.zone, self.zone)))
        write(self, "places", tuple(self._place(number) for number in range(len(self.ir.states))))
        write(self, "lots", self._lots())
        number = {id(arrow): index for index, arrow in enumerate(self.ir.arrows)}
        tables = ((number[id(arrow)], self.model.wait(name, arrow).table()[::4]) for name, arrow in waits_in(self.ir))
        write(self, "waits", {arrow: tuple(each // 1000 for each in table) for arrow, table in tables})
        write(self, "_over", lru_cache(maxsize=100_000)(self._when_over))
        write(self, "_later", lru_cache(maxsize=100_000)(self._when_sent))
        channels = [answer for answer in self.ir.listens if answer.scope != "customer"]
        wide = any(answer.scope == "any_send" or answer.look_back is not None for answer in channels)
        write(self, "lives_on", wide or any(arrow.late for arrow in self.ir.arrows))

    def over(self, arrows: tuple[int, ...], since: int, now: int, person: Person, random: Random) -> Waits:
        """When the measured waits of these arrows are over: (arrow, milliseconds from now); drawn, if she isn't known."""
        known = person.waits
        values: list[tuple[int, Scalar | None]] = []
        for arrow in arrows:
            if known is not None or arrow not in self.waits:
                values.append((arrow, (known or {}).get(arrow)))
                continue
            table = self.waits[arrow]
            drawn = table[int(random.random() * len(table))]
            dated = isinstance(self.ir.arrows[arrow].on, Until)
            values.append((arrow, moment_of(now) + timedelta(seconds=drawn) if dated else drawn))
        return self._over(tuple(values), since, now, person.spot or self.spot)

    def held(self, state: int, now: int, person: Person) -> float:
        """For how many seconds the clock holds a box's message back."""
        return self._later(state, now, person.spot or self.spot)

    def _when_over(self, values: tuple[tuple[int, Scalar | None], ...], since: int, now: int, spot: Spot) -> Waits:
        found = over(self._chart, values, moment_of(since), moment_of(now), spot)
        return tuple((arrow, when - now) for arrow, when in found)

    def _when_sent(self, state: int, now: int, spot: Spot) -> float:
        moment = moment_of(now)
        return (may_send(self.ir, self.ir.states[state], moment, spot) - moment).total_seconds()

    def _listens(self, kind: Kind) -> tuple[int, ...]:
        return tuple(index for index, answer in enumerate(self.ir.listens) if kind.answers(answer))

    def _place(self, number: int) -> Place:
        state = self.ir.states[number]
        actions = tuple(self._action(state, channel, queue) for channel, queue in actions_of(state))
        waited = set(kinds_of(arrows_of(self.ir, state)))
        remembered = {kind for kind in events_in(self.ir) if self._looks_back(kind)}
        kinds = [kind for kind in events_in(self.ir) if kind in waited | remembered]
        marketing = (state.purpose or self.ir.purpose) == "marketing"
        hours = bool(actions) and (state.hours is not None or (marketing and self.ir.quiet is not None))
        return Place(actions, self._hazard(kinds, state.name), self._hazard(kinds, None), hours)

    def _action(self, state: State, channel: str, queue: str | None) -> Action:
        heard = [kind for kind in heard_in(self.ir, state) if kind.channel == channel]
        asked = refusals_in(self.ir, state, channel)
        week = self.model.week(queue or "") if channel == "call" else None
        places = week if any(on.where is not None and hears(on, NO_CAPACITY) for on in asked) else None
        reach, unsent = self.model.reached(state.name, channel), dict(self.model.why_unsent(channel))
        if places is not None:  # who finds no place is counted, not drawn
            reach += (1 - reach) * unsent.pop(NO_CAPACITY, 0.0) / (sum(self.model.why_unsent(channel).values()) or 1)
        return Action(
            (channel, state.purpose or self.ir.purpose),
            reach,
            next((self._chance_of(state, kind) for kind in heard if kind.event == f"{channel}.sent"), None),
            tuple(self._chance_of(state, kind) for kind in heard if kind.event != f"{channel}.sent"),
            channel in _EXCLUSIVE,
            (channel, queue or "") if channel in {"call", "letter"} else None,
            tuple(_bounds(reach, unsent, asked)),
            places,
        )

    def _looks_back(self, kind: Kind) -> bool:
        return any(kind.answers(answer) and answer.look_back is not None for answer in self.ir.listens)

    def _chance_of(self, state: State, kind: Kind) -> Chance:
        rate = self.model.rate(state.name, kind)
        return Chance(rate.share, rate.delay.table(), self._listens(kind))

    def _hazard(self, kinds: list[Kind], state: str | None) -> Hazard:
        rates = [(self.model.monthly(kind, state) / MONTH / 1000, self._listens(kind)) for kind in kinds]
        total = sum(rate for rate, _ in rates)
        if total <= 0:
            return Hazard()
        bound, bounds = 0.0, list[tuple[float, tuple[int, ...]]]()
        for rate, listens in rates:
            bound += rate / total
            bounds.append((bound, listens))
        return Hazard(total, tuple(bounds))

    def _lots(self) -> dict[int, Lot]:
        found = {number: Lot(self.model.guard(guard)) for number, guard in guards_in(self.ir).items()}
        for number, arrow in enumerate(self.ir.arrows):
            if isinstance(arrow.on, Share):
                found[number] = Lot(arrow.on.percent / 100, split=True)
        first = 0
        for state in self.ir.states:
            numbers = range(first, first + len(state.arrows))
            first += len(state.arrows)
            learned = [number for number in numbers if isinstance(self.ir.arrows[number].on, Learned)]
            rest = 1 - sum(found[number].share for number in numbers if number in found and found[number].split)
            found |= {number: Lot(rest / len(learned), split=True) for number in learned}
        return found


def _bounds(reach: float, unsent: Mapping[str, float], asked: Sequence[Answer]) -> Iterator[tuple[float, str]]:
    """Why nothing is sent, as bounds of the draw. Reasons that no arrow tells apart are one: each asked for costs a way to go on."""
    alike: dict[tuple[bool, ...], tuple[str, float]] = {}
    for reason, share in (unsent or {_UNSAID: 1.0}).items():
        heard = tuple(hears(on, reason) for on in asked)
        first, so_far = alike.get(heard, (reason, 0.0))
        alike[heard] = (first, so_far + share)
    total, bound = sum(share for _, share in alike.values()) or 1.0, reach
    for reason, share in alike.values():
        bound += (1 - reach) * share / total
        yield bound, reason
