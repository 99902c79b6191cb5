"""The reading of a file of rows: streamed, a chunk a transaction, resumed where it stopped, what can't be used set aside.

How far the reading is, is kept with each chunk in one transaction: after a kill the same command goes on with the next row,
and the file of rejected rows with it. A file that was read to its end is read again from its start, and adds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Connection, select

from engine.db import Database, table, upsert
from engine.errors import Invalid
from engine.importing.csv_rows import CsvFile
from engine.importing.parquet_rows import ParquetFile, is_parquet
from engine.importing.rejects import Rejects, path_beside
from engine.importing.row_files import BadFile, Row, RowFile, Wanted
from engine.tables import ImportRun

try:
    import fcntl
except ImportError:  # pragma: no cover  # Windows has none: there nothing keeps two readings apart
    fcntl = None

__all__ = ["Imported", "Kind", "Layout", "Progress", "read_file"]

T = TypeVar("T")
Progress = Callable[[int, int, int], None]
"""Called after each chunk: how much was read, of how much (bytes, or rows of Parquet), rows read."""

_CHUNK = 5000
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written: its encoding, its own names of our columns, and whether it may have others besides."""

    encoding: str = "utf-8"
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    """Our column → the file's own name for it."""
    others: bool = False


class Kind(Protocol, Generic[T]):
    """A kind of rows: which columns, how one is read, and how many are kept."""

    @property
    def name(self) -> str: ...
    @property
    def known(self) -> Sequence[str]:
        """The columns that it may have: see Wanted."""
        ...

    @property
    def required(self) -> Sequence[str]: ...

    def begin(self, columns: Sequence[str]) -> None:
        """The file's columns are these. Raises Invalid for one that can't be."""
        ...

    def read(self, cells: Mapping[str, str]) -> T:
        """What a row says. Raises Invalid, naming column and value."""
        ...

    def keep(self, conn: Connection, rows: list[T]) -> int:
        """Write them; returns how many are new. A row that is there already is no error."""
        ...


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. `read = new + there before + rejected`; `rejected_file` is there if a row was set aside."""

    read: int
    new: int
    rejected: int
    rejected_file: Path | None
    resumed: int = 0
    """How many of the rows an earlier reading had done, which was killed; the other numbers count them too."""


def read_file(
    database: Database,
    path: Path,
    kind: Kind[T],
    now: datetime,
    layout: Layout | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Read a CSV or Parquet file. Raises BadFile where it can't be read at all."""
    layout = layout or Layout()
    wanted = Wanted(kind.known, kind.required, layout.columns, layout.others)
    source: RowFile = ParquetFile(path, wanted) if is_parquet(path) else CsvFile(path, wanted, layout.encoding)
    kind.begin(source.columns)
    with _alone(path):
        return _read_on(database, source, kind, now, _found(database, path, kind.name, layout), progress)


def _read_on(
    database: Database,
    source: RowFile,
    kind: Kind[T],
    now: datetime,
    state: _State,
    progress: Progress | None,
) -> Imported:
    """Read what is left of a file."""
    resumed = state.rows
    rows = source.rows()
    for row in islice(rows, resumed):  # what a kind counts (the lines of an order) is counted again
        if row.broken is None:
            _read(kind, row)
    with Rejects(source, state.rejected, state.rejected_bytes) as rejects:
        for chunk in _chunks(rows):
            parsed: list[T] = []
            for row in chunk:
                found = row.broken or _read(kind, row)
                if isinstance(found, Invalid | str):
                    rejects.add(row, found)
                else:
                    parsed.append(found[0])
            rejects.flush()
            with database.write() as conn:
                new = kind.keep(conn, parsed) if parsed else 0
                state = replace(
                    state,
                    rows=state.rows + len(chunk),
                    new=state.new + new,
                    rejected=rejects.count,
                    rejected_bytes=rejects.size,
                )
                state.write(conn, now)
            if progress is not None:
                progress(min(chunk[-1].done, source.size), source.size, state.rows)
        with database.write() as conn:
            state.write(conn, now, finished=True)
    return Imported(state.rows, state.new, state.rejected, rejects.path if rejects.count else None, resumed)


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """Hold the file while it is read: two readings would go on from one another's place. Raises BadFile."""
    if fcntl is None:
        yield
        return
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadFile(
                "being_read", f"{path} is being imported by another process; wait until it has ended"
            ) from None
        yield


@dataclass(frozen=True, slots=True)
class _State:
    """How far a reading is."""

    key: str
    kind: str
    file: str
    rows: int = 0
    new: int = 0
    rejected: int = 0
    rejected_bytes: int = 0

    def write(self, conn: Connection, now: datetime, *, finished: bool = False) -> None:
        own = {name: getattr(self, name) for name in self.__slots__}
        upsert(conn, ImportRun, [{**own, "updated_at": now, "finished_at": now if finished else None}])


def _found(database: Database, path: Path, kind: str, layout: Layout) -> _State:
    """Where an earlier reading of this very file stopped; else its start."""
    place = str(path.resolve())
    how = "\0".join((kind, place, layout.encoding, repr(sorted(layout.columns.items())), str(layout.others)))
    digest = sha256(how.encode("utf-8", "surrogateescape"))
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    fresh = _State(digest.hexdigest(), kind, place.encode("utf-8", "replace").decode())
    runs = table(ImportRun)
    with database.read() as conn:
        row = conn.execute(select(runs).where(runs.c.key == fresh.key, runs.c.finished_at.is_(None))).first()
    if row is None:
        return fresh
    beside = path_beside(path)
    if row.rejected_bytes and (not beside.exists() or beside.stat().st_size < row.rejected_bytes):
        return fresh  # what was set aside is gone: only a reading from the start tells it again
    return replace(fresh, rows=row.rows, new=row.new, rejected=row.rejected, rejected_bytes=row.rejected_bytes)


def _read(kind: Kind[T], row: Row) -> tuple[T] | Invalid:
    try:
        return (kind.read(row.cells),)
    except Invalid as error:
        return error


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    stream = iter(rows)
    while chunk := list(islice(stream, _CHUNK)):
        yield chunk
