"""Facts of customers, read for many at once: decisions, measures, audiences, and what templates say of orders.

Everything is relative to the `now` that is passed in: orders after it don't exist yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, func, literal, select

from dsl.expression import Aggregate, Expression, Facts, Field, Leaf, Since, Until
from dsl.predicate import Predicate
from dsl.values import Scalar, in_utc
from engine.facts_sql import CUSTOMER, PURCHASE, FactsSql
from engine.tables import Moment

__all__ = ["Decision", "OrdersSummary", "audience", "decide", "measure", "orders_summary"]

SUITABLE = frozenset({"customer", "attribute", "orders"})


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for one customer: a result for each predicate, and the values that it was decided on."""

    results: tuple[bool, ...]
    inputs: tuple[dict[str, Any], ...]
    """By each operand's sentence: money in currency units, times in days, moments in ISO 8601; None is missing."""


@dataclass(frozen=True, slots=True)
class OrdersSummary:
    """A customer's orders up to now, as templates have them. Amounts in cents."""

    count: int = 0
    total: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    top_categories: tuple[str, ...] = ()
    """Up to three: those of the most orders; of equals the one that more was spent on, then the alphabet."""

    @property
    def top_category(self) -> str | None:
        return self.top_categories[0] if self.top_categories else None


def decide(
    conn: Connection, predicates: Sequence[Predicate], customer_ids: Sequence[str], now: datetime
) -> dict[str, Decision]:
    """Evaluate the predicates for each of the customers. One whom nobody knows has no facts: all is missing."""
    operands = dict.fromkeys(leaf for predicate in predicates for leaf in _operands(predicate))
    found: dict[str, Decision] = {}
    for customer_id, resolve in _resolved(conn, list(operands), customer_ids, now):
        found[customer_id] = Decision(
            tuple(predicate.holds(resolve) is True for predicate in predicates),
            tuple(predicate.shown(resolve) for predicate in predicates),
        )
    return found


def measure(
    conn: Connection, expressions: Sequence[Expression], customer_ids: Sequence[str], now: datetime
) -> dict[str, tuple[Scalar | None, ...]]:
    """The expressions' values for each of the customers: seconds, numbers, cents or moments; None is missing."""
    for expression in expressions:
        if expression.kind not in ("number", "money", "seconds", "moment"):
            raise ValueError(f"{expression.sentence()!r} is a {expression.kind}; only numbers and times are measured")
    operands = dict.fromkeys(leaf for expression in expressions for leaf in _operands(expression))
    found: dict[str, tuple[Scalar | None, ...]] = {}
    for customer_id, resolve in _resolved(conn, list(operands), customer_ids, now):
        values = (expression.resolved(resolve) for expression in expressions)
        found[customer_id] = tuple(
            value if value is None or isinstance(value, datetime) else float(value) for value in values
        )
    return found


def audience(conn: Connection, predicate: Predicate, now: datetime) -> Iterator[str]:
    """The ids, in order, of all customers for whom the predicate holds; read as they come, in one statement."""
    list(_operands(predicate))
    statement = FactsSql(conn, in_utc(now)).audience(predicate)
    yield from conn.execute(statement.execution_options(yield_per=5000)).scalars()


def orders_summary(conn: Connection, ids: Sequence[str], now: datetime) -> dict[str, OrdersSummary]:
    """What each of the customers has ordered up to now."""
    chosen = (
        FactsSql(conn, in_utc(now)).flavour.among(PURCHASE.c.customer_id, ids),
        PURCHASE.c.at <= literal(in_utc(now), Moment()),
    )
    orders, spent = func.count(PURCHASE.c.order_id.distinct()), func.sum(PURCHASE.c.total)
    by_category = (
        select(PURCHASE.c.customer_id, PURCHASE.c.category)
        .where(*chosen, PURCHASE.c.category.is_not(None))
        .group_by(PURCHASE.c.customer_id, PURCHASE.c.category)
        .order_by(PURCHASE.c.customer_id, orders.desc(), spent.desc(), PURCHASE.c.category)
    )
    tops: dict[str, list[str]] = {}
    for customer_id, category in conn.execute(by_category):
        tops.setdefault(customer_id, []).append(category)
    totals = (
        select(
            PURCHASE.c.customer_id,
            orders,
            spent,
            func.min(PURCHASE.c.at, type_=Moment()),
            func.max(PURCHASE.c.at, type_=Moment()),
        )
        .where(*chosen)
        .group_by(PURCHASE.c.customer_id)
    )
    found = {customer_id: OrdersSummary() for customer_id in ids}
    for customer_id, count, total, first_at, last_at in conn.execute(totals):
        found[customer_id] = OrdersSummary(count, int(total), first_at, last_at, tuple(tops.get(customer_id, ())[:3]))
    return found


def _operands(node: Predicate | Expression) -> Iterator[Expression]:
    """Its operands, once it is certain that all of them are facts of a customer."""
    for leaf in node.operands():
        unsuitable = leaf.sources() - SUITABLE
        if unsuitable:
            where = "an event's payload" if "payload" in unsuitable else "one order line, inside Orders.where(...)"
            raise ValueError(
                f"{leaf.sentence()!r} is a fact of {where}, so it can't be asked of a customer: ({node.sentence()})"
            )
        field = leaf.moment if isinstance(leaf, Since | Until) else leaf
        if isinstance(field, Field) and field.source == "customer" and field.name not in CUSTOMER.c:
            raise ValueError(f"a customer has no field {field.name!r}; known: {', '.join(CUSTOMER.c.keys())}")
        yield leaf


def _resolved(
    conn: Connection, operands: Sequence[Expression], customer_ids: Sequence[str], now: datetime
) -> Iterator[tuple[str, Callable[[Expression], Scalar | None]]]:
    """For each customer what gives the operands' values: aggregates computed by SQL, the rest read from her row."""
    now = in_utc(now)
    sql = FactsSql(conn, now)
    aggregates = [leaf for leaf in operands if isinstance(leaf, Aggregate)]
    others = [leaf for leaf in operands if isinstance(leaf, Leaf) and not isinstance(leaf, Aggregate)]
    computed: dict[str, dict[Expression, Scalar | None]] = {customer_id: {} for customer_id in customer_ids}
    for group, statement in sql.orders(aggregates, customer_ids):
        for customer_id, *values in conn.execute(statement):
            computed[customer_id].update(zip(group, values, strict=True))
    rows: Mapping[str, Mapping[str, Any]] = _customers(conn, sql, others, customer_ids)
    for customer_id, values in computed.items():
        for leaf in aggregates:
            if leaf not in values:
                values[leaf] = 0 if leaf.function in ("count", "sum") else None
        known = Facts(customer=rows.get(customer_id, {}))
        for leaf in others:
            values[leaf] = leaf.read(known, now)
        yield customer_id, values.__getitem__


def _customers(
    conn: Connection, sql: FactsSql, leaves: Sequence[Expression], customer_ids: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    fields = [leaf.moment if isinstance(leaf, Since | Until) else leaf for leaf in leaves]
    names = {leaf.name if leaf.source == "customer" else "attributes" for leaf in fields if isinstance(leaf, Field)}
    if not names:
        return {}
    columns = [CUSTOMER.c[name] for name in sorted(names | {"id"})]
    rows = conn.execute(select(*columns).where(sql.flavour.among(CUSTOMER.c.id, customer_ids))).mappings()
    return {row["id"]: cast("Mapping[str, Any]", row) for row in rows}
