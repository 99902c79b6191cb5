"""What the database does for the queries of every tick and every webhook: it looks into an index, whatever the tables hold."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event, select

from engine.calls import value as call_value
from engine.db import Database, table
from engine.mail.event import MailEvent
from engine.mail.keeping import Keeping
from engine.settings import Settings
from engine.sms.inbound import Text, take
from engine.tables import Letter
from workers.dispatcher import Dispatcher
from workers.registry import Registry

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


@contextmanager
def plans(database: Database) -> Generator[list[str]]:
    """What SQLite plans for each query in the block, with its values, as the driver gets them."""
    seen: list[str] = []

    def look(conn: Connection, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        del conn
        if statement.startswith("SELECT"):
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            seen.extend(row[3] for row in cursor.fetchall())

    event.listen(database.engine, "before_cursor_execute", look)
    yield seen
    event.remove(database.engine, "before_cursor_execute", look)


def waiting_events(database: Database) -> None:
    dispatcher = Dispatcher(Settings(), database, Registry(), None)  # type: ignore[arg-type]  # nothing is signalled
    dispatcher._wake()  # pyright: ignore[reportPrivateUsage]  # the rest of a round needs Temporal


def text_message(database: Database) -> None:
    with database.write() as conn:
        take(conn, Text("SM1", "+33612345678", "+33700000000", "hello"), NOW, "Shop", "en")


def call_chances(database: Database) -> None:
    with database.read() as conn:
        call_value.expected(conn, [("ann", "win_back", "call")], NOW, 5000)


def stray_mail(database: Database) -> None:
    left = MailEvent(what="unsubscribed", id="1", source="mail", recipient="Ann@example.com", at=None)
    with database.write() as conn:
        assert Keeping.of(Settings()).keep(conn, left) == "unknown"


def letter_of_a_provider(database: Database) -> None:
    with database.read() as conn:
        conn.execute(select(table(Letter).c.key).where(table(Letter).c.provider_id == "ltr_1")).all()


@pytest.mark.parametrize(
    ("work", "index", "scanned"),
    [
        (waiting_events, "event_waiting", "SCAN event\n"),
        (text_message, "message_number", "SCAN message\n"),
        (call_chances, "call_task_outcome", "SCAN call_task\n"),
        (stray_mail, "customer_email", "SCAN customer\n"),
        (letter_of_a_provider, "letter_provider", "SCAN letter\n"),
    ],
)
def test_no_table_is_read_from_end_to_end(
    sqlite: Database, work: Callable[[Database], None], index: str, scanned: str
) -> None:
    with plans(sqlite) as seen:
        work(sqlite)
    told = "\n".join([*seen, ""])
    assert f"INDEX {index}" in told, told
    assert scanned not in told
