"""Predicates in SQL: what they find is what Python finds, on both databases; decisions, measures, audiences, summaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert

from dsl.expression import Aggregate, Constant, Expression, Facts, Field, Since, Times, Until
from dsl.facts import Customer, Orders, Purchase, everyone, flag, moment, number, text
from dsl.predicate import And, Compare, Contains, IsIn, IsMissing, Not, Or, Predicate
from dsl.times import days, hours
from engine import tables
from engine.db import Database, table
from engine.facts import OrdersSummary, audience, decide, measure, orders_summary

NOW = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)


class Member(Customer):
    tier = text()
    points = number()
    vip = flag()
    renews = moment()
    größe = number()  # noqa: PLC2401  # an author may write her own language; the stored JSON escapes it


def put(conn: Connection, customers: Sequence[dict[str, Any]], lines: Sequence[dict[str, Any]] = ()) -> None:
    blank: dict[str, Any] = {
        "country": None,
        "language": None,
        "city": None,
        "attributes": {},
        "created_at": NOW,
        "updated_at": NOW,
    }
    if customers:
        conn.execute(insert(table(tables.Customer)), [{**blank, **customer} for customer in customers])
    whole = {"category": None, "product": None, "quantity": 1, "total": 0}
    rows = [{**whole, "id": f"{n}", "order_id": f"o{n}", **line} for n, line in enumerate(lines)]
    if rows:
        conn.execute(insert(table(tables.Purchase)), rows)


def line(customer_id: str, age: timedelta, **more: Any) -> dict[str, Any]:
    return {"customer_id": customer_id, "at": NOW - age, **more}


# --- random trees over random rows -----------------------------------------------------------------------------------

TEXTS = st.sampled_from(["", "FR", "fr", "Fr", "wine", "Äpfel", "aa", "a", "%", "_", "o'x", "\\", '"', "日本", "🍷"])
MOMENTS = st.sampled_from(
    [
        *(NOW - timedelta(days=n) for n in (-2, 0, 1, 2, 3, 29, 30, 90)),
        NOW - timedelta(microseconds=1),
        NOW - timedelta(days=30, microseconds=-1),
        datetime(2026, 2, 27, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 2, 28, tzinfo=UTC),
    ]
)
NUMBERS = st.one_of(
    st.integers(-3, 5),
    st.sampled_from([0.1, 2.5, 1e16, 0.30000000000000004, 123456789012345.67]),
    st.floats(-1e20, 1e20),
)
WRITTEN = st.one_of(st.integers(-3, 600), st.floats(-1000, 1000, allow_nan=False))
JSON_MOMENTS = st.one_of(
    st.datetimes(datetime(1899, 1, 1), datetime(2201, 1, 1)).map(lambda at: at.isoformat()),  # noqa: DTZ001
    st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)).map(lambda at: at.isoformat()),  # noqa: DTZ001
    st.dates().map(lambda day: day.isoformat()),
    st.sampled_from(
        [
            "2024-02-30",
            "2023-02-29",
            "2024-02-29",
            "1900-02-29",
            "2026-03-01T12:30:15.999999Z",
            "2026-03-01 12:30:15+13:59",
            "2026-03-01T24:00:00Z",
            "2026-03-01T10:00",
            "tomorrow",
            "infinity",
            "now",
            "2026-03-01\n",
            "２026-03-01",
            "20260301",
        ]
    ),
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    NUMBERS,
    TEXTS,
    JSON_MOMENTS,
    st.sampled_from([10**30, 10**400, 2**63, -(2**63), 1e99, 1e101, 5e-324]),
)
ATTRIBUTES = {"tier": "text", "points": "number", "vip": "flag", "renews": "moment", "größe": "number", "a b": "text"}


def _constant(kind: str) -> st.SearchStrategy[Constant]:
    values: dict[str, st.SearchStrategy[Any]] = {
        "text": TEXTS,
        "flag": st.booleans(),
        "moment": MOMENTS,
        "number": WRITTEN,
        "money": WRITTEN,
        "seconds": st.one_of(st.integers(-5, 40).map(lambda n: n * 86400), st.floats(-1e7, 1e7)),
    }
    return values[kind].map(lambda value: Constant(kind, value))  # pyright: ignore[reportArgumentType]


LINE_FIELDS = [
    Field("order", "category", "text"),
    Field("order", "product", "text"),
    Field("order", "order_id", "text"),
    Field("order", "quantity", "number"),
    Field("order", "total", "money"),
    Field("order", "at", "moment"),
]
OWN_FIELDS = [Field("customer", name, "text") for name in ("country", "language", "city")] + [
    Field("customer", "created_at", "moment"),
    *(Field("attribute", name, kind) for name, kind in ATTRIBUTES.items()),  # pyright: ignore[reportArgumentType]
]


Leaves = dict[str, st.SearchStrategy[Expression]]
"""Expressions by their kind, so that both sides of a comparison are drawn of one."""


@st.composite
def comparisons(draw: st.DrawFn, leaves: Leaves) -> Predicate:
    kind = draw(st.sampled_from(sorted(leaves)))
    left = draw(leaves[kind])
    match draw(st.sampled_from(["compare", "compare", "compare", "in", "missing", "contains"])):
        case "in":
            return IsIn(left, tuple(draw(st.lists(_constant(kind), min_size=1, max_size=3))))
        case "missing":
            return IsMissing(left)
        case "contains" if kind == "text":
            return Contains(left, draw(TEXTS.filter(bool)), draw(st.sampled_from(["anywhere", "start"])))
        case _:
            ops = ["eq", "ne"] if kind in ("text", "flag") else ["eq", "ne", "lt", "le", "gt", "ge"]
            right = draw(st.one_of(_constant(kind), _constant(kind), leaves[kind]))
            return Compare(left, draw(st.sampled_from(ops)), right)  # pyright: ignore[reportArgumentType]


def trees(leaves: Leaves, most: int) -> st.SearchStrategy[Predicate]:
    return st.recursive(
        comparisons(leaves),
        lambda parts: st.one_of(
            st.lists(parts, max_size=3).map(lambda found: And(tuple(found))),
            st.lists(parts, max_size=3).map(lambda found: Or(tuple(found))),
            parts.map(Not),
        ),
        max_leaves=most,
    )


def _of(fields: Sequence[Field], kind: str) -> st.SearchStrategy[Expression]:
    return st.sampled_from([field for field in fields if field.of == kind])


IN_LINES: Leaves = {kind: _of(LINE_FIELDS, kind) for kind in ("text", "number", "money", "moment")}
WHERES = st.one_of(st.none(), trees(IN_LINES, 3))


@st.composite
def aggregates(draw: st.DrawFn, functions: Sequence[str], field: Field | None = None) -> Aggregate:
    last = draw(st.sampled_from([None, None, 1, 86400, 30 * 86400, 90 * 86400]))
    return Aggregate(draw(st.sampled_from(functions)), field, draw(WHERES), last)  # pyright: ignore[reportArgumentType]


FOLDS = ["sum", "min", "max", "avg"]
MOMENT_FIELDS = st.sampled_from([field for field in OWN_FIELDS if field.of == "moment"])


def _scaled(leaves: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    factors = st.sampled_from([0, 1, 1.5, -2, 1e-9, 1e9, 0.1])
    return st.one_of(leaves, leaves, st.builds(Times, leaves, factors))


NUMERIC: Leaves = {
    "number": _scaled(
        st.one_of(
            _of(OWN_FIELDS, "number"), aggregates(["count"]), aggregates(FOLDS, Field("order", "quantity", "number"))
        )
    ),
    "money": _scaled(aggregates(FOLDS, Field("order", "total", "money"))),
    "seconds": _scaled(
        st.one_of(aggregates(["recency", "rhythm"]), MOMENT_FIELDS.map(Since), MOMENT_FIELDS.map(Until))
    ),
}
EXPRESSIONS: Leaves = {**NUMERIC, **{kind: _of(OWN_FIELDS, kind) for kind in ("text", "flag", "moment")}}
LINES = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from(["c0", "c1", "c2", "stranger"]),
        "order_id": st.sampled_from(["1", "2", "3", "4"]),
        "at": MOMENTS,
        "category": st.one_of(st.none(), TEXTS),
        "product": st.one_of(st.none(), TEXTS),
        "quantity": st.integers(-1, 4),
        "total": st.integers(-500, 60_000),
    }
)
CUSTOMERS = st.fixed_dictionaries(
    {
        "country": st.one_of(st.none(), TEXTS),
        "language": st.one_of(st.none(), TEXTS),
        "city": st.one_of(st.none(), TEXTS),
        "created_at": MOMENTS,
        "attributes": st.dictionaries(st.sampled_from(list(ATTRIBUTES)), VALUES),
    }
)


@dataclass
class World:
    customers: list[dict[str, Any]]
    lines: list[dict[str, Any]]

    def facts(self, customer_id: str) -> Facts:
        customer = next((row for row in self.customers if row["id"] == customer_id), dict[str, Any]())
        return Facts(customer=customer, orders=[row for row in self.lines if row["customer_id"] == customer_id])


def _world(customers: list[dict[str, Any]], lines: list[dict[str, Any]]) -> World:
    return World([{"id": f"c{n}", **row} for n, row in enumerate(customers)], lines)


WORLDS = st.builds(_world, st.lists(CUSTOMERS, min_size=3, max_size=3), st.lists(LINES, max_size=12))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    world=WORLDS,
    predicates=st.lists(trees(EXPRESSIONS, 6), min_size=1, max_size=6),
    measured=st.one_of(*NUMERIC.values()),
)
def test_python_and_both_databases_agree(
    db: Database, world: World, predicates: list[Predicate], measured: Expression
) -> None:
    ids = ["c0", "c1", "c2", "stranger", "nobody"]
    with db.engine.connect() as conn:
        put(conn, world.customers, world.lines)
        decisions = decide(conn, predicates, ids, NOW)
        found = [list(audience(conn, predicate, NOW)) for predicate in predicates]
        values = measure(conn, [measured], ids, NOW)
        conn.rollback()
    for customer_id in ids:
        facts = world.facts(customer_id)
        expected = tuple(predicate.evaluate(facts, NOW) for predicate in predicates)
        assert decisions[customer_id].results == expected
        assert decisions[customer_id].inputs == tuple(predicate.inputs(facts, NOW) for predicate in predicates)
        assert values[customer_id] == (measured.value(facts, NOW),)
    for predicate, got in zip(predicates, found, strict=True):
        assert got == [row["id"] for row in world.customers if predicate.evaluate(world.facts(row["id"]), NOW)]


# --- by hand ---------------------------------------------------------------------------------------------------------

wine = Orders.where(Orders.category == "wine").last(days=90)
loves_wine = (wine.count() >= 2) & (wine.sum(Orders.total) > 200)


def test_a_decision_says_what_it_was_decided_on(db: Database) -> None:
    with db.write() as conn:
        lines = [
            line("ann", timedelta(days=2), category="wine", total=15_000, order_id="1"),
            line("ann", timedelta(days=2), category="wine", total=5_001, order_id="1"),
            line("ann", timedelta(days=80), category="wine", total=1_000, order_id="2"),
            line("bob", timedelta(days=80), category="wine", total=90_000, order_id="3"),
            line("bob", timedelta(days=91), category="wine", total=90_000, order_id="4"),
        ]
        put(conn, [{"id": "ann", "country": "FR"}, {"id": "bob"}], lines)
        decisions = decide(
            conn, [loves_wine, Customer.country == "FR", Orders.recency() > days(3)], ["ann", "bob"], NOW
        )
    assert decisions["ann"].results == (True, True, False)
    assert decisions["ann"].inputs == (
        {"wine orders, 90 d": 2, "spent on wine, 90 d": 210.01},
        {"country": "FR"},
        {"days since the last order": 2},
    )
    assert decisions["bob"].results == (False, False, True)
    assert decisions["bob"].inputs[0] == {"wine orders, 90 d": 1, "spent on wine, 90 d": 900}


def test_the_look_back_begins_after_its_bound_and_ends_at_now(db: Database) -> None:
    last_hour = Orders.last(hours=1).count()
    with db.write() as conn:
        ages = {"old": timedelta(hours=1), "just": timedelta(hours=1, microseconds=-1), "now": timedelta(0)}
        ages["future"] = timedelta(microseconds=-1)
        put(conn, [{"id": name} for name in ages], [line(name, age) for name, age in ages.items()])
        assert list(audience(conn, last_hour >= 1, NOW)) == ["just", "now"]
        assert list(audience(conn, Orders.count() >= 1, NOW)) == ["just", "now", "old"]


def test_missing_is_neither_equal_nor_different(db: Database) -> None:
    with db.write() as conn:
        put(conn, [{"id": "ann", "country": "FR"}, {"id": "bob", "country": "DE"}, {"id": "eve"}])
        assert list(audience(conn, Customer.country == "FR", NOW)) == ["ann"]
        assert list(audience(conn, ~(Customer.country == "FR"), NOW)) == ["bob"]
        assert list(audience(conn, ~(Customer.country == "FR") | Customer.country.is_missing(), NOW)) == ["bob", "eve"]
        assert list(audience(conn, everyone, NOW)) == ["ann", "bob", "eve"]


def test_own_facts_of_every_kind(db: Database) -> None:
    own = {"tier": "gold", "points": 12.5, "vip": True, "renews": "2026-03-04T12:30:15Z", "größe": 38}
    with db.write() as conn:
        put(conn, [{"id": "ann", "attributes": own}, {"id": "bob", "attributes": {name: [1] for name in own}}])
        for predicate in (
            Member.tier == "gold",
            Member.points > 12,
            Member.vip.is_true(),
            Member.renews.until() < days(4),
            Member.größe == 38,
        ):
            assert list(audience(conn, predicate, NOW)) == ["ann"], predicate
            assert list(audience(conn, ~predicate, NOW)) == [], predicate


def test_measure_gives_seconds(db: Database) -> None:
    with db.write() as conn:
        ages = [timedelta(days=n) for n in (0, 10, 30)]
        put(conn, [{"id": "ann"}, {"id": "bob"}], [*(line("ann", age) for age in ages), line("bob", timedelta(days=1))])
        expressions = [
            Orders.rhythm().expression,
            (Orders.recency() * 2).expression,
            Orders.avg(Orders.total).expression,
        ]
        assert measure(conn, expressions, ["ann", "bob", "eve"], NOW) == {
            "ann": (15 * 86400.0, 0.0, 0.0),
            "bob": (None, 2 * 86400.0, 0.0),
            "eve": (None, None, None),
        }


def test_a_fact_at_the_wrong_place_is_refused(sqlite: Database) -> None:
    with sqlite.read() as conn:
        with pytest.raises(ValueError, match="'total' is a fact of an event's payload"):
            decide(conn, [Purchase.total > 50], ["ann"], NOW)
        with pytest.raises(ValueError, match="inside Orders"):
            list(audience(conn, Orders.category == "wine", NOW))
        with pytest.raises(ValueError, match="a customer has no field 'shoe'; known: id, first_name"):
            decide(conn, [IsMissing(Field("customer", "shoe", "text"))], ["ann"], NOW)
        with pytest.raises(ValueError, match="only numbers and times are measured"):
            measure(conn, [Customer.country.expression], ["ann"], NOW)
        with pytest.raises(ValueError, match="without a zone"):
            decide(conn, [everyone], ["ann"], NOW.replace(tzinfo=None))


def test_a_thousand_ids_and_more_in_one_batch(db: Database) -> None:
    ids = [f"c{n:05}" for n in range(40_000)]
    with db.write() as conn:
        put(conn, [{"id": ids[7], "country": "FR"}], [line(ids[7], timedelta(hours=5))])
        found = decide(conn, [(Customer.country == "FR") & (Orders.recency() > hours(1))], ids, NOW)
    assert len(found) == len(ids)
    assert [customer_id for customer_id, decision in found.items() if decision.results == (True,)] == [ids[7]]


def test_orders_summary(db: Database) -> None:
    with db.write() as conn:
        bought = [
            ("a", "wine", 100, 9),
            ("b", "wine", 200, 5),
            ("b", "cheese", 900, 5),
            ("c", "beer", 50, 3),
            ("c", None, 5, 3),
        ]
        bought += [("d", "ham", 900, 2), ("e", "late", 1, -1)]
        put(
            conn,
            [{"id": "ann"}],
            [line("ann", timedelta(days=d), order_id=o, category=c, total=t) for o, c, t, d in bought],
        )
        found = orders_summary(conn, ["ann", "bob"], NOW)
    assert found["bob"] == OrdersSummary()
    assert found["ann"] == OrdersSummary(
        count=4,
        total=2155,
        first_at=NOW - timedelta(days=9),
        last_at=NOW - timedelta(days=2),
        top_categories=("wine", "cheese", "ham"),
    )
    assert found["ann"].top_category == "wine"
