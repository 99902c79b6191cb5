"""Keys: shown once, kept as a hash, revoked for good."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from engine import keys
from engine.db import Database, table
from engine.errors import Invalid, NotFound
from engine.tables import ApiKey


def test_a_key_opens_its_scopes_until_it_is_revoked(db: Database) -> None:
    key = keys.create(db, "shop", ["read", "ingest", "read"])
    assert len(key) == 46
    caller = keys.authenticate(db, key)
    assert caller is not None
    assert (caller.name, caller.prefix, caller.scopes) == ("shop", key[:10], {"ingest", "read"})
    assert caller.may("read")
    assert not caller.may("operate")
    with db.read() as conn:
        assert key not in str(conn.execute(select(table(ApiKey))).all())
    for wrong in ("", key[:-1], key + "x", key.swapcase(), "\ud800"):
        assert keys.authenticate(db, wrong) is None
    assert keys.revoke(db, key[:10]).name == "shop"
    assert keys.authenticate(db, key) is None
    assert [row.revoked_at is not None for row in keys.every(db)] == [True]


def test_admin_opens_everything_and_several_keys_live_side_by_side(sqlite: Database) -> None:
    old, new = keys.create(sqlite, "ops", ["admin"]), keys.create(sqlite, "ops", ["admin"])
    caller = keys.authenticate(sqlite, old)
    assert caller is not None
    assert all(caller.may(scope) for scope in keys.SCOPES)
    with pytest.raises(NotFound, match="2 live keys named 'ops'; name one by its prefix"):
        keys.revoke(sqlite, "ops")
    keys.revoke(sqlite, old[:10])
    assert keys.authenticate(sqlite, old) is None
    assert keys.authenticate(sqlite, new) is not None
    keys.revoke(sqlite, "ops")
    with pytest.raises(NotFound, match="no live key"):
        keys.revoke(sqlite, "ops")


@pytest.mark.parametrize(("name", "scopes"), [("shop", []), ("shop", ["read", "root"]), ("  ", ["read"])])
def test_a_key_without_name_or_with_unknown_scopes_is_not_made(sqlite: Database, name: str, scopes: list[str]) -> None:
    with pytest.raises(Invalid):
        keys.create(sqlite, name, scopes)
    assert keys.every(sqlite) == []


def test_last_use_is_written_once_a_minute_at_most(sqlite: Database) -> None:
    key = keys.create(sqlite, "shop", ["read"])
    assert keys.every(sqlite)[0].last_used_at is None
    keys.authenticate(sqlite, key)
    first = keys.every(sqlite)[0].last_used_at
    keys.authenticate(sqlite, key)
    assert first is not None
    assert keys.every(sqlite)[0].last_used_at == first
    with sqlite.write() as conn:
        conn.execute(update(table(ApiKey)).values(last_used_at=datetime.now(UTC) - timedelta(minutes=2)))
    keys.authenticate(sqlite, key)
    again = keys.every(sqlite)[0].last_used_at
    assert again is not None
    assert again >= first
