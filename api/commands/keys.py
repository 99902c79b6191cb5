"""`parcours key create|list|revoke`: the API's keys."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke keys of the API.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for, as shop or call-center.")],
    scope: Annotated[
        list[str],
        typer.Option("--scope", "-s", help="ingest, read, tasks, operate or admin; give it as often as needed."),
    ],
) -> None:
    """Make a key and print it: it is shown this once, only its hash is kept."""
    from api.commands.opening import open_database
    from engine import keys

    _, database = open_database()
    typer.echo(keys.create(database, name, [each for given in scope for each in given.split(",")]))


@app.command("list")
def list_() -> None:
    """List keys by prefix and name, with their scopes and when they were last used."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from api.commands.opening import open_database
    from engine import keys

    _, database = open_database()
    table = Table()
    for column in ("prefix", "name", "scopes", "made (UTC)", "last used", "revoked"):
        table.add_column(column)
    for key in keys.every(database):
        used, revoked = (f"{at:%Y-%m-%d %H:%M}" if at is not None else "" for at in (key.last_used_at, key.revoked_at))
        cells = (key.prefix, key.name, " ".join(key.scopes), f"{key.created_at:%Y-%m-%d %H:%M}", used, revoked)
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)


@app.command()
def revoke(which: Annotated[str, typer.Argument(help="The key's prefix or name.")]) -> None:
    """Revoke a key: it opens nothing from now on."""
    from api.commands.opening import open_database
    from engine import keys

    _, database = open_database()
    key = keys.revoke(database, which)
    typer.echo(f"{key.prefix} ({key.name}) is revoked")
