"""The books: a key is one attempt's, and what came of it is written down, whatever the database does meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from kit.outage import put_away, put_back
from sqlalchemy import insert, select, update
from sqlalchemy.exc import OperationalError, ProgrammingError

from engine import messages
from engine.db import Database, table
from engine.gate import Candidate, No
from engine.outgoing import Receipt
from engine.settings import Settings
from engine.tables import Message
from workers import books
from workers.books import Books, _Entry  # pyright: ignore[reportPrivateUsage]  # see its use

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
ANN, BEN = (
    Candidate(f"{n}-1-0", n, name, "plain", "h", "mail", 1, "treated", "email", "marketing", f"{name}@example.com")
    for n, name in ((1, "ann"), (2, "ben"))
)


@pytest.fixture
def reserved(db: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database in which both have a mail reserved; what fails is tried again soon."""
    monkeypatch.setattr(books, "_AGAIN", 0.01)
    same = {"journey": "plain", "hash": "h", "state": "mail", "visit": 1, "arm": "treated", "channel": "email"}
    with db.write() as conn:
        conn.execute(
            insert(table(Message)),
            [
                {**same, "key": each.key, "enrolment_id": each.enrolment_id, "customer_id": each.customer_id}
                | {"purpose": "marketing", "status": "reserved", "reserved_at": NOW}
                for each in (ANN, BEN)
            ],
        )
    return db


def status(database: Database, of: Candidate) -> str:
    with database.read() as conn:
        return conn.execute(select(table(Message).c.status).where(table(Message).c.key == of.key)).scalar_one()


async def test_S1_a_key_is_one_attempts(reserved: Database) -> None:
    kept, others = Books(reserved, Settings()), Books(reserved, Settings())
    assert await kept.take(ANN)
    assert not await kept.take(ANN)
    assert not await others.take(ANN)
    await kept.came(ANN, Receipt("sent"))
    assert status(reserved, ANN) == "sent"
    assert not await kept.take(ANN)


@pytest.mark.parametrize(
    ("came", "then"),
    [(Receipt("sent"), "sent"), ("given back", "reserved"), (No("not_sent", "journey off", {}), "not_sent")],
    ids=["sent", "given back", "refused"],
)
async def test_S2_what_came_of_a_key_is_written_when_the_database_is_there_again(
    reserved: Database,
    came: books.Came,
    then: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept = Books(reserved, Settings())
    assert await kept.take(ANN)
    put_away(reserved)
    written = kept.came(ANN, came)
    next_attempt = asyncio.create_task(kept.through([ANN.key, BEN.key]))
    with pytest.raises(OperationalError):  # nothing is taken meanwhile
        await kept.take(BEN)
    while "tried again" not in caplog.text:  # noqa: ASYNC110  # as it comes
        await asyncio.sleep(0.01)
    assert not written.done()
    assert not next_attempt.done()
    put_back(reserved)
    await asyncio.wait_for(written, 30)
    await asyncio.wait_for(next_attempt, 30)
    assert status(reserved, ANN) == then
    assert await kept.take(BEN)


async def test_S2_what_can_never_be_written_is_told_at_once(reserved: Database) -> None:
    kept = Books(reserved, Settings())
    assert await kept.take(ANN)
    with pytest.raises(ProgrammingError):
        await kept.came(ANN, Receipt("sent", provider_id=object()))  # type: ignore[arg-type]  # what no database takes
    await asyncio.wait_for(kept.through([ANN.key]), 30)
    assert status(reserved, ANN) == "sending"


async def test_S2_what_can_not_be_written_keeps_nothing_else_from_being_written(reserved: Database) -> None:
    kept = Books(reserved, Settings())
    assert await kept.take(ANN)
    assert await kept.take(BEN)
    bad = kept.came(ANN, Receipt("sent", provider_id=object()))  # type: ignore[arg-type]  # as above
    await asyncio.wait_for(kept.came(BEN, "given back"), 30)
    assert status(reserved, BEN) == "reserved"
    with pytest.raises(ProgrammingError):
        await bad


async def test_S1_what_was_written_after_all_is_not_written_over_another_attempts_call(reserved: Database) -> None:
    """The word of a commit was lost; before it is tried again, another process has taken the key and calls."""
    kept, others = Books(reserved, Settings()), Books(reserved, Settings())
    assert await kept.take(ANN)
    await kept.came(ANN, "given back")
    assert await others.take(ANN)
    for what in ("given back", Receipt("deferred")):
        kept._write_again(_Entry(ANN, what))  # pyright: ignore[reportPrivateUsage]  # no database loses a word at will
        assert status(reserved, ANN) == "sending"
    others._write_again(_Entry(ANN, "given back"))  # pyright: ignore[reportPrivateUsage]  # as above
    assert status(reserved, ANN) == "reserved"


async def test_S1_who_is_called_off_while_a_key_is_taken_gives_it_back(reserved: Database) -> None:
    kept = Books(reserved, Settings())
    with reserved.write() as conn:  # the taking waits
        conn.execute(update(table(Message)).values(status="reserved"))
        taking = asyncio.create_task(kept.take(ANN))
        await asyncio.sleep(0.05)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
    await asyncio.wait_for(kept.through([ANN.key]), 30)
    assert status(reserved, ANN) == "reserved"
    assert await kept.take(ANN)


async def test_S1_a_key_that_another_has_is_not_given_back_by_who_asked_for_it(reserved: Database) -> None:
    kept, others = Books(reserved, Settings()), Books(reserved, Settings())
    assert await others.take(ANN)
    taking = asyncio.create_task(kept.take(ANN))
    await asyncio.sleep(0)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    await asyncio.wait_for(kept.through([ANN.key]), 30)
    assert status(reserved, ANN) == "sending"


def test_only_a_key_that_is_taken_can_be_given_back(reserved: Database) -> None:
    with reserved.write() as conn:
        assert messages.calling(conn, [ANN.key, BEN.key], "us") == {ANN.key, BEN.key}
        messages.settle(conn, [(BEN.key, Receipt("sent"))], NOW)
        messages.let_go(conn, [ANN.key, BEN.key])
    assert (status(reserved, ANN), status(reserved, BEN)) == ("reserved", "sent")
