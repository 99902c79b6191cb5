"""Statements that are run all the time, over lists of values (`id IN (…)`) or over rows of them: made once, not for each run.

SQLAlchemy spells such a list out anew whenever it runs the statement, and looks at each value of each row, which costs more than
the database's own work. Here lists' lengths are rounded up, so that a few texts serve for all, and values go to the driver as
they are; rows' are converted as their columns say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import BindParameter, ClauseElement, Connection, Row, bindparam
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler

__all__ = ["any_of", "each", "run", "spelt"]


def any_of(name: str) -> BindParameter[Any]:
    """A list that is given when the statement is run: `column.in_(any_of("ids"))`."""
    return bindparam(name, expanding=True)


def run(conn: Connection, statement: ClauseElement, lists: Mapping[str, Sequence[Any]]) -> Sequence[Row[Any]]:
    """The rows of a statement that a module keeps; columns and values are texts and whole numbers, which need no conversion.

    No list is empty; None in one matches nothing. A parameter that is no list takes the one value of its own.
    """
    spelt = _spelt(conn.dialect, statement, tuple((name, _rounded(len(values))) for name, values in lists.items()))
    return conn.exec_driver_sql(spelt.text, spelt.parameters(lists)).all()


def each(conn: Connection, statement: ClauseElement, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run a statement that a module keeps for each of the rows: values by the names of its parameters."""
    if rows:
        known = _known(conn.dialect, statement)
        conn.exec_driver_sql(known.text, known.parameters(rows))


def spelt(dialect: Dialect, statement: ClauseElement, row: Mapping[str, Any]) -> tuple[str, Any]:
    """The text and the values of a statement that a module keeps, for this row, as the driver takes them."""
    known = _known(dialect, statement)
    return known.text, known.parameters([row])[0]


def _rounded(length: int) -> int:
    return 1 << (length - 1).bit_length()


class _Spelt:
    """A statement's text for lists of these lengths, and what stands at each of its places."""

    def __init__(self, dialect: Dialect, statement: ClauseElement, lengths: tuple[tuple[str, int], ...]) -> None:
        self._lengths = lengths
        marks = {f"\0{name} {at}": (name, at) for name, length in lengths for at in range(length)}
        compiled = cast("SQLCompiler", statement.compile(dialect=dialect))
        given = {
            name: [f"\0{name} {at}" for at in range(length)] if compiled.binds[name].expanding else f"\0{name} 0"
            for name, length in lengths
        }
        state = compiled.construct_expanded_state(given)
        self.text = state.statement
        values = state.parameters
        names: list[str] = list(state.positiontup or values)
        self._named = None if dialect.positional else names
        self._places = [(marks.get(values[name]), values[name]) for name in names]

    def parameters(self, lists: Mapping[str, Sequence[Any]]) -> Any:
        """The lists' values at their places; one that is shorter than its places ends with its last value again."""
        full = {
            name: [*lists[name], *([lists[name][-1]] * (length - len(lists[name])))] for name, length in self._lengths
        }
        values = [full[mark[0]][mark[1]] if mark is not None else fixed for mark, fixed in self._places]
        return tuple(values) if self._named is None else dict(zip(self._named, values, strict=True))


@cache
def _spelt(dialect: Dialect, statement: ClauseElement, lengths: tuple[tuple[str, int], ...]) -> _Spelt:
    return _Spelt(dialect, statement, lengths)


class _Known:
    """A statement's text, and what stands at each of its places: a row's value as the driver wants it, or always the same."""

    def __init__(self, dialect: Dialect, statement: ClauseElement) -> None:
        compiled = cast("SQLCompiler", statement.compile(dialect=dialect))
        self.text = str(compiled)
        names: list[str] = list(compiled.positiontup or compiled.params)
        self._names = None if dialect.positional else names
        self._places: list[tuple[str | None, Callable[[Any], Any] | None, Any]] = []
        for name in names:
            bind = compiled.binds[name]
            convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
            fixed = None if bind.required or convert is None else convert(bind.value)
            self._places.append((name if bind.required else None, convert, fixed if convert else bind.value))

    def parameters(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """The rows as the driver takes them."""
        made: list[Any] = []
        for row in rows:
            values = [
                fixed if name is None else row[name] if convert is None else convert(row[name])
                for name, convert, fixed in self._places
            ]
            made.append(tuple(values) if self._names is None else dict(zip(self._names, values, strict=True)))
        return made


@cache
def _known(dialect: Dialect, statement: ClauseElement) -> _Known:
    return _Known(dialect, statement)
