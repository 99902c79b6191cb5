"""Opens what commands work on, the settings and the database that they name, and closes it when the command has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.db import Database
    from engine.settings import Settings

__all__ = ["close_databases", "open_database"]

_opened: list[Database] = []


def open_database(*, migrate: bool = True) -> tuple[Settings, Database]:
    """The settings from the environment, and their database, migrated. The command's end closes it."""
    from engine.db import Database
    from engine.settings import Settings

    settings = Settings()
    database = Database(settings.database_url)
    _opened.append(database)
    if migrate:
        database.migrate()
    return settings, database


def close_databases() -> None:
    """Close what the command opened, however it ended."""
    while _opened:
        _opened.pop().close()
