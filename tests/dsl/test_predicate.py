"""The tree: its JSON, its three-valued logic, its sentences, and what it refuses."""

from __future__ import annotations

import json
import pickle
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsl.expression import Aggregate, Constant, Expression, Field, Since, Times, Until
from dsl.facts import Click, Customer, Orders, Purchase, everyone, facts, flag, moment, number, text
from dsl.predicate import (
    And,
    Compare,
    Contains,
    Facts,
    IsIn,
    IsMissing,
    Not,
    Or,
    Predicate,
    expression_from_json,
    predicate_from_json,
)
from dsl.times import days, hours

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Member(Customer):
    tier = text()
    points = number()
    vip = flag()
    birthday = moment()


wine = Orders.where(Orders.category == "wine").last(days=90)
loves_wine = (wine.count() >= 2) & (wine.sum(Orders.total) > 200)

SENTENCES: list[tuple[Predicate, str]] = [
    (loves_wine, "≥ 2 wine orders and > 200 spent, 90 d"),
    (~loves_wine, "not (≥ 2 wine orders and > 200 spent, 90 d)"),
    (wine.sum(Orders.total) <= 19.5, "≤ 19.50 spent on wine, 90 d"),
    (Orders.sum(Orders.total) > 1000, "> 1000 spent"),
    (wine.count() == 0, "no wine orders, 90 d"),
    (~(wine.count() >= 1), "no wine orders, 90 d"),
    (Orders.count() >= 1, "≥ 1 order"),
    (Orders.recency() > days(90), "last order > 90 d ago"),
    (wine.recency() < hours(36), "last wine order < 1 d 12 h ago, 90 d"),
    (Orders.rhythm() * 1.5 < days(30), "1.5 × days between orders < 30 d"),
    (Orders.rhythm() < days(30), "< 30 d between orders"),
    (Orders.recency() > Orders.rhythm() * 2, "days since the last order > 2 × days between orders"),
    (Orders.where(Orders.quantity > 2).count() >= 2, "≥ 2 orders with quantity > 2"),
    (
        Orders.where(Orders.category.is_in(["wine", "beer"])).where(Orders.total > 10).count() > 2,
        "> 2 beer or wine orders with total > 10",
    ),
    (Orders.avg(Orders.total) >= 12, "mean amount of a line ≥ 12"),
    (Orders.sum(Orders.quantity) >= 12, "total quantity ≥ 12"),
    (Customer.country == "FR", "country is FR"),
    (~(Customer.country == "FR"), "country is not FR"),
    (Customer.city == "Aix en Provence", 'city is "Aix en Provence"'),
    (Customer.language.is_in(["fr", "en", "de"]), "language de, en or fr"),
    (~Customer.language.is_in(["fr"]), "not language fr"),
    (Customer.email.is_missing(), "email missing"),
    (~Customer.email.is_missing(), "email known"),
    (Member.vip.is_true(), "vip"),
    (Member.vip.is_false(), "not vip"),
    (Member.birthday.until() < days(3), "birthday in < 3 d"),
    (Customer.created_at.age() >= days(14), "created ≥ 14 d ago"),
    (Customer.created_at >= datetime(2026, 1, 1, tzinfo=UTC), "created ≥ 2026-01-01"),
    (Click.link == "shop", "link is shop"),
    (Purchase.total > 50, "total > 50"),
    (Customer.phone.starts_with("+33"), 'phone starts with "+33"'),
    (Customer.city.contains('"good" & <nice>'), r'city contains "\"good\" & <nice>"'),
    (Customer.city == 'a\\" or city is "b', r'city is "a\\\" or city is \"b"'),
    (Click.link.matches(r'\d "x" \"y\"'), r'link matches "\d \"x\" \"y\""'),
    (Click.link.matches("a-b"), "link matches a-b"),
    ((Customer.country == "FR") & loves_wine, "country is FR and ≥ 2 wine orders and > 200 spent, 90 d"),
    (
        (Customer.country == "FR") & (loves_wine | Member.vip.is_true()),
        "country is FR and ((≥ 2 wine orders and > 200 spent, 90 d) or vip)",
    ),
    (everyone, "everyone"),
]


@pytest.mark.parametrize(("predicate", "expected"), SENTENCES, ids=[expected for _, expected in SENTENCES])
def test_sentences_are_short(predicate: Predicate, expected: str) -> None:
    assert predicate.sentence() == expected


@pytest.mark.parametrize("predicate", [predicate for predicate, _ in SENTENCES], ids=[text for _, text in SENTENCES])
def test_json_comes_back_equal(predicate: Predicate) -> None:
    again = predicate_from_json(json.loads(json.dumps(predicate.to_json())))
    assert again == predicate
    assert hash(again) == hash(predicate)
    assert again.to_json() == predicate.to_json()
    assert pickle.loads(pickle.dumps(predicate)) == predicate  # noqa: S301  # our own


def test_the_json_of_a_predicate_stays() -> None:
    """What is stored in published journeys: a change here strands them."""
    assert (wine.count() >= 2).to_json() == {
        "compare": {
            "left": {
                "orders": {
                    "function": "count",
                    "where": {
                        "compare": {
                            "left": {"field": {"source": "order", "name": "category", "of": "text"}},
                            "op": "eq",
                            "right": {"constant": {"of": "text", "literal": "wine"}},
                        }
                    },
                    "last": 7776000,
                }
            },
            "op": "ge",
            "right": {"constant": {"of": "number", "literal": 2}},
        }
    }
    assert (Customer.created_at.age() * 1.5).expression.to_json() == {
        "times": {
            "expression": {
                "since": {"moment": {"field": {"source": "customer", "name": "created_at", "of": "moment"}}}
            },
            "factor": 1.5,
        }
    }


def test_one_meaning_has_one_form() -> None:
    assert (Orders.count() > 2.0) == (Orders.count() > 2)
    assert json.dumps((Orders.count() > 2.0).to_json()) == json.dumps((Orders.count() > 2).to_json())
    assert Customer.country.is_in(["FR", "DE", "FR"]) == Customer.country.is_in(["DE", "FR"])
    assert (everyone | loves_wine) != loves_wine
    one, two, three = (Customer.city == name for name in "abc")
    assert (one & two) & three == one & (two & three) == And((one, two, three))
    assert ~~one == one
    here = datetime(2026, 1, 1, 1, tzinfo=UTC).astimezone()
    assert (Customer.created_at > here) == (Customer.created_at > datetime(2026, 1, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ({"guess": {}}, "unknown predicate 'guess'; this version knows and, compare"),
        ({"field": {}}, "unknown predicate 'field'"),
        ({}, "a predicate is an object with one key"),
        ({"and": []}, "'and' holds its fields as an object"),
        ({"and": {"all": []}}, "'and' can't be read from"),
        ({"not": {"part": 3}}, "'not' takes in 'part' each time a node of kind predicate, not 3"),
        ({"and": {"parts": [3]}}, "'and' takes in 'parts' each time a node of kind predicate, not 3"),
        (
            {"is_missing": {"left": {"and": {"parts": []}}}},
            "'is_missing' takes in 'left' each time a node of kind expression, not And",
        ),
        (
            {"compare": {"left": 1, "op": "eq", "right": 1}},
            "'compare' takes in 'left' each time a node of kind expression, not 1",
        ),
        (
            {"compare": {**(Customer.city == "x").to_json()["compare"], "op": "like"}},
            "unknown comparison: 'like'; known: eq, ne",
        ),
        (
            {
                "compare": {
                    **(Customer.city == "x").to_json()["compare"],
                    "right": {"constant": {"of": "number", "literal": 3}},
                }
            },
            "a text can't be compared with a number: city",
        ),
        ("and", "a predicate is an object"),
        (None, "a predicate is an object"),
    ],
)
def test_json_that_is_not_understood_is_refused(obj: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        predicate_from_json(obj)


def test_an_expression_is_no_predicate() -> None:
    with pytest.raises(ValueError, match="unknown expression 'compare'; this version knows constant, field"):
        expression_from_json((Customer.city == "x").to_json())
    assert expression_from_json(Orders.rhythm().expression.to_json()) == Aggregate("rhythm")


def test_a_condition_has_no_truth() -> None:
    with pytest.raises(TypeError, match=r"\(country is FR\). Combine conditions with & \| ~"):
        bool(Customer.country == "FR")
    with pytest.raises(TypeError, match="put each comparison in parentheses"):
        assert 1 < Orders.count() < 3  # pyright: ignore[reportGeneralTypeIssues]  # what a chained comparison comes to
    with pytest.raises(TypeError, match="& takes a condition on both sides, not 'FR'"):
        _ = (Customer.country == "FR") & "FR"  # type: ignore[operator]  # the mistake
    with pytest.raises(TypeError, match="a fact has no truth value"):
        bool(Member.vip)


HEART: Any = "heart"
FR, DE = Customer.country == "FR", Customer.country == "DE"
NOBODY_KNOWS: dict[str, Any] = {"country": None}


@pytest.mark.parametrize(
    "predicate", [FR, ~FR, Customer.country != "FR", Customer.country.is_in(["FR"]), FR | DE, ~(FR & DE)]
)
def test_unknown_never_holds(predicate: Predicate) -> None:
    assert not predicate.evaluate(facts(NOBODY_KNOWS), NOW)
    assert not predicate.evaluate(facts(), NOW)


def test_unknown_gives_way_to_certainty() -> None:
    known = ~Customer.id.is_missing()
    ann = facts({"id": "ann"})
    assert (FR | known).evaluate(ann, NOW)
    assert (~(FR & ~known)).evaluate(ann, NOW)
    assert not (FR & known).evaluate(ann, NOW)
    assert (~FR | Customer.country.is_missing()).evaluate(ann, NOW)


@given(st.lists(st.sampled_from([True, False, None]), max_size=4))
def test_and_or_not_follow_kleene(values: list[bool | None]) -> None:
    """Kleene's strong logic of indeterminacy, which is SQL's: unknown lies between false and true."""
    order = {False: 0, None: 1, True: 2}
    parts = tuple(Compare(Field("customer", f"f{n}", "flag"), "eq", Constant("flag", True)) for n in range(len(values)))
    by_leaf = dict(zip((part.left for part in parts), values, strict=True))

    def resolve(leaf: Expression) -> bool | None:
        return by_leaf[leaf]

    assert order[And(parts).holds(resolve)] == min((order[value] for value in values), default=2)
    assert order[Or(parts).holds(resolve)] == max((order[value] for value in values), default=0)
    assert order[Not(And(parts)).holds(resolve)] == 2 - order[And(parts).holds(resolve)]


def test_inputs_name_each_operand_once() -> None:
    lines = [{"at": NOW - timedelta(days=3), "category": "wine", "total": 120.5, "order_id": "1"}]
    known = facts({"country": "FR", "birthday": "1980-05-01"}, lines)
    predicate = loves_wine & (Customer.country == "FR") & (Orders.recency() > hours(2)) & ~(Customer.country == "DE")
    assert predicate.inputs(known, NOW) == {
        "wine orders, 90 d": 1,
        "spent on wine, 90 d": 120.5,
        "country": "FR",
        "days since the last order": 3,
    }
    assert (Member.birthday < NOW).inputs(known, NOW) == {"birthday": "1980-05-01T00:00:00+00:00"}
    namesakes = (Orders.where(Orders.category == "x").count() > 0) & (Orders.where(Orders.product == "x").count() > 0)
    assert namesakes.inputs(known, NOW) == {"x orders": 0, "x orders (2)": 0}


def test_sources_say_where_a_predicate_belongs() -> None:
    assert loves_wine.sources() == {"orders"}
    assert (FR & (Member.tier == "gold")).sources() == {"customer", "attribute"}
    assert (Click.link == "shop").sources() == {"payload"}
    assert (Orders.category == "wine").sources() == {"order"}
    assert everyone.sources() == frozenset()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Aggregate("sum"), "sum over orders needs a field"),
        (lambda: Aggregate("count", Field("order", "total", "money")), "count over orders takes no field"),
        (lambda: Aggregate("count", where=FR), "Orders.where(...) takes facts of the order lines only, not: country"),
        (lambda: Aggregate("count", last=0), "must look back for some time"),
        (
            lambda: Since(Field("customer", "city", "text")),
            "time can be counted from a moment only, not from a text: city",
        ),
        (lambda: Until(Field("customer", "city", "text")), "time can be counted from a moment only"),
        (lambda: Times(Field("customer", "city", "text"), 2), "only numbers can be multiplied"),
        (lambda: Times(Aggregate("count"), 1e12), "a factor is between 1e-9 and 1e9"),
        (lambda: Constant("number", float("nan")), "nan is too large"),
        (lambda: Constant("number", 2**53), "below 2^53"),
        (lambda: Constant("text", "a\0"), "is no text"),
        (lambda: Constant("moment", datetime(2026, 1, 1)), "a datetime without a zone"),  # noqa: DTZ001
        (lambda: IsIn(Field("customer", "city", "text"), ()), "needs at least one value: city"),
        (lambda: Contains(Field("customer", "city", "text"), "", "start"), "look for some text"),
        (lambda: Field(HEART, "city", "text"), "unknown source of a fact: 'heart'"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_missing_is_known_of_every_kind() -> None:
    odd: dict[str, Any] = {"tier": 5, "points": "5", "vip": 1, "birthday": "soon"}
    for fact in (Member.tier, Member.points, Member.vip, Member.birthday):
        assert fact.is_missing().evaluate(facts(odd), NOW)
        assert IsMissing(fact.expression).evaluate(Facts(), NOW)
