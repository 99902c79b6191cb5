"""Deadlines: when the waits of a member's box are over, and those of her stage."""

from __future__ import annotations

from typing import Final

from dsl.chart import Chart
from dsl.snapshot import RESTING, Snapshot

__all__ = ["anew", "plan", "stage_waits", "waits"]

_MINUTE: Final = 60_000
_DAY: Final = 86_400_000


def plan(c: Chart, m: Snapshot) -> None:
    """Set the deadline to the next wait that is not over: the box's own, her rest, or her stage's."""
    own = [m.until] if m.phase == RESTING else [due for due, _ in waits(c, m) if due > m.fired]
    stage = c.boxes[m.state].stage
    ahead = own if stage < 0 else [*own, *(due for due, _ in stage_waits(c, m, stage) if due > m.stage_fired)]
    m.deadline = min(ahead, default=None)


def waits(c: Chart, m: Snapshot) -> list[tuple[int, int]]:
    """(when it is over, arrow) of this visit's waits, fixed and measured."""
    fixed = [(_over(m.since, seconds), arrow) for seconds, arrow in c.boxes[m.state].afters]
    return [*fixed, *((due, arrow) for arrow, due in m.waits)] if m.waits else fixed


def stage_waits(c: Chart, m: Snapshot, stage: int) -> list[tuple[int, int]]:
    """The same of her stage."""
    return [(_over(m.staged, seconds), arrow) for seconds, arrow in c.stages[stage].afters]


def anew(c: Chart, m: Snapshot, waits: tuple[tuple[int, int], ...], now: int) -> tuple[tuple[int, int], ...]:
    """Waits that were planned anew, but for a date that has come already: that it is past by now is no news."""
    come = {c.dates.get(arrow, arrow): (arrow, over) for arrow, over in m.waits if over <= m.fired}
    return tuple(
        come.get(c.dates.get(arrow, arrow), (arrow, over)) if over <= now else (arrow, over) for arrow, over in waits
    )


def _over(since: int, seconds: int) -> int:
    """When a wait is over: on the next whole second, or minute where it takes days, so that many end together."""
    grain = _MINUTE if seconds * 1000 >= _DAY else 1000
    return -(-(since + seconds * 1000) // grain) * grain
