"""Paths: walks that are generated so that each arrow of a journey is taken, and what is told of those that no walk takes.

    ways = paths(WinBack)
    assert not ways.missed, ways
    print(ways)                                  # each walk, as a test would have it

The search goes over the stepper, breadth first: every answer that is awaited, every wait, every share, every refusal; facts
and payloads are made up so that conditions hold, or just don't. The same journey always gives the same walks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import overload

from dsl.ir import IR
from dsl.journey import Journey
from dsl.plurals import counted
from dsl.testing.builders import NOON, Person, customer
from dsl.testing.driver import chart_of
from dsl.testing.fields import check_customer
from dsl.testing.missing import why
from dsl.testing.moves import Move, Tell, why_of, why_said
from dsl.testing.naming import arrow_said, named
from dsl.testing.search import Found, Search, Start
from dsl.testing.walk import Walk

__all__ = ["Missed", "Path", "Paths", "paths"]

_USUAL = customer()


@dataclass(frozen=True, slots=True)
class Path:
    """A walk that was generated. `str` of it is the code that walks it, with the boxes that each line leads to."""

    found: Found

    @property
    def arrows(self) -> tuple[int, ...]:
        """The arrows that are taken, in order, as numbers in `ir.arrows`."""
        return tuple(self.found.walker.arrows)

    @property
    def boxes(self) -> tuple[str, ...]:
        """The boxes that she comes through, in order."""
        return tuple(step.state.name for step in self.found.walker.steps)

    def walk(self) -> Walk:
        """Walk it once more. What it takes counts for the coverage of the test that does so."""
        walked = self.found.begun(Walk)
        for move, _ in self.found.moves:
            move.do(walked)
        return walked

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        journey, boxes = self.found.walker.journey.__name__, self.boxes
        done = self.found.entered
        yield f"walk({self._start(journey)})  # {' → '.join(boxes[:done])}"
        for move, after in self.found.moves:
            heard = f"  # {' → '.join(boxes[done:after])}" if after > done else ""
            yield f"    .{move.said(journey)}{heard or _nothing(move)}"
            done = after

    def _start(self, journey: str) -> str:
        start = self.found.start
        given = ", ".join(named({name: value for name, value in start.customer.items() if _USUAL.get(name) != value}))
        takes = [f"{journey}.{box.name}" for box in start.take]
        refused = ", ".join(
            f"{journey}.{box.name}: {why_said(why_of(box, reasons))}" for box, reasons in start.refused.items()
        )
        said = [
            journey,
            f"customer=customer({given})",
            *([f"orders={_orders(start)}"] if start.orders else []),
            *([f"take={takes[0]}" if len(takes) == 1 else f"take=[{', '.join(takes)}]"] if takes else []),
            *([f"unreachable={{{refused}}}"] if refused else []),
        ]
        return ", ".join(said)


def _orders(start: Start) -> str:
    if start.purchases is not None:
        return str(start.purchases)
    lines = [f"dict({', '.join(named(line))})" for line in start.orders]
    return f"[{', '.join(lines)}]"


def _nothing(move: Move) -> str:
    return "  # moves nobody" if isinstance(move, Tell) else ""


@dataclass(frozen=True, slots=True)
class Missed:
    """An arrow that no walk takes, and why, as far as was found out."""

    arrow: int
    said: str
    why: str

    def __str__(self) -> str:
        return f"{self.said}: {self.why}"


@dataclass(frozen=True, slots=True)
class Paths(Sequence[Path]):
    """The walks that were generated. `str` of them is fit to be reviewed, and kept."""

    ir: IR
    found: tuple[Path, ...]
    missed: tuple[Missed, ...]
    tried: int
    """How many moves were tried."""

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Path]: ...
    def __getitem__(self, index: int | slice) -> Path | Sequence[Path]:
        return self.found[index]

    def __len__(self) -> int:
        return len(self.found)

    def __str__(self) -> str:
        every = len(self.ir.arrows)
        head = f"# {self.ir.name}: {every - len(self.missed)} of {counted(every, 'arrow')}, in {counted(len(self), 'walk')}"
        missed = "".join(f"\n# not taken · {each}" for each in self.missed)
        return "\n\n".join([head + missed, *(str(path) for path in self)]) + "\n"


def paths(
    journey: type[Journey],
    *,
    customer: Person = _USUAL,
    at: datetime = NOON,
    holidays: Iterable[date] = (),
    texts: Iterable[str] = (),
    limit: int = 5_000,
) -> Paths:
    """Walks that take every arrow of the journey, the shortest for each unless it lies far, and none of them twice.

    They begin with `customer` (one of whom all is known, who has bought nothing) at `at`; what conditions ask beyond that is
    made up. `texts` are tried wherever a text is asked for: one that a pattern of yours is found in, say. The search ends
    after `limit` moves. Raises Problems if the journey doesn't compile.
    """
    check_customer(chart_of(journey).ir, customer)
    search = Search(journey, customer, at, tuple(holidays), tuple(texts), limit).run()
    ir = chart_of(journey).ir
    numbers = range(len(ir.arrows))
    missed = tuple(
        Missed(number, arrow_said(ir, number), why(ir, search, number))
        for number in numbers
        if number not in search.found
    )
    return Paths(ir, tuple(_fewest(search.found)), missed, search.tried)


def _fewest(found: Mapping[object, Found]) -> Iterator[Path]:
    """Few of the walks, which show everything together: the long ones hold the short."""
    left = dict.fromkeys(found)
    shows: dict[int, set[object]] = {}
    for what, walked in found.items():
        shows.setdefault(id(walked), set(walked.walker.arrows)).add(what)
    chosen: list[Found] = []
    for walked in sorted(found.values(), key=lambda walked: -len(shows[id(walked)])):
        if not left.keys().isdisjoint(shows[id(walked)]):
            left = {what: None for what in left if what not in shows[id(walked)]}
            chosen.append(walked)
    longest = [walked for walked in chosen if not any(_goes_on(other, walked) for other in chosen)]
    yield from sorted((Path(walked) for walked in longest), key=lambda path: path.arrows)


def _goes_on(longer: Found, shorter: Found) -> bool:
    """Whether one walk is the beginning of the other."""
    count = len(shorter.moves)
    return len(longer.moves) > count and longer.start == shorter.start and longer.moves[:count] == shorter.moves
