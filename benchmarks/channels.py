"""What the channels are measured by, in one run: ours against the bare library, alternating, and the floors that hold.

`python -m benchmarks.channels` measures all of it, `python -m benchmarks.channels mail calls` some; the table goes to the terminal
(stderr), each row as soon as it is measured, and the figures as JSON to stdout. It ends with 1 where a floor is missed. Quote the
ratios, not the seconds: machines are noisy.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import calls, feeds, ingest, letters, mail

__all__ = ["FIGURES", "Bound", "Figure", "main"]


@dataclass(frozen=True, slots=True)
class Bound:
    """What a figure must be: at least, or at most; neither, where it is only told."""

    key: str
    what: str
    least: float | None = None
    most: float | None = None

    @property
    def wanted(self) -> str:
        """In words."""
        return (
            "" if self.least is self.most else f"≥ {self.least:,g}" if self.least is not None else f"≤ {self.most:,g}"
        )

    def holds(self, value: float) -> bool:
        """Whether it is so."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


@dataclass(frozen=True, slots=True)
class Figure:
    """What is measured, and its bounds: values by name in what `measure(rounds)` gives."""

    measure: Callable[[int], Mapping[str, Any]]
    bounds: tuple[Bound, ...]


FIGURES: Mapping[str, Figure] = {
    "mail": Figure(
        mail.measure,
        (
            Bound("ratio", "mails a second, of bare aiosmtplib's", least=0.8),
            Bound("ratio_few", "… on the connections that a worker has untold", least=0.75),
            Bound("ratio_yes", "… to a server that costs nothing"),
        ),
    ),
    "letters": Figure(letters.measure, (Bound("ratio", "letters a second, of bare Typst's", least=0.9),)),
    "feeds": Figure(
        feeds.measure,
        (
            Bound("rss_ms", "milliseconds to rebuild a feed of 1,000 items", most=50),
            Bound("atom_ms", "… as Atom", most=50),
            Bound("rss_ratio", "times as quick as feedgen at writing it", least=1),
        ),
    ),
    "calls": Figure(calls.measure, (Bound("leased_twice", "of 10,000 tasks leased twice by 8 agents", most=0),)),
    "ingest": Figure(
        ingest.measure, (Bound("events_per_second", "events a second on the disk, one API process", least=2_000),)
    ),
}
"""By name. A figure of another channel is a module of its own and a line here."""


def main(arguments: Sequence[str] | None = None, figures: Mapping[str, Figure] = FIGURES) -> None:
    """Measure and print; exit 1 where a floor is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.channels", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"{', '.join(figures)}; all, if none is named")
    parser.add_argument("--rounds", type=int, default=3, help="how often ours and the other take turns (3)")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.figures if name not in figures]
    if unknown or given.rounds < 1:
        parser.error(f"no figure {unknown[0]!r}: {', '.join(figures)}" if unknown else "--rounds: at least 1")
    wanted = {name: figures[name] for name in given.figures or figures}
    found: dict[str, Mapping[str, Any]] = {}
    missed: list[str] = []
    console = Console(stderr=True)
    table = _Table(wanted)
    console.print(table.head())
    for name, figure in wanted.items():
        with console.status(f"{name} …"):
            found[name] = figure.measure(given.rounds)
        console.print(table.rows(name, found[name]))
        missed += _missed(name, figure, found[name])
    if (busy := _busy()) is not None:
        console.print(busy)
    print(json.dumps(found, indent=2))
    if missed:
        raise SystemExit(f"below the floor: {', '.join(missed)}")


class _Table:
    """A table that is printed row by row: what is measured takes minutes. Its columns are as wide as their widest cell will be."""

    def __init__(self, figures: Mapping[str, Figure]) -> None:
        self._figures = figures
        cells = [_HEAD, *((name, bound.what, bound.wanted) for name, of in figures.items() for bound in of.bounds)]
        self._widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]

    def head(self) -> Table:
        """The names of the columns."""
        return self._grid([(*(f"[bold]{name}" for name in _HEAD), "[bold]measured")])

    def rows(self, name: str, values: Mapping[str, Any]) -> Table:
        """A figure's rows."""
        bounds = self._figures[name].bounds
        return self._grid([(name, bound.what, bound.wanted, _measured(bound, values[bound.key])) for bound in bounds])

    def _grid(self, rows: Sequence[tuple[str, ...]]) -> Table:
        grid = Table.grid(padding=(0, 2, 0, 0))
        for width in self._widths:
            grid.add_column(width=width)
        grid.add_column()
        for row in rows:
            grid.add_row(*row)
        return grid


_HEAD = ("figure", "what", "wanted")


def _measured(bound: Bound, value: float) -> str:
    return f"{value:,g}" if bound.holds(value) else f"[bold red]{value:,g}, missed"


def _missed(name: str, figure: Figure, values: Mapping[str, Any]) -> list[str]:
    """What misses its bound."""
    return [
        f"{name} ({bound.key} is {values[bound.key]:,g}, wanted {bound.wanted})"
        for bound in figure.bounds
        if not bound.holds(values[bound.key])
    ]


def _busy() -> str | None:
    """A word of warning where others keep the machine busy: it slows whoever has more processes down more."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    return (
        f"the machine is busy (load {load:.1f} on {cores} cores): measure again when it isn't"
        if load > 2 * cores
        else None
    )


if __name__ == "__main__":
    main()
