"""CSV files as they come: rows with their line numbers, in chunks, and a file of those that can't be used.

A file's first line names its columns. Comma, semicolon or tab, with or without a byte-order mark, UTF-8 unless said
otherwise (RFC 4180, with line ends of any kind). A row is text until it is read by the one who knows its columns.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from engine.errors import EngineError, Invalid

__all__ = ["BadFile", "CsvFile", "Rejects", "Row"]

_BLOCK = 1 << 20


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
    """Bytes of the file that were read when this row was."""


class CsvFile:
    """A CSV file with its columns checked; `rows` streams it."""

    def __init__(self, path: Path, known: Sequence[str], required: Sequence[str], encoding: str = "utf-8") -> None:
        """Open and check the header. A column ending in `.` stands for every column that begins so.

        Raises BadFile: not there, not text in this encoding (where, which byte), unknown or missing columns.
        """
        self.path = path
        self.encoding = _decodable(path, encoding)
        self.size = path.stat().st_size
        with self._open() as text:
            first = text.readline()
        self.delimiter = _delimiter(first)
        self.columns = self._header(known, required)

    def rows(self) -> Iterator[Row]:
        """Every row after the header, also the broken ones; empty lines are passed over."""
        with self._open() as text:
            reader = csv.reader(text, delimiter=self.delimiter, strict=True)
            next(reader)
            number = 1
            while True:
                line = reader.line_num + 1
                try:
                    raw = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    number += 1
                    yield Row(
                        number, {}, [], f"lines {line} to {reader.line_num} are no row: {error}", self._done(text)
                    )
                    continue
                number += 1
                if not raw:
                    continue
                broken = None
                if len(raw) != len(self.columns):
                    broken = f"it has {len(raw)} cells, the header has {len(self.columns)} columns"
                elif any("\x00" in cell for cell in raw):
                    broken = "it holds a NUL character"
                yield Row(number, dict(zip(self.columns, raw, strict=False)), raw, broken, self._done(text))

    def _open(self) -> IO[str]:
        return self.path.open(encoding=self.encoding, newline="")

    @staticmethod
    def _done(text: IO[str]) -> int:
        return text.buffer.tell()  # type: ignore[attr-defined]  # a text file has its bytes beneath

    def _header(self, known: Sequence[str], required: Sequence[str]) -> list[str]:
        with self._open() as text:
            try:
                raw = next(csv.reader(text, delimiter=self.delimiter, strict=True), None)
            except csv.Error as error:
                raise BadFile("bad_header", f"{self.path}, line 1: the header can't be read: {error}") from None
        if raw is None:
            raise BadFile(
                "empty_file", f"{self.path} is empty; its first line must name the columns: {', '.join(known)}"
            )
        columns = [name.strip().lower() for name in raw]
        for name in columns:
            if not any(
                name != each if name.startswith(each) and each.endswith(".") else name == each for each in known
            ):
                near = get_close_matches(name, [each for each in known if not each.endswith(".")], 1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise BadFile(
                    "unknown_column", f"{self.path}: no such column {name!r}; {hint}known: {', '.join(known)}"
                )
            if columns.count(name) > 1:
                raise BadFile(
                    "repeated_column", f"{self.path}: the column {name!r} is there {columns.count(name)} times"
                )
        missing = [name for name in required if name not in columns]
        if missing:
            found = ", ".join(columns)
            raise BadFile(
                "missing_column", f"{self.path}: the column {missing[0]!r} is missing; the header has: {found}"
            )
        return columns


class Rejects:
    """`FILE.rejected.csv`, made when the first row is set aside: row number, reason, column, value, and the row itself."""

    def __init__(self, source: CsvFile) -> None:
        self.path = source.path.with_name(source.path.name + ".rejected.csv")
        self.count = 0
        self._columns = source.columns
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
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
            self._file = self.path.open("w", encoding="utf-8", newline="")
            csv.writer(self._file).writerow(["row", "reason", "column", "value", *self._columns])
        self.count += 1
        reason, column, value = (why.reason, why.field, str(why.value)) if isinstance(why, Invalid) else (why, "", "")
        csv.writer(self._file).writerow([row.number, reason, column, value, *row.raw])


def _decodable(path: Path, encoding: str) -> str:
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError:
        raise BadFile("unknown_encoding", f"unknown encoding {encoding!r}; try utf-8 or latin-1") from None
    at = 0
    try:
        with path.open("rb") as file:
            start = file.read(4)
            if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
                raise BadFile("not_csv", f"{path} is a spreadsheet or an archive; save it as CSV first")
            if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and encoding == "utf-8":
                raise BadFile("bad_encoding", f"{path} begins as UTF-16 does; say --encoding utf-16")
            file.seek(0)
            while block := file.read(_BLOCK):
                pending = len(decoder.getstate()[0])
                try:
                    decoder.decode(block)
                except UnicodeDecodeError as error:
                    raise _undecodable(path, encoding, at - pending + error.start, error) from None
                at += len(block)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(b"", final=True)
            except UnicodeDecodeError as error:
                raise _undecodable(path, encoding, at - pending + error.start, error) from None
    except OSError as error:
        raise BadFile("unreadable_file", f"{path} can't be read: {error.strerror}") from None
    return "utf-8-sig" if encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else encoding


def _undecodable(path: Path, encoding: str, position: int, error: UnicodeDecodeError) -> BadFile:
    with path.open("rb") as file:
        line = 1 + sum(block.count(b"\n") for block in _until(file, position))
    byte = error.object[error.start]
    return BadFile(
        "bad_encoding",
        f"{path} is not {encoding}: byte {byte:#04x} at position {position} (line {line}). "
        "If it comes from an older spreadsheet, say --encoding latin-1 or cp1252",
    )


def _until(file: IO[bytes], position: int) -> Iterator[bytes]:
    while position > 0 and (block := file.read(min(_BLOCK, position))):
        position -= len(block)
        yield block


def _delimiter(header: str) -> str:
    outside = "".join(part for index, part in enumerate(header.split('"')) if index % 2 == 0)
    return max(",;\t", key=lambda mark: (outside.count(mark), mark == ","))
