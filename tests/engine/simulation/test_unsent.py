"""Why nothing is sent: reasons in the model, learned from messages, and calls that find no place on their day."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from math import inf

import pytest
from kit.recording import Recorder

from dsl import Api, Arrows, Call, Email, Final, Journey, Letter, after, compile_journey, marketing, then
from engine.calls.centre import declare
from engine.calls.hours import Shift
from engine.db import Database
from engine.simulation.centre import declared
from engine.simulation.learning import learn
from engine.simulation.model_file import parse
from engine.simulation.model_text import document
from engine.simulation.picture import flow_svg
from engine.simulation.plan import Action, Plan
from engine.simulation.responses import DEFAULTS, ResponseModel
from engine.simulation.results import Load, Result
from engine.simulation.simulate import simulate

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday


class Reached(Journey):
    """A mail, else a letter; a call, else a letter."""

    enters = Api()
    purpose = marketing
    told = Final()
    unwanted = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.not_sent.because("address missing") >> self.letter
        yield Email.not_sent.because("no consent", "suppressed") >> self.unwanted
        yield Email.not_sent >> self.letter
        yield after(days=1) >> self.ring

    @Call("t/ring", queue="warm")
    def ring(self) -> Arrows:
        yield Call.interested >> self.told
        yield Call.refused >> self.told
        yield Call.not_reached >> self.letter
        yield Call.not_sent.because("no capacity") >> self.letter
        yield after(days=7) >> self.letter

    @Letter("t/letter")
    def letter(self) -> Arrows:
        yield then >> self.told


REACHED = compile_journey(Reached)


def model(reach: float = 0.5, **unsent: float) -> ResponseModel:
    channels = dict(DEFAULTS)
    shares = {name.replace("_", " "): share for name, share in unsent.items()}
    channels["email"] = replace(channels["email"], reach=reach, unsent=shares)
    channels["call"] = replace(channels["call"], reach=1.0)
    return ResponseModel(channels=channels)


def calls(result: Result) -> Load:
    return next(load for load in result.loads if load.channel == "call")


def ring(given: ResponseModel) -> Action:
    return Plan(REACHED, given).places[[state.name for state in REACHED.states].index("ring")].actions[0]


def taken(result: Result, owner: str) -> list[float]:
    return [flow.taken.mean for flow in result.flows if flow.owner == owner]


def test_each_arrow_has_the_flow_of_its_reason() -> None:
    given = model(address_missing=0.4, no_consent=0.2, suppressed=0.2, failed=0.2)
    missing, unwanted, other, rest = taken(simulate(REACHED, given, customers=4000, runs=5), "mail")
    assert missing == pytest.approx(800, rel=0.1)
    assert unwanted == pytest.approx(800, rel=0.1)
    assert other == pytest.approx(400, rel=0.15)
    assert rest == pytest.approx(2000, rel=0.1)
    assert missing + unwanted + other + rest == 4000


def test_without_a_model_every_reason_that_is_asked_for_has_a_share() -> None:
    flows = taken(simulate(REACHED, ResponseModel(), customers=5000, runs=2), "mail")
    assert all(flow > 5 for flow in flows), flows


def test_reasons_that_no_arrow_tells_apart_are_one() -> None:
    (mail, *_) = Plan(
        REACHED, model(address_missing=0.4, no_consent=0.2, suppressed=0.2, failed=0.1, template=0.1)
    ).places
    assert [reason for _, reason in mail.actions[0].unsent] == ["address missing", "no consent", "failed"]
    assert [bound for bound, _ in mail.actions[0].unsent] == pytest.approx([0.7, 0.9, 1.0])
    assert mail.actions[0].why(0.69) == "address missing"
    assert mail.actions[0].why(1.0) == "failed"  # a sum of shares may fall short by a hair


def test_who_finds_no_place_goes_where_the_arrow_says_and_no_day_has_more_calls_than_places() -> None:
    given = replace(model(1.0), capacity={"warm": 10})
    result = simulate(REACHED, given, customers=300, runs=3, over=10)
    load = calls(result)
    assert max(day.mean for day in load.days) == 10
    assert load.over is not None
    assert load.over.mean == 0
    no_place = taken(result, "ring")[3]
    assert no_place == pytest.approx(300 - load.total.mean)
    assert 150 < no_place < 250
    assert f">{no_place:,.0f}<" in flow_svg(result)
    assert taken(simulate(REACHED, replace(given, capacity={"warm": 500}), customers=300, runs=2), "ring")[3] == 0


def test_a_place_that_is_counted_is_not_drawn_as_well() -> None:
    channels = dict(DEFAULTS)
    channels["call"] = replace(channels["call"], reach=0.6, unsent={"no capacity": 0.75, "no consent": 0.25})
    drawn = ResponseModel(channels=channels)
    counted = replace(drawn, capacity={"warm": 10})
    reach = [ring(each) for each in (drawn, counted)]
    assert [action.reach for action in reach] == pytest.approx([0.6, 0.9])
    assert [reason for _, reason in reach[0].unsent] == ["no capacity", "no consent"]
    assert [reason for _, reason in reach[1].unsent] == ["no consent"]
    alone = replace(channels["call"], unsent={"no capacity": 1.0})
    only = ring(replace(counted, channels=channels | {"call": alone}))
    assert only.reach == 1
    assert [reason for _, reason in only.unsent] == ["no consent"]


def test_shifts_are_the_capacity_and_the_models_own_number_overrides_them() -> None:
    given = replace(model(1.0), shifts={"warm": (20.0, 20.0, 20.0, 20.0, 20.0, 0.0, 0.0)})
    load = calls(simulate(REACHED, given, customers=400, runs=2, over=14))
    assert load.capacity is None
    assert load.week == (20, 20, 20, 20, 20, 0, 0)
    for day, made in enumerate(load.days):  # virtual time begins on a Monday
        assert made.mean <= (20 if day % 7 < 5 else 0)
    (told,) = (each for each in simulate(REACHED, given, customers=50, runs=1).to_json()["loads"] if each["queue"])
    assert (told["capacity"], told["capacity_by_weekday"]) == (None, [20, 20, 20, 20, 20, 0, 0])
    both = calls(simulate(REACHED, replace(given, capacity={"warm": 33}), customers=50, runs=1))
    assert (both.capacity, both.week) == (33, (33,) * 7)


def test_a_day_without_limit_is_none_in_json() -> None:
    given = replace(model(1.0), shifts={"warm": (inf,) * 7})
    load = calls(simulate(REACHED, given, customers=50, runs=2))
    assert load.over is not None
    assert (load.capacity, load.over.mean) == (None, 0)
    told = simulate(REACHED, given, customers=50, runs=1).to_json()
    json.dumps(told, allow_nan=False)
    assert [None] * 7 in [each["capacity_by_weekday"] for each in told["loads"]]


def test_the_declared_queues_say_how_many_calls_a_week_takes(db: Database) -> None:
    office = Shift((0, 1, 2, 3, 4), "09:00", "17:00", 2)
    evening = Shift((2,), "18:00", "19:00", 5)
    open_ended = Shift((5,), "10:00", "12:00", None)
    queues = {"warm": [office, evening], "mixed": [evening, open_ended], "free": [open_ended]}
    with db.write() as conn:
        for name, shifts in queues.items():
            declare(conn, name, NOW, zone="Europe/Paris", country="FR", shifts=shifts)
    with db.read() as conn:
        found = declared(conn, ["warm", "mixed", "free", "unknown"], datetime(2026, 4, 30, 12, tzinfo=UTC))
    assert found == {
        "warm": (96, 96, 126, 96, 96, 0, 0),  # 1 May is a holiday in France, and an ordinary Friday here
        "mixed": (0, 0, 30, 0, 0, inf, 0),
    }


def test_reasons_are_learned_from_messages(sqlite: Database) -> None:
    ids = [f"c{n}" for n in range(40)]
    refused = {(customer, "email"): "address missing" if n < 24 else "odd" for n, customer in enumerate(ids[:30])}
    told = Recorder(sqlite, REACHED, refused)
    told.customers(*ids)
    told.enter(*ids)
    with sqlite.read() as conn:
        learned = learn(conn, REACHED, told.now)
    unsent = learned.channels["email"].unsent
    assert sum(unsent.values()) == pytest.approx(1)
    assert unsent["address missing"] == pytest.approx((24 + 20 * 0.2) / 50)
    assert unsent["failed"] == pytest.approx((6 + 20 * 0.05) / 50)
    assert unsent["no consent"] == pytest.approx(20 * 0.6 / 50)
    assert parse(document(learned, REACHED), REACHED, "m").channels["email"].unsent == pytest.approx(unsent, abs=1e-4)


def test_a_model_may_say_why() -> None:
    said = {"channels": {"email": {"unsent": {"address missing": 0.7, "failed": 0.3}}}}
    assert parse(said, REACHED, "m").why_unsent("email") == {"address missing": 0.7, "failed": 0.3}
    assert parse({}, REACHED, "m").why_unsent("email") == DEFAULTS["email"].unsent
    assert ResponseModel(channels={}).why_unsent("sms") == DEFAULTS["sms"].unsent
    assert all(sum(each.unsent.values()) == pytest.approx(1) for each in DEFAULTS.values())
