"""Journeys on a real Temporal server: customers enter, are written to, answer, and end; every step is a row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from kit.engine import Engine

from dsl import (
    Anywhere,
    Api,
    Arrows,
    Call,
    Choice,
    Consent,
    Customer,
    Email,
    Feed,
    Final,
    Goal,
    Journey,
    Shop,
    after,
    always,
    marketing,
    otherwise,
    then,
    when,
)
from dsl.compile import compile_journey
from engine.events import Incoming, accept
from engine.tables import CallTask, Enrolment, EntryRefusal, Event, FeedItem, LateAnswer, Message, Step
from workers.local.sink import Sink


class Spring(Journey):
    """A mail, then a call; whoever buys has won. Its days are long enough for a test to answer in, on a slow machine too."""

    enters = Api()
    again = always
    purpose = marketing
    won = Goal()
    refused = Final()
    lapsed = Final()
    left = Final()
    abroad = Final()

    @Choice()
    def near(self) -> Arrows:
        yield when(Customer.country == "FR") >> self.mail
        yield otherwise >> self.abroad

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.clicked >> self.call
        yield after(days=900) >> self.item

    @Call("t/call", queue="spring")
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused >> self.refused
        yield Call.not_reached >> self.item
        yield after(days=900) >> self.lapsed

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield then >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased >> self.won
        yield Consent.withdrawn >> self.left


class Hasty(Spring):
    """Soon gives up waiting for an answer."""

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.clicked >> self.call
        yield after(days=5) >> self.item


async def test_a_customer_goes_through_and_every_step_is_a_row(engine_on_both: Engine, sink: Sink) -> None:
    engine = engine_on_both
    ir = engine.publish(Spring)
    engine.customers("ann")
    assert engine.enter(ir, "ann") == ["entered"]
    mail = await engine.until_sent("ann", "mail")
    engine.tell("email.clicked", "ann", key=mail.key)
    await engine.until_at("ann", "call")
    await engine.until(lambda: engine.rows(CallTask))
    (task,) = engine.rows(CallTask)
    assert (task.status, task.queue, task.outcomes) == ("pending", "spring", ["interested", "refused", "not_reached"])
    engine.tell("call.interested", "ann", key=task.id)
    await engine.until(lambda: engine.enrolment("ann").ended_at)

    assert engine.path("ann") == ["near", "mail", "call", "won"]
    assert engine.enrolment("ann").end_reason == "won"
    decided = engine.rows(Step, state="near")[0].detail["decided"]
    assert decided[0]["holds"] is True
    assert decided[0]["values"] == {"country": "FR"}
    assert [m.status for m in engine.messages("ann")] == ["sent", "sent"]
    assert len(list(sink.folder.glob("*.eml"))) == 1


async def test_nobody_answers_and_the_timer_leads_on(engine: Engine) -> None:
    ir = engine.publish(Hasty)
    engine.customers(*(f"c{n}" for n in range(30)))
    engine.enter(ir, *(f"c{n}" for n in range(30)))
    await engine.until(lambda: all(e.ended_at for e in engine.rows(Enrolment)))
    assert {e.end_reason for e in engine.rows(Enrolment)} == {"lapsed"}
    assert len(engine.rows(FeedItem)) == 30
    step = engine.rows(Step, state="item")[0]
    sent = engine.rows(Step, state="mail", enrolment_id=step.enrolment_id)[0]
    assert step.cause == "timer"
    assert timedelta(days=5) <= step.at - sent.at < timedelta(days=100)


async def test_a_choice_that_does_not_hold_takes_the_other_arrow(engine: Engine) -> None:
    ir = engine.publish(Spring)
    engine.customers("ann", country="DE")
    engine.enter(ir, "ann")
    await engine.until(lambda: engine.enrolment("ann").ended_at)
    assert engine.enrolment("ann").end_reason == "abroad"


async def test_C1_unsubscribing_in_a_wait_acts_at_once(engine: Engine) -> None:
    ir = engine.publish(Spring)
    engine.customers("ann")
    engine.enter(ir, "ann")
    await engine.until_sent("ann", "mail")
    engine.tell("consent.withdrawn", "ann", channel="email", purpose="marketing")
    await engine.until(lambda: engine.enrolment("ann").ended_at)  # in far less than the 900 days
    assert engine.enrolment("ann").end_reason == "left"


async def test_K4_a_task_is_withdrawn_when_the_customer_buys(engine: Engine) -> None:
    ir = engine.publish(Spring)
    engine.customers("ann")
    engine.enter(ir, "ann")
    mail = await engine.until_sent("ann", "mail")
    engine.tell("email.clicked", "ann", key=mail.key)
    await engine.until(lambda: engine.rows(CallTask))
    engine.tell("shop.purchased", "ann", total=30)
    await engine.until(lambda: engine.rows(CallTask, status="withdrawn"))
    assert engine.enrolment("ann").end_reason == "won"


async def test_R4_the_same_event_a_hundred_times_is_one_transition(engine: Engine) -> None:
    ir = engine.publish(Spring)
    engine.customers("ann")
    engine.enter(ir, "ann")
    mail = await engine.until_sent("ann", "mail")
    for _ in range(100):
        engine.tell("email.clicked", "ann", key=mail.key, id="one")
    await engine.until_at("ann", "call")
    (event,) = engine.rows(Event)
    enrolment = engine.enrolment("ann")
    handle = engine.workflow("ann")
    repeated = [enrolment.id, event.seq, int(event.at.timestamp() * 1000), [0], mail.visit]
    for _ in range(3):
        await handle.signal("answers", [repeated] * 5)
    engine.tell("shop.purchased", "ann", total=3)
    await engine.until(lambda: engine.enrolment("ann").ended_at)
    assert engine.path("ann") == ["near", "mail", "call", "won"]
    assert engine.rows(LateAnswer) == []


async def test_R9_unrelated_events_leave_no_trace_in_the_history(engine: Engine) -> None:
    ir = engine.publish(Spring)
    engine.customers("ann")
    engine.enter(ir, "ann")
    await engine.until_sent("ann", "mail")
    before = await engine.history_length("ann")
    looks = [
        Incoming(f"look-{n}", "shop.looked_around", engine.now(), "ann", None, {"page": n}, "t") for n in range(10_000)
    ]
    with engine.database.write() as conn:
        accept(conn, looks, engine.now())
    await engine.until(lambda: len(engine.rows(Event, fate="unheard")) == len(looks))
    assert await engine.history_length("ann") == before


async def test_R11_an_event_waits_for_the_profile_and_starts_no_other_journey(engine: Engine) -> None:
    class Hello(Journey):
        """Greets whoever signs up."""

        enters = Shop.signed_up
        purpose = marketing
        done = Final()

        @Feed("t/feed")
        def item(self) -> Arrows:
            yield then >> self.done

    engine.publish(Spring)
    engine.publish(Hello)
    engine.tell("shop.signed_up", "ann")
    await engine.until(lambda: engine.rows(Event, fate="waiting"))
    assert engine.rows(Enrolment) == []
    engine.customers("ann")
    await engine.until(lambda: engine.rows(Enrolment, end_reason="done"))
    assert [e.journey for e in engine.rows(Enrolment)] == ["hello"]
    assert engine.rows(Event)[0].fate == "entered"


async def test_what_a_customer_did_right_after_entering_counts(engine: Engine) -> None:
    """Signed up and bought before her profile came: the second event waits until she has joined."""

    class Start(Journey):
        """Greets, and is done when she buys."""

        enters = Shop.signed_up
        purpose = marketing
        bought = Goal()
        silent = Final()

        @Feed("t/feed")
        def item(self) -> Arrows:
            yield Shop.purchased >> self.bought
            yield after(days=900) >> self.silent

    engine.publish(Start)
    engine.tell("shop.signed_up", "ann")
    engine.tell("shop.purchased", "ann", total=5)
    await engine.until(lambda: len(engine.rows(Event, fate="waiting")) == 2)
    engine.customers("ann")
    await engine.until(lambda: engine.rows(Enrolment, end_reason="bought"))
    assert sorted(event.fate for event in engine.rows(Event)) == ["delivered", "entered"]


async def test_E5_switched_off_between_acceptance_and_start(engine: Engine) -> None:
    ir = engine.publish(Spring, on=False)
    engine.customers("ann")
    assert engine.enter(ir, "ann") == ["off"]
    assert [r.reason for r in engine.rows(EntryRefusal)] == ["off"]


async def test_S3_a_missing_address_is_a_row_and_takes_the_declared_arrow(engine: Engine) -> None:
    class Reach(Journey):
        """A mail, or else her feed."""

        enters = Api()
        purpose = marketing
        done = Final()

        @Email("t/mail")
        def mail(self) -> Arrows:
            yield Email.clicked >> self.done
            yield Email.not_sent >> self.item
            yield after(days=900) >> self.done

        @Feed("t/feed")
        def item(self) -> Arrows:
            yield then >> self.done

    ir = engine.publish(Reach)
    engine.customers("ann")
    with engine.database.write() as conn:
        conn.exec_driver_sql("UPDATE customer SET email = NULL")
    engine.enter(ir, "ann")
    await engine.until(lambda: engine.enrolment("ann").ended_at)
    assert engine.path("ann") == ["mail", "item", "done"]
    (no,) = engine.rows(Message, state="mail")
    assert (no.status, no.reason, no.detail) == ("not_sent", "address missing", {"channel": "email"})


async def test_M2_the_held_out_walk_the_same_chart_without_contact(engine: Engine, sink: Sink) -> None:
    ir = engine.publish(replace(compile_journey(Hasty), holdout=100.0))
    engine.customers("ann")
    engine.enter(ir, "ann")
    await engine.until(lambda: engine.enrolment("ann").ended_at)
    assert engine.path("ann") == ["near", "mail", "item", "lapsed"]
    assert [m.status for m in engine.messages("ann")] == ["held_out", "held_out"]
    assert not sink.folder.exists() or list(sink.folder.glob("*.eml")) == []
