"""Counts: how often she took a bounded arrow, or entered a box that a condition asks about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from dsl.chart import Chart
from dsl.expression import Facts
from dsl.snapshot import Snapshot

__all__ = ["more", "shut", "spent"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)  # counts don't hang on the time


def spent(c: Chart, m: Snapshot, arrow: int) -> bool:
    limit = c.arrows[arrow].limit
    return limit is not None and dict(m.counts).get(arrow, 0) >= limit.times


def shut(c: Chart, m: Snapshot, arrow: int) -> bool:
    """Whether a count that the arrow asks for doesn't hold."""
    guard = c.counts.get(arrow)
    if guard is None:
        return False
    visits = dict(m.visits)
    counted = {f"visits.{box.name}": visits.get(index, 0) for index, box in enumerate(c.boxes) if box.counted}
    return not guard.evaluate(Facts(journey=counted), _EPOCH)


def more(counts: tuple[tuple[int, int], ...], one: int) -> tuple[tuple[int, int], ...]:
    found = dict(counts)
    found[one] = found.get(one, 0) + 1
    return tuple(sorted(found.items()))
