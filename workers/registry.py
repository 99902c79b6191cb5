"""The registry: charts of published journeys by content hash, filled from the database, read by workflows.

Content-addressed, so reading it inside a workflow is deterministic: a hash means one behaviour for ever, and nothing of it
need stand in a history. A hash that is not there yet raises `NotLoaded`: the workflow *task* fails and Temporal tries it
again, by when the worker has loaded it.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from sqlalchemy import select

from dsl.ir_json import from_json
from dsl.step import Chart, chart
from engine.db import Database, table
from engine.tables import JourneyVersion

__all__ = ["REGISTRY", "NotLoaded", "Registry"]


_log = logging.getLogger(__name__)
_AGAIN = 60.0
"""Seconds until a version that can't be read is tried again."""


class NotLoaded(LookupError):
    """The worker has not loaded this version yet. Not an end: Temporal tries the workflow task again."""


class Registry:
    """Charts by hash. One for each process, since a workflow can be handed no object."""

    def __init__(self) -> None:
        self._charts: dict[str, Chart] = {}
        self._unreadable: dict[str, float] = {}
        """Until when a version is not looked at again, on the monotonic clock."""
        self._lock = threading.Lock()

    def __getitem__(self, content: str) -> Chart:
        try:
            return self._charts[content]
        except KeyError:
            raise NotLoaded(f"the journey's version {content[:12]} is not loaded in this worker yet") from None

    def add(self, made: Chart) -> None:
        """Add a chart that was made elsewhere (replays of stored histories)."""
        self._charts[made.ir.hash] = made

    def load(self, database: Database) -> None:
        """Read the versions that are published and not here yet. Cheap when there are none.

        One that this worker can't read is logged, once a minute, and left out: an older worker beside a newer publisher serves the
        other journeys all the same.
        """
        rows = table(JourneyVersion)
        with self._lock, database.read() as conn:
            hashes = set(conn.execute(select(rows.c.hash)).scalars())
            for content in hashes - self._charts.keys():
                if time.monotonic() < self._unreadable.get(content, 0.0):
                    continue
                stored = conn.execute(select(rows.c.ir).where(rows.c.hash == content)).scalar_one()
                try:
                    self._charts[content] = _read(content, stored)
                except Exception:  # noqa: BLE001  # whatever is wrong with one version, the others go on
                    self._unreadable[content] = time.monotonic() + _AGAIN
                    _log.exception("the stored version %s can't be read, and its enrolments stand still", content[:12])

    def find(self, content: str, database: Database) -> Chart | None:
        """A chart, loaded if need be; None where its version can't be read here."""
        if content not in self._charts:
            self.load(database)
        return self._charts.get(content)

    def get(self, content: str, database: Database) -> Chart:
        """A chart, loaded if need be; outside workflows. Raises NotLoaded where no such version is published."""
        return self.find(content, database) or self[content]


def _read(content: str, stored: dict[str, Any]) -> Chart:
    ir = from_json(stored)
    if ir.hash != content:
        raise ValueError(
            f"the stored version {content} of journey {ir.name!r} hashes to {ir.hash}: the row was changed "
            "after it was published, or a newer Parcours wrote it; publish the journey again, or renew this worker"
        )
    return chart(ir)


REGISTRY = Registry()
"""The worker's registry, which its workflows read."""
