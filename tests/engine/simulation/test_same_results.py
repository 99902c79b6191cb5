"""The quick way and the plain way: steps that are remembered give what stepping each customer gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from heapq import heappop, heappush
from math import log, sqrt
from pathlib import Path
from random import Random

import pytest

from dsl import (
    Anywhere,
    Api,
    Arrows,
    Call,
    Consent,
    Customer,
    Email,
    Final,
    Goal,
    Journey,
    Letter,
    Orders,
    Shop,
    Sms,
    Stage,
    Wait,
    after,
    between,
    days,
    hours,
    marketing,
    moment,
    skip,
    then,
    until,
    workdays,
)
from dsl.compile import compile_journey
from dsl.ir import IR
from dsl.loading import load
from dsl.step import (
    ENDED,
    Acted,
    Answered,
    Decide,
    Decided,
    Due,
    Effect,
    Event,
    Measure,
    Row,
    Send,
    chart,
    enter,
    step,
)
from engine.simulation.kinds import Kind, events_in, guards_in, heard_in
from engine.simulation.plain import Plain
from engine.simulation.plan import Person, Plan
from engine.simulation.playing import play
from engine.simulation.responses import GRID, MONTH, ResponseModel
from engine.simulation.simulate import FIRST_DAY
from engine.simulation.transitions import Transitions, by_lot

SHIPPED = {each.ir.name: each.ir for each in load(Path(__file__).parents[3] / "journeys")}
MODEL = ResponseModel(
    events={"shop.purchased": 1.5, "consent.withdrawn": 0.2},
    guards={"country is FR": 0.4},
)
DAY = 86_400_000


class Member(Customer):
    renewal = moment()


class Stages(Journey):
    """A stage with a time-out and an answer of its own, guards on answers and time-outs, a loop that is counted."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()
    left = Final()

    @Stage()
    def contact(self) -> Arrows:
        yield Shop.purchased >> self.won
        yield after(days=12, hours=5) >> self.lapsed

    @Email("t/first", stage=contact)
    def first(self) -> Arrows:
        yield Email.clicked.when(Customer.country == "FR") >> self.call
        yield after(days=3).when(Orders.count() >= 2) >> self.second
        yield after(days=4) >> self.third

    @Email("t/second", stage=contact)
    def second(self) -> Arrows:
        yield after(days=1).when(self.first.visits >= 2) >> self.third
        yield after(days=2) >> self.first

    @Sms("t/third", stage=contact)
    def third(self) -> Arrows:
        yield Sms.clicked >> self.call
        yield Sms.not_sent >> self.lapsed
        yield after(days=2) >> self.second

    @Call("t/call", queue="q")
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.not_reached.up_to(2, every=hours(5)) >> self.call
        yield Call.not_reached >> self.lapsed
        yield Call.refused >> self.lapsed
        yield after(days=5) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Consent.withdrawn >> self.left


class Clocks(Journey):
    """Quiet hours, hours of a box, waits by the customer's clock, a date of hers, two messages in one box."""

    enters = Api()
    purpose = marketing
    zone = "Europe/Paris"
    quiet_hours = between("21:00", "08:00")
    won = Goal()
    lapsed = Final()

    @Email("t/first")
    @Sms("t/first")
    def first(self) -> Arrows:
        yield Email.clicked >> self.dated
        yield Sms.replied >> self.call
        yield after(days=1, at="09:00", on=workdays) >> self.dated

    @Wait()
    def dated(self) -> Arrows:
        yield until(Member.renewal - days(3), past=skip, missing=skip) >> self.call
        yield Shop.purchased >> self.won
        yield after(days=30) >> self.lapsed

    @Call("t/call", queue="q", hours=between("09:00", "12:00", on=workdays))
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused >> self.lapsed
        yield Call.not_reached.up_to(2, every=hours(20)) >> self.call
        yield Call.not_reached >> self.lapsed
        yield after(days=7) >> self.lapsed


class Widened(Journey):
    """Answers that count elsewhere: to any send, too late, and before the box."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Email("t/first")
    def first(self) -> Arrows:
        yield Email.clicked.late() >> self.call
        yield Email.clicked >> self.second
        yield after(hours=6) >> self.second

    @Sms("t/second")
    def second(self) -> Arrows:
        yield Shop.purchased.looking_back(days=2) >> self.won
        yield after(days=1) >> self.third

    @Letter("t/third")
    def third(self) -> Arrows:
        yield then >> self.pause

    @Wait()
    def pause(self) -> Arrows:
        yield Sms.clicked.any_send() >> self.call
        yield after(days=5) >> self.lapsed

    @Call("t/call", queue="q")
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused >> self.lapsed
        yield Call.not_reached >> self.lapsed
        yield after(days=5) >> self.lapsed


JOURNEYS = {**SHIPPED, **{each.__name__: compile_journey(each) for each in (Stages, Clocks, Widened)}}


def dice(seed: int) -> Random:
    return Random(seed)  # noqa: S311  # no secrets


def crowd(ir: IR, many: int, seed: int) -> Iterator[tuple[int, Person]]:
    random, treated, held_out = dice(seed), Person(), Person(held_out=True)
    for _ in range(many):
        at = FIRST_DAY + int(random.random() * 30 * DAY / GRID) * GRID
        yield at, held_out if random.random() * 100 < ir.holdout else treated


@pytest.mark.parametrize("name", JOURNEYS)
def test_remembered_steps_give_the_same_to_the_last_customer(name: str) -> None:
    ir = JOURNEYS[name]
    plan = Plan(ir, MODEL)
    quick, plain = (play(plan, kind(by_lot(ir)), crowd(ir, 600, 1), dice(2)) for kind in (Transitions, Plain))
    assert quick == plain
    assert quick.customers == 600
    assert sum(quick.entered) > 600


def test_every_arrow_of_a_rich_journey_is_taken_by_somebody() -> None:
    """Else the comparison above would not look at it."""
    for name in ("Stages", "Clocks", "Widened", "win_back"):
        ir = JOURNEYS[name]
        tally = play(Plan(ir, MODEL), Transitions(by_lot(ir)), crowd(ir, 20_000, 1), dice(2))
        never = [arrow.to for arrow, taken in zip(ir.arrows, tally.taken, strict=True) if not taken]
        assert not never, f"{name}: nobody took an arrow to {never}"


def test_forgetting_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ir = JOURNEYS["win_back"]
    whole = play(Plan(ir, MODEL), Transitions(by_lot(ir)), crowd(ir, 1_000, 1), dice(2))
    monkeypatch.setattr("engine.simulation.transitions._KEPT", 50)
    assert play(Plan(ir, MODEL), Transitions(by_lot(ir)), crowd(ir, 1_000, 1), dice(2)) == whole


# --- a simulation of its own: the journey as it is, its splits by the stepper's hash, moments to the millisecond ------


class ByHand:
    """One customer: a heap of what comes, each event told to the stepper, whatever comes of it."""

    def __init__(self, ir: IR, model: ResponseModel, number: int, began: int, held_out: bool, random: Random) -> None:
        self.ir, self.model, self.random, self.held_out = ir, model, random, held_out
        self.chart = chart(ir)
        self.coming: list[tuple[int, int, tuple[int, ...], int | None]] = []
        self.entered: Counter[str] = Counter()
        self.sent = self.told = 0
        self.now = began
        for kind in events_in(ir):
            at = began + self.gap(model.monthly(kind))
            while at < began + 400 * DAY:
                heappush(self.coming, (at, self.number(), self.listens(kind), None))
                at += self.gap(model.monthly(kind))
        self.member, effects = enter(self.chart, number, began)
        self.perform(effects)
        while self.member.phase != ENDED:
            self.turn()

    def gap(self, monthly: float) -> int:
        return int(-log(1 - self.random.random()) / (monthly / MONTH / 1000))

    def number(self) -> int:
        self.told += 1
        return self.told

    def listens(self, kind: Kind) -> tuple[int, ...]:
        return tuple(index for index, answer in enumerate(self.ir.listens) if kind.answers(answer))

    def turn(self) -> None:
        deadline = self.member.deadline
        if self.coming and (deadline is None or self.coming[0][0] <= deadline):
            self.now, number, listens, visit = heappop(self.coming)
            self.tell(Answered(number, self.now, listens, visit))
        else:
            assert deadline is not None
            self.now = deadline
            self.tell(Due())

    def tell(self, event: Event) -> None:
        self.member, effects = step(self.chart, self.member, event, self.now)
        self.perform(effects)

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Row(cause=cause, state=state) if self.member.phase != 2 or cause == "entry":
                    self.entered[self.ir.states[state].name] += 1
                case Decide(arrows=arrows):
                    guards = guards_in(self.ir)
                    held = (self.random.random() < self.model.guard(guards[arrow]) for arrow in arrows)
                    self.tell(Decided(tuple(held)))
                case Send(state=state, visit=visit):
                    self.send(state, visit)
                case Measure():
                    raise AssertionError("this simulation measures nothing")
                case _:
                    pass

    def send(self, state: int, visit: int) -> None:
        box = self.ir.states[state]
        goes = self.held_out or self.random.random() < self.model.reached(box.name, box.kind)
        if goes and not self.held_out:
            self.sent += 1
            left = self.random.random()
            for kind in heard_in(self.ir, box):
                rate = self.model.rate(box.name, kind)
                if box.kind == "call":
                    comes, left = 0 <= left < rate.share, left - rate.share
                else:
                    comes = self.random.random() < rate.share
                if comes:
                    at = self.now + int(rate.delay.at(self.random.random()) * 1000)
                    heappush(self.coming, (at, self.number(), self.listens(kind), visit))
        self.tell(Acted(goes, reasons=() if goes else ("no consent",)))


@pytest.mark.parametrize("name", ["win_back", "welcome", "Stages", "Widened"])
def test_a_simulation_of_another_make_finds_the_same(name: str) -> None:
    """Splits, hold-out, answers, events: the shares of both agree, as far as chance allows (four and a half sigmas)."""
    ir, many = JOURNEYS[name], 3_000
    random = dice(7)
    hands = [
        ByHand(ir, MODEL, number, at, person.held_out, random)
        for number, (at, person) in enumerate(crowd(ir, many, 3), 1)
    ]
    quick = play(Plan(ir, MODEL), Transitions(by_lot(ir)), crowd(ir, 10 * many, 4), dice(5))
    by_hand = Counter[str]()
    for hand in hands:
        by_hand.update(hand.entered)
    for state, entered in zip(ir.states, quick.entered, strict=True):
        spread = max(hand.entered[state.name] for hand in hands) or 1
        close(by_hand[state.name] / many, entered / quick.customers, many, spread, state.name)
    sent, treated = sum(hand.sent for hand in hands), sum(not hand.held_out for hand in hands)
    contacts = sum(number * of for number, of in quick.contacts.items()) / (quick.customers - quick.held_out)
    close(sent / treated, contacts, treated, max(hand.sent for hand in hands), "messages")


def close(one: float, other: float, many: int, most: int, what: str) -> None:
    """Two means of counts between 0 and `most`, of `many` and of ten times as many customers."""
    mean = (one + other) / 2
    sigma = sqrt(max(mean * (most - mean), 0.01) / many * 1.1)
    assert abs(one - other) < 4.5 * sigma, f"{what}: {one:.4f} by hand, {other:.4f} the quick way"


# --- what a step can hang on ------------------------------------------------------------------------------------------


def test_the_draw_of_a_split_follows_its_shares() -> None:
    ir = SHIPPED["win_back"]
    tally = play(Plan(ir, MODEL), Transitions(by_lot(ir)), crowd(ir, 20_000, 1), dice(2))
    discount, story = (tally.entered[[s.name for s in ir.states].index(name)] for name in ("discount", "story"))
    assert abs(discount / (discount + story) - 0.5) < 0.02


def test_few_steps_are_taken_for_many_customers() -> None:
    ir = SHIPPED["win_back"]
    steps = Transitions(by_lot(ir))
    play(Plan(ir, ResponseModel()), steps, crowd(ir, 10_000, 1), dice(2))
    assert len(steps.edges) < 2_000
