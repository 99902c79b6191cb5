"""Predicates in SQL: the same tree, compiled to SQLAlchemy Core, with the same results as in Python on both databases.

What differs between the databases stands in `engine.facts_flavour`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Double,
    Integer,
    Select,
    Text,
    and_,
    case,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy import (
    cast as sql_cast,
)

from dsl.expression import Aggregate, Constant, Expression, Field, Since, Times, Until
from dsl.predicate import And, Compare, Contains, IsIn, IsMissing, Not, Or, Predicate
from engine.db import table
from engine.facts_flavour import Sql, flavour_of
from engine.tables import Customer, Moment, Purchase

__all__ = ["CUSTOMER", "PURCHASE", "FactsSql"]

CUSTOMER = table(Customer)
PURCHASE = table(Purchase)


class FactsSql:
    """Compiles predicates and expressions for one connection at one `now`."""

    def __init__(self, conn: Connection, now: datetime) -> None:
        self.now = now
        self.flavour = flavour_of(conn)

    def audience(self, predicate: Predicate) -> Select[Any]:
        """The ids, in order, of the customers for whom it holds."""
        aggregates = [leaf for leaf in dict.fromkeys(predicate.operands()) if isinstance(leaf, Aggregate)]
        columns: dict[Aggregate, Sql] = {}
        source: Any = CUSTOMER
        for group in _groups(aggregates):
            if _seeks(group):
                columns |= {leaf: self._newest(leaf, CUSTOMER.c.id) for leaf in group}
                continue
            lines = self._grouped(group).subquery()
            source = source.outerjoin(lines, lines.c.customer_id == CUSTOMER.c.id)
            columns |= {leaf: _of_none(leaf, lines.c[f"v{index}"]) for index, leaf in enumerate(group)}
        return (
            select(CUSTOMER.c.id).select_from(source).where(self._predicate(predicate, columns)).order_by(CUSTOMER.c.id)
        )

    def orders(self, aggregates: Iterable[Aggregate], ids: Sequence[str]) -> list[tuple[list[Aggregate], Select[Any]]]:
        """For each group of aggregates a statement, which gives rows of a customer's id and their values in that order.

        A customer without lines may have no row.
        """
        found: list[tuple[list[Aggregate], Any]] = []
        for group in _groups(aggregates):
            if _seeks(group):
                listed = self.flavour.listed(ids)
                found.append((group, select(listed.c.value, *(self._newest(leaf, listed.c.value) for leaf in group))))
            else:
                found.append((group, self._grouped(group).where(self.flavour.among(PURCHASE.c.customer_id, ids))))
        return found

    def _grouped(self, group: Sequence[Aggregate]) -> Select[Any]:
        """One pass over the lines for all aggregates that look equally far back."""
        wheres = list(dict.fromkeys(leaf.where for leaf in group))
        conditions = {where: self._predicate(where, {}) if where is not None else None for where in wheres}
        shared = len(wheres) == 1
        values = [
            self._value(leaf, None if shared else conditions[leaf.where]).label(f"v{n}") for n, leaf in enumerate(group)
        ]
        statement = (
            select(PURCHASE.c.customer_id, *values).where(*self._window(group[0])).group_by(PURCHASE.c.customer_id)
        )
        if None in conditions:
            return statement
        return statement.where(or_(*(condition for condition in conditions.values() if condition is not None)))

    def _window(self, leaf: Aggregate) -> list[ColumnElement[bool]]:
        bounds = [PURCHASE.c.at <= literal(self.now, Moment())]
        if leaf.last is not None:
            bounds.append(PURCHASE.c.at > literal(self.now - timedelta(seconds=leaf.last), Moment()))
        return bounds

    def _newest(self, leaf: Aggregate, customer_id: Sql) -> Sql:
        """Recency by one step down the index, not by reading every line."""
        newest = select(func.max(PURCHASE.c.at, type_=Moment())).where(
            PURCHASE.c.customer_id == customer_id, *self._window(leaf)
        )
        return self._seconds_since(newest.scalar_subquery())

    def _value(self, leaf: Aggregate, condition: ColumnElement[bool] | None) -> Sql:
        def of_selected(value: Sql) -> Sql:
            return value if condition is None else case((condition, value))

        match leaf.function:
            case "count":
                return func.count(of_selected(PURCHASE.c.order_id).distinct())
            case "recency":
                return self._seconds_since(func.max(of_selected(PURCHASE.c.at), type_=Moment()))
            case "rhythm":
                day = of_selected(self.flavour.day(PURCHASE.c.at))
                count = func.count(day.distinct())
                span = self.flavour.days_between(func.min(day), func.max(day))
                return case((count >= 3, span * 86400.0 / sql_cast(count - 1, Double)))
            case "avg":
                value = of_selected(_line(cast("Field", leaf.field)))
                return sql_cast(func.sum(value), Double) / sql_cast(func.count(value), Double)
            case _:
                value = of_selected(_line(cast("Field", leaf.field)))
                folded: Sql = getattr(func, leaf.function)(value, type_=BigInteger)
                return _of_none(leaf, folded)  # lines there may be, for another aggregate of the group

    def _seconds_since(self, at: Sql) -> Sql:
        return sql_cast(literal(_micros(self.now), BigInteger) - self.flavour.micros(at), Double) / 1_000_000.0

    def _predicate(self, node: Predicate, columns: Mapping[Aggregate, Sql]) -> ColumnElement[bool]:  # noqa: PLR0911  # one for each kind of node
        match node:
            case And():
                return and_(true(), *(self._predicate(part, columns) for part in node.parts))
            case Or():
                return or_(false(), *(self._predicate(part, columns) for part in node.parts))
            case Not():
                return not_(self._predicate(node.part, columns))
            case Compare():
                left, right = self._expression(node.left, columns), self._expression(node.right, columns)
                return _compare(node.op, left, right)
            case IsIn():
                left = self._expression(node.left, columns)
                return or_(*(left == self._expression(value, columns) for value in node.values))
            case IsMissing():
                return self._expression(node.left, columns).is_(None)
            case Contains():
                left, part = self._expression(node.left, columns), literal(node.text, Text)
                if node.where == "anywhere":
                    return self.flavour.position(left, part) > 0
                return func.substr(left, 1, len(node.text), type_=Text) == part
            case _:
                raise ValueError(f"{type(node).__name__} has no SQL yet: {node.sentence()}")

    def _expression(self, node: Expression, columns: Mapping[Aggregate, Sql]) -> Sql:  # noqa: PLR0911  # one return for each kind of node
        match node:
            case Constant():
                return _literal(node)
            case Field(source="order"):
                return _line(node)
            case Field(source="attribute"):
                return self.flavour.attribute(node.name, node.of)
            case Field(source="customer"):
                return CUSTOMER.c[node.name]
            case Aggregate():
                return columns[node]
            case Since():
                return self._seconds_since(self._expression(node.moment, columns))
            case Until():
                return -self._seconds_since(self._expression(node.moment, columns))
            case Times():
                return sql_cast(self._expression(node.expression, columns), Double) * literal(
                    float(node.factor), Double
                )
            case _:
                raise ValueError(f"{node.sentence()!r} is no fact of a customer, so no customers can be found by it")


def _groups(aggregates: Iterable[Aggregate]) -> list[list[Aggregate]]:
    """Those that look equally far back are computed together; recency over all lines is a matter of the index alone."""
    found: dict[tuple[int | None, bool], list[Aggregate]] = {}
    for leaf in aggregates:
        found.setdefault((leaf.last, _seeks([leaf])), []).append(leaf)
    return list(found.values())


def _seeks(group: Sequence[Aggregate]) -> bool:
    return group[0].function == "recency" and group[0].where is None


def _of_none(leaf: Aggregate, value: Sql) -> Sql:
    return func.coalesce(value, 0, type_=BigInteger) if leaf.function in ("count", "sum") else value


def _line(field: Field) -> Sql:
    return PURCHASE.c[field.name]


def _literal(node: Constant) -> Sql:
    value = node.literal
    if isinstance(value, bool):
        return literal(int(value), Integer)
    if isinstance(value, int):
        return literal(value, BigInteger)
    return literal(value, Double if isinstance(value, float) else Text if isinstance(value, str) else Moment())


def _compare(op: str, left: Sql, right: Sql) -> ColumnElement[bool]:
    match op:
        case "eq":
            return left == right
        case "ne":
            return left != right
        case "lt":
            return left < right
        case "le":
            return left <= right
        case "gt":
            return left > right
        case _:
            return left >= right


def _micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
