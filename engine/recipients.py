"""Recipients: customers as channels see them, with the project's defaults filled in."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from engine.db import chunked, table
from engine.outgoing import Recipient
from engine.settings import Settings
from engine.tables import Customer

__all__ = ["read_recipients"]

_READ = select(*(column for column in table(Customer).c if column.name not in {"created_at", "updated_at"})).where(
    table(Customer).c.id.in_(bindparam("ids", expanding=True))
)


def read_recipients(conn: Connection, ids: Sequence[str], settings: Settings, zone: str | None) -> dict[str, Recipient]:
    """Those of the customers that are there, by id. `zone`: the journey's, before the project's."""
    found: dict[str, Recipient] = {}
    for piece in chunked(ids):
        for row in conn.execute(_READ, {"ids": list(piece)}):
            found[row.id] = Recipient(
                id=row.id,
                language=row.language or settings.language,
                zone=row.zone or zone or settings.zone,
                first_name=row.first_name or "",
                last_name=row.last_name or "",
                email=row.email,
                phone=row.phone,
                address=row.address,
                postcode=row.postcode,
                city=row.city,
                country=row.country,
                attributes=row.attributes,
            )
    return found
