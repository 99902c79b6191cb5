"""The batch: what a cohort's workflow asks an activity to do for many members at once, in few bytes.

A batch and its outcome are the bulk of a history, so both are short lists; only ids, numbers and outcomes are in them,
never a name, an address or a value of a fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dsl.refusals import in_one, reasons_of
from dsl.step import Late, Row

__all__ = ["CAUSES", "Batch", "Item", "Outcome"]

CAUSES = ("entry", "timer", "answer", "then", "decided", "share", "not_sent", "retry")
"""Causes of steps by their number on the wire. Append only: histories hold the numbers."""

_SINCE = 4  # its place in an item

REASONS = ("ended", "not awaited here", "earlier send", "too old", "condition not met", "limit reached", "late arrow")
"""Reasons of late answers by their number on the wire. Append only."""


class Item(NamedTuple):
    """One member's part: rows to record, late answers, and (for sends and decisions) her visit."""

    enrolment_id: int
    visit: int
    rows: Sequence[Row] = ()
    late: Sequence[Late] = ()
    since: int = 0
    """For waits that are measured: from when they run."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`kind`: send, decide, measure or record; `arrows` whose guards or waits are asked for."""

    hash: str
    kind: str
    state: int
    arrows: tuple[int, ...]
    items: tuple[Item, ...]
    at: int
    """Journey time in ms when it was made: rows of this very time say 0."""

    def to_wire(self) -> list[Any]:
        return [self.hash, self.kind, self.state, list(self.arrows), self.at, [self._item(item) for item in self.items]]

    def _item(self, item: Item) -> list[Any]:
        rows = [
            _short([row.seq, row.state, CAUSES.index(row.cause), row.event_seq or 0, self.at - row.at])
            for row in item.rows
        ]
        late = [[one.event_seq, one.state, REASONS.index(one.reason)] for one in item.late]
        return _short([item.enrolment_id, item.visit, rows, late, self.at - item.since if item.since else 0])

    @classmethod
    def from_wire(cls, wire: Sequence[Any]) -> Batch:
        content, kind, state, arrows, at, items = wire
        return cls(content, kind, state, tuple(arrows), tuple(cls._read(item, at) for item in items), at)

    @staticmethod
    def _read(wire: Sequence[Any], at: int) -> Item:
        rows: list[list[int]] = wire[2] if len(wire) > 2 else []
        late: list[list[int]] = wire[3] if len(wire) > 3 else []
        return Item(
            wire[0],
            wire[1],
            tuple(_row(row, at) for row in rows),
            tuple(Late(seq, state, REASONS[reason]) for seq, state, reason in late),
            at - wire[4] if len(wire) > _SINCE else 0,
        )


def _short(values: list[Any]) -> list[Any]:
    """Leave out what is empty at the end (never the first two)."""
    while len(values) > 2 and not values[-1]:
        values.pop()
    return values


def _row(wire: Sequence[int], at: int) -> Row:
    seq, state, cause, event_seq, before = (*wire, *(0,) * (5 - len(wire)))
    return Row(seq, state, CAUSES[cause], event_seq or None, at - before)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch, by the items' positions; what is not named went the ordinary way (sent, recorded)."""

    not_sent: tuple[int, ...] = ()
    deferred: tuple[tuple[int, float, bool], ...] = ()
    """(position, seconds until another try, whether it is the clock that holds it)."""
    results: tuple[tuple[bool, ...], ...] = ()
    """For decisions: each item's guards."""
    waits: tuple[tuple[tuple[int, int], ...], ...] = ()
    """Each item's measured waits: (arrow, ms from the batch's time to its end)."""
    reasons: tuple[tuple[str, ...], ...] = ()
    """Why, for each of `not_sent`, by each of the box's channels, where an arrow of the box asks for the reason."""

    def to_wire(self) -> dict[str, Any]:
        wire = {
            "n": list(self.not_sent),
            "d": [[position, seconds, 1] if held else [position, seconds] for position, seconds, held in self.deferred],
            "r": ["".join("01"[hold] for hold in holds) for holds in self.results],
            "w": [[number for pair in waits for number in pair] for waits in self.waits],
            "y": [in_one(each) for each in self.reasons],
        }
        return {key: value for key, value in wire.items() if value}

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> Outcome:
        return cls(
            tuple(wire.get("n", ())),
            tuple((position, seconds, bool(held)) for position, seconds, *held in wire.get("d", ())),
            tuple(tuple(hold == "1" for hold in holds) for holds in wire.get("r", ())),
            tuple(tuple(zip(waits[::2], waits[1::2], strict=True)) for waits in wire.get("w", ())),
            tuple(reasons_of(each) for each in wire.get("y", ())),
        )
