"""Customers from a file: their fields, attributes, and a yes or no to marketing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from dsl.ir import CHANNELS
from engine import consent, customers
from engine.db import insert_new
from engine.errors import Invalid
from engine.importing.cells import decimal, flag
from engine.tables import Consent

__all__ = ["CustomerRows"]

_Row = tuple[str, dict[str, Any], dict[str, bool]]


class CustomerRows:
    """The columns that the file has are written, an empty cell empties the field; others stay as they are.

    A yes in the file never overturns what the customer herself withdrew.
    """

    name = "customers"
    known = ("id", *customers.FIELDS, *(f"consent_{channel}" for channel in CHANNELS), "attributes.")
    """`consent_email` … say yes or no to marketing; `attributes.tier` is an own fact (text; `…:number`, `…:flag`)."""
    required = ("id",)

    def __init__(self, now: datetime) -> None:
        self._now = now

    def begin(self, columns: Sequence[str]) -> None:
        for column in columns:
            if column.startswith("attributes."):
                _attribute(column, "")  # an unknown type is an error of the header

    def read(self, cells: Mapping[str, str]) -> _Row:
        fields: dict[str, Any] = {}
        attributes: dict[str, Any] = {}
        words: dict[str, bool] = {}
        for column, cell in cells.items():
            if column.startswith("consent_"):
                if cell.strip():
                    words[column.removeprefix("consent_")] = flag(column, cell)
            elif column.startswith("attributes."):
                name, value = _attribute(column, cell)
                attributes[name] = value
            elif column != "id":
                fields[column] = cell
        if attributes:
            fields["attributes"] = attributes
        return customers.customer_id(cells["id"]), customers.clean(fields), words

    def keep(self, conn: Connection, rows: list[_Row]) -> int:
        new = customers.put_new_or_changed(conn, [(customer, fields) for customer, fields, _ in rows], self._now)
        self._keep_consents(conn, {customer: words for customer, _, words in rows})
        return new

    def _keep_consents(self, conn: Connection, words: Mapping[str, Mapping[str, bool]]) -> None:
        """A first word is a row without an event (nobody waits for it); a no that changes a yes has its event; a yes never changes a no."""
        said = [(customer, channel, yes) for customer, of in sorted(words.items()) for channel, yes in of.items()]
        insert_new(
            conn,
            Consent,
            [
                {
                    "customer_id": customer,
                    "channel": channel,
                    "purpose": "marketing",
                    "granted": yes,
                    "at": self._now,
                    "source": "import",
                }
                for customer, channel, yes in said
            ],
        )
        refused = [consent.Word(customer, channel, False) for customer, channel, yes in said if not yes]
        consent.record(conn, refused, "import", self._now)


def _attribute(column: str, cell: str) -> tuple[str, Any]:
    name, _, kind = column.removeprefix("attributes.").partition(":")
    text = cell.strip()
    match kind:
        case "" | "text":
            return name, text or None
        case "number":
            return name, float(decimal(column, text)) if text else None
        case "flag":
            return name, flag(column, text) if text else None
        case _:
            raise Invalid(column, kind, "an attribute's type is text, number or flag", "unknown_column")
