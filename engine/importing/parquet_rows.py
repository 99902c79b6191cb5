"""Parquet files as rows of text, a batch at a time: what is known of a row is the same as of one from CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

from engine.importing.row_files import BadFile, Row, Wanted

__all__ = ["ParquetFile", "is_parquet"]

_BATCH = 5000
_MAGIC = b"PAR1"


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does; one that can't be opened does not."""
    try:
        with path.open("rb") as file:
            return file.read(4) == _MAGIC
    except OSError:
        return False


class ParquetFile:
    """A Parquet file with its columns checked. Only the columns that mean something here are read."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        """Open and check the schema. A number or flag of the customer's own needs no type in its name. Raises BadFile."""
        self.path = path
        self._broken: tuple[type[Exception], ...] = (_arrow().ArrowException, OSError)
        try:
            self._file: Any = import_module("pyarrow.parquet").ParquetFile(path)
        except self._broken as error:
            raise BadFile("bad_parquet", f"{path} can't be read as Parquet: {error}") from None
        schema: Any = self._file.schema_arrow
        named = wanted.names(path, list(schema.names))
        self.header = [theirs for theirs, ours in zip(schema.names, named, strict=True) if ours]
        self.columns = [
            _typed(ours, schema.field(place).type) for place, ours in enumerate(named) if ours
        ]  # fmt: skip
        self.size = int(self._file.metadata.num_rows)

    def rows(self) -> Iterator[Row]:
        """Every row; the first has number 2, as if a header stood above it. Raises BadFile where the file breaks off."""
        number = 1
        batches = self._file.iter_batches(batch_size=_BATCH, columns=self.header)
        while True:
            try:
                batch = next(batches, None)
                if batch is None:
                    return
                columns = [_texts(batch.column(name)) for name in self.header]
            except self._broken as error:
                raise BadFile("bad_parquet", f"{self.path} breaks off after row {number}: {error}") from None
            for raw in zip(*columns, strict=True):
                number += 1
                broken = "it holds a NUL character" if any("\x00" in cell for cell in raw) else None
                yield Row(number, dict(zip(self.columns, raw, strict=True)), raw, broken, number - 1)


def _arrow() -> Any:
    """pyarrow, which has no types; loaded when a file is of Parquet."""
    return import_module("pyarrow")


def _typed(name: str, kind: Any) -> str:
    """`attributes.age` of a column of numbers is `attributes.age:number`."""
    types = _arrow().types
    if not name.startswith(("attributes.", "payload.")) or ":" in name:
        return name
    if types.is_boolean(kind):
        return f"{name}:flag"
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    return f"{name}:number" if number else name


def _texts(column: Any) -> list[str]:
    """A column's values as text; null and NaN are empty."""
    pa = _arrow()
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)  # Python's moments have no nanoseconds
    values: list[Any] = column.to_pylist()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return [value or "" for value in values]
    return ["" if value is None else _TEXTS.get(value.__class__, str)(value) for value in values]


def _float(value: float) -> str:
    """Six decimals at most: what is behind them is noise of the binary form (15.299999999999999 is 15.3)."""
    if value != value:  # noqa: PLR0124  # NaN alone is not itself
        return ""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _bytes(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _iso(value: date | datetime | time) -> str:
    return value.isoformat()


def _decimal(value: Decimal) -> str:
    return f"{value:f}"


_TEXTS: dict[type, Callable[[Any], str]] = {
    float: _float, bytes: _bytes, date: _iso, datetime: _iso, time: _iso, Decimal: _decimal,
}  # fmt: skip
