"""The call center: four agents who claim tasks in office hours, phone, and report how it went."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from api.demo.agenda import MINUTE
from api.demo.people import SEED, chance, pick
from api.demo.surface import Surface
from engine.clock import Clock

__all__ = ["Agents", "outcome_of"]

_OUTCOMES = (
    ("not_reached", 0.46),
    ("interested", 0.20),
    ("refused", 0.29),
    ("wrong_number", 0.03),
    ("do_not_call", 0.02),
)
_NOTES = {
    "interested": ("Wants delivery on Friday.", "Glad that somebody rang.", "Asked for the code by text, too."),
    "refused": ("Moved, shops near the new office.", "Polite no.", "Prices. Said so kindly."),
    "wrong_number": ("A bakery answered.",),
    "do_not_call": ("Asked not to be phoned again.",),
}
OPENS, CLOSES, SUNDAY = 7, 19, 6


def outcome_of(customer: str, call: int, allowed: Sequence[str], seed: str = SEED) -> str:
    """How a customer takes her n-th call: the same in every run. Of the outcomes that the task offers."""
    draw = chance(seed, customer, "call", call)
    for outcome, share in _OUTCOMES:
        if draw < share:
            return outcome if outcome in allowed else "not_reached" if "not_reached" in allowed else allowed[0]
        draw -= share
    return "not_reached"


class Agents:
    """Agents of one queue. `calls` counts what they reported, `withdrawn` the calls that the journey had ended before."""

    def __init__(self, surface: Surface, clock: Clock, queue: str, *, count: int = 4, seed: str = SEED) -> None:
        self.calls: Counter[str] = Counter()
        self.withdrawn = 0
        self._surface = surface
        self._clock = clock
        self._queue = queue
        self._count = count
        self._seed = seed
        self._called: Counter[str] = Counter()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                group.create_task(self._work(f"agent-{number + 1}", stop))

    async def _work(self, name: str, stop: asyncio.Event) -> None:
        while not stop.is_set():
            tasks = await self._surface.claim(self._queue, name, 3) if self._on_duty() else []
            for task in tasks:
                await self._call(task)
            if not tasks:
                await asyncio.sleep(0.5)

    async def _call(self, task: dict[str, Any]) -> None:
        customer = str(task["customer_id"])
        self._called[customer] += 1
        number = self._called[customer]
        outcome = outcome_of(customer, number, task["outcomes"], self._seed)
        if not await self._surface.accept(str(task["id"]), str(task["lease_token"])):
            self.withdrawn += 1
            return
        minutes = 1 if outcome == "not_reached" else 2 + 6 * chance(self._seed, customer, "talks", number)
        await asyncio.sleep(self._clock.real_seconds(round(minutes * MINUTE)))
        notes = pick(_NOTES[outcome], self._seed, customer, number) if outcome in _NOTES else ""
        body = {
            "lease_token": task["lease_token"],
            "outcome": outcome,
            "notes": notes,
            "duration_s": round(minutes * 60),
        }
        status = await self._surface.complete(str(task["id"]), body)
        if 200 <= status < 300:  # reported
            self.calls[outcome] += 1
        else:
            self.withdrawn += 1

    def _on_duty(self) -> bool:
        now = self._clock.now()
        return OPENS <= now.hour < CLOSES and now.weekday() != SUNDAY
