"""Orders from a file, a row a purchase line. They are history: an import of orders makes no events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from engine import customers
from engine.db import insert_new
from engine.errors import Invalid
from engine.importing.cells import cents, past, short, whole
from engine.tables import Purchase

__all__ = ["OrderRows"]


class OrderRows:
    """A line whose id is there already is passed over.

    Without an `id` or `line` column, the lines of an order are counted in the order in which they stand in the file.
    """

    name = "orders"
    known = ("id", "order_id", "line", "customer_id", "at", "category", "product", "quantity", "total", "price")
    """`total` is in currency units, what was paid for the line; or `price`, of one piece. Below zero: taken back."""
    required = ("order_id", "customer_id", "at", "total|price")

    def __init__(self, now: datetime, zone: str) -> None:
        self._now = now
        self._zone = ZoneInfo(zone)
        self._lines: dict[str, int] = {}

    def begin(self, columns: Sequence[str]) -> None:
        """Nothing depends on the columns."""

    def read(self, cells: Mapping[str, str]) -> dict[str, Any]:
        order = short("order_id", cells)
        if not order:
            raise Invalid("order_id", cells["order_id"], "it must not be empty")
        number = self._lines[order] = self._lines.get(order, 0) + 1
        line = cells.get("line", "").strip() or str(number)
        at = past("at", cells["at"], self._zone, self._now, "an order")
        quantity = cells.get("quantity", "").strip()
        pieces = whole("quantity", quantity) if quantity else 1
        return {
            "id": cells.get("id", "").strip() or f"{order}:{line}",
            "order_id": order,
            "customer_id": customers.customer_id(cells["customer_id"], "customer_id"),
            "at": at,
            "category": short("category", cells) or None,
            "product": short("product", cells) or None,
            "quantity": pieces,
            "total": cents("total", cells["total"]) if "total" in cells else cents("price", cells["price"], pieces),
        }

    def keep(self, conn: Connection, rows: list[dict[str, Any]]) -> int:
        return insert_new(conn, Purchase, rows)
