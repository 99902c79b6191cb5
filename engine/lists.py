"""Statements over lists of values (`id IN (…)`) that are run all the time: made once for each length, not for each run.

SQLAlchemy spells such a list out anew whenever it runs the statement, which costs more than the database's own work. Here
lengths are rounded up, so that a few texts serve for all, and values go to the driver as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import BindParameter, ClauseElement, Connection, Row, bindparam
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler

__all__ = ["any_of", "run"]


def any_of(name: str) -> BindParameter[Any]:
    """A list that is given when the statement is run: `column.in_(any_of("ids"))`."""
    return bindparam(name, expanding=True)


def run(conn: Connection, statement: ClauseElement, lists: Mapping[str, Sequence[Any]]) -> Sequence[Row[Any]]:
    """The rows of a statement that a module keeps; columns and values are texts and whole numbers, which need no conversion.

    No list is empty; None in one matches nothing.
    """
    spelt = _spelt(conn.dialect, statement, tuple((name, _rounded(len(values))) for name, values in lists.items()))
    return conn.exec_driver_sql(spelt.text, spelt.parameters(lists)).all()


def _rounded(length: int) -> int:
    return 1 << (length - 1).bit_length()


class _Spelt:
    """A statement's text for lists of these lengths, and what stands at each of its places."""

    def __init__(self, dialect: Dialect, statement: ClauseElement, lengths: tuple[tuple[str, int], ...]) -> None:
        self._lengths = lengths
        marks = {f"\0{name} {at}": (name, at) for name, length in lengths for at in range(length)}
        given = {name: [f"\0{name} {at}" for at in range(length)] for name, length in lengths}
        compiled = cast("SQLCompiler", statement.compile(dialect=dialect))
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
