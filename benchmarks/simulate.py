"""Customers a second through a simulated journey: steps that are remembered against the stepper event by event, in one run.

`python -m benchmarks.simulate` prints both, alternating, and their ratio, on one core. The ratio is what to quote: machines are
noisy. "Cold" begins with nothing remembered, as a command does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from dsl.ir import IR
from dsl.loading import load
from engine.simulation.plain import Plain
from engine.simulation.plan import Person, Plan
from engine.simulation.playing import play
from engine.simulation.responses import GRID, ResponseModel
from engine.simulation.simulate import FIRST_DAY
from engine.simulation.transitions import Transitions, by_lot

__all__ = ["main", "measure"]

_JOURNEYS = Path(__file__).parents[1] / "journeys"
_ENTRY = 30 * 86_400_000


def crowd(ir: IR, many: int, seed: int) -> Iterator[tuple[int, Person]]:
    """So many virtual customers, who enter over thirty days."""
    random, treated, held_out = Random(seed), Person(), Person(held_out=True)  # noqa: S311  # dice, no secrets
    for _ in range(many):
        at = FIRST_DAY + int(random.random() * _ENTRY / GRID) * GRID
        yield at, held_out if random.random() * 100 < ir.holdout else treated


def measure(ir: IR, many: int, rounds: int) -> dict[str, float]:
    """Customers a second: cold, warm and plain, each the median of some rounds that take turns."""
    choices = (state for state in ir.states if state.kind == "choice")  # nobody is done at the first box
    open_ones = {arrow.guard.sentence(): 1.0 for state in choices for arrow in state.arrows if arrow.guard is not None}
    plan = Plan(ir, ResponseModel(guards=open_ones))
    found: dict[str, list[float]] = {"cold": [], "warm": [], "plain": []}
    warm = Transitions(by_lot(ir))
    play(plan, warm, crowd(ir, many, 0), Random(0))  # noqa: S311  # as above
    for turn in range(rounds):
        for name, steps, customers in (
            ("cold", Transitions(by_lot(ir)), many),
            ("plain", Plain(by_lot(ir)), max(1, many // 10)),
            ("warm", warm, many),
        ):
            random = Random(turn)  # noqa: S311  # as above
            began = time.process_time()
            tally = play(plan, steps, crowd(ir, customers, turn), random)
            found[name].append(tally.customers / (time.process_time() - began))
    return {name: statistics.median(each) for name, each in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Customers a second through a simulated journey, on one core.")
    parser.add_argument("--journey", default="win_back", help="one of the shipped journeys")
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    (ir,) = (each.ir for each in load(_JOURNEYS / f"{given.journey}.py"))
    found = measure(ir, given.customers, given.rounds)
    ratio = found["cold"] / found["plain"]
    if given.json:
        print(json.dumps({**found, "ratio": ratio}))
        return
    print(
        f"{ir.name}, {given.customers:,} customers, customers a second of one core's time (medians of {given.rounds}):"
    )
    print(f"  remembered, cold   {found['cold']:>10,.0f}")
    print(f"  remembered, warm   {found['warm']:>10,.0f}")
    print(f"  event by event     {found['plain']:>10,.0f}")
    print(f"  ratio, cold        {ratio:>10.1f} ×")


if __name__ == "__main__":
    main()
