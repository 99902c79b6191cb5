"""What a simulation and a back-test hear: of a refusal each channel's own reason, of a call what an arrow waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kit.recording import Recorder

from dsl import Api, Arrows, Call, Email, Final, Journey, Sms, after, marketing
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
            yield Call.busy >> self.busy
            yield Call.not_reached >> self.lapsed
            yield after(days=3) >> self.busy

    with db.read() as conn:
        same = backtest(conn, books.ir, books.now, zone="Europe/Paris")
        found = backtest(conn, replace(compile_journey(Edited), name=books.ir.name), books.now, zone="Europe/Paris")
    assert same.moved == 0
    assert {(cell.was, cell.now) for cell in found.cells} == {("lapsed", "busy"), ("lapsed", "lapsed"), ("won", "won")}
