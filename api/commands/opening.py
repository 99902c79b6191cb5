"""Opens what commands work on: the settings, and the database that they name, brought to this version's schema."""

from __future__ import annotations

from engine.db import Database
from engine.settings import Settings

__all__ = ["open_database"]


def open_database() -> tuple[Settings, Database]:
    """The settings from the environment, and their database, migrated."""
    settings = Settings()
    database = Database(settings.database_url)
    database.migrate()
    return settings, database
