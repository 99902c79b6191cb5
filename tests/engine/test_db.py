"""The database: migrations make exactly the tables of the models, on SQLite and PostgreSQL; writes are all or nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select
from sqlmodel import SQLModel

from engine.db import Database, insert_new, table, upsert
from engine.tables import Consent, Suppression

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.filterwarnings("ignore:.*expression-based index")  # SQLite can't tell of them; test_plans.py looks
def test_migrations_make_the_tables_of_the_models(db: Database) -> None:
    with db.read() as conn:
        assert compare_metadata(MigrationContext.configure(conn), SQLModel.metadata) == []


def test_a_write_that_fails_leaves_nothing(db: Database) -> None:
    row = {"channel": "email", "address": "a@example.com", "reason": "bounced", "at": NOW, "source": "test"}

    def fail_half_way() -> None:
        with db.write() as conn:
            insert_new(conn, Suppression, [row])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    with db.read() as conn:
        assert conn.execute(select(table(Suppression))).all() == []


def test_insert_new_passes_over_and_upsert_overwrites(db: Database) -> None:
    row = {
        "customer_id": "c",
        "channel": "email",
        "purpose": "marketing",
        "granted": True,
        "at": NOW,
        "source": "first",
    }
    with db.write() as conn:
        insert_new(conn, Consent, [row])
        insert_new(conn, Consent, [row | {"source": "second"}])
        upsert(conn, Consent, [row | {"granted": False, "source": "third"}], keep=["source"])
    with db.read() as conn:
        (got,) = conn.execute(select(table(Consent))).mappings().all()
    assert (got["granted"], got["source"], got["at"]) == (False, "first", NOW)


def test_a_naive_datetime_is_refused(db: Database) -> None:
    row = {"channel": "email", "address": "a", "reason": "r", "at": datetime(2026, 1, 1), "source": "s"}  # noqa: DTZ001  # the point
    with pytest.raises(ValueError, match="without a zone"), db.write() as conn:
        insert_new(conn, Suppression, [row])
