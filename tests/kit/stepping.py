"""One member of a journey, stepped by hand: what an engine does, without one."""

from __future__ import annotations

import json

from dsl import Journey
from dsl.compile import compile_journey
from dsl.step import Answered, Chart, Effect, Event, Late, Row, chart, enter, pack, step, unpack

__all__ = ["DAY", "HOUR", "Stepped"]

HOUR = 3_600_000
DAY = 24 * HOUR


class Stepped:
    """One member. Each step is checked to leave its snapshot alone, and to survive the wire."""

    def __init__(self, journey: type[Journey], number: int = 1, at: int = 0, began: int | None = None) -> None:
        self.chart: Chart = chart(compile_journey(journey))
        self.now = at
        self.seq = 0
        self.snapshot, self.effects = enter(self.chart, number, at, began)

    @property
    def at(self) -> str:
        return self.chart.boxes[self.snapshot.state].name

    @property
    def deadline(self) -> int:
        assert self.snapshot.deadline is not None
        return self.snapshot.deadline

    @property
    def late(self) -> list[str]:
        """Why answers moved nobody, in the last step."""
        return [effect.reason for effect in self.effects if isinstance(effect, Late)]

    @property
    def causes(self) -> list[str]:
        """The causes of the last step's rows."""
        return [effect.cause for effect in self.effects if isinstance(effect, Row)]

    def tell(self, event: Event, now: int | None = None) -> list[Effect]:
        self.now = now if now is not None else self.now
        before = pack(self.snapshot)
        new, self.effects = step(self.chart, self.snapshot, event, self.now)
        assert pack(self.snapshot) == before, "a step changed the snapshot that it was given"
        assert unpack(json.loads(json.dumps(pack(new)))) == new, "a snapshot does not survive continue-as-new"
        self.snapshot = new
        return self.effects

    def answer(self, name: str, at: int | None = None, visit: int | None = None, seq: int | None = None) -> Answered:
        self.seq = seq if seq is not None else self.seq + 1
        heard = tuple(index for index, answer in enumerate(self.chart.ir.listens) if answer.event == name)
        assert heard
        return Answered(self.seq, self.now if at is None else at, heard, visit)

    def clicked(self, **given: int) -> Answered:
        return self.answer("email.clicked", **{"visit": self.snapshot.seq, **given})
