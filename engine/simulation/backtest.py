"""The back-test: a journey's customers as recorded, put through an edited journey: who would have gone where instead.

What a customer did stays what she did: her events come when they came, and a message that she got then is answered as it
was, as soon after. Where the edited journey sends what was never sent, nobody knows the answer: without a model she gives
none, and the wait runs to its time-out; the result says for how many it rests on that.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from dsl.ir import IR
from engine.clock import to_ms
from engine.holdout import HELD_OUT
from engine.simulation.recorded import Recorded, last_recorded, recorded
from engine.simulation.replay import Replay
from engine.simulation.responses import ResponseModel
from engine.simulation.retraced import REFUSED, Case

__all__ = ["Cell", "Comparison", "backtest"]


@dataclass(frozen=True, slots=True)
class Cell:
    """Those who went to `was`, and would have gone to `now`."""

    was: str
    now: str
    customers: int
    assumed: int
    """Of these, for how many it rests on answers that nobody knows."""
    examples: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result. A place is an end's name, `in` a box for who is still there, or what ended it from outside."""

    ir: IR
    since: datetime | None
    until: datetime
    versions: Mapping[str, int]
    """The versions that they went through, by hash, and how many."""
    cells: tuple[Cell, ...]
    """The largest first, those who would have gone elsewhere before the others."""
    sent: Mapping[str, tuple[int, int]]
    """By channel: messages that went out, and that would have."""
    modelled: bool

    @property
    def customers(self) -> int:
        return sum(cell.customers for cell in self.cells)

    @property
    def moved(self) -> int:
        """Those who would have gone elsewhere."""
        return sum(cell.customers for cell in self.cells if cell.was != cell.now)

    @property
    def assumed(self) -> int:
        return sum(cell.assumed for cell in self.cells)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "journey": self.ir.name,
            "hash": self.ir.hash,
            "since": None if self.since is None else self.since.isoformat(),
            "until": self.until.isoformat(),
            "versions": dict(self.versions),
            "unknown_answers": "model" if self.modelled else "none",
            "enrolments": self.customers,
            "elsewhere": self.moved,
            "on_unknown_answers": self.assumed,
            "matrix": [
                {
                    "was": cell.was,
                    "now": cell.now,
                    "enrolments": cell.customers,
                    "on_unknown_answers": cell.assumed,
                    "examples": [
                        {
                            "customer": case.customer,
                            "enrolment": case.enrolment,
                            "path_was": list(case.path_was),
                            "path_now": list(case.path_now),
                            "never_sent": list(case.assumed),
                        }
                        for case in cell.examples
                    ],
                }
                for cell in self.cells
            ],
            "sent": {channel: {"was": was, "now": now} for channel, (was, now) in self.sent.items()},
        }


def backtest(
    conn: Connection,
    ir: IR,
    now: datetime,
    *,
    zone: str,
    since: datetime | None = None,
    model: ResponseModel | None = None,
    seed: str = "1",
    examples: int = 3,
) -> Comparison:
    """Put everyone who entered the journey of this name through `ir`, with what they did up to now, or as far as it is recorded.

    `zone` is the project's time zone. Reads only. Raises NotFound where nobody has entered.
    """
    until = last_recorded(conn, now)
    replay = Replay(conn, ir, to_ms(until), zone, model, seed)
    cases: list[Case] = []
    versions: Counter[str] = Counter()
    sent_then: Counter[str] = Counter()
    for piece in _pieces(recorded(conn, ir.name, since, until)):
        versions.update(each.hash for each in piece)
        for each in piece:
            sent_then.update(m.channel for m in each.messages if m.status not in REFUSED | {HELD_OUT})
        cases += replay.run(piece)
    cells: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in cases:
        cells[case.was, case.now].append(case)
    channels = [*dict.fromkeys((*sent_then, *replay.edited.sent))]
    return Comparison(
        ir,
        since,
        until,
        dict(versions.most_common()),
        tuple(
            Cell(was, now, len(of), sum(bool(case.assumed) for case in of), tuple(of[:examples]))
            for (was, now), of in sorted(
                cells.items(), key=lambda pair: (pair[0][0] == pair[0][1], -len(pair[1]), pair[0])
            )
        ),
        {channel: (sent_then[channel], replay.edited.sent[channel]) for channel in channels},
        model is not None,
    )


def _pieces(enrolments: Iterable[Recorded], size: int = 1000) -> Iterator[list[Recorded]]:
    piece: list[Recorded] = []
    for each in enrolments:
        piece.append(each)
        if len(piece) == size:
            yield piece
            piece = []
    if piece:
        yield piece
