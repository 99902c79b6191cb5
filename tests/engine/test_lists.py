"""Statements over lists: they say what SQLAlchemy's own way says, for lists of every length, in both databases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import bindparam, insert, or_, select, update

from engine.db import Database, table
from engine.lists import any_of, each, run
from engine.tables import Suppression

ROWS = table(Suppression)
FOUND = select(ROWS.c.channel, ROWS.c.address).where(
    ROWS.c.channel.in_(any_of("channels")), ROWS.c.address.in_(any_of("addresses"))
)
TAKEN = (
    update(ROWS)
    .where(ROWS.c.address.in_(any_of("addresses")), ROWS.c.source.in_(("bounce", "web")))
    .values(source="taken: 100 %")
    .returning(ROWS.c.address)
)


MARKED = (
    update(ROWS)
    .where(ROWS.c.address == bindparam("of"), or_(ROWS.c.source == "bounce", ROWS.c.source == "web"))
    .values(source=bindparam("new"), reason=bindparam("new") + ROWS.c.reason, at=bindparam("now"))
)


def fill(db: Database) -> None:
    now = datetime.now(UTC)
    with db.write() as conn:
        conn.execute(
            insert(ROWS),
            [
                {"channel": channel, "address": f"{number}@x", "reason": "b", "at": now, "source": "web"}
                for channel in ("email", "sms")
                for number in range(40)
            ],
        )


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 9, 500])
def test_lists_of_every_length_find_what_is_there(db: Database, length: int) -> None:
    fill(db)
    for channels in (["email"], ["sms", "email", "call"]):
        asked = {"channels": channels, "addresses": [f"{number}@x" for number in range(30, 30 + length)]}
        with db.read() as conn:
            ours = run(conn, FOUND, asked)
            theirs = conn.execute(FOUND, asked).all()
        assert sorted(map(tuple, ours)) == sorted(map(tuple, theirs))
        assert len(ours) == min(length, 10) * len({"email", "sms"} & set(channels))


def test_nothing_is_found_by_none(db: Database) -> None:
    fill(db)
    with db.read() as conn:
        found = run(conn, FOUND, {"channels": ["email"], "addresses": [None, "1@x", None]})
    assert [tuple(row) for row in found] == [("email", "1@x")]


def test_values_stay_values(db: Database) -> None:
    """What looks like SQL, like a place of the statement or like a driver's mark is a text like any other."""
    fill(db)
    with db.read() as conn:
        assert (
            run(conn, FOUND, {"channels": ["email"], "addresses": ["' OR 1=1 --", "%s", ":addresses", "addresses 0"]})
            == []
        )


def test_an_update_takes_each_row_once(db: Database) -> None:
    fill(db)
    with db.write() as conn:
        assert sorted(row.address for row in run(conn, TAKEN, {"addresses": ["1@x", "2@x", "99@x"]})) == [
            "1@x",
            "1@x",
            "2@x",
            "2@x",
        ]
        assert run(conn, TAKEN, {"addresses": ["1@x", "2@x", "99@x"]}) == []
    with db.read() as conn:
        assert (
            conn.execute(select(ROWS.c.source).where(ROWS.c.address == "1@x")).scalars().all() == ["taken: 100 %"] * 2
        )


def test_rows_are_written_as_sqlalchemy_writes_them(db: Database) -> None:
    """With a value in two places, one that is fixed, and one that its column converts."""
    fill(db)
    rows = [{"of": f"{day}@x", "new": f"n{day} %(of)s ?", "now": datetime(2026, 1, day, tzinfo=UTC)} for day in (1, 2)]
    after = select(ROWS).where(ROWS.c.address.in_(("1@x", "2@x", "3@x"))).order_by(ROWS.c.channel, ROWS.c.address)
    with db.write() as conn:
        each(conn, MARKED, [])
        undone = conn.begin_nested()
        conn.execute(MARKED, rows)
        theirs = conn.execute(after).all()
        undone.rollback()
        each(conn, MARKED, rows)
        ours = conn.execute(after).all()
    assert ours == theirs
    assert [row.source for row in ours] == ["n1 %(of)s ?", "n2 %(of)s ?", "web"] * 2
    assert ours[0].at == datetime(2026, 1, 1, tzinfo=UTC)
