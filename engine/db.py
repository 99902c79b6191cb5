"""The database: one SQLAlchemy engine on SQLite (WAL, one writer) or PostgreSQL, with read and write transactions.

Set-based SQL on the tables' Core objects; no ORM object per row. Everything is synchronous: callers on an event loop go
through a thread (`docs/decisions/0003-synchronous-database.md`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib.resources import files
from pathlib import Path
from threading import get_ident
from typing import Any, TypeVar

from sqlalchemy import ClauseElement, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlmodel import SQLModel

from engine.lists import spelt
from engine.turns import Turns

__all__ = ["Database", "chunked", "insert_new", "insert_new_returning", "inserting", "table", "upsert"]


T = TypeVar("T")


def table(model: type[SQLModel]) -> Table:
    """The Core table of a SQLModel class."""
    return model.__table__  # type: ignore[attr-defined, no-any-return]  # SQLModel does not type it


class Database:
    """A database by its URL. `migrate` brings the schema to this version; `read` and `write` open transactions."""

    def __init__(self, url: str) -> None:
        self.url = url
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._file = ""
        self._glances: tuple[int, sqlite3.Connection] | None = None  # with the thread that it belongs to
        self._turn: Callable[[], AbstractContextManager[None]] = nullcontext
        if self.is_sqlite:
            if parsed.database and parsed.database != ":memory:":
                self._file = parsed.database
                Path(self._file).parent.mkdir(parents=True, exist_ok=True)
                self._turn = Turns(Path(self._file)).turn
            self.engine: Engine = create_engine(parsed, connect_args={"timeout": 60})
            event.listen(self.engine, "connect", _sqlite_pragmas)
            event.listen(self.engine, "begin", _sqlite_begin)
        else:
            if parsed.drivername == "postgresql":
                parsed = parsed.set(drivername="postgresql+psycopg")
            self.engine = create_engine(parsed, pool_size=10, max_overflow=20, pool_pre_ping=True)

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A connection for reading, in one transaction: what it sees is of one moment on SQLite."""
        with self.engine.connect() as conn:
            yield conn

    def glance(self, statement: ClauseElement, row: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The one row of a question that a module keeps, on SQLite, as of this very moment.

        It takes less than to go to a thread for it, and waits for no lock: an event loop may ask. None: ask in a thread, where it is
        told what is wrong; there is another kind of database, this one can't be read now, or another thread has asked before.
        """
        if not self._file:
            return None
        try:
            if self._glances is None:
                opened = sqlite3.connect(self._file, timeout=0, isolation_level=None, check_same_thread=False)
                self._glances = get_ident(), opened
            thread, conn = self._glances
            if thread != get_ident():
                return None
            (found,) = conn.execute(*spelt(self.engine.dialect, statement, row)).fetchall()
        except sqlite3.Error:
            return None
        return found

    @contextmanager
    def write(self, *, durable: bool = False) -> Generator[Connection]:
        """A transaction that writes: committed at the end, rolled back by an exception.

        On SQLite it takes the write lock at once (BEGIN IMMEDIATE), so that two writers wait, in turn, and never deadlock.
        `durable` waits for the disk at the commit, as PostgreSQL always does: what was promised to somebody outside.
        """
        with (
            self._turn(),
            self.engine.connect().execution_options(parcours_write=True) as conn,
            _synced(conn) if durable and self.is_sqlite else nullcontext(),
            conn.begin(),
        ):
            yield conn

    def migrate(self) -> None:
        """Bring the schema to this version's (Alembic, `engine/migrations`)."""
        from alembic import command  # noqa: PLC0415  # half a second, and most commands don't migrate
        from alembic.config import Config  # noqa: PLC0415  # as above

        config = Config()
        config.set_main_option("script_location", str(files("engine") / "migrations"))
        with self.write() as conn:
            if not self.is_sqlite:  # two that start at once: the second finds the work done
                conn.exec_driver_sql("SELECT pg_advisory_xact_lock(7275672)")
            config.attributes["connection"] = conn
            command.upgrade(config, "head")

    def close(self) -> None:
        """Close every connection."""
        if self._glances is not None:
            self._glances[1].close()
            self._glances = None
        self.engine.dispose()


@contextmanager
def _synced(conn: Connection) -> Generator[None]:
    """Commits of this connection wait for the disk while the block lasts; outside of a transaction alone."""
    raw: Any = conn.connection.dbapi_connection
    raw.execute("PRAGMA synchronous=FULL")
    try:
        yield
    finally:
        raw.execute("PRAGMA synchronous=NORMAL")


def _sqlite_pragmas(dbapi: Any, record: Any) -> None:
    del record
    dbapi.isolation_level = None  # SQLAlchemy's `begin` below opens transactions, not the driver
    cursor = dbapi.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "busy_timeout=60000",
        "cache_size=-65536",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(conn: Connection) -> None:
    conn.exec_driver_sql("BEGIN IMMEDIATE" if conn.get_execution_options().get("parcours_write") else "BEGIN")


def _insert(dialect: str, target: Table) -> Any:
    return (sqlite if dialect == "sqlite" else postgresql).insert(target)


class _Bulk:
    """One INSERT, compiled once: values go to the driver as they are stored, past SQLAlchemy's work for each row.

    Half of what a batch of rows costs is that work; the statement and each column's conversion are still SQLAlchemy's.
    """

    def __init__(self, dialect: Dialect, target: Table, columns: tuple[str, ...]) -> None:
        statement = _insert(dialect.name, target).on_conflict_do_nothing()
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(columns))
        self.text = str(compiled)
        self._named: tuple[str, ...] | None = None if dialect.positional else columns
        order: Sequence[str] = compiled.positiontup if dialect.positional else columns
        self._order = order
        self._convert: list[tuple[int, Callable[[Any], Any]]] = [
            (place, convert)
            for place, name in enumerate(order)
            if (convert := target.c[name].type.dialect_impl(dialect).bind_processor(dialect)) is not None
        ]

    def parameters(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """The rows as the driver takes them."""
        made: list[Any] = []
        for row in rows:
            values: list[Any] = [row[name] for name in self._order]
            for place, convert in self._convert:
                values[place] = convert(values[place])
            made.append(tuple(values) if self._named is None else dict(zip(self._named, values, strict=True)))
        return made


@cache
def _bulk(dialect: Dialect, target: Table, columns: tuple[str, ...]) -> _Bulk:
    return _Bulk(dialect, target, columns)


def chunked(values: Sequence[T], size: int = 500) -> Iterable[Sequence[T]]:
    """Consecutive pieces of at most `size`: values in one IN list, far below SQLite's limit, so that plans stay cached."""
    return (values[start : start + size] for start in range(0, len(values), size))


def inserting(conn: Connection, model: type[SQLModel]) -> Any:
    """The INSERT of this database's own dialect, with its ON CONFLICT: for what the functions below don't say."""
    return _insert(conn.dialect.name, table(model))


def insert_new(conn: Connection, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows that are not there yet: any unique key that is taken is passed over. Returns how many were new.

    Rows name the same columns.
    """
    if not rows:
        return 0
    bulk = _bulk(conn.dialect, table(model), tuple(rows[0]))
    return conn.exec_driver_sql(
        bulk.text, bulk.parameters(rows), execution_options={"preserve_rowcount": True}
    ).rowcount


def insert_new_returning(
    conn: Connection, model: type[SQLModel], rows: Sequence[Mapping[str, Any]], column: str
) -> list[Any]:
    """`insert_new`, telling which rows this transaction inserted, by a column, in no order."""
    target = table(model)
    statement = _insert(conn.dialect.name, target).on_conflict_do_nothing().returning(target.c[column])
    return list(conn.execute(statement, list(rows)).scalars()) if rows else []


def upsert(
    conn: Connection, model: type[SQLModel], rows: Sequence[Mapping[str, Any]], keep: Iterable[str] = ()
) -> None:
    """Insert rows, or overwrite those of the same primary key, save the columns in `keep`. Rows name the same columns."""
    if not rows:
        return
    target = table(model)
    statement = _insert(conn.dialect.name, target)
    kept = set(keep) | {column.name for column in target.primary_key}
    changed = {name: statement.excluded[name] for name in rows[0] if name not in kept}
    conn.execute(statement.on_conflict_do_update(index_elements=list(target.primary_key), set_=changed), list(rows))
