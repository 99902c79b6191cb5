"""Bulk import of customers and orders from CSV: streamed, in group commits, and safe to run again.

Every row has its id, so a file that was read half-way is simply read again. A row that can't be used is set aside with
its reason; the others go in. An import of orders is history: it makes no events.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from dsl.ir import CHANNELS
from engine import consent, customers
from engine.csv_rows import CsvFile, Rejects, Row
from engine.db import Database, insert_new, table
from engine.errors import Invalid
from engine.tables import Consent, Purchase

__all__ = [
    "CUSTOMER_COLUMNS",
    "ORDER_COLUMNS",
    "Imported",
    "Progress",
    "attribute",
    "cents",
    "decimal",
    "flag",
    "import_customers",
    "import_orders",
    "moment",
    "read_rows",
]

CUSTOMER_COLUMNS = ("id", *customers.FIELDS, *(f"consent_{channel}" for channel in CHANNELS), "attributes.")
"""`consent_email` … say yes or no to marketing; `attributes.tier` is an own fact (text; `attributes.age:number`, `…:flag`)."""

ORDER_COLUMNS = ("id", "order_id", "line", "customer_id", "at", "category", "product", "quantity", "total")
"""A row is a purchase line. `total` is in currency units, what was paid for the line; `at` without a zone is in the project's."""

_Parsed = TypeVar("_Parsed")
Progress = Callable[[int, int, int], None]
"""Called after each chunk: bytes read, bytes in all, rows read."""

_CHUNK = 5000
_YES = {"yes", "y", "true", "t", "1", "oui", "ja", "si", "sí"}
_NO = {"no", "n", "false", "f", "0", "non", "nein"}
_SPACES = re.compile(r"[\s\u00a0\u202f']")
_MOST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. `read = new + there before + rejected`; `rejected_file` is there if a row was set aside."""

    read: int
    new: int
    rejected: int
    rejected_file: Path | None


def import_customers(
    database: Database,
    path: Path,
    now: datetime,
    *,
    encoding: str = "utf-8",
    progress: Progress | None = None,
) -> Imported:
    """Read customers. The columns that the file has are written, an empty cell empties the field; others stay as they are.

    A yes in the file never overturns what the customer herself withdrew. Raises BadFile.
    """
    source = CsvFile(path, CUSTOMER_COLUMNS, ["id"], encoding)
    for column in source.columns:
        if column.startswith("attributes."):
            attribute(column, "")  # an unknown type is an error of the header

    def keep(conn: Connection, rows: list[tuple[str, dict[str, Any], dict[str, bool]]]) -> int:
        new = customers.put_new_or_changed(conn, [(customer, fields) for customer, fields, _ in rows], now)
        _keep_consents(conn, {customer: words for customer, _, words in rows}, now)
        return new

    return read_rows(database, source, _customer, keep, progress)


def import_orders(
    database: Database,
    path: Path,
    now: datetime,
    zone: str,
    *,
    encoding: str = "utf-8",
    progress: Progress | None = None,
) -> Imported:
    """Read purchase lines; one whose id is there already is passed over. Raises BadFile.

    Without an `id` or `line` column, the lines of an order are counted in the order in which they stand in the file.
    """
    source = CsvFile(path, ORDER_COLUMNS, ["order_id", "customer_id", "at", "total"], encoding)
    seen: dict[str, int] = {}
    where = ZoneInfo(zone)

    def keep(conn: Connection, rows: list[dict[str, Any]]) -> int:
        target = table(Purchase)
        ids = {row["id"] for row in rows}
        there = conn.execute(select(func.count()).select_from(target).where(target.c.id.in_(ids))).scalar() or 0
        insert_new(conn, Purchase, rows)
        return len(ids) - there

    return read_rows(database, source, lambda cells: _order(cells, seen, where, now), keep, progress)


def read_rows(
    database: Database,
    source: CsvFile,
    parse: Callable[[Mapping[str, str]], _Parsed],
    keep: Callable[[Connection, list[_Parsed]], int],
    progress: Progress | None,
) -> Imported:
    """Read a file in chunks: each row parsed, those that can't be set aside, the rest kept in one transaction a chunk."""
    read = new = 0
    with Rejects(source) as rejects:
        for chunk in _chunks(source.rows()):
            parsed: list[_Parsed] = []
            for row in chunk:
                if row.broken is not None:
                    rejects.add(row, row.broken)
                    continue
                try:
                    parsed.append(parse(row.cells))
                except Invalid as error:
                    rejects.add(row, error)
            if parsed:
                with database.write() as conn:
                    new += keep(conn, parsed)
            read += len(chunk)
            if progress is not None:
                progress(min(chunk[-1].done, source.size), source.size, read)
    return Imported(read, new, rejects.count, rejects.path if rejects.count else None)


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    stream = iter(rows)
    while chunk := list(islice(stream, _CHUNK)):
        yield chunk


def _customer(cells: Mapping[str, str]) -> tuple[str, dict[str, Any], dict[str, bool]]:
    fields: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    words: dict[str, bool] = {}
    for column, cell in cells.items():
        if column.startswith("consent_"):
            if cell.strip():
                words[column.removeprefix("consent_")] = flag(column, cell)
        elif column.startswith("attributes."):
            name, value = attribute(column, cell)
            attributes[name] = value
        elif column != "id":
            fields[column] = cell
    if attributes:
        fields["attributes"] = attributes
    return customers.customer_id(cells["id"]), customers.clean(fields), words


def attribute(column: str, cell: str) -> tuple[str, Any]:
    """Name and value of an own fact's cell: `attributes.tier`, `attributes.age:number`, `….vip:flag`. Raises Invalid."""
    name, _, kind = column.partition(".")[2].partition(":")
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


def _order(cells: Mapping[str, str], seen: dict[str, int], zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    order = _short("order_id", cells)
    if not order:
        raise Invalid("order_id", cells["order_id"], "it must not be empty")
    number = seen[order] = seen.get(order, 0) + 1
    line = cells.get("line", "").strip() or str(number)
    at = moment("at", cells["at"], zone)
    if at > now:
        raise Invalid("at", cells["at"], f"an order can't be of the future (it is {now:%Y-%m-%d %H:%M} UTC)")
    quantity = cells.get("quantity", "").strip()
    return {
        "id": cells.get("id", "").strip() or f"{order}:{line}",
        "order_id": order,
        "customer_id": customers.customer_id(cells["customer_id"], "customer_id"),
        "at": at,
        "category": _short("category", cells) or None,
        "product": _short("product", cells) or None,
        "quantity": _whole("quantity", quantity) if quantity else 1,
        "total": cents("total", cells["total"]),
    }


def _short(field: str, cells: Mapping[str, str]) -> str:
    """The text of a cell that is looked things up by. Raises Invalid for one longer than any index takes."""
    text = cells.get(field, "").strip()
    if len(text) > 200:
        raise Invalid(field, text, "it may have 200 characters at most")
    return text


def cents(field: str, text: str) -> int:
    """Whole cents of an amount in currency units, as `12.50`, `12,50` or `1 250,00`. Raises Invalid."""
    amount = decimal(field, text) * 100
    if abs(amount) > _MOST:
        raise Invalid(field, text, "too large an amount")
    if amount != amount.to_integral_value():
        raise Invalid(field, text, "an amount has two decimals at most")
    return int(amount)


def decimal(field: str, text: str) -> Decimal:
    """A number as `1250.50` or `1 250,50`. Raises Invalid."""
    plain = _SPACES.sub("", text)
    if plain.count(",") == 1 and "." not in plain:
        plain = plain.replace(",", ".")
    if not re.fullmatch(r"[+-]?\d{1,15}(\.\d{0,6})?", plain):
        raise Invalid(field, text, "not a number; write it as 1250.50 or 1250,50")
    try:
        return Decimal(plain)
    except InvalidOperation:
        raise Invalid(field, text, "not a number") from None


def _whole(field: str, text: str) -> int:
    number = decimal(field, text)
    if number != number.to_integral_value() or abs(number) > _MOST:
        raise Invalid(field, text, "it must be a whole number")
    return int(number)


def moment(field: str, text: str, zone: ZoneInfo) -> datetime:
    """A moment in UTC, of ISO 8601; without a zone it is in `zone`. Raises Invalid."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Invalid(field, text, "not a date; write it as 2026-05-04 or 2026-05-04T09:30:00+02:00") from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    if not 1970 < found.year < 9999:  # what every zone and both databases can hold
        raise Invalid(field, text, "not in a year that a customer can have bought in")
    return found.astimezone(UTC)


def flag(field: str, text: str) -> bool:
    """Yes or no, in some languages. Raises Invalid."""
    word = text.strip().lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise Invalid(field, text, "it must be yes or no")


def _keep_consents(conn: Connection, words: Mapping[str, Mapping[str, bool]], now: datetime) -> None:
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
                "at": now,
                "source": "import",
            }
            for customer, channel, yes in said
        ],
    )
    refused = [consent.Word(customer, channel, False) for customer, channel, yes in said if not yes]
    consent.record(conn, refused, "import", now)
