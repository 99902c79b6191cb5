"""Figures of the channels, each a function of `FIGURES`: ours against the bare library, alternating in one run.

`python -m benchmarks.channels` prints them all as JSON, `python -m benchmarks.channels mail` one. Quote the ratios, not the
seconds: machines are noisy. It ends with 1 where a floor is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import mail

__all__ = ["FIGURES", "Figure"]


@dataclass(frozen=True, slots=True)
class Figure:
    """What is measured, and what it must be at least: the value of `key` in what `measure(rounds)` gives."""

    measure: Callable[[int], Awaitable[Mapping[str, Any]]]
    key: str
    floor: float


FIGURES: Mapping[str, Figure] = {
    "mail": Figure(mail.measure, "ratio", 0.8),
}
"""By name. A figure of another channel is a module of its own and a line here."""


def main() -> None:
    """Measure and print; exit 1 where a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*", choices=[*FIGURES, []], help="which; all, if none is named")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    missed: list[str] = []
    for name in given.figures or FIGURES:
        figure = FIGURES[name]
        found = asyncio.run(_measured(figure, given.rounds))
        print(json.dumps({name: found}, indent=2), flush=True)
        if found[figure.key] < figure.floor:
            missed.append(f"{name}: {figure.key} is {found[figure.key]}, and at least {figure.floor} is asked for")
    if missed:
        raise SystemExit("\n".join(missed))


async def _measured(figure: Figure, rounds: int) -> Mapping[str, Any]:
    return await figure.measure(rounds)


if __name__ == "__main__":
    main()
