"""The back-test: recorded customers through an edited journey. Unedited, all go where they went."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from kit.recording import START, Recorder
from sqlalchemy import func, insert, select

from dsl import (
    Anywhere,
    Api,
    Arrows,
    Call,
    Choice,
    Consent,
    Customer,
    Email,
    Final,
    Goal,
    Journey,
    Orders,
    Purchase,
    Shop,
    Sms,
    Split,
    Wait,
    after,
    between,
    days,
    hours,
    marketing,
    otherwise,
    percent,
    share,
    when,
)
from dsl.compile import compile_journey
from dsl.ir import IR
from engine import tables
from engine.db import Database, insert_new, table
from engine.errors import NotFound
from engine.simulation.backtest import Comparison, backtest
from engine.simulation.recorded import recorded
from engine.simulation.responses import DEFAULTS, ChannelModel, Delay, Rate, ResponseModel


class Offer(Journey):
    """A choice, a split, mails, a text, calls with retries, a measured wait."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()
    left = Final()

    @Choice()
    def first(self) -> Arrows:
        yield when(Customer.country == "FR") >> self.offer
        yield otherwise >> self.pause

    @Split()
    def offer(self) -> Arrows:
        yield share(50) >> self.discount
        yield share(50) >> self.story

    @Email("t/discount")
    def discount(self) -> Arrows:
        yield Email.clicked >> self.call
        yield after(days=3) >> self.text

    @Email("t/story")
    def story(self) -> Arrows:
        yield Email.clicked >> self.call
        yield after(days=3) >> self.text

    @Sms("t/text")
    def text(self) -> Arrows:
        yield Sms.clicked >> self.call
        yield Sms.not_sent >> self.pause
        yield after(days=2) >> self.lapsed

    @Call("t/call", queue="warm")
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused >> self.lapsed
        yield Call.not_reached.up_to(2, every=hours(20)) >> self.call
        yield Call.not_reached >> self.text
        yield after(days=7) >> self.lapsed

    @Wait()
    def pause(self) -> Arrows:
        yield after(Orders.rhythm(), missing=days(9)) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased.where(Purchase.total >= 40) >> self.won
        yield Consent.withdrawn >> self.left


OFFER = compile_journey(Offer)


def with_box(ir: IR, name: str, **changes: Any) -> IR:
    return replace(ir, states=tuple(replace(s, **changes) if s.name == name else s for s in ir.states))


def lead(ir: IR, source: str, number: int, to: str) -> IR:
    """The journey with one arrow of a box leading elsewhere."""
    arrows = list(ir.by_name[source].arrows)
    arrows[number] = replace(arrows[number], to=to)
    return with_box(ir, source, arrows=tuple(arrows))


def through(db: Database, ir: IR, books: Recorder, **more: Any) -> Comparison:
    with db.read() as conn:
        return backtest(conn, ir, books.now, zone="Europe/Paris", **more)


def matrix(found: Comparison) -> dict[tuple[str, str], int]:
    return {(cell.was, cell.now): cell.customers for cell in found.cells}


@pytest.fixture
def books(db: Database) -> Recorder:
    """A fortnight of forty customers who click, answer calls, buy, leave, can't be reached, or do nothing."""
    found = Recorder(db, OFFER, {(f"c{n:02}", "sms"): "no consent" for n in range(30, 40)})
    ids = [f"c{n:02}" for n in range(40)]
    found.customers(*ids[:35])
    found.customers(*ids[35:], country="DE")
    found.enter(*ids)
    found.wait(hours=5)
    for customer in ids[:12]:
        found.tell(customer, "email.clicked")
    found.wait(hours=3)
    for customer, outcome in zip(ids, ("interested", "refused", "not_reached") * 3, strict=False):
        found.tell(customer, f"call.{outcome}")
    found.wait(hours=4)
    found.tell("c02", "shop.purchased", total=50)  # while she rests between two calls
    found.tell("c20", "shop.purchased", total=50)
    found.tell("c21", "shop.purchased", total=5)
    found.tell("c22", "consent.withdrawn", channel="email")
    found.wait(days=1)
    found.tell("c05", "call.interested")
    found.tell("c08", "call.not_reached")
    found.wait(days=1)
    found.tell("c08", "call.not_reached")
    found.wait(days=1)
    found.tell("c23", "sms.clicked")
    found.wait(hours=1)
    found.tell("c23", "call.refused")
    found.wait(days=7)
    found.tell("c39", "shop.purchased", total=1)  # it moves nobody, and tells up to when things are recorded
    return found


def test_an_unedited_journey_sends_everyone_where_she_went(db: Database, books: Recorder) -> None:
    found = through(db, OFFER, books)
    assert found.moved == 0, matrix(found)
    assert found.customers == 40
    assert found.assumed == 0
    assert {was for was, _ in matrix(found)} == {"won", "lapsed", "left", "in pause"}
    assert found.versions == {OFFER.hash: 40}
    for cell in found.cells:
        for case in cell.examples:
            assert case.path_was == case.path_now
    assert all(was == now for was, now in found.sent.values())
    assert found.sent["email"] == (35, 35)


def test_a_message_that_came_back_later_was_sent_for_her_journey(db: Database) -> None:
    """c0's text was refused at once, and c1's came back after an hour: her journey had gone on as after any that was sent."""
    books = Recorder(db, OFFER, {("c0", "sms"): "failed"})
    books.customers("c0", "c1", "c2")
    books.enter("c0", "c1", "c2")
    books.wait(days=3)
    message, line = table(tables.Message), tables.MessageEvent
    with db.write() as conn:
        keys = {
            row.customer_id: row.key
            for row in conn.execute(select(message).where(message.c.channel == "sms", message.c.status == "sent"))
        }
        sent = [{"key": key, "status": "sent", "detail": None, "at": books.now} for key in keys.values()]
        insert_new(conn, line, sent)
        hour = books.now + timedelta(hours=1)
        insert_new(conn, line, [{"key": keys["c1"], "status": "failed", "detail": "30005", "at": hour}])
        conn.execute(
            message.update()
            .where(message.c.key == keys["c1"])
            .values(status="failed", reason="failed", detail={"provider": "30005"}, settled_at=hour)
        )
    books.wait(days=4)
    found = through(db, OFFER, books)
    assert matrix(found) == {("in pause", "in pause"): 1, ("lapsed", "lapsed"): 2}
    assert found.assumed == 0
    assert found.sent["sms"] == (2, 2)


def test_who_clicked_and_is_not_called_goes_on_to_the_text(db: Database, books: Recorder) -> None:
    """Clicks lead to the text, and the text of most was never sent: nobody knows what they would have said."""
    ir = lead(lead(OFFER, "discount", 0, "text"), "story", 0, "text")
    found = through(db, ir, books)
    moved = {pair: many for pair, many in matrix(found).items() if pair[0] != pair[1]}
    # c00, c03, c05, c06 were won on the phone; c02 bought, and still does
    assert moved == {("won", "lapsed"): 4}
    assert found.moved == 4
    clicked = next(cell for cell in found.cells if (cell.was, cell.now) == ("won", "lapsed"))
    assert clicked.assumed == 4
    assert [case.customer for case in clicked.examples] == ["c00", "c03", "c05"]
    assert clicked.examples[0].assumed == ("text",)
    assert clicked.examples[0].path_now[-2:] == ("text", "lapsed")
    assert found.sent["call"][1] == 1  # c23 clicked in her text, as she did
    assert found.assumed == 11  # the twelve who clicked, less c08, who got the text after three calls


def test_a_message_that_was_sent_is_answered_as_soon_after(db: Database, books: Recorder) -> None:
    """The text comes two days sooner; who clicked in it clicks two days sooner, and is called as she was."""
    arrows = OFFER.by_name["discount"].arrows
    sooner = tuple(replace(a, on=replace(a.on, seconds=86_400)) if n == 1 else a for n, a in enumerate(arrows))  # type: ignore[type-var]  # an After
    ir = with_box(with_box(OFFER, "discount", arrows=sooner), "story", arrows=sooner)
    found = through(db, ir, books)
    moved = {pair: many for pair, many in matrix(found).items() if pair[0] != pair[1]}
    assert moved == {("in pause", "lapsed"): 5}  # the text that couldn't be sent begins the nine days sooner, too
    assert found.assumed == 0
    with db.read() as conn:
        (c23,) = (each for each in recorded(conn, "offer", None, books.now) if each.customer == "c23")
    assert [sent.state for sent in c23.messages][-1] == "call"


def test_a_new_message_is_drawn_from_a_model_if_one_is_given(db: Database, books: Recorder) -> None:
    ir = with_box(OFFER, "discount", template="t/new")
    ir = with_box(ir, "story", template="t/new")
    plain = through(db, ir, books)
    assert plain.assumed == 35
    assert plain.sent["email"] == (35, 35)
    assert not plain.modelled
    assert {now for was, now in matrix(plain) if was == "won" and now != "won"} == {"lapsed"}
    eager = Rate(1.0, Delay(3600, 7200))
    channels = {**DEFAULTS, "email": ChannelModel(1.0, 0.0, {"clicked": eager})}
    model = ResponseModel(channels=channels)
    drawn = through(db, ir, books, model=model)
    assert drawn.modelled
    assert drawn.sent["call"][1] >= 35  # all click now
    again = through(db, ir, books, model=model)
    assert again.to_json() == drawn.to_json()
    assert through(db, ir, books, model=model, seed="2").to_json() != drawn.to_json()


def test_a_renamed_box_is_the_same_box(db: Database, books: Recorder) -> None:
    states = tuple(
        replace(
            s,
            name="ring" if s.name == "call" else s.name,
            arrows=tuple(replace(a, to="ring") if a.to == "call" else a for a in s.arrows),
        )
        for s in OFFER.states
    )
    notes = {**OFFER.notes, "ring": replace(OFFER.notes["call"], was="call")}
    ir = replace(OFFER, states=states, notes=notes)
    found = through(db, ir, books)
    assert (found.moved, found.assumed) == (0, 0)
    case = next(case for cell in found.cells if cell.was == "won" for case in cell.examples)
    assert case.path_was == case.path_now
    assert "ring" in case.path_now


def test_conditions_are_decided_as_they_were_then_and_new_ones_on_the_facts_of_that_time(
    db: Database, books: Recorder
) -> None:
    with db.write() as conn:  # she moved since, and orders came after she was decided on
        customer = table(tables.Customer)
        conn.execute(customer.update().where(customer.c.id == "c00").values(country="DE"))
        conn.execute(
            insert(table(tables.Purchase)),
            [
                {"id": f"{c}-{n}", "order_id": f"{c}-{n}", "customer_id": c, "at": START + timedelta(days=when),
                 "total": 1000, "quantity": 1, "category": None, "product": None}
                for c, when in (("c36", -3), ("c37", 3)) for n in range(2)
            ],
        )  # fmt: skip
    assert through(db, OFFER, books).moved == 0
    arrows = list(OFFER.by_name["first"].arrows)
    arrows[0] = replace(arrows[0], guard=(Customer.country == "FR") | (Orders.count() >= 2))
    found = through(db, with_box(OFFER, "first", arrows=tuple(arrows)), books, examples=100)
    mailed = {case.customer for cell in found.cells for case in cell.examples if case.path_was != case.path_now}
    assert mailed == {"c36", "c00"}  # orders are those of that time; a country is the one that is known today


def test_a_new_event_arrow_hears_what_happened_then(db: Database, books: Recorder) -> None:
    smaller = tuple(
        replace(a, on=replace(a.on, where=Purchase.total >= 5)) if n == 0 else a  # type: ignore[type-var]  # an Answer
        for n, a in enumerate(OFFER.anywhere)
    )
    found = through(db, replace(OFFER, anywhere=smaller), books)
    moved = [cell for cell in found.cells if cell.was != cell.now]
    assert [(cell.was, cell.now, cell.customers) for cell in moved] == [("lapsed", "won", 1)]
    assert moved[0].examples[0].customer == "c21"


def test_hours_hold_a_message_back_here_too(db: Database, books: Recorder) -> None:
    ir = with_box(OFFER, "call", hours=between("14:00", "14:30"))
    found = through(db, ir, books)
    assert found.customers == 40
    assert found.sent["call"][1] <= found.sent["call"][0]
    assert any(case.customer == "c02" for cell in found.cells for case in cell.examples if cell.was == "won")


def test_held_out_customers_are_not_assumed_to_answer(db: Database) -> None:
    class Half(Offer):
        holdout = percent(50)

    ir = compile_journey(Half)
    books = Recorder(db, ir)
    ids = [f"c{n:02}" for n in range(30)]
    books.customers(*ids)
    books.enter(*ids)
    arms = {customer: books.arm(customer) for customer in ids}
    books.wait(hours=1)
    for customer in ids:
        if arms[customer] == "treated":
            books.tell(customer, "email.clicked")
    books.wait(days=20)
    assert through(db, ir, books).moved == 0
    found = through(db, with_box(with_box(ir, "discount", template="t/new"), "story", template="t/new"), books)
    assert found.assumed == sum(arm == "treated" for arm in arms.values())
    assert 5 < found.assumed < 25


def test_since_and_who_was_ended_from_outside(db: Database, books: Recorder) -> None:
    books.customers("late")
    books.enter("late")
    killed = books.now + timedelta(hours=2)
    with db.write() as conn:
        enrolment = table(tables.Enrolment)
        conn.execute(
            enrolment.update().where(enrolment.c.customer_id == "late").values(ended_at=killed, end_reason="killed")
        )
    books.wait(days=30)
    found = through(db, OFFER, books, since=START + timedelta(days=1))
    assert matrix(found) == {("killed", "killed"): 1}
    assert through(db, OFFER, books).customers == 41


def test_versions_are_told_apart_and_removed_boxes_too(db: Database, books: Recorder) -> None:
    """The call is gone: clicks win at once."""
    states = tuple(
        replace(s, arrows=tuple(replace(a, to="won") if a.to == "call" else a for a in s.arrows))
        for s in OFFER.states
        if s.name != "call"
    )
    found = through(db, replace(OFFER, states=states), books)
    assert ("lapsed", "won") in matrix(found)
    assert found.sent["call"] == (found.sent["call"][0], 0)


def test_the_json_says_where_each_went(db: Database, books: Recorder) -> None:
    told = json.loads(json.dumps(through(db, OFFER, books, examples=1).to_json()))
    assert told["enrolments"] == 40
    assert told["elsewhere"] == 0
    assert told["until"] == books.now.isoformat()
    assert sum(cell["enrolments"] for cell in told["matrix"]) == 40
    assert all(len(cell["examples"]) == 1 for cell in told["matrix"])
    assert set(told["matrix"][0]["examples"][0]) == {"customer", "enrolment", "path_was", "path_now", "never_sent"}
    assert told["sent"]["email"] == {"was": 35, "now": 35}


def test_a_copy_is_tested_up_to_when_it_was_made(db: Database, books: Recorder) -> None:
    """Long after the last thing was recorded nobody has been waiting all the time: the copy is old."""
    until = books.now
    books.now += timedelta(days=300)
    found = through(db, OFFER, books)
    assert found.until == until
    assert found.moved == 0


def test_where_nothing_is_recorded_it_says_so(db: Database) -> None:
    books = Recorder(db, OFFER)
    with pytest.raises(NotFound, match="nobody has entered offer, so there is nothing to test") as error:
        through(db, OFFER, books)
    assert error.value.code == "nothing_recorded"
    with pytest.raises(NotFound, match="nobody has entered offer since 2026-01-01"):
        through(db, OFFER, books, since=START.replace(month=1, day=1))


def test_a_back_test_writes_nothing(db: Database, books: Recorder) -> None:
    def rows() -> dict[str, int]:
        with db.read() as conn:
            return {
                name: conn.execute(select(func.count()).select_from(each)).scalar_one()
                for name, each in tables.Kept.metadata.tables.items()
            }

    before = rows()
    through(db, lead(OFFER, "discount", 0, "text"), books)
    assert rows() == before
