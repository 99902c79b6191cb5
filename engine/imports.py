"""Bulk import from CSV and Parquet: customers, consents, orders, exposures, outcomes, returned letters and offers.

Every row has its id, so reading a file again adds nothing; a reading that was killed goes on where it stopped. A row that
can't be used is set aside with its reason; the others go in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from engine import offers
from engine.db import Database
from engine.importing.consents import ConsentRows
from engine.importing.customers import CustomerRows
from engine.importing.exposures import ExposureRows
from engine.importing.offers import OfferRows, offers_of_json
from engine.importing.orders import OrderRows
from engine.importing.outcomes import OutcomeRows
from engine.importing.returns import ReturnRows
from engine.importing.run import Imported, Kind, Layout, Progress, read_file

__all__ = ["KINDS", "Imported", "Layout", "Progress", "read"]

KINDS: Mapping[str, Callable[[Database, datetime, str], Kind[Any]]] = {
    "customers": lambda _, now, __: CustomerRows(now),
    "consents": lambda _, now, zone: ConsentRows(now, zone),
    "orders": lambda _, now, zone: OrderRows(now, zone),
    "exposures": lambda _, now, zone: ExposureRows(now, zone),
    "outcomes": lambda _, now, zone: OutcomeRows(now, zone),
    "history": lambda _, now, zone: OutcomeRows(now, zone, history=True),
    "returns": ReturnRows,
    "offers": lambda _, now, zone: OfferRows(now, zone),
}
"""What a file may hold, and what reads its rows. `history`: outcomes by which nobody moves."""


def read(
    kind: str,
    database: Database,
    path: Path,
    now: datetime,
    zone: str = "UTC",
    layout: Layout | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Read a file of a kind of rows. Times without a zone are in `zone`. Raises BadFile.

    A file of offers that ends in .json is a list of the API's offers.
    """
    if kind == "offers" and path.suffix.lower() == ".json":
        return _offers(database, path, now, layout or Layout())
    return read_file(database, path, KINDS[kind](database, now, zone), now, layout, progress)


def _offers(database: Database, path: Path, now: datetime, layout: Layout) -> Imported:
    found = offers_of_json(path, layout.encoding)
    with database.write() as conn:
        return Imported(len(found), offers.put(conn, found, now), 0, None)
