"""Real customers in a simulation: the journey's own conditions on their own facts, and nothing is written (behaviour A2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from dsl import (
    Api,
    Arrows,
    Audience,
    Choice,
    Customer,
    Email,
    Final,
    Goal,
    Journey,
    Letter,
    Orders,
    Sms,
    Wait,
    after,
    daily,
    days,
    marketing,
    moment,
    now,
    otherwise,
    transactional,
    until,
    when,
)
from dsl.compile import compile_journey
from engine import tables
from engine.consent import suppress
from engine.db import Database, insert_new
from engine.errors import NotFound
from engine.holdout import HELD_OUT, arm
from engine.simulation.responses import ResponseModel
from engine.simulation.results import Result
from engine.simulation.sample import people
from engine.simulation.simulate import simulate

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MIDNIGHT = 1_772_409_600_000


class Member(Customer):
    renewal = moment()


class Real(Journey):
    """What a customer is decides where she goes."""

    enters = Audience(Customer.country.is_in(["FR", "GB"]), every=daily(at="09:00"))
    purpose = marketing
    won = Goal()
    lapsed = Final()
    poor = Final()

    @Choice()
    def first(self) -> Arrows:
        yield when(Orders.last(days=30).count() >= 2) >> self.note
        yield otherwise >> self.poor

    @Email("t/note", purpose=transactional)
    def note(self) -> Arrows:
        yield after(days=1) >> self.text

    @Sms("t/text")
    def text(self) -> Arrows:
        yield Sms.not_sent.because("suppressed") >> self.lapsed
        yield Sms.not_sent >> self.card
        yield after(days=1) >> self.dated

    @Letter("t/card")
    def card(self) -> Arrows:
        yield Letter.not_sent >> self.poor
        yield after(days=5) >> self.won

    @Wait()
    def dated(self) -> Arrows:
        yield until(Member.renewal, past=now, missing=self.measured) >> self.won

    @Wait()
    def measured(self) -> Arrows:
        yield after(Orders.rhythm(), missing=days(50), at_most=days(60)) >> self.lapsed


IR = compile_journey(Real)


def customers(db: Database, *rows: dict[str, Any], orders: int = 2, consent: str = "email sms letter") -> None:
    blank: dict[str, Any] = {
        "first_name": "Zoé", "email": None, "phone": None, "address": None, "city": None, "country": "FR",
        "zone": "Europe/Paris", "attributes": {}, "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    word = {"purpose": "marketing", "granted": True, "at": NOW, "source": "test"}
    line: dict[str, Any] = {"total": 1000, "quantity": 1, "category": None, "product": None}
    with db.write() as conn:
        insert_new(conn, tables.Customer, [blank | row for row in rows])
        insert_new(
            conn, tables.Consent, [word | {"customer_id": r["id"], "channel": c} for r in rows for c in consent.split()]
        )
        insert_new(
            conn,
            tables.Purchase,
            [
                line
                | {
                    "id": f"{r['id']}-{n}",
                    "order_id": f"{r['id']}-{n}",
                    "customer_id": r["id"],
                    "at": NOW - timedelta(days=n),
                }
                for r in rows
                for n in range(1, orders + 1)
            ],
        )


def played(db: Database, many: int | None = None, **more: Any) -> Result:
    with db.read() as conn:
        found = people(conn, IR, NOW, "Europe/Paris")
    return simulate(
        IR,
        ResponseModel(),
        customers=many or len(found),
        runs=2,
        people=found,
        whole=many is None,
        first=MIDNIGHT,
        **more,
    )


def ends(result: Result) -> dict[str, float]:
    return {box.name: box.entered.mean for box in result.boxes if box.entered.mean}


def test_A2_the_conditions_decide_on_the_customers_own_facts(db: Database) -> None:
    customers(db, {"id": "rich", "email": "a@example.com", "phone": "+1", "address": "1 rue", "city": "Lyon"})
    customers(db, {"id": "poor", "email": "b@example.com"}, orders=1)
    customers(db, {"id": "abroad", "country": "DE", "email": "c@example.com"})
    result = played(db)
    assert result.customers == 2  # the audience is the journey's
    assert ends(result) == {"first": 2, "note": 1, "text": 1, "dated": 1, "measured": 1, "lapsed": 1, "poor": 1}


def test_A2_addresses_consents_and_suppressions_say_what_is_sent(db: Database) -> None:
    whole = {"email": "{}@example.com", "phone": "+1{}", "address": "1 rue", "city": "Lyon"}
    everyone = ("all", "nophone", "noconsent", "stopped", "nowhere")
    rows = {name: {"id": name} | {key: value.format(name) for key, value in whole.items()} for name in everyone}
    rows["nophone"]["phone"] = rows["nowhere"]["phone"] = None  # type: ignore[assignment]  # no number
    rows["nowhere"]["city"] = None  # type: ignore[assignment]  # a street and no town
    customers(db, *(rows[name] for name in everyone if name != "noconsent"))
    customers(db, rows["noconsent"], consent="letter")
    with db.write() as conn:
        suppress(conn, "sms", "+1stopped", "do not call", "test", NOW)
    result = played(db)
    texts = next(box for box in result.boxes if box.name == "text")
    mails = next(box for box in result.boxes if box.name == "note")
    assert (mails.sent["email"].mean, mails.not_sent.mean) == (5, 0)  # transactional: no consent is asked
    assert (texts.sent["sms"].mean, texts.not_sent.mean) == (1, 4)
    found = ends(result)
    assert (found["lapsed"], found["card"], found["won"], found["poor"]) == (2, 3, 2, 1)


def test_A2_waits_are_those_of_the_customer(db: Database) -> None:
    whole = {"email": "a@example.com", "phone": "+1", "address": "1 rue", "city": "Lyon"}
    customers(db, {"id": "soon", "attributes": {"renewal": "2026-03-12T00:00:00+00:00"}} | whole)
    customers(db, {"id": "past", "attributes": {"renewal": "2020-03-12T00:00:00+00:00"}} | whole)
    customers(db, {"id": "never"} | whole, orders=20)
    result = played(db, over=1)
    stay = {box.name: box.days for box in result.boxes}
    assert 2.2 < stay["dated"] < 2.8  # from 4 March to the 12th, at once, and not there: shared by three
    assert stay["measured"] == pytest.approx(1, abs=0.01)  # she orders every day
    assert ends(result)["won"] == 2


def test_who_is_held_out_is_held_out_here_too(db: Database) -> None:
    ir = replace(IR, holdout=40.0)
    customers(db, *({"id": f"c{n}", "email": f"c{n}@example.com"} for n in range(60)))
    with db.read() as conn:
        found = people(conn, ir, NOW, "Europe/Paris")
    assert [person.held_out for person in found] == [
        arm(f"c{n}", ir.name, 40.0) == HELD_OUT for n in sorted(range(60), key=str)
    ]


def test_a_sample_is_drawn_from_them(db: Database) -> None:
    customers(db, *({"id": f"c{n}", "email": f"c{n}@example.com"} for n in range(30)))
    customers(db, *({"id": f"p{n}", "email": f"p{n}@example.com"} for n in range(10)), orders=0)
    result = played(db, many=4_000)
    assert result.customers == 4_000
    assert ends(result)["note"] == pytest.approx(3_000, rel=0.05)


def test_A2_a_dry_run_writes_nothing(db: Database) -> None:
    customers(db, *({"id": f"c{n}", "email": f"c{n}@example.com"} for n in range(30)))

    def rows() -> dict[str, int]:
        with db.read() as conn:
            return {
                name: conn.execute(select(func.count()).select_from(each)).scalar_one()
                for name, each in tables.Kept.metadata.tables.items()
            }

    before = rows()
    played(db)
    assert rows() == before
    assert before["message"] == before["step"] == 0


def test_nobody_in_the_audience_is_said(db: Database) -> None:
    customers(db, {"id": "abroad", "country": "DE"})
    with db.read() as conn, pytest.raises(NotFound, match="nobody is in the audience of real now: country FR or GB"):
        people(conn, IR, NOW, "UTC")


def test_a_journey_without_an_audience_takes_all_customers(db: Database) -> None:
    class Open(Real):
        enters = Api()

    ir = compile_journey(Open)
    with db.read() as conn, pytest.raises(NotFound, match="the database has no customers"):
        people(conn, ir, NOW, "UTC")
    customers(db, {"id": "abroad", "country": "DE"}, {"id": "here"})
    with db.read() as conn:
        assert len(people(conn, ir, NOW, "UTC")) == 2
