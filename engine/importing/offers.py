"""Offers from a file: CSV or Parquet, as spreadsheets write it, or JSON, as the API takes it.

A row that can't be used is set aside with its reason; a JSON file with a fault is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from engine import offers
from engine.errors import Invalid
from engine.importing.cells import attribute, cents, flag, moment
from engine.importing.row_files import BadFile
from engine.json_text import parsed, unfit
from engine.offers import Offer

__all__ = ["OfferRows", "offers_of_json"]


class OfferRows:
    """Each offer is written as a whole; reading a file again changes nothing."""

    name = "offers"
    known = ("id", "name", "category", "margin", *offers.SHOWN, "valid_from", "valid_to", "on", "data.")
    """`margin` and `price` are in currency units; times without a zone are in the project's; `data.size`, `data.stars:number` …"""
    required = ("id", "name", "category", "margin")

    def __init__(self, now: datetime, zone: str) -> None:
        self._now = now
        self._zone = ZoneInfo(zone)

    def begin(self, columns: Sequence[str]) -> None:
        for column in columns:
            if column.startswith("data."):
                attribute(column, "")  # an unknown type is an error of the header

    def read(self, cells: Mapping[str, str]) -> Offer:
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
                given[column] = moment(column, text, self._zone) if text else None
            elif column == "on":
                given[column] = flag(column, text) if text else True
            elif column != "id":
                given[column] = text
        return offers.made(cells["id"].strip(), {**given, "data": data})

    def keep(self, conn: Connection, rows: list[Offer]) -> int:
        return offers.put(conn, rows, self._now)


def offers_of_json(path: Path, encoding: str) -> list[Offer]:
    """The offers of a JSON file: a list of the API's, with their ids. Raises BadFile, naming the offer and what is wrong."""
    try:
        given: object = parsed(path.read_text(encoding))
    except OSError as error:
        raise BadFile("unreadable_file", f"{path} can't be read: {error.strerror}") from None
    except (ValueError, LookupError) as error:
        raise BadFile("not_json", f"{path} is no JSON: {error}") from None
    if not isinstance(given, list):
        raise BadFile("not_json", f'{path} must hold a list of offers: [{{"id": "tea", "name": …}}, …]')
    found: list[Offer] = []
    for place, each in enumerate(cast("list[object]", given), start=1):
        bad = unfit(each)
        if bad is not None:
            raise BadFile("bad_offer", f"{path}, offer {place}: {bad[0]} holds {bad[1]}")
        fields = dict(cast("Mapping[str, Any]", each)) if isinstance(each, dict) else {}
        try:
            found.append(offers.made(str(fields.pop("id", "")), fields))
        except Invalid as error:
            raise BadFile("bad_offer", f"{path}, offer {place}: {error.message}") from None
    return found
