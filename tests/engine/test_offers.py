"""Offers: what may be kept, which are valid, and which are the best for whom, on both databases."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import log1p
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, func, select

from engine import best_offers, imports, offers
from engine.best_offers import BestOffers, Usual, chance
from engine.db import Database, insert_new, table
from engine.errors import Invalid, NotFound
from engine.importing.csv_rows import BadFile
from engine.offers import Offer
from engine.tables import OfferVersion, Purchase

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
WINE = Offer(
    "merlot", "A case of Merlot", "wine", 900, {"price": 5400, "url": "https://shop.example/m", "grape": "Merlot"}
)
TEA = Offer("assam", "Assam", "tea", 300)
BREAD = Offer("rye", "Rye bread", "bread", 60)


def put(db: Database, *wanted: Offer) -> int:
    with db.write() as conn:
        return offers.put(conn, wanted, NOW)


def bought(db: Database, customer: str, category: str | None, *ages: float, total: int = 2000, lines: int = 1) -> None:
    """Orders of so many days ago."""
    with db.write() as conn:
        insert_new(
            conn,
            Purchase,
            [
                {"id": f"{customer}-{category}-{age}-{line}", "order_id": f"{customer}-{category}-{age}",
                 "customer_id": customer, "at": NOW - timedelta(days=age), "category": category, "product": None,
                 "quantity": 1, "total": total // lines}
                for age in ages
                for line in range(lines)
            ],
        )  # fmt: skip


def best(db: Database, *customers: str, many: int = 3) -> dict[str, list[str]]:
    with db.read() as conn:
        found = BestOffers().best(conn, many, customers, NOW)
    return {customer: [each.offer.id for each in chosen] for customer, chosen in found.items()}


def value(db: Database, customer: str, offer: Offer = WINE) -> float:
    with db.read() as conn:
        chosen = BestOffers().best(conn, 50, [customer], NOW)[customer]
    return next(each.value for each in chosen if each.offer.id == offer.id)


# --- the offers -------------------------------------------------------------------------------------------------------


def test_offers_are_written_listed_and_withdrawn(db: Database) -> None:
    assert put(db, WINE, TEA) == 2
    assert put(db, replace(TEA, margin=350), BREAD) == 1
    with db.write() as conn:
        assert [offer.id for offer in offers.every(conn)] == ["assam", "merlot", "rye"]
        assert offers.get(conn, "merlot") == WINE
        assert offers.get(conn, "assam").margin == 350
        assert offers.withdraw(conn, "rye", NOW)
        assert not offers.withdraw(conn, "rye", NOW), "the same again changes nothing"
        with pytest.raises(NotFound, match="no offer 'ry'"):
            offers.withdraw(conn, "ry", NOW)
        assert [offer.id for offer in offers.valid(conn, NOW)] == ["assam", "merlot"]


def test_an_offer_holds_from_its_beginning_until_its_end(db: Database) -> None:
    hour = timedelta(hours=1)
    put(
        db,
        replace(TEA, id="now", valid_from=NOW, valid_to=NOW + hour),
        replace(TEA, id="over", valid_to=NOW),
        replace(TEA, id="soon", valid_from=NOW + hour),
        replace(TEA, id="off", on=False),
    )
    with db.read() as conn:
        assert [offer.id for offer in offers.valid(conn, NOW)] == ["now"]
        assert [offer.id for offer in offers.every(conn) if offer.holds(NOW)] == ["now"]
    assert best(db, "ann") == {"ann": ["now"]}


def test_S4_an_offer_is_kept_as_it_was_shown(db: Database) -> None:
    dearer = replace(WINE, data={**WINE.data, "price": 5900})
    with db.write() as conn:
        for shown in (WINE, WINE, dearer, replace(WINE, margin=1)):
            offers.keep(conn, [shown], NOW)
        assert conn.execute(select(func.count()).select_from(table(OfferVersion))).scalar() == 2
        kept = offers.as_shown(conn, [WINE.hash, dearer.hash, "nothing"])
    assert {digest: content["price"] for digest, content in kept.items()} == {WINE.hash: 5400, dearer.hash: 5900}
    assert kept[WINE.hash] == {
        "id": "merlot", "name": "A case of Merlot", "category": "wine", "price": 5400, "url": "https://shop.example/m",
        "picture": None, "text": None, "data": {"grape": "Merlot"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"margin": -1}, "margin: whole cents"),
        ({"margin": 1.5}, "margin: whole cents"),
        ({"margin": True}, "margin: whole cents"),
        ({"margin": None}, "margin: whole cents"),
        ({"name": " "}, "name: a text that is not empty"),
        ({"name": "a\x00b"}, "name: at most 200 letters, none of them a control character"),
        ({"category": "x" * 201}, "category: at most 200"),
        ({"on": "yes"}, "on: it must be true or false"),
        ({"valid_from": "soon"}, "valid_from: not a moment"),
        ({"valid_from": "2026-05-04T09:00"}, "valid_from: a moment with its zone"),
        ({"valid_from": "2026-05-04T09:00Z", "valid_to": "2026-05-04T09:00Z"}, "valid_to: it must be later"),
        ({"valid_to": "0001-05-04T09:00Z"}, "valid_to: not in a year"),
        ({"data": []}, None),
        ({"data": "x"}, "data: names with their values"),
        ({"data": {"price": 9.9}}, "data.price: whole cents"),
        ({"data": {"url": "javascript:alert(1)"}}, "data.url: an address"),
        ({"data": {"picture": "x.png"}}, "data.picture: an address"),
        ({"data": {"text": 7}}, "text: a text"),
        ({"data": {"Big Name": 7}}, "data: names are in snake_case"),
        ({"data": {"a": float("nan")}}, "data: it must be JSON"),
        ({"data": {"a": "\x00"}}, "without NUL"),
        ({"data": {"a": "x" * 30_000}}, "at most 20000"),
        ({"price": 3}, "price: an offer has no such field"),
    ],
)
def test_an_offer_that_cannot_be_is_refused(changes: dict[str, Any], says: str | None) -> None:
    given: dict[str, Any] = {"name": "Tea", "category": "tea", "margin": 300, **changes}
    if says is None:
        assert offers.made("tea", given).data == {}
        return
    with pytest.raises(Invalid, match=says.replace("(", r"\(")):
        offers.made("tea", given)


@pytest.mark.parametrize("ident", ["", "a b", "x" * 81, "../tea", "é", "-tea"])
def test_an_id_that_names_no_link_is_refused(ident: str) -> None:
    with pytest.raises(Invalid, match="id: letters, digits"):
        offers.made(ident, {"name": "Tea", "category": "tea", "margin": 1})


# --- from a file ------------------------------------------------------------------------------------------------------


def test_offers_come_from_a_spreadsheet(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "offers.csv"
    path.write_text(
        "id;name;category;margin;price;url;valid_from;valid_to;on;data.grape;data.stars:number\n"
        "merlot;A case of Merlot;wine;9,00;54,00;https://shop.example/m;;2026-06-01;;Merlot;4\n"
        "assam;Assam;tea;3;;;2026-05-01T10:00;;no;;\n"
        "rye;Rye bread;bread;many;;;;;;;\n"
        "ry e;Rye bread;bread;1;;;;;;;\n"
    )
    outcome = imports.read("offers", db, path, NOW, "Europe/Paris")
    assert (outcome.read, outcome.new, outcome.rejected) == (4, 2, 2)
    assert outcome.rejected_file is not None
    assert "not a number" in outcome.rejected_file.read_text()
    with db.read() as conn:
        wine, tea = offers.get(conn, "merlot"), offers.get(conn, "assam")
    assert (wine.margin, wine.data["price"], wine.data["grape"], wine.data["stars"]) == (900, 5400, "Merlot", 4.0)
    assert wine.valid_to == datetime(2026, 5, 31, 22, tzinfo=UTC), "midnight in the project's zone"
    assert (tea.on, tea.valid_from, dict(tea.data)) == (False, datetime(2026, 5, 1, 8, tzinfo=UTC), {})
    assert imports.read("offers", db, path, NOW, "Europe/Paris").new == 0


def test_offers_come_as_json(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "offers.json"
    path.write_text(
        json.dumps([{"id": "tea", "name": "Tea", "category": "tea", "margin": 300, "data": {"price": 990}}])
    )
    assert imports.read("offers", db, path, NOW, "UTC").new == 1
    with db.read() as conn:
        assert offers.get(conn, "tea").data["price"] == 990


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("o.json", "[{", "is no JSON"),
        ("o.json", "{}", "must hold a list"),
        ("o.json", '[{"id": "tea", "name": "Tea", "category": "tea"}]', "offer 1: margin: whole cents"),
        ("o.json", "[7]", "offer 1: id"),
        ("o.csv", "id,name,margin\n", "the column 'category' is missing"),
        ("o.csv", "id,name,category,margin,prise\n", "did you mean 'price'"),
        ("o.csv", "id,name,category,margin,data.x:moon\n", "text, number or flag"),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(
    sqlite: Database, tmp_path: Path, name: str, text: str, says: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises((BadFile, Invalid), match=says):
        imports.read("offers", sqlite, path, NOW, "UTC")
    with sqlite.read() as conn:
        assert offers.every(conn) == []


# --- which are the best -----------------------------------------------------------------------------------------------


def test_who_buys_a_category_is_offered_it(db: Database) -> None:
    put(db, WINE, TEA, replace(BREAD, margin=20))
    bought(db, "ann", "tea", 3, 17, 33, 48, 66, lines=2)
    bought(db, "ben", "wine", 5, 30, 50)
    bought(db, "cat", "bread", *range(1, 60, 3), total=300)
    assert best(db, "ann", "ben", "cat", many=2) == {
        "ann": ["assam", "merlot"],
        "ben": ["merlot", "assam"],
        "cat": ["merlot", "assam"],
    }, "the chance that she buys bread is near one, but it earns too little"
    with db.read() as conn:
        found = {each.offer.id: each for each in BestOffers().best(conn, 3, ["cat"], NOW)["cat"]}
    assert found["rye"].chance > 0.9
    assert found["rye"].value == pytest.approx(found["rye"].chance * 20)


def test_who_is_not_known_is_offered_what_most_buy(db: Database) -> None:
    put(db, replace(TEA, margin=100), replace(WINE, margin=100))
    for number in range(8):
        bought(db, f"c{number}", "tea", 2, 9, 31, 60)
    bought(db, "c9", "wine", 10)
    assert best(db, "new") == {"new": ["assam", "merlot"]}


def test_without_any_purchase_the_margin_decides_and_of_equals_the_first_by_id(db: Database) -> None:
    put(db, TEA, WINE, replace(TEA, id="darjeeling", category="green"), replace(TEA, id="aaa", category="black"))
    assert best(db, "ann", many=4) == {"ann": ["merlot", "aaa", "assam", "darjeeling"]}
    assert best(db, "ann", many=1) == {"ann": ["merlot"]}


def test_how_often_how_recently_and_how_much(db: Database) -> None:
    put(db, WINE)
    bought(db, "rarely", "wine", 20, 320)
    bought(db, "often", "wine", 20, 60, 100, 140, 180, 220, 260, 320)
    bought(db, "lapsed", "wine", 500, 510, 520, 530, 540, 550, 560, 570)
    bought(db, "lately", "wine", 5, 15, 25, 35, 45, 55, 65, 570)
    bought(db, "little", "wine", 20, 60, 100, 320, total=300)
    bought(db, "much", "wine", 20, 60, 100, 320, total=9000)
    assert value(db, "often") > value(db, "rarely")
    assert value(db, "lately") > value(db, "lapsed")
    assert value(db, "much") > value(db, "little")
    assert value(db, "lapsed") < value(db, "new") < value(db, "often"), "silence says more than nothing known"


def test_orders_of_tomorrow_and_without_a_category_say_nothing_of_one(db: Database) -> None:
    put(db, WINE)
    bought(db, "ann", "wine", -3)
    assert value(db, "ann") == value(db, "new")
    bought(db, "ann", None, 10, 200)
    assert value(db, "ann") < value(db, "new"), "she buys, but no wine"


def test_the_database_gives_what_the_formula_says_in_two_queries_a_batch(db: Database) -> None:
    put(db, WINE, TEA, BREAD)
    categories = ("wine", "tea", "bread", None)
    made = {
        f"c{number}": (categories[number % 4], [age * 17 + number + 1 for age in range(number % 7 + 1)])
        for number in range(30)
    }
    for customer, (category, ages) in made.items():
        bought(db, customer, category, *ages)
    statements: list[str] = []

    def asked(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    with db.read() as conn:
        chooser = BestOffers()
        usual = chooser.usual(conn, NOW)
        event.listen(conn, "before_cursor_execute", asked)
        found = chooser.best(conn, 3, list(made), NOW)
    assert len(statements) == 2, "the offers, and what the customers bought"

    def counted(ages: list[int]) -> float:
        return sum(90 / (90 + age) for age in ages)

    mean = sum(max(ages) for _, ages in made.values()) / 30
    watched = 30 * 90 * log1p(mean / 90) + 365
    for name in ("wine", "tea", "bread"):
        weight = sum(counted(ages) for category, ages in made.values() if category == name)
        assert usual[name].rate == pytest.approx((weight + 1) / watched)
        assert usual[name].spent == 2000
    for customer, (category, ages) in made.items():
        for each in found[customer]:
            weight = counted(ages) if each.offer.category == category else 0.0
            assert each.chance == pytest.approx(chance(weight, 2000, max(ages), usual[each.offer.category]))
            assert each.value == pytest.approx(each.chance * each.offer.margin)


@given(
    st.floats(0, 50), st.floats(0, 1e6), st.floats(0, 5000), st.floats(1e-6, 1), st.floats(0, 1e6),
)  # fmt: skip
def test_a_chance_is_one_and_grows_with_what_she_bought(
    weight: float, spent: float, since: float, rate: float, usually: float
) -> None:
    usual = Usual(rate, usually)
    low, high = chance(weight, spent, since, usual), chance(weight + 1, spent, since, usual)
    assert 0 < low < 1 or weight == 0 or low == pytest.approx(1)
    assert low <= high <= 1
    assert chance(weight, spent, since + 100, usual) <= low, "as many orders in a longer time"


def test_the_estimate_is_as_documented() -> None:
    """Two fresh orders of the usual size, and a customer of a hundred days, by hand."""
    watched = best_offers.HALF * 0.74721  # ln(1 + 100/90)
    shape, span = 0.01 * 30 + 2, 30 + watched
    assert chance(2.0, 500, 100, Usual(0.01, 500)) == pytest.approx(1 - (span / (span + 30)) ** shape, rel=1e-4)
