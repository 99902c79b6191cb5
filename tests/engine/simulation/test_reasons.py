"""What a simulation and a back-test hear: of a refusal each channel's own reason, of a call what an arrow waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from kit.recording import Recorder

from dsl import Anywhere, Api, Arrows, Call, Email, Final, Journey, Letter, Sms, after, marketing, percent
from dsl.compile import compile_journey
from engine import tables
from engine.db import Database, insert_new
from engine.simulation.backtest import backtest
from engine.simulation.responses import ResponseModel
from engine.simulation.sample import people
from engine.simulation.simulate import simulate

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Both(Journey):
    """A mail and a text; who said no to texts is left in peace, whom no mail finds gets none."""

    enters = Api()
    purpose = marketing
    peace = Final()
    lost = Final()
    done = Final()

    @Email("t/mail")
    @Sms("t/sms")
    def both(self) -> Arrows:
        yield Sms.not_sent.because("no consent") >> self.peace
        yield Email.not_sent.because("address missing") >> self.lost
        yield after(days=1) >> self.done


IR = compile_journey(Both)


def test_A2_virtual_customers_are_refused_by_each_channel_for_its_reason(db: Database) -> None:
    known: dict[str, Any] = {
        "country": "FR", "zone": "Europe/Paris", "attributes": {}, "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    rows = [
        {"id": "peace", "email": None, "phone": "+1202555"},  # "no consent" is the text's reason
        {"id": "lost", "email": None, "phone": None},
        {"id": "waits", "email": "w@example.com", "phone": None},  # "no consent" is the mail's
        {"id": "gets", "email": None, "phone": "+1202556"},
    ]
    word = {"purpose": "marketing", "granted": True, "at": NOW, "source": "test"}
    with db.write() as conn:
        insert_new(conn, tables.Customer, [known | row for row in rows])
        consents = [("lost", "sms"), ("gets", "sms"), ("lost", "email"), ("peace", "email"), ("gets", "email")]
        insert_new(conn, tables.Consent, [word | {"customer_id": c, "channel": channel} for c, channel in consents])
    with db.read() as conn:
        found = people(conn, IR, NOW, "Europe/Paris")
    result = simulate(IR, ResponseModel(), customers=4, runs=2, people=found, whole=True, first=1_772_409_600_000)
    ends = {box.name: box.entered.mean for box in result.boxes if box.name != "both"}
    assert ends == {"peace": 1, "lost": 1, "done": 2}


def test_A2_recorded_customers_are_refused_by_each_channel_as_they_were_then(db: Database) -> None:
    reasons = {
        ("peace", "email"): "address missing",
        ("peace", "sms"): "no consent",
        ("lost", "email"): "address missing",
        ("lost", "sms"): "address missing",
        ("waits", "email"): "no consent",
        ("waits", "sms"): "address missing",
    }
    books = Recorder(db, IR, reasons)
    books.customers("peace", "lost", "waits", "gets")
    books.enter("peace", "lost", "waits", "gets")
    books.wait(days=2)
    assert [books.at(customer) for customer in books.members] == ["peace", "lost", "done", "done"]
    with db.read() as conn:
        found = backtest(conn, IR, books.now, zone="Europe/Paris")
    assert {(cell.was, cell.now): cell.customers for cell in found.cells} == {
        ("peace", "peace"): 1,
        ("lost", "lost"): 1,
        ("done", "done"): 2,
    }


class Ring(Journey):
    """A call, and a line that may be busy."""

    enters = Api()
    purpose = marketing
    won = Final()
    busy = Final()
    lapsed = Final()

    @Call("t/call")
    def ring(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.not_reached >> self.lapsed
        yield Call.refused.ignored
        yield after(days=3) >> self.busy


def test_A2_a_line_that_was_busy_then_is_heard_by_a_new_arrow_for_it(db: Database) -> None:
    books = Recorder(db, compile_journey(Ring))
    books.customers("busy", "away", "won")
    books.enter("busy", "away", "won")
    books.tell("busy", "call.not_reached", outcome="busy")
    books.tell("away", "call.not_reached")
    books.tell("won", "call.interested", outcome="interested")
    books.wait(days=1)

    class Edited(Ring):
        @Call("t/call")
        def ring(self) -> Arrows:
            yield Call.interested >> self.won
            yield Call.refused.ignored
            yield Call.busy >> self.busy
            yield Call.not_reached >> self.lapsed
            yield after(days=3) >> self.busy

    with db.read() as conn:
        same = backtest(conn, books.ir, books.now, zone="Europe/Paris")
        found = backtest(conn, replace(compile_journey(Edited), name=books.ir.name), books.now, zone="Europe/Paris")
    assert same.moved == 0
    assert {(cell.was, cell.now) for cell in found.cells} == {("lapsed", "busy"), ("lapsed", "lapsed"), ("won", "won")}


class Went(Journey):
    """A mail whose sending moves her on; a letter whose printing does; a call that has one outcome besides."""

    enters = Api()
    purpose = marketing
    holdout = percent(30)
    won = Final()
    lapsed = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.sent >> self.letter
        yield after(days=9) >> self.lapsed

    @Letter("t/letter")
    def letter(self) -> Arrows:
        yield Letter.sent >> self.ring
        yield after(days=9) >> self.lapsed

    @Call("t/call")
    def ring(self) -> Arrows:
        yield Call.not_reached >> self.lapsed
        yield Call.interested >> self.lapsed
        yield Call.refused.ignored
        yield after(days=9) >> self.won

    @Anywhere()
    def exits(self) -> Arrows:
        yield Call.sent.up_to(1) >> self.ring


def test_A2_virtual_customers_hear_that_their_messages_went_out() -> None:
    ir = compile_journey(Went)
    reached = ResponseModel(reach={state.name: 1.0 for state in ir.states})
    result = simulate(ir, reached, customers=500, runs=2, first=1_772_409_600_000)
    boxes = {box.name: box.entered.mean for box in result.boxes}
    assert result.held_out.mean > 100, "and they walk along"
    assert (boxes["mail"], boxes["letter"], boxes["ring"]) == (500, 500, 1000)
    assert 0 < boxes["lapsed"] < 500


@pytest.mark.parametrize("told", [True, False])
def test_A2_recorded_customers_hear_it_when_they_did_then_or_at_once(db: Database, told: bool) -> None:
    ir = compile_journey(Went)
    books = Recorder(db, ir, {("c7", "email"): "no consent"})
    people = [f"c{number}" for number in range(20)]
    books.customers(*people)
    books.enter(*people)
    if told:
        books.wait(hours=1)
        for customer in people:
            if customer != "c7":
                books.tell(customer, "email.sent")
        books.wait(hours=6)
        for customer in people:
            if customer != "c7":
                books.tell(customer, "letter.sent")
                books.tell(customer, "call.sent")
        assert {books.at(customer) for customer in people} == {"ring", "mail"}
    books.wait(days=30)
    with db.read() as conn:
        found = backtest(conn, ir, books.now, zone="Europe/Paris")
    treated = books.arm("c7") != "held_out"
    if told:
        assert found.moved == (0 if treated else 1)
    else:  # as if it had been recorded by a version that didn't wait for it
        assert {(cell.was, cell.now): cell.customers for cell in found.cells}[("lapsed", "won")] >= 19


def test_A2_who_is_held_out_is_told_at_once(db: Database) -> None:
    ir = compile_journey(Went)
    books = Recorder(db, ir)
    people = [f"c{number}" for number in range(20)]
    books.customers(*people)
    books.enter(*people)
    books.wait(days=30)
    with db.read() as conn:
        found = backtest(conn, ir, books.now, zone="Europe/Paris")
    assert any(books.arm(customer) == "held_out" for customer in people)
    assert {(cell.was, cell.now): cell.customers for cell in found.cells} == {("lapsed", "won"): 20}
