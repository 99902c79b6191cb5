"""What a file of rows is, CSV or Parquet: its columns by our names, its rows as text, and why it can't be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol

from engine.errors import EngineError

__all__ = ["BadFile", "Row", "RowFile", "Wanted"]


class BadFile(EngineError):
    """A file that can't be read at all, and why."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its number (the header is row 1, as spreadsheets count), its cells by column, or why it is broken."""

    number: int
    cells: Mapping[str, str]
    raw: Sequence[str]
    broken: str | None = None
    done: int = 0
    """How much of the file was read when this row was: of `RowFile.size`, in the same unit."""


class RowFile(Protocol):
    """A file that is open, its columns checked."""

    @property
    def path(self) -> Path: ...
    @property
    def size(self) -> int:
        """How much there is to read: bytes, or rows."""
        ...

    @property
    def header(self) -> Sequence[str]:
        """The columns of `Row.raw`, by the file's own names."""
        ...

    @property
    def columns(self) -> Sequence[str]:
        """The columns of `Row.cells`, by our names."""
        ...

    def rows(self) -> Iterator[Row]:
        """Every row, also the broken ones, each time from the first."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a kind of file may name. A known column that ends in `.` stands for every column that begins so."""

    known: Sequence[str]
    required: Sequence[str]
    """`total|price`: one of the two."""
    renames: Mapping[str, str] = field(default_factory=dict[str, str])
    """Our column → the file's own name for it."""
    others: bool = False
    """Pass over columns that mean nothing here, rather than refuse the file."""

    def names(self, path: Path, header: Sequence[str]) -> list[str]:
        """Our name of each column of the file; empty for one that is passed over. Raises BadFile."""
        plain = [name.strip().lower() for name in header]
        named = self._renamed(path, plain)
        for place, name in enumerate(named):
            if name and not self._knows(name):
                if not self.others:
                    raise BadFile(
                        "unknown_column",
                        f"{path}: no such column {name!r}; {self._hint(name)}; "
                        "say --column OURS=THEIRS if it is one of these, or --others to pass it over",
                    )
                named[place] = ""
        for name in named:
            if name and named.count(name) > 1:
                raise BadFile("repeated_column", f"{path}: the column {name!r} is there {named.count(name)} times")
        for needed in self.required:
            if not set(needed.split("|")) & set(named):
                wanted = " or ".join(repr(name) for name in needed.split("|"))
                has = ", ".join(plain)
                raise BadFile("missing_column", f"{path}: the column {wanted} is missing; the header has: {has}")
        return named

    def _renamed(self, path: Path, plain: Sequence[str]) -> list[str]:
        ours = {theirs.strip().lower(): name for name, theirs in self.renames.items()}
        for theirs, name in ours.items():
            if not self._knows(name):
                raise BadFile("unknown_column", f"--column {name}={theirs}: no such column; {self._hint(name)}")
            if theirs not in plain:
                raise BadFile("missing_column", f"{path} has no column {theirs!r}; the header has: {', '.join(plain)}")
        return [ours.get(name, "" if name in self.renames else name) for name in plain]

    def _knows(self, name: str) -> bool:
        return any(
            name != each if each.endswith(".") and name.startswith(each) else name == each for each in self.known
        )

    def _hint(self, name: str) -> str:
        near = get_close_matches(name, [each for each in self.known if not each.endswith(".")], 1)
        return (f"did you mean {near[0]!r}? " if near else "") + f"known: {', '.join(self.known)}"
