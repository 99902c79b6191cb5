"""`parcours event rejected`: what came in and could not be read."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Events that came in.")


@app.command()
def rejected(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="The newest so many.")] = 50,
) -> None:
    """List messages of batches that were set aside: the newest first, with the reasons."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from api.commands.opening import open_database
    from engine import rejected

    _, database = open_database()
    with database.read() as conn:
        found = rejected.listed(conn, most=limit)
    if not found:
        typer.echo("nothing was rejected")
        return
    table = Table()
    for column in ("when (UTC)", "key", "customer", "reason", "message"):
        table.add_column(column)
    for row in found:
        cells = (f"{row.at:%Y-%m-%d %H:%M}", row.sender, row.customer_id or "", row.reason, row.body[:200])
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)
