"""The driver of a test: the stepper's other side, in virtual time, on facts that the test holds.

What the engine does by its database and its channels is done here in memory; the stepper is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, ClassVar, Final, Self, cast, get_args
from weakref import WeakKeyDictionary

from dsl.channels import Sending
from dsl.chart import Chart, chart
from dsl.compile import compile_journey
from dsl.facts import facts
from dsl.ir import IR, Answer, Learned
from dsl.journey import Journey
from dsl.localtime import zone_of
from dsl.planning import Place, may_send, measured, milliseconds, moment_of, over
from dsl.sends import AT_ONCE, sent_awaited
from dsl.states import State
from dsl.step import ENDED, Acted, Answered, Decide, Decided, Due, Effect, Late, Measure, Postponed, Row, Send
from dsl.step import enter as enter_chart
from dsl.step import step as take_step
from dsl.testing.builders import Person, ordered
from dsl.testing.fields import Given, check_customer
from dsl.testing.given import box_that_sends, holidays_of, lines, person, reached_by
from dsl.triggers import Reason

__all__ = ["Driver", "Message", "Step", "Why", "chart_of", "taking"]

Why = Reason | Mapping[type[Sending], Reason]
"""Why nothing is sent: one reason, or in a box of several channels one for each."""

_Heard = Answered | Due | Acted | Decided | Postponed
_AT_ONE_MOMENT: Final = 10_000  # boxes: no chart that compiled comes near
_charts: WeakKeyDictionary[type[Journey], Chart] = WeakKeyDictionary()

taking: Final[list[Callable[[IR, int], None]]] = []
"""Told of each arrow that any walk takes: the journey, and the arrow's number."""


@dataclass(frozen=True, slots=True)
class Step:
    """A box was entered (or, between two tries, left to rest): why, and when."""

    state: State
    cause: str
    """entry, answer, timer, then, decided, share, not_sent or retry."""
    at: datetime
    event: str | None = None
    arrow: int = -1
    """The number, in `walk.ir.arrows`, of the arrow that was taken; -1 at the entry, and after a rest."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that the journey sent."""

    state: State
    channel: str
    template: str
    at: datetime
    visit: int


def chart_of(journey: type[Journey]) -> Chart:
    """A journey's chart; it is compiled once."""
    if journey not in _charts:
        _charts[journey] = chart(compile_journey(journey))
    return _charts[journey]


class Driver:
    """One customer in one journey, and all that the stepper asks of her."""

    silent: ClassVar[bool] = False
    """Whether the arrows that it takes are told to nobody."""

    def __init__(
        self,
        journey: type[Journey],
        customer: Given,
        orders: Sequence[Mapping[str, Any]],
        at: datetime,
        key: str | None,
        seed: int,
        take: State | Iterable[State],
        unreachable: Iterable[type[Sending] | State] | Mapping[type[Sending] | State, Why],
        holidays: Iterable[date],
    ) -> None:
        if at.tzinfo is None:
            raise ValueError(f"at={at!r} says no moment without a zone: add tzinfo=UTC")
        hers = customer.orders if isinstance(customer, Person) else ()
        self.journey = journey
        self.customer: dict[str, Any] = person(customer)
        self.orders: list[Mapping[str, Any]] = ordered([*hers, *lines(orders)], at)
        self.key = key
        self.unreachable: set[str] = set()
        """Channels by which she can't be reached, boxes that reach her by none, and `box.channel` where it is by one of them."""
        self.refusals: dict[str, Reason] = {}
        """Why, by the same names; without a word the address is missing."""
        if isinstance(unreachable, Mapping):
            for what, reason in cast("Mapping[type[Sending] | State, Why]", unreachable).items():
                self.refuse(what, reason)
        else:
            for what in unreachable:
                self.refuse(what)
        self.holidays = holidays_of(holidays)
        self.now = at
        self.steps: list[Step] = []
        self.messages: list[Message] = []
        self.late: list[str] = []
        """Why answers moved nobody: not awaited here, earlier send, limit reached, ended …"""
        self._seed = seed
        self._chart = self._charted()
        if not self.silent:  # what the search makes up fits
            check_customer(self.ir, self.customer)
        if key is not None and self.ir.again.parallel is None:
            raise ValueError(
                f"key={key!r}: {journey.__name__} runs once for each customer; say `parallel = ` a field of its entry event"
            )
        self._told: list[str] = []
        self._went: list[tuple[str, int]] = []
        """Of messages that went out just now, the event that says so, and the visit."""
        self._lots: dict[int, int] = {}
        self.take(*([take] if isinstance(take, State) else take))
        self._enter()

    def _charted(self) -> Chart:
        return chart_of(self.journey)

    def _enter(self) -> None:
        self._member, effects = enter_chart(self._chart, self._seed, self._ms)
        self._go_on(self._perform(effects))

    def copy(self) -> Self:
        """The same customer once more: what happens to the one doesn't happen to the other."""
        twin = copy(self)
        held = cast("dict[str, object]", vars(twin))
        held.update({name: copy(value) for name, value in held.items() if type(value) in (list, dict, set)})
        return twin

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

    @property
    def arrows(self) -> list[int]:
        """The arrows that she has taken, in order, as numbers in `ir.arrows`."""
        return [step.arrow for step in self.steps if step.arrow >= 0]

    def take(self, *states: State) -> Self:
        """At splits to come, take the share that leads to one of `states`; the last word for a split counts."""
        boxes = list(self._chart.boxes)
        for state in states:
            found = [
                (index, arrow)
                for index, box in enumerate(self._charted().boxes)
                for arrow in (*(arrow for _, arrow in box.shares), *box.learned)
                if self._state(self._chart.targets[arrow]) is state
            ]
            if not found:
                raise ValueError(f"no share of {self.journey.__name__} leads to {state!r}")
            for index, arrow in found:
                self._lots[index] = arrow
                boxes[index] = replace(boxes[index], shares=((1.0, arrow),) if boxes[index].shares else ())
        self._chart = replace(self._chart, boxes=tuple(boxes))
        return self

    def refuse(self, what: type[Sending] | State, reason: Why = "address missing") -> Self:
        """From now on nothing is sent by a channel, or by a box: `refuse(Email)`, `refuse(WinBack.sms, "suppressed")`.

        In a box of several channels each may have a reason of its own; one that isn't named goes out:
        `refuse(Renewal.offer, {Email: "no consent", Feed: "journey off"})`.
        """
        if not isinstance(reason, str | Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
            raise TypeError(f"nothing is kept back because of {reason!r}; there are {', '.join(get_args(Reason))}")
        for each in (reason,) if isinstance(reason, str) else reason.values():
            if each not in get_args(Reason):
                raise ValueError(f"nothing is kept back because of {each!r}; there are {', '.join(get_args(Reason))}")
        self.reach(what)
        name = what.name if isinstance(what, State) else what.kind
        named: dict[str, Reason] = {}
        if isinstance(reason, str):
            named[name] = reason
        elif not isinstance(what, State):
            raise TypeError(f"a channel has one reason, not {reason!r}: name the box to tell its channels apart")
        else:
            wrong = next((channel.kind for channel in reason if channel.kind not in what.channels), None)
            if wrong is not None:
                raise ValueError(f"`{name}` doesn't send by {wrong}, but by {', '.join(what.channels)}")
            named = {f"{name}.{channel.kind}": why for channel, why in reason.items()}
        self.unreachable.update(named)
        self.refusals.update(named)
        return self

    def reach(self, what: type[Sending] | State) -> Self:
        """She can be reached by the channel, or the box, again."""
        what = reached_by(what)
        if isinstance(what, State):
            box_that_sends(what, self.journey)
        own = [f"{what.name}.{channel}" for channel in what.channels] if isinstance(what, State) else []
        for name in (what.name if isinstance(what, State) else what.kind, *own):
            self.unreachable.discard(name)
            self.refusals.pop(name, None)
        return self

    def whys(self, box: State) -> tuple[Reason | None, ...]:
        """Why a box sends nothing, for each of its channels; None where that goes out."""
        return tuple(self._why(box, channel) for channel in box.channels)

    def _why(self, box: State, channel: str) -> Reason | None:
        for name in (f"{box.name}.{channel}", box.name, channel):
            if name in self.unreachable:
                return self.refusals.get(name, "address missing")
        return None

    # --- what the stepper asks for -------------------------------------------------------------------------------------

    @property
    def _ms(self) -> int:
        return milliseconds(self.now)

    def _state(self, index: int) -> State:
        return cast("State", getattr(self.journey, self.ir.states[index].name))

    def _step(self, event: _Heard) -> None:
        self._go_on(event)

    def _go_on(self, event: _Heard | None) -> None:
        """Step by step until nothing more happens at this moment. Raises RuntimeError where that has no end."""
        entered = len(self.steps)
        while event is not None or self._went:
            if event is None:  # what went out is told when all else is done
                name, visit = self._went.pop(0)
                event = self._heard(name, {}, visit)
                continue
            if len(self.steps) - entered > _AT_ONE_MOMENT:
                loop = ", ".join(sorted({step.state.name for step in self.steps[-100:]}))
                raise RuntimeError(
                    f"{_AT_ONE_MOMENT:,} boxes were entered at one moment, {self.now:%Y-%m-%d %H:%M}: {loop}"
                )
            self._member, effects = take_step(self._chart, self._member, event, self._ms)
            event = self._perform(effects)

    def _perform(self, effects: list[Effect]) -> Acted | Decided | Postponed | None:
        """Do what the stepper asks for, and give the answer. It asks for one thing at a time, and last."""
        answer: Acted | Decided | Postponed | None = None
        for effect in effects:
            match effect:
                case Row():
                    event = self._told[effect.event_seq - 1] if effect.event_seq else None
                    step = Step(self._state(effect.state), effect.cause, moment_of(effect.at), event, effect.arrow)
                    self.steps.append(step)
                    if effect.arrow >= 0 and not self.silent:
                        for told in taking:
                            told(self.ir, effect.arrow)
                case Send():
                    answer = self._send(effect)
                case Measure():
                    answer = Acted(waits=self._measured(effect.arrows, moment_of(effect.since)))
                case Decide():
                    answer = Decided(self._decided(effect.arrows))
                case Late():
                    self.late.append(effect.reason)
                case _:
                    pass
        return answer

    def _hear(self, event: str, payload: Mapping[str, Any], visit: int | None) -> None:
        """An event happens."""
        self._go_on(self._heard(event, payload, visit))

    def _heard(self, event: str, payload: Mapping[str, Any], visit: int | None) -> Answered | None:
        """An event, as the engine would match it; of one that is for another enrolment nothing is heard."""
        known = replace(facts(self.customer, self.orders), payload=payload)
        heard = [(index, answer) for index, answer in enumerate(self.ir.listens) if answer.event == event]
        hers = [(index, answer) for index, answer in heard if self._hers(answer, payload)]
        if heard and not hers:
            return None
        matched = tuple(i for i, answer in hers if answer.where is None or answer.where.evaluate(known, self.now))
        self._told.append(event)
        return Answered(len(self._told), self._ms, matched, visit)

    def _send(self, effect: Send) -> Acted | Postponed:
        state = self._state(effect.state)
        later = may_send(self.ir, self.ir.states[effect.state], self.now, self._place)
        if later > self.now:
            return Postponed((later - self.now).total_seconds(), held=True)
        actions = [(state.kind, state.template), *((action.kind, action.template) for action in state.also)]
        whys = self.whys(state)
        sent = [action for action, why in zip(actions, whys, strict=True) if why is None]
        self.messages += [Message(state, channel, template or "", self.now, effect.visit) for channel, template in sent]
        waited = sent_awaited(self.ir, self.ir.states[effect.state])
        told = [f"{channel}.sent" for channel, _ in sent if channel in waited]
        self._went += [(event, effect.visit) for event in told if event in AT_ONCE]
        waits = self._measured(effect.arrows, self.now)
        return Acted(waits=waits) if sent else Acted(False, waits, tuple(why for why in whys if why is not None))

    @property
    def _place(self) -> Place:
        return Place(zone_of(self.customer.get("zone"), self.ir.zone), self.holidays.__contains__)

    def _decided(self, arrows: Sequence[int]) -> tuple[bool, ...]:
        """Which arrows are open to her; where shares are learned, the lot falls on the first, or as `take` says."""
        if isinstance(self._chart.arrows[arrows[0]].on, Learned):
            lot = self._lots.get(self._member.state, arrows[0])
            return tuple(arrow == lot for arrow in arrows)
        known = facts(self.customer, self.orders)
        guards = (self._chart.arrows[arrow].guard for arrow in arrows)
        return tuple(guard is not None and guard.evaluate(known, self.now) for guard in guards)

    def _hers(self, answer: Answer, payload: Mapping[str, Any]) -> bool:
        """Whether an event is for this enrolment, of several that run in parallel."""
        return answer.by is None or self.key is None or str(payload.get(answer.by, "")) == self.key

    def _measured(self, arrows: Iterable[int], since: datetime) -> tuple[tuple[int, int], ...]:
        """When the waits of these arrows are over for this customer."""
        known = facts(self.customer, self.orders)
        asked = ((arrow, measured(self._chart.arrows[arrow].on)) for arrow in arrows)
        values = [(arrow, what.value(known, self.now) if what is not None else None) for arrow, what in asked]
        return over(self._chart, values, since, self.now, self._place)
