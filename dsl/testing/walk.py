"""Walking: an author's test of a journey, one customer in virtual time, without a server or a database.

    w = walk(WinBack, customer={"country": "FR"})
    w.tell(Email.clicked)
    assert w.at is WinBack.call

It is driven by the engine's own stepper, so what a test sees is what customers will get.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from dsl.channels import Sending
from dsl.events import Shop
from dsl.expression import Facts
from dsl.facts import facts
from dsl.ir import CHANGED
from dsl.journey import Journey
from dsl.outcomes import heard_as
from dsl.planning import milliseconds, moment_of
from dsl.predicate import And, Compare, Constant, Field, Predicate
from dsl.said import said as shown
from dsl.sends import AT_ONCE
from dsl.states import State
from dsl.step import Answered, Due
from dsl.testing.builders import NOON, ordered, purchase
from dsl.testing.driver import Driver, Message, Why
from dsl.testing.fields import Given, check_customer, check_payload, named
from dsl.testing.given import lines
from dsl.times import Duration, duration
from dsl.triggers import Event, Trigger

__all__ = ["Walk", "walk"]


def walk(
    journey: type[Journey],
    *,
    customer: Given | None = None,
    orders: Sequence[Mapping[str, Any]] = (),
    at: datetime = NOON,
    key: str | None = None,
    seed: int = 1,
    take: State | Iterable[State] = (),
    unreachable: Iterable[type[Sending] | State] | Mapping[type[Sending] | State, Why] = (),
    holidays: Iterable[date] = (),
) -> Walk:
    """Let a customer enter `journey` at `at`, and follow her.

    `customer` and `orders` are her facts (totals in currency units), by their names or by themselves: `{Member.tier: "gold"}`,
    which an editor renames with the fact. The builders of `dsl.testing` make some. At a split
    the lot is drawn by `seed`, unless `take` names the box to go to. `unreachable` are channels by which she can't be
    reached, or boxes, with the reason if it matters (see `refuse`): they send nothing. `holidays` are the public ones where she lives. Of a
    journey that runs in parallel `key` is the value by which this enrolment is told from others: events of another key
    (`.by(…)`) pass it by. Raises Problems if the journey doesn't compile.
    """
    return Walk(journey, customer or {}, orders, at, key, seed, take, unreachable, holidays)


class Walk(Driver):
    """One customer on her way. `customer`, `orders`, `unreachable` and `refusals` may be changed as she goes."""

    def tell(self, event: Event, given: Given | None = None, /, *, to: State | None = None, **payload: Any) -> Walk:
        """Something happens now: `tell(Email.clicked)`, `tell(Shop.purchased, total=30)`, `tell(Workshop.rated, {Rating.stars: 5})`.

        A channel's answer is to its last message, or to that of the box `to`. A call is heard as the engine hears it: without an
        arrow of its own `Call.busy` is `Call.not_reached`. That a message was sent is told by itself; only a letter goes out later,
        with its print run: `tell(Letter.sent)`. What the trigger itself asks of the
        payload by equality (`Email.clicked.link("shop")`) needn't be said again. An order in the payload is no fact: what
        conditions on orders shall see goes into `orders`.
        """
        if not isinstance(event, Event):  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
            raise TypeError(f"tell(…) takes an answer or an event, for example Email.clicked, not {_shown(event)}")
        if event.name.endswith(".not_sent"):
            raise ValueError(f"{event.name} is the box's own outcome: walk(…, unreachable=[…]) brings it about")
        if event.name in AT_ONCE:
            raise ValueError(f"{event.name} is told by itself as soon as the message has gone out")
        said = named(given or {}, of=("payload",), also=payload)
        if not self.silent:
            check_payload(self.ir, event.name, event.carries, said)
        told = {**_equalities(event.payload), **said}
        known = replace(facts(self.customer, self.orders), payload=told)
        if event.payload is not None and not event.payload.evaluate(known, self.now):
            raise ValueError(f"the payload {told} is not one of which {event.payload.sentence()!r} holds")
        answered = self._answered(event.name.partition(".")[0], to) if event.scope != "customer" else None
        name, visit = event.name, None
        if answered is not None:
            name, visit = heard_as(name, self.ir, self.ir.by_name[answered.state.name]), answered.visit
        self._hear(name, told, visit)
        return self

    def buy(
        self,
        total: float = 30,
        *,
        category: str | None = None,
        product: str | None = None,
        quantity: float = 1,
        order_id: str | None = None,
    ) -> Walk:
        """She buys now: it is an order among her facts from now on, and `Shop.purchased` is told."""
        number = order_id or f"bought-{len(self.orders) + 1}"
        bought = purchase(total, order_id=number, category=category, product=product, quantity=quantity)
        self.orders.append({**bought, "at": self.now})
        return self.tell(Shop.purchased, **bought)

    def change(
        self, given: Given | None = None, /, *, orders: Sequence[Mapping[str, Any]] | None = None, **fields: Any
    ) -> Walk:
        """Facts of hers change: `change(zone="Asia/Tokyo")`, `change({Member.tier: "gold"})`.

        A wait that hangs on one of them is planned anew.

        `orders` are all that she has bought by now, in place of what was known before.
        """
        fields = named(given or {}, also=fields)
        if not self.silent:
            check_customer(self.ir, fields)
        if orders is not None:
            self.orders = ordered(lines(orders), self.now)
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

    def _answered(self, channel: str, to: State | None) -> Message:
        """The message that is answered."""
        fits = [m for m in self.messages if m.channel == channel and (to is None or m.state is to)]
        if not fits:
            who = f"`{to.name}` has sent nothing by {channel}" if to is not None else f"nothing was sent by {channel}"
            sent = ", ".join(f"`{message.state.name}`" for message in self.messages) or "nothing"
            raise ValueError(
                f"{who} yet, so there is nothing to answer; she is in `{self.at.name}`, sent so far: {sent}"
            )
        return fits[-1]


def _shown(given: object) -> str:
    return shown(given) if isinstance(given, Trigger) else repr(given)


def _equalities(payload: Predicate | None) -> dict[str, Any]:
    """What a condition says by equality alone: `link("shop")` is a click on that link."""
    match payload:
        case And(parts):
            return {name: value for part in parts for name, value in _equalities(part).items()}
        case Compare(Field(source="payload", name=name), "eq", Constant() as constant):
            return {name: constant.literal}
        case _:
            return {}
