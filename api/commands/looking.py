"""What commands that only look work on: one journey of a file, and a database that they don't change."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from api.commands.authored import folder_of, sound

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dsl.ir import IR
    from engine.settings import Settings

__all__ = ["one_journey", "reading"]


def one_journey(path: Path | None, name: str | None) -> IR:
    """The journey of this name in a file or folder, or the only one. Ends the command with its problems, if it has any."""
    found = sound(path, name)
    if len(found) != 1:
        names = ", ".join(ir.name for ir in found)
        raise typer.BadParameter(
            f"{folder_of(path)} has {len(found)} journeys; choose one of: {names}", param_hint="--journey"
        )
    return found[0]


@contextmanager
def reading(
    url: str | None = None, *, by: str = "--database URL, or PARCOURS_DATABASE"
) -> Generator[tuple[Settings, Connection]]:
    """A connection to a database by its URL, or to the project's own, for reading: nothing is made, migrated or written.

    `by` says by which option or setting the command takes another. Raises NotFound where there is none.
    """
    from sqlalchemy import inspect, make_url

    from engine.db import Database
    from engine.errors import NotFound
    from engine.settings import Settings

    settings = Settings()
    where = url or settings.database_url
    parsed = make_url(where)
    shown = parsed.render_as_string(hide_password=True)
    there = parsed.get_backend_name() != "sqlite" or (parsed.database is not None and Path(parsed.database).exists())
    if not there:
        raise NotFound("no_database", f"there is no database {shown}; name another: {by}")
    database = Database(where)
    try:
        if not inspect(database.engine).has_table("enrolment"):
            raise NotFound("no_database", f"{shown} is no database of Parcours: it has no table `enrolment`")
        with database.read() as conn:
            yield settings, conn
    finally:
        database.close()
