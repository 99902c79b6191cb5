"""The rows of a file that can't be used, in a file beside it: each with its number, the reason, the column and the value.

Corrected, the file can be read as it is: the four columns before its own are passed over.
"""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from engine.errors import Invalid
from engine.importing.row_files import Row, RowFile
from engine.spreadsheet import inert

__all__ = ["BEGINNING", "Rejects", "path_beside"]

BEGINNING = ["row", "reason", "column", "value"]
"""The columns before the file's own."""


class Rejects:
    """`FILE.rejected.csv`, made when the first row is set aside, and gone on with when a reading is resumed."""

    def __init__(self, source: RowFile, count: int = 0, size: int = 0) -> None:
        """`count` and `size`: rows and bytes that an earlier reading of the file has written for good."""
        self.path = path_beside(source.path)
        self.count = count
        self.size = size
        self._header = source.header
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        if self.size:
            with self.path.open("r+b") as file:
                file.truncate(self.size)  # rows that were written, but not kept in the books, are read again
        else:
            self.path.unlink(missing_ok=True)  # of an earlier reading
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, row: Row, why: Invalid | str) -> None:
        """Set a row aside with its reason."""
        if self._file is None:
            self._file = self.path.open("a", encoding="utf-8", newline="")
            if not self.size:
                csv.writer(self._file).writerow([*BEGINNING, *self._header])
        self.count += 1
        reason, column, value = (why.reason, why.field, str(why.value)) if isinstance(why, Invalid) else (why, "", "")
        csv.writer(self._file).writerow([row.number, reason, column, *(inert(cell) for cell in (value, *row.raw))])

    def flush(self) -> None:
        """Write what was set aside, so that `size` says how much of the file is there."""
        if self._file is not None:
            self._file.flush()
            self.size = self.path.stat().st_size


def path_beside(path: Path) -> Path:
    """Where the rows of this file are set aside."""
    return path.with_name(path.name + ".rejected.csv")
