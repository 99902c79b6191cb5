"""What stands in for a template that the folder lacks: the newest version that is kept, as it was published or sent.

A journey may have been published from another folder, or a file deleted since: that is no customer's fault, and costs none her mail.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from sqlalchemy import select

from engine.db import Database, table
from engine.tables import TemplateVersion
from engine.templating.templates import Template

__all__ = ["StandIns"]

_log = logging.getLogger("parcours.templates")
_AGAIN = 10.0  # seconds until the rows are read again: somebody may have published


class StandIns:
    """Reads the versions that are kept. One for each process; it tells once of each that stands in."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read: dict[tuple[str, str], tuple[float, Sequence[Template]]] = {}
        self._told: set[str] = set()

    def __call__(self, ref: str, channel: str) -> Sequence[Template]:
        """The newest version in each language, sorted by language; none, if none was ever kept."""
        at, found = self._read.get((ref, channel), (0.0, ()))
        now = time.monotonic()
        if not at or now - at > _AGAIN:
            found = self._newest(ref, channel)
            self._read[ref, channel] = (now, found)
            self._tell(found)
        return found

    def _newest(self, ref: str, channel: str) -> Sequence[Template]:
        rows = table(TemplateVersion)
        ours = (rows.c.name == ref) & (rows.c.channel == channel)
        with self._database.read() as conn:
            known = conn.execute(select(rows.c.language, rows.c.hash).where(ours).order_by(rows.c.at, rows.c.hash))
            newest = {row.language: row.hash for row in known}
            found = conn.execute(select(rows).where(rows.c.hash.in_(newest.values())).order_by(rows.c.language))
            return [Template.kept(row) for row in found]

    def _tell(self, found: Sequence[Template]) -> None:
        for each in found:
            if each.hash not in self._told:
                self._told.add(each.hash)
                text = "there is no %s below PARCOURS_JOURNEYS: the version %s, which was published or sent before, stands in for it"
                _log.warning(text, each.file, each.hash[:12])
