"""The back-test on what a real worker recorded: the rows that it reads are those that a worker writes."""

from __future__ import annotations

from dataclasses import replace

from kit.engine import Engine

from dsl import (
    Anywhere,
    Api,
    Arrows,
    Call,
    Choice,
    Customer,
    Email,
    Feed,
    Final,
    Goal,
    Journey,
    Shop,
    Sms,
    Split,
    after,
    marketing,
    otherwise,
    share,
    then,
    when,
)
from dsl.ir import IR
from engine.simulation.backtest import Comparison, backtest
from engine.simulation.kinds import Kind
from engine.simulation.learning import learn
from engine.simulation.sample import people
from engine.simulation.simulate import simulate


class Trial(Journey):
    """A decision, a split, a mail, a call, a feed item, a text that can't be sent. Its days last a second."""

    enters = Api()
    purpose = marketing
    won = Goal()
    refused = Final()
    lapsed = Final()
    abroad = Final()

    @Choice()
    def near(self) -> Arrows:
        yield when(Customer.country == "FR") >> self.lot
        yield otherwise >> self.abroad

    @Split()
    def lot(self) -> Arrows:
        yield share(50) >> self.mail
        yield share(50) >> self.other

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield from self.answers()

    @Email("t/mail")
    def other(self) -> Arrows:
        yield from self.answers()

    def answers(self) -> Arrows:
        yield Email.clicked >> self.call
        yield after(days=20) >> self.item

    @Call("t/call", queue="trial")
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused >> self.refused
        yield Call.not_reached >> self.item
        yield after(days=900) >> self.lapsed

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield then >> self.text

    @Sms("t/sms")
    def text(self) -> Arrows:
        yield Sms.not_sent >> self.lapsed
        yield after(days=900) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased >> self.won


def through(engine: Engine, ir: IR) -> Comparison:
    with engine.database.read() as conn:
        return backtest(conn, ir, engine.now(), zone="Europe/Paris", examples=100)


async def test_what_a_worker_recorded_is_replayed_and_learnt_from(engine: Engine) -> None:
    ir = engine.publish(Trial)
    here = [f"c{n}" for n in range(8)]
    engine.customers(*here, consent=("email", "call", "feed"))
    engine.customers("de", country="DE")
    assert engine.enter(ir, *here, "de") == ["entered"] * 9
    clicked, bought = ("c0", "c1", "c2"), "c3"
    for customer in here:
        await engine.until(lambda who=customer: [m for m in engine.messages(who) if m.status == "sent"])
    for customer in clicked:
        engine.tell("email.clicked", customer, key=engine.messages(customer)[-1].key)
    engine.tell("shop.purchased", bought)
    for customer, outcome in zip(clicked, ("interested", "refused", "not_reached"), strict=True):
        await engine.until_sent(customer, "call")
        engine.tell(f"call.{outcome}", customer, key=engine.messages(customer)[-1].key)
    for customer, end in (("c0", "won"), ("c1", "refused"), ("c2", "lapsed"), (bought, "won"), ("c7", "lapsed")):
        await engine.until_at(customer, end)
    await engine.until(lambda: all(engine.enrolment(c).ended_at for c in (*here, "de")))

    found = through(engine, ir)
    assert (found.customers, found.moved, found.assumed) == (9, 0, 0)
    for cell in found.cells:
        for case in cell.examples:
            assert case.path_now == case.path_was == tuple(engine.path(case.customer))
    assert all(was == now for was, now in found.sent.values())

    straight = tuple(
        replace(s, arrows=tuple(replace(a, to="won") if a.to == "call" else a for a in s.arrows)) for s in ir.states
    )
    edited = through(engine, replace(ir, states=straight))
    moved = {(cell.was, cell.now): cell.customers for cell in edited.cells if cell.was != cell.now}
    assert moved == {("refused", "won"): 1, ("lapsed", "won"): 1}

    with engine.database.read() as conn:
        model = learn(conn, ir, engine.now())
        sample = people(conn, ir, engine.now(), "Europe/Paris")
    assert sum(model.rate(box, Kind("email.clicked")).seen or 0 for box in ("mail", "other")) == 8
    assert model.seen["country is FR"] == 9
    assert model.reach["text"] < 0.8
    played = simulate(ir, model, customers=len(sample), people=sample, whole=True, runs=2)
    assert {box.name: box.entered.mean for box in played.boxes if box.name in {"near", "abroad"}} == {
        "near": 9,
        "abroad": 1,
    }
