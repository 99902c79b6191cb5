"""Walking: an author's test of a journey, one customer in virtual time, without a server or a database.

    w = walk(WinBack, customer={"country": "FR"})
    w.tell(Email.clicked)
    assert w.at is WinBack.call

It is driven by the engine's own stepper, so what a test sees is what customers will get.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

from dsl.chart import Chart, chart
from dsl.compile import compile_journey
from dsl.expression import Facts
from dsl.facts import facts
from dsl.ir import CHANGED, IR, Learned
from dsl.journey import Journey
from dsl.localtime import zone_of
from dsl.planning import Place, may_send, measured, milliseconds, moment_of, over
from dsl.predicate import And, Compare, Constant, Field, Predicate
from dsl.states import Sending, State
from dsl.step import (
    ENDED,
    Acted,
    Answered,
    Decide,
    Decided,
    Due,
    Effect,
    Late,
    Measure,
    Postponed,
    Row,
    Send,
)
from dsl.step import enter as enter_chart
from dsl.step import step as take_step
from dsl.times import Duration, duration
from dsl.triggers import Event

__all__ = ["Message", "Step", "Walk", "walk"]

NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""When a walk begins unless it says otherwise: a Monday."""

_charts: WeakKeyDictionary[type[Journey], Chart] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Step:
    """A box was entered (or, between two tries, left to rest): why, and when."""

    state: State
    cause: str
    """entry, answer, timer, then, decided, share, not_sent or retry."""
    at: datetime
    event: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message that the journey sent."""

    state: State
    channel: str
    template: str
    at: datetime
    visit: int


def walk(
    journey: type[Journey],
    *,
    customer: Mapping[str, Any] | None = None,
    orders: Sequence[Mapping[str, Any]] = (),
    at: datetime = NOON,
    seed: int = 1,
    take: State | Iterable[State] = (),
    unreachable: Iterable[type[Sending]] = (),
    holidays: Iterable[date] = (),
) -> Walk:
    """Let a customer enter `journey` at `at`, and follow her.

    `customer` and `orders` are her facts (totals in currency units). At a split the lot is drawn by `seed`, unless
    `take` names the box to go to. `unreachable` are channels by which she can't be reached: their boxes are not sent.
    `holidays` are the public ones where she lives. Raises Problems if the journey doesn't compile.
    """
    return Walk(journey, customer or {}, orders, at, seed, take, unreachable, holidays)


class Walk:
    """One customer on her way. `customer`, `orders` and `unreachable` may be changed as she goes."""

    def __init__(
        self,
        journey: type[Journey],
        customer: Mapping[str, Any],
        orders: Sequence[Mapping[str, Any]],
        at: datetime,
        seed: int,
        take: State | Iterable[State],
        unreachable: Iterable[type[Sending]],
        holidays: Iterable[date],
    ) -> None:
        if at.tzinfo is None:
            raise ValueError(f"at={at!r} says no moment without a zone: add tzinfo=UTC")
        if journey not in _charts:
            _charts[journey] = chart(compile_journey(journey))
        self.journey = journey
        self.customer: dict[str, Any] = dict(customer)
        self.orders: list[Mapping[str, Any]] = list(orders)
        self.unreachable: set[str] = {channel.kind for channel in unreachable}
        self.holidays = set(holidays)
        self.now = at
        self.steps: list[Step] = []
        self.messages: list[Message] = []
        self.late: list[str] = []
        """Why answers moved nobody: not awaited here, earlier send, limit reached, ended …"""
        self._chart = _charts[journey]
        self._told: list[str] = []
        self._taken: list[State] = []
        self.take(*([take] if isinstance(take, State) else take))
        self._member, effects = enter_chart(self._chart, seed, self._ms)
        self._perform(effects)

    # --- where she is -------------------------------------------------------------------------------------------------

    @property
    def ir(self) -> IR:
        """What the journey compiled to."""
        return self._chart.ir

    @property
    def at(self) -> State:
        """The box that she is in: `walk.at is WinBack.call`."""
        return self._state(self._member.state)

    @property
    def ended(self) -> bool:
        """Whether she has come to an end."""
        return self._member.phase == ENDED

    @property
    def reason(self) -> str | None:
        """The name of the end that she came to."""
        return self.at.name if self.ended else None

    @property
    def sent(self) -> list[State]:
        """The boxes that have sent her a message, in order; `messages` tells more."""
        return [message.state for message in self.messages]

    # --- what happens to her ------------------------------------------------------------------------------------------

    def tell(self, event: Event, /, *, to: State | None = None, **payload: Any) -> Walk:
        """Something happens now: `tell(Email.clicked)`, `tell(Shop.purchased, total=30)`.

        A channel's answer is to its last message, or to that of the box `to`. What the trigger itself asks of the
        payload by equality (`Email.clicked.link("shop")`) needn't be said again. An order in the payload is no fact: what
        conditions on orders shall see goes into `orders`.
        """
        if not isinstance(event, Event):  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
            raise TypeError(f"tell(…) takes an answer or an event, for example Email.clicked, not {event!r}")
        if event.name.endswith(".not_sent"):
            raise ValueError(f"{event.name} is the box's own outcome: walk(…, unreachable=[…]) brings it about")
        told = {**_equalities(event.payload), **payload}
        known = replace(facts(self.customer, self.orders), payload=told)
        if event.payload is not None and not event.payload.evaluate(known, self.now):
            raise ValueError(f"the payload {told} is not one of which {event.payload.sentence()!r} holds")
        visit = self._answered(event.name.partition(".")[0], to) if event.scope != "customer" else None
        matched = tuple(
            index
            for index, answer in enumerate(self.ir.listens)
            if answer.event == event.name and (answer.where is None or answer.where.evaluate(known, self.now))
        )
        self._told.append(event.name)
        self._step(Answered(len(self._told), self._ms, matched, visit))
        return self

    def change(self, **fields: Any) -> Walk:
        """Facts of hers change: `change(zone="Asia/Tokyo")`. A wait that hangs on one of them is planned anew."""
        self.customer.update(fields)
        matched = tuple(
            index
            for index, answer in enumerate(self.ir.listens)
            if answer.event == CHANGED
            and any(
                answer.where is not None and answer.where.evaluate(Facts(payload={"field": name}), self.now)
                for name in fields
            )
        )
        if matched:
            self._told.append(CHANGED)
            self._step(Answered(len(self._told), self._ms, matched))
        return self

    def wait(
        self,
        span: Duration | None = None,
        /,
        *,
        weeks: float = 0,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
    ) -> Walk:
        """Time passes: `wait(days=3)`. Whatever falls due on the way happens, in its order."""
        passed = span if span is not None else duration(weeks=weeks, days=days, hours=hours, minutes=minutes)
        until = self.now + timedelta(seconds=passed.seconds)
        # The engine rounds deadlines up to a minute; a test that waits as long as the box does shall see it go on.
        limit = -(-milliseconds(until) // 60_000) * 60_000
        while self._member.deadline is not None and self._member.deadline <= limit:
            self.now = max(self.now, moment_of(self._member.deadline))
            self._step(Due())
        self.now = max(self.now, until)
        return self

    def take(self, *states: State) -> Walk:
        """At splits to come, take the share that leads to one of `states`."""
        boxes = list(self._chart.boxes)
        for state in states:
            found = any(self._state(self._chart.targets[arrow]) is state for box in boxes for arrow in box.learned)
            self._taken.append(state)
            for index, box in enumerate(boxes):
                for _, arrow in box.shares:
                    if self._state(self._chart.targets[arrow]) is state:
                        boxes[index] = replace(box, shares=((1.0, arrow),))
                        found = True
            if not found:
                raise ValueError(f"no share of {self.journey.__name__} leads to {state!r}")
        self._chart = replace(self._chart, boxes=tuple(boxes))
        return self

    # --- the stepper's other side -------------------------------------------------------------------------------------

    @property
    def _ms(self) -> int:
        return milliseconds(self.now)

    def _state(self, index: int) -> State:
        return cast("State", getattr(self.journey, self.ir.states[index].name))

    def _step(self, event: Answered | Due | Acted | Decided | Postponed) -> None:
        self._member, effects = take_step(self._chart, self._member, event, self._ms)
        self._perform(effects)

    def _perform(self, effects: list[Effect]) -> None:
        """Do what the stepper asks for. It asks for one thing at a time, and last."""
        answer: Acted | Decided | Postponed | None = None
        for effect in effects:
            match effect:
                case Row():
                    event = self._told[effect.event_seq - 1] if effect.event_seq else None
                    self.steps.append(Step(self._state(effect.state), effect.cause, moment_of(effect.at), event))
                case Send():
                    answer = self._send(effect)
                case Measure():
                    answer = Acted(waits=self._measured(effect.arrows, moment_of(effect.since)))
                case Decide():
                    answer = Decided(tuple(self._decided(arrow) for arrow in effect.arrows))
                case Late():
                    self.late.append(effect.reason)
                case _:
                    pass
        if answer is not None:
            self._step(answer)

    def _send(self, effect: Send) -> Acted | Postponed:
        state = self._state(effect.state)
        later = may_send(self.ir, self.ir.states[effect.state], self.now, self._place)
        if later > self.now:
            return Postponed((later - self.now).total_seconds(), held=True)
        actions = [(state.kind, state.template), *((action.kind, action.template) for action in state.also)]
        sent = [(channel, template) for channel, template in actions if channel not in self.unreachable]
        self.messages += [Message(state, channel, template or "", self.now, effect.visit) for channel, template in sent]
        waits = self._measured(effect.arrows, self.now)
        return Acted(waits=waits) if sent else Acted(sent=False, waits=waits, reason="address missing")

    @property
    def _place(self) -> Place:
        return Place(zone_of(self.customer.get("zone"), self.ir.zone), self.holidays.__contains__)

    def _decided(self, arrow: int) -> bool:
        """Whether an arrow is open to her; where shares are learned, the lot falls on the first that `take` names."""
        if isinstance(self._chart.arrows[arrow].on, Learned):
            return not self._taken or self._state(self._chart.targets[arrow]) in self._taken
        guard = self._chart.arrows[arrow].guard
        return guard is not None and self._holds(guard)

    def _holds(self, guard: Predicate) -> bool:
        return guard.evaluate(facts(self.customer, self.orders), self.now)

    def _measured(self, arrows: Iterable[int], since: datetime) -> tuple[tuple[int, int], ...]:
        """When the waits of these arrows are over for this customer."""
        known = facts(self.customer, self.orders)
        asked = ((arrow, measured(self._chart.arrows[arrow].on)) for arrow in arrows)
        values = [(arrow, what.value(known, self.now) if what is not None else None) for arrow, what in asked]
        return over(self._chart, values, since, self.now, self._place)

    def _answered(self, channel: str, to: State | None) -> int:
        """The visit whose message is answered."""
        fits = [m for m in self.messages if m.channel == channel and (to is None or m.state is to)]
        if not fits:
            who = f"`{to.name}` has sent nothing by {channel}" if to is not None else f"nothing was sent by {channel}"
            sent = ", ".join(f"`{message.state.name}`" for message in self.messages) or "nothing"
            raise ValueError(
                f"{who} yet, so there is nothing to answer; she is in `{self.at.name}`, sent so far: {sent}"
            )
        return fits[-1].visit


def _equalities(payload: Predicate | None) -> dict[str, Any]:
    """What a condition says by equality alone: `link("shop")` is a click on that link."""
    match payload:
        case And(parts):
            return {name: value for part in parts for name, value in _equalities(part).items()}
        case Compare(Field(source="payload", name=name), "eq", Constant() as constant):
            return {name: constant.literal}
        case _:
            return {}
