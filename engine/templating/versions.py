"""Versions of templates: what messages were made from is kept by its hash, so an edited file rewrites no history (behaviour S4)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from engine.db import insert_new, upsert
from engine.tables import TemplateVersion

if TYPE_CHECKING:
    from engine.templating.templates import Template

__all__ = ["store"]


def store(conn: Connection, versions: Iterable[Template], now: datetime, *, published: bool = False) -> None:
    """Keep these; one that is there already stays, and is the newest again if it was published. `Template.kept` reads them."""
    rows = [
        {
            "hash": each.hash,
            "name": each.ref,
            "channel": each.channel,
            "language": each.language,
            "source": each.source,
            "ending": each.ending or None,
            "plain": None if each.plain is None else each.plain.source,
            "at": now,
        }
        for each in versions
    ]
    if published:
        upsert(conn, TemplateVersion, rows)
    else:
        insert_new(conn, TemplateVersion, rows)
