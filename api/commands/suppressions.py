"""`parcours suppression list|lift`: addresses that are never written to."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands.operating import who

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Addresses that are never written to.")


@app.command("list")
def list_(
    address: Annotated[str | None, typer.Argument(help="An address, or a customer's id.")] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="email, sms, call, letter or feed.")] = None,
) -> None:
    """List suppressed addresses with their reasons; a thousand at most, so name a channel or an address."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from api.commands.opening import open_database
    from engine import suppressions

    _, database = open_database()
    with database.read() as conn:
        found = suppressions.listed(conn, channel=channel, address=address, most=1000)
    if not found:
        typer.echo("nothing is suppressed" if address is None else f"{address} isn't suppressed")
        return
    table = Table()
    for column in ("channel", "address", "since (UTC)", "reason", "source"):
        table.add_column(column)
    for row in found:
        cells = (row.channel, row.address, f"{row.at:%Y-%m-%d %H:%M}", row.reason, row.source)
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)


@app.command()
def lift(
    channel: Annotated[str, typer.Argument(help="email, sms, call, letter or feed.")],
    address: Annotated[str, typer.Argument(help="As `parcours suppression list` shows it.")],
    why: Annotated[str, typer.Option("--why", help="It is kept.")],
) -> None:
    """Take a suppression back: the address may be written to again, where consent says so."""
    from api.commands.opening import open_database
    from engine import suppressions

    settings, database = open_database()
    with database.write() as conn:
        row = suppressions.lift(conn, channel, address, who(), why, settings.clock.now())
    typer.echo(f"{channel} {address} may be written to again; it was suppressed for: {row.reason}")
