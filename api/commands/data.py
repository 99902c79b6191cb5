"""`parcours import customers|orders|offers`: files in, with a bar, safe to run again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from engine.imports import Imported, Progress

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Import customers, orders and offers from files.")

File = Annotated[Path, typer.Argument(help="A CSV file: comma, semicolon or tab, its first line names the columns.")]
Encoding = Annotated[str, typer.Option(help="utf-8, latin-1, cp1252 …")]


@app.command()
def customers(file: File, encoding: Encoding = "utf-8") -> None:
    """Read customers. Columns: id, first_name … zone, consent_email … consent_letter (yes or no), attributes.NAME.

    The columns that the file has are written; reading a file again changes nothing. Broken rows go to FILE.rejected.csv.
    """
    from api.commands.opening import open_database
    from engine.imports import import_customers

    settings, database = open_database()
    now = settings.clock.now()
    _run(
        file, lambda progress: import_customers(database, file, now, encoding=encoding, progress=progress), "customers"
    )


@app.command()
def orders(file: File, encoding: Encoding = "utf-8") -> None:
    """Read purchase lines. Columns: order_id, customer_id, at, total; and id or line, category, product, quantity.

    Reading a file again adds nothing. Broken rows go to FILE.rejected.csv.
    """
    from api.commands.opening import open_database
    from engine.imports import import_orders

    settings, database = open_database()
    now = settings.clock.now()
    _run(
        file,
        lambda progress: import_orders(database, file, now, settings.zone, encoding=encoding, progress=progress),
        "purchase lines",
    )


@app.command()
def offers(
    file: Annotated[
        Path, typer.Argument(help="A CSV file as of the others, or a .json file: a list of the API's offers.")
    ],
    encoding: Encoding = "utf-8",
) -> None:
    """Read offers. Columns: id, name, category, margin; and price, url, picture, text, valid_from, valid_to, on, data.NAME.

    Each is written as a whole; reading a file again changes nothing. Broken rows go to FILE.rejected.csv.
    """
    from api.commands.opening import open_database
    from engine.offer_file import import_offers

    settings, database = open_database()
    now = settings.clock.now()
    _run(
        file,
        lambda progress: import_offers(database, file, now, settings.zone, encoding=encoding, progress=progress),
        "offers",
    )


def _run(file: Path, read: Callable[[Progress], Imported], what: str) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task(file.name, total=None)

        def progress(done: int, size: int, rows: int) -> None:
            bars.update(bar, completed=done, total=size, description=f"{file.name}: {rows:,} rows")

        outcome = read(progress)
    there = outcome.read - outcome.new - outcome.rejected
    typer.echo(f"{file}: {outcome.read:,} rows read, {outcome.new:,} new {what}, {there:,} there before")
    if outcome.rejected:
        typer.echo(f"{outcome.rejected:,} rows were set aside with their reasons: {outcome.rejected_file}", err=True)
        raise typer.Exit(1)
