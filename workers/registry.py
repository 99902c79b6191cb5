"""The registry: charts of published journeys by content hash, filled from the database, read by workflows.

Content-addressed, so reading it inside a workflow is deterministic: a hash means one behaviour for ever, and nothing of it
need stand in a history. A hash that is not there yet raises `NotLoaded`: the workflow *task* fails and Temporal tries it
again, by when the worker has loaded it.
"""

from __future__ import annotations

import threading

from sqlalchemy import select

from dsl.ir_json import from_json
from dsl.step import Chart, chart
from engine.db import Database, table
from engine.tables import JourneyVersion

__all__ = ["REGISTRY", "NotLoaded", "Registry"]


class NotLoaded(LookupError):
    """The worker has not loaded this version yet. Not an end: Temporal tries the workflow task again."""


class Registry:
    """Charts by hash. One for each process, since a workflow can be handed no object."""

    def __init__(self) -> None:
        self._charts: dict[str, Chart] = {}
        self._wanted: set[str] = set()
        self._lock = threading.Lock()

    def __getitem__(self, content: str) -> Chart:
        try:
            return self._charts[content]
        except KeyError:
            self._wanted.add(content)
            raise NotLoaded(f"the journey's version {content[:12]} is not loaded in this worker yet") from None

    def add(self, made: Chart) -> None:
        """Add a chart that was made elsewhere (replays of stored histories)."""
        self._charts[made.ir.hash] = made

    def load(self, database: Database) -> None:
        """Read the versions that are published and not here yet. Cheap when there are none."""
        rows = table(JourneyVersion)
        with self._lock, database.read() as conn:
            hashes = set(conn.execute(select(rows.c.hash)).scalars())
            for content in hashes - self._charts.keys():
                ir = from_json(conn.execute(select(rows.c.ir).where(rows.c.hash == content)).scalar_one())
                if ir.hash != content:
                    raise ValueError(
                        f"the stored version {content} of journey {ir.name!r} hashes to {ir.hash}: the row was changed "
                        "after it was published, or a newer Parcours wrote it; publish the journey again"
                    )
                self._charts[content] = chart(ir)

    def get(self, content: str, database: Database) -> Chart:
        """A chart, loaded if need be; outside workflows. Raises NotLoaded where no such version is published."""
        if content not in self._charts:
            self.load(database)
        return self[content]


REGISTRY = Registry()
"""The worker's registry, which its workflows read."""
