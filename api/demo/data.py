"""The demo's data in the database: households as customers with consents, and their purchases before the opening day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert

from api.demo.people import Person, people
from api.demo.shop import OPENING, Shop
from engine.db import Database, table
from engine.tables import Consent, Customer, Purchase

__all__ = ["load"]

CHUNK = 50_000


def load(database: Database, shop: Shop) -> list[Person]:
    """Write the shop's customers, their consents and the purchase history; returns the people. Into empty tables."""
    persons = people(shop.households)
    with database.write() as conn:
        _customers(conn, persons)
        _purchases(conn, shop.history(), fast=database.is_sqlite)
        if database.is_sqlite:
            conn.exec_driver_sql("ANALYZE")
    return persons


def _customers(conn: Connection, persons: Sequence[Person]) -> None:
    rows: list[dict[str, Any]] = []
    for person in persons:
        row = asdict(person)
        del row["consents"]
        rows.append({**row, "created_at": OPENING, "updated_at": OPENING})
    conn.execute(insert(table(Customer)), rows)
    words = [
        {
            "customer_id": person.id,
            "channel": channel,
            "purpose": "marketing",
            "granted": granted,
            "at": OPENING,
            "source": "import",
        }
        for person in persons
        for channel, granted in person.consents.items()
    ]
    conn.execute(insert(table(Consent)), words)


def _purchases(conn: Connection, lines: dict[str, list[Any]], *, fast: bool) -> None:
    names = list(lines)
    rows = list(zip(*lines.values(), strict=True))
    if fast:
        # The driver takes 600,000 tuples in seconds where a statement object with converters takes half a minute.
        marks = ", ".join("?" * len(names))
        conn.exec_driver_sql(f"INSERT INTO purchase ({', '.join(names)}) VALUES ({marks})", rows)  # noqa: S608  # our own names
        return
    for start in range(0, len(rows), CHUNK):
        part = [dict(zip(names, row, strict=True)) for row in rows[start : start + CHUNK]]
        for row in part:
            row["at"] = datetime.fromisoformat(row["at"]).replace(tzinfo=UTC)
        conn.execute(insert(table(Purchase)), part)
