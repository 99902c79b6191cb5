"""Bulk import from CSV and Parquet: customers, consents, orders, exposures, outcomes and returned letters.

Every row has its id, so reading a file again adds nothing; a reading that was killed goes on where it stopped. A row that
can't be used is set aside with its reason; the others go in.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from engine.db import Database
from engine.importing.consents import ConsentRows
from engine.importing.customers import CustomerRows
from engine.importing.exposures import ExposureRows
from engine.importing.orders import OrderRows
from engine.importing.outcomes import OutcomeRows
from engine.importing.returns import ReturnRows
from engine.importing.run import Imported, Layout, Progress, read_file

__all__ = [
    "Imported",
    "Layout",
    "Progress",
    "import_consents",
    "import_customers",
    "import_exposures",
    "import_orders",
    "import_outcomes",
    "import_returns",
]


def import_customers(
    database: Database, path: Path, now: datetime, layout: Layout | None = None, progress: Progress | None = None
) -> Imported:
    """Read customers: see CustomerRows. Raises BadFile."""
    return read_file(database, path, CustomerRows(now), now, layout, progress)


def import_consents(
    database: Database,
    path: Path,
    now: datetime,
    zone: str,
    layout: Layout | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Read dated consents: see ConsentRows. Raises BadFile."""
    return read_file(database, path, ConsentRows(now, zone), now, layout, progress)


def import_orders(
    database: Database,
    path: Path,
    now: datetime,
    zone: str,
    layout: Layout | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Read purchase lines: see OrderRows. `at` without a zone is in `zone`. Raises BadFile."""
    return read_file(database, path, OrderRows(now, zone), now, layout, progress)


def import_exposures(
    database: Database,
    path: Path,
    now: datetime,
    zone: str,
    layout: Layout | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Read contacts that others made: see ExposureRows. Raises BadFile."""
    return read_file(database, path, ExposureRows(now, zone), now, layout, progress)


def import_outcomes(
    database: Database,
    path: Path,
    now: datetime,
    zone: str,
    layout: Layout | None = None,
    progress: Progress | None = None,
    *,
    history: bool = False,
) -> Imported:
    """Read events: see OutcomeRows. Raises BadFile."""
    return read_file(database, path, OutcomeRows(now, zone, history=history), now, layout, progress)


def import_returns(
    database: Database,
    path: Path,
    now: datetime,
    zone: str,
    layout: Layout | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Read letters that came back: see ReturnRows. Raises BadFile."""
    return read_file(database, path, ReturnRows(database, now, zone), now, layout, progress)
