"""Requests that come in side by side share a transaction, and none pays for another."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import event

from api.keeping import Keeper
from api.segment import Read
from engine import customers
from engine.db import Database
from engine.events import Incoming, since

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


def said(ident: str, **profile: str) -> Read:
    return Read(Incoming(ident, "customer.identified", NOW, "c1", None, {}, "identify"), profile or None)


def side_by_side(keeper: Keeper, requests: Sequence[Sequence[Read]]) -> list[BaseException | None]:
    """Have all of them wait for one turn, then give it; what each of them hears."""
    heard: list[BaseException | None] = [None] * len(requests)

    def ask(place: int) -> None:
        try:
            keeper.keep(requests[place], NOW)
        except Exception as error:  # noqa: BLE001  # it is what is looked at
            heard[place] = error

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(requests))]
    with keeper._turn:  # pyright: ignore[reportPrivateUsage]
        for thread in threads:
            thread.start()
        patience = time.monotonic() + 60
        waiting = keeper._queue  # pyright: ignore[reportPrivateUsage]
        while len(waiting) < len(requests) and time.monotonic() < patience:
            time.sleep(0.001)
    for thread in threads:
        thread.join(60)
    return heard


def ids(db: Database) -> set[str]:
    with db.read() as conn:
        return {each.id for each in since(conn, 0, 1000)}


def test_many_requests_are_one_transaction(db: Database) -> None:
    commits: list[object] = []
    event.listen(db.engine, "commit", commits.append)
    heard = side_by_side(Keeper(db), [[said(f"{n}-{m}") for m in range(3)] for n in range(10)])
    assert heard == [None] * 10
    assert len(ids(db)) == 30
    assert len(commits) == 1


def test_a_request_that_cannot_be_kept_fails_alone(db: Database) -> None:
    half = Read(Incoming("bad", "x.happened", NOW, "\ud800", None, {}, "track"))  # no database holds half of a pair
    heard = side_by_side(Keeper(db), [[said("a")], [said("b"), half], [said("c")]])
    assert [error is None for error in heard] == [True, False, True]
    assert ids(db) == {"a", "c"}


def test_when_the_database_is_away_everyone_hears_it(sqlite: Database) -> None:
    with sqlite.write() as conn:
        conn.exec_driver_sql("ALTER TABLE event RENAME TO event_away")
    heard = side_by_side(Keeper(sqlite), [[said("a")], [said("b")]])
    assert [type(error).__name__ for error in heard] == ["OperationalError", "OperationalError"]


def test_R4_of_two_with_one_id_the_first_alone_is_heard(db: Database) -> None:
    Keeper(db).keep([said("m", city="Paris"), said("m", city="Lyon")], NOW)
    with db.read() as conn:
        row = customers.get(conn, "c1")
    assert row is not None
    assert row.city == "Paris"


def test_what_is_answered_for_is_on_the_disk(sqlite: Database) -> None:
    """synchronous is FULL (2) while it is written, and as usual after."""
    seen: list[int] = []

    def look(conn: object, cursor: object, statement: str, *rest: object) -> None:
        del conn, rest
        if statement.startswith("INSERT INTO event"):
            seen.append(cursor.connection.execute("PRAGMA synchronous").fetchone()[0])  # type: ignore[attr-defined]

    event.listen(sqlite.engine, "before_cursor_execute", look)
    Keeper(sqlite).keep([said("m")], NOW)
    assert seen == [2]
    with sqlite.read() as conn:
        assert conn.exec_driver_sql("PRAGMA synchronous").scalar() == 1
