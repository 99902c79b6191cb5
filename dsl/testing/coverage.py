"""Coverage: which arrows of which journeys the walks of a test session have taken, in however many processes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsl.ir import IR
from dsl.ir_json import from_json, to_json
from dsl.plurals import counted
from dsl.testing.naming import arrow_said
from dsl.testing.walk import Walk

__all__ = ["Coverage", "Covered", "percent", "read", "report", "untaken"]


@dataclass(slots=True)
class Covered:
    """The arrows of a journey that were taken."""

    ir: IR
    taken: set[int] = field(default_factory=set[int])

    @property
    def missed(self) -> list[int]:
        return _missed(self.ir, self.taken)


class Coverage:
    """Notes each arrow that is taken in this process, and writes what is new to a file of its own in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._journeys: dict[str, Covered] = {}
        self._new: dict[str, set[int]] = {}
        self._written: set[tuple[int, str]] = set()

    def note(self, ir: IR, arrow: int) -> None:
        """An arrow was taken."""
        held = self._journeys.get(ir.hash)
        if held is None:
            held = self._journeys[ir.hash] = Covered(ir)
        if arrow not in held.taken:
            held.taken.add(arrow)
            self._new.setdefault(ir.hash, set()).add(arrow)

    def flush(self) -> None:
        """Write what is new. Each process has its own file, also one that was forked and will not come to its end."""
        if not self._new:
            return
        me = os.getpid()
        lines: list[dict[str, Any]] = []
        for key, arrows in self._new.items():
            ir = None if (me, key) in self._written else to_json(self._journeys[key].ir)
            self._written.add((me, key))
            lines.append({"hash": key, "ir": ir, "arrows": sorted(arrows)})
        self._new = {}
        with (self.folder / f"{me}.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(line)}\n" for line in lines)


def read(folder: Path) -> dict[str, Covered]:
    """What all the processes have written, by the journeys' hashes."""
    found: dict[str, Covered] = {}
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text("utf-8").splitlines():
            told = json.loads(line)
            if told["ir"] is not None:
                found.setdefault(told["hash"], Covered(from_json(told["ir"])))
            found[told["hash"]].taken.update(told["arrows"])
    return found


def report(covered: Iterable[Covered]) -> Iterator[str]:
    """A line for each journey, the arrows that nobody took, and the sum."""
    rows = sorted(covered, key=lambda each: (each.ir.name, each.ir.hash))
    names = [row.ir.name for row in rows]
    heads = [row.ir.name if names.count(row.ir.name) == 1 else f"{row.ir.name} {row.ir.hash[:12]}" for row in rows]
    wide = max((len(head) for head in (*heads, "all")), default=0)
    for head, row in zip(heads, rows, strict=True):
        every = len(row.ir.arrows)
        yield _row(head.ljust(wide), every - len(row.missed), every)
        yield from (f"    {arrow_said(row.ir, number)}" for number in row.missed)
    if len(rows) != 1:
        every = sum(len(row.ir.arrows) for row in rows)
        yield _row("all".ljust(wide), every - sum(len(row.missed) for row in rows), every)


def untaken(walks: Iterable[Walk]) -> list[str]:
    """The arrows that none of these walks through a journey took, as its picture has them."""
    every = list(walks)
    taken = {arrow for walk in every for arrow in walk.arrows}
    return [arrow_said(every[0].ir, number) for number in _missed(every[0].ir, taken)] if every else []


def _missed(ir: IR, taken: set[int]) -> list[int]:
    return [number for number in range(len(ir.arrows)) if number not in taken]


def _row(head: str, taken: int, every: int) -> str:
    return f"{head}  {percent(taken, every):3} %  {taken} of {counted(every, 'arrow')}"


def percent(taken: int, every: int) -> int:
    """Whole per cent, rounded down: 100 is all."""
    return taken * 100 // every if every else 100
