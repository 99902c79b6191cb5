"""What SQLite and PostgreSQL say differently, for predicates: moments, days, texts, lists of ids, and own facts.

Own facts are any JSON. They are read with the rules of `dsl.values`: a value of another type counts as missing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, cast

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Date,
    Double,
    Integer,
    Numeric,
    Text,
    any_,
    bindparam,
    case,
    column,
    extract,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy import (
    cast as sql_cast,
)

from dsl.values import MOMENT_PATTERN, TINY, VAST, Kind, from_json_value
from engine.db import table
from engine.tables import Customer, Moment

__all__ = ["Flavour", "Postgres", "Sql", "Sqlite", "flavour_of"]

CUSTOMER = table(Customer)
Sql = ColumnElement[Any]


class Flavour(Protocol):
    """What the two databases say differently."""

    def micros(self, at: Sql) -> Sql:
        """A moment as whole microseconds since 1970."""
        ...

    def day(self, at: Sql) -> Sql:
        """A moment's day in UTC."""
        ...

    def days_between(self, first: Sql, last: Sql) -> Sql: ...

    def position(self, text: Sql, part: Sql) -> Sql:
        """Where the part begins in the text, from 1; 0 if nowhere."""
        ...

    def attribute(self, name: str, kind: Kind) -> Sql:
        """A customer's own fact."""
        ...

    def among(self, column: Sql, ids: Sequence[str]) -> ColumnElement[bool]:
        """Whether the column is one of the ids, with one parameter however many there are."""
        ...

    def listed(self, ids: Sequence[str]) -> Any:
        """The ids as rows of one column, `value`."""
        ...


class Sqlite:
    """Moments are texts of one form, so they sort as such; own facts are read by a function of ours."""

    def __init__(self, conn: Connection) -> None:
        if not conn.info.get("parcours_fact"):
            raw: Any = conn.connection.driver_connection
            raw.create_function("parcours_fact", 3, _sqlite_fact, deterministic=True)
            conn.info["parcours_fact"] = True

    def micros(self, at: Sql) -> Sql:
        text = type_coerce(at, Text)  # as kept: 2026-03-01 09:30:00.000000
        seconds = sql_cast(func.strftime("%s", func.substr(text, 1, 19)), BigInteger)
        return seconds * 1_000_000 + sql_cast(func.substr(text, 21, 6), BigInteger)

    def day(self, at: Sql) -> Sql:
        return func.substr(type_coerce(at, Text), 1, 10)

    def days_between(self, first: Sql, last: Sql) -> Sql:
        return type_coerce(func.julianday(last) - func.julianday(first), Double)

    def position(self, text: Sql, part: Sql) -> Sql:
        return func.instr(text, part, type_=Integer)

    def attribute(self, name: str, kind: Kind) -> Sql:
        # Our own function, in Python: SQLite reads decimals and dates by rules of its own.
        return func.parcours_fact(CUSTOMER.c.attributes, name, kind, type_=_SQL_TYPES[kind])

    def among(self, column: Sql, ids: Sequence[str]) -> ColumnElement[bool]:
        return column.in_(select(self.listed(ids).c.value))

    def listed(self, ids: Sequence[str]) -> Any:
        return func.json_each(bindparam(None, json.dumps(list(ids)), Text)).table_valued(column("value", Text))


class Postgres:
    """All in SQL: values of another type are sifted out before a cast could fail on them."""

    def micros(self, at: Sql) -> Sql:
        return sql_cast(extract("epoch", at) * 1_000_000, BigInteger)

    def day(self, at: Sql) -> Sql:
        return sql_cast(func.timezone("UTC", at), Date)

    def days_between(self, first: Sql, last: Sql) -> Sql:
        return sql_cast(type_coerce(last, Integer) - type_coerce(first, Integer), Double)

    def position(self, text: Sql, part: Sql) -> Sql:
        return func.strpos(text, part, type_=Integer)

    def attribute(self, name: str, kind: Kind) -> Sql:
        of = func.json_typeof(CUSTOMER.c.attributes[name], type_=Text)
        text: Sql = CUSTOMER.c.attributes[name].as_string()
        match kind:
            case "text":
                return case((of == "string", text))
            case "flag":
                return case((of == "boolean", case((text == "true", 1), else_=0)))
            case "moment":
                # Nested, for only a CASE is certain to test the form before the cast reads it.
                zone = func.coalesce(func.substring(text, "(?:Z|[+-][0-9][0-9]:[0-9][0-9])$"), "Z", type_=Text)
                clock = case((func.length(text) == 10, text + " 00:00:00"), else_=func.substr(text, 1, 19, type_=Text))
                formed = text.regexp_match(f"^(?:{MOMENT_PATTERN})$")
                return case((of == "string", case((formed, sql_cast(clock + zone, Moment())))))
            case _:
                exact = sql_cast(text, Numeric)
                size = func.abs(exact)
                number = case(
                    (size >= literal(Decimal(VAST), Numeric), None),
                    (size < literal(Decimal(str(TINY)), Numeric), 0.0),
                    else_=sql_cast(exact, Double),
                )
                return case((of == "number", number))

    def among(self, column: Sql, ids: Sequence[str]) -> ColumnElement[bool]:
        return column == any_(bindparam(None, list(ids), ARRAY(Text)))

    def listed(self, ids: Sequence[str]) -> Any:
        return func.unnest(bindparam(None, list(ids), ARRAY(Text))).table_valued(column("value", Text)).render_derived()


def flavour_of(conn: Connection) -> Flavour:
    """The flavour of the connection's database."""
    return Sqlite(conn) if conn.dialect.name == "sqlite" else Postgres()


_SQL_TYPES: dict[Kind, Any] = {
    "text": Text(),
    "number": Double(),
    "money": Double(),
    "seconds": Double(),
    "flag": Integer(),
    "moment": Moment(),
}


def _sqlite_fact(attributes: str | None, name: str, kind: Kind) -> str | float | int | None:
    """What SQLite calls for an own fact: as Python reads it, in the form that SQLite keeps values of its kind in."""
    own: object = json.loads(attributes) if attributes else None
    value = from_json_value(kind, cast("dict[str, Any]", own).get(name)) if isinstance(own, dict) else None
    return value.replace(tzinfo=None).isoformat(" ", "microseconds") if isinstance(value, datetime) else value
