"""The clock: what time it is for customers. A day can last a second (`PARCOURS_TIME_SCALE`), on every process alike.

All times of ours are *journey time*: UTC datetimes, or whole milliseconds since 1970 inside workflows. At scale 1 journey
time is wall-clock time. At scale 86,400 a day of the journey passes in a second, from `origin` on, which was `real_origin`
on the wall clock.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

__all__ = ["Clock", "from_ms", "to_ms"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970 of an aware datetime."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=4096)
def from_ms(ms: int) -> datetime:
    """The UTC datetime of whole milliseconds since 1970."""
    return _EPOCH + timedelta(milliseconds=ms)


@dataclass(frozen=True, slots=True)
class Clock:
    """Journey time as a linear map of wall-clock time; the three numbers travel to every process and workflow.

    `scale`: seconds of journey time that pass in one second; `real_origin` and `origin`: one moment on both clocks,
    in milliseconds since 1970.
    """

    scale: float = 1.0
    real_origin: int = 0
    origin: int = 0

    def at(self, real_ms: int) -> int:
        """The journey time, in ms, of a wall-clock time in ms."""
        return self.origin + round((real_ms - self.real_origin) * self.scale)

    def real_seconds(self, journey_ms: int) -> float:
        """How many seconds on the wall clock a span of journey time takes."""
        return journey_ms / self.scale / 1000

    def now_ms(self) -> int:
        """Journey time now, in ms. Never call this inside a workflow: use `at` on the workflow's own time."""
        return self.at(time.time_ns() // 1_000_000)

    def now(self) -> datetime:
        """Journey time now."""
        return from_ms(self.now_ms())
