"""A database that is away for a while, for tests of what is written down in the end."""

from __future__ import annotations

from sqlalchemy import make_url

from engine.db import Database

__all__ = ["put_away", "put_back"]


def put_away(database: Database) -> None:
    """From now on it can't be written to: PostgreSQL ends all connections and takes none; of SQLite's file the messages are missing."""
    _turn(database, away=True)


def put_back(database: Database) -> None:
    """It is there again."""
    _turn(database, away=False)


def _turn(database: Database, *, away: bool) -> None:
    if database.is_sqlite:
        names = ("message", "message_away") if away else ("message_away", "message")
        with database.write() as conn:
            conn.exec_driver_sql("ALTER TABLE {} RENAME TO {}".format(*names))
        return
    url = make_url(database.url)
    admin = Database(url.set(database="postgres").render_as_string(hide_password=False))
    with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS {not away}")
        if away:
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            conn.exec_driver_sql(ended, (url.database,))
    admin.close()
