"""CSV files as they come: rows with their line numbers.

A file's first line names its columns. Comma, semicolon or tab, with or without a byte-order mark, UTF-8 unless said
otherwise (RFC 4180, with line ends of any kind). A row is text until it is read by the one who knows its columns.
"""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterator
from itertools import compress
from pathlib import Path
from typing import IO

from engine.importing.rejects import BEGINNING
from engine.importing.row_files import BadFile, Row, Wanted
from engine.spreadsheet import plain

__all__ = ["BadFile", "CsvFile", "Row"]

_BLOCK = 1 << 20


class CsvFile:
    """A CSV file with its columns checked; `rows` streams it."""

    def __init__(self, path: Path, wanted: Wanted, encoding: str = "utf-8") -> None:
        """Open and check the header.

        Raises BadFile: not there, not text in this encoding (where, which byte), unknown or missing columns.
        """
        self.path = path
        self.encoding = _decodable(path, encoding)
        self.size = path.stat().st_size
        with self._open() as text:
            first = text.readline()
        self.delimiter = _delimiter(first)
        self.header, self._first = self._read_header(wanted)
        named = wanted.names(path, self.header)
        self._used = [bool(name) for name in named]
        self.columns = [name for name in named if name]

    def rows(self) -> Iterator[Row]:
        """Every row after the header, also the broken ones; empty lines are passed over."""
        with self._open() as text:
            lines = _Lines(text)
            reader = self._reader(lines)
            next(reader)
            number = 1
            while True:
                at = lines.begin()
                number += 1
                broken, lost = None, False
                try:
                    raw = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    raw, broken, lost = [lines.give_back()], f"line {at} is no row: {error}", True
                if not raw:
                    continue
                if broken is None and self._first:
                    raw = [plain(cell) for cell in raw[self._first :]]
                if broken is None and len(raw) != len(self.header):
                    broken = f"it has {len(raw)} cells, the header has {len(self.header)} columns"
                    if lines.taken > 1:  # a quote that is never closed: what it took with it are rows of their own
                        raw, lost = [lines.give_back()], True
                        broken = f"line {at} is no row: a quote in it is not closed"
                if lost:
                    reader = self._reader(lines)
                elif broken is None and any("\x00" in cell for cell in raw):
                    broken = "it holds a NUL character"
                cells = dict(zip(self.columns, compress(raw, self._used), strict=False)) if not lost else {}
                yield Row(number, cells, raw, broken, self._done(text))

    def _reader(self, lines: Iterator[str]) -> Iterator[list[str]]:
        return csv.reader(lines, delimiter=self.delimiter, strict=True)

    def _open(self) -> IO[str]:
        return self.path.open(encoding=self.encoding, newline="")

    @staticmethod
    def _done(text: IO[str]) -> int:
        return text.buffer.tell()  # type: ignore[attr-defined]  # a text file has its bytes beneath

    def _read_header(self, wanted: Wanted) -> tuple[list[str], int]:
        """The file's own names, and at which column they begin: past what the file of rejected rows puts before them."""
        with self._open() as text:
            try:
                raw = next(csv.reader(text, delimiter=self.delimiter, strict=True), None)
            except csv.Error as error:
                raise BadFile("bad_header", f"{self.path}, line 1: the header can't be read: {error}") from None
        if raw is None:
            raise BadFile(
                "empty_file", f"{self.path} is empty; its first line must name the columns: {', '.join(wanted.known)}"
            )
        return (raw[len(BEGINNING) :], len(BEGINNING)) if raw[: len(BEGINNING)] == BEGINNING else (raw, 0)


class _Lines:
    """A file's lines, of which a row's may be given back: all but the first, to be read again."""

    def __init__(self, text: IO[str]) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._row: list[str] = []
        self._number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._text)
        self._row.append(line)
        self._number += 1
        return line

    @property
    def taken(self) -> int:
        """The lines of this row so far."""
        return len(self._row)

    def begin(self) -> int:
        """A row begins: the number of its first line."""
        self._row = []
        return self._number + 1

    def give_back(self) -> str:
        """All lines of this row but the first, which is returned."""
        first, *others = self._row
        self._again.extendleft(reversed(others))
        self._number -= len(others)
        self._row = [first]
        return first.rstrip("\r\n")


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
