"""Exposures from a file: contacts that somebody else made (an agency's letters, another system's mails).

They are no messages of ours: nothing answers them. They stand among a customer's last contacts; no rule and no report counts them yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from engine import customers
from engine.db import insert_new_returning
from engine.importing.cells import cents, channel, needed, past, short
from engine.tables import Exposure

__all__ = ["ExposureRows"]


class ExposureRows:
    """A contact whose id is there already is passed over; without an `id`, the same contact is the same row."""

    name = "exposures"
    known = ("id", "customer_id", "campaign", "channel", "at", "cost")
    """`cost` is in currency units, what this contact cost."""
    required = ("customer_id", "campaign", "channel", "at")

    def __init__(self, now: datetime, zone: str) -> None:
        self._now = now
        self._zone = ZoneInfo(zone)

    def begin(self, columns: Sequence[str]) -> None:
        """Nothing depends on the columns."""

    def read(self, cells: Mapping[str, str]) -> dict[str, Any]:
        customer = customers.customer_id(cells["customer_id"], "customer_id")
        campaign, kind = needed("campaign", cells), channel(cells)
        at = past("at", cells["at"], self._zone, self._now, "a contact")
        cost = cells.get("cost", "").strip()
        of = f"{customer}\0{campaign}\0{kind}\0{at.isoformat()}"
        return {
            "id": short("id", cells) or f"import:{sha256(of.encode()).hexdigest()[:32]}",
            "customer_id": customer,
            "campaign": campaign,
            "channel": kind,
            "at": at,
            "cost": cents("cost", cost) * 1000 if cost else 0,
            "source": "import",
        }

    def keep(self, conn: Connection, rows: list[dict[str, Any]]) -> int:
        return len(insert_new_returning(conn, Exposure, rows, "id"))
