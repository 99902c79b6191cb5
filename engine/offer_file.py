"""Offers from a file: CSV, as spreadsheets write it, or JSON, as the API takes it. Reading it again changes nothing.

A row of a CSV file that can't be used is set aside with its reason; a JSON file with a fault is refused as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from engine import offers
from engine.csv_rows import BadFile, CsvFile
from engine.db import Database
from engine.errors import Invalid
from engine.imports import Imported, Progress, attribute, cents, flag, moment, read_rows
from engine.offers import Offer

__all__ = ["OFFER_COLUMNS", "import_offers"]

OFFER_COLUMNS = ("id", "name", "category", "margin", *offers.SHOWN, "valid_from", "valid_to", "on", "data.")
"""`margin` and `price` are in currency units; times without a zone are in the project's; `data.size`, `data.stars:number` …"""

_NEEDED = ("id", "name", "category", "margin")


def import_offers(
    database: Database,
    path: Path,
    now: datetime,
    zone: str,
    *,
    encoding: str = "utf-8",
    progress: Progress | None = None,
) -> Imported:
    """Read offers; each is written as a whole. A file that ends in .json is a list of the API's offers, with their ids.

    Raises BadFile.
    """

    def keep(conn: Connection, rows: list[Offer]) -> int:
        return offers.put(conn, rows, now)

    if path.suffix.lower() == ".json":
        found = _json(path, encoding)
        with database.write() as conn:
            return Imported(len(found), keep(conn, found), 0, None)
    source = CsvFile(path, OFFER_COLUMNS, _NEEDED, encoding)
    where = ZoneInfo(zone)
    for column in source.columns:
        if column.startswith("data."):
            attribute(column, "")  # an unknown type is an error of the header
    return read_rows(database, source, lambda cells: _offer(cells, where), keep, progress)


def _offer(cells: Mapping[str, str], zone: ZoneInfo) -> Offer:
    data: dict[str, Any] = {}
    given: dict[str, Any] = {}
    for column, cell in cells.items():
        text = cell.strip()
        if column.startswith("data."):
            name, value = attribute(column, text)
            data[name] = value
        elif column in {"margin", "price"}:
            (given if column == "margin" else data)[column] = cents(column, text) if text else None
        elif column in offers.SHOWN:
            data[column] = text or None
        elif column in {"valid_from", "valid_to"}:
            given[column] = moment(column, text, zone) if text else None
        elif column == "on":
            given[column] = flag(column, text) if text else True
        elif column != "id":
            given[column] = text
    return offers.made(cells["id"].strip(), {**given, "data": data})


def _json(path: Path, encoding: str) -> list[Offer]:
    try:
        given: object = json.loads(path.read_text(encoding))
    except OSError as error:
        raise BadFile("unreadable_file", f"{path} can't be read: {error.strerror}") from None
    except (ValueError, LookupError) as error:
        raise BadFile("not_json", f"{path} is no JSON: {error}") from None
    if not isinstance(given, list):
        raise BadFile("not_json", f'{path} must hold a list of offers: [{{"id": "tea", "name": …}}, …]')
    found: list[Offer] = []
    for place, each in enumerate(cast("list[object]", given), start=1):
        fields = dict(cast("Mapping[str, Any]", each)) if isinstance(each, dict) else {}
        try:
            found.append(offers.made(str(fields.pop("id", "")), fields))
        except Invalid as error:
            raise BadFile("bad_offer", f"{path}, offer {place}: {error.message}") from None
    return found
