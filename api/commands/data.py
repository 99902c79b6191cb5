"""`parcours import …`: CSV and Parquet files in, with a bar; safe to run again, and resumed after a kill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from engine.db import Database
    from engine.imports import Imported, Layout, Progress

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Import customers, consents, orders, exposures, outcomes, returned letters and offers from files.",
)

File = Annotated[
    Path, typer.Argument(help="A CSV file (comma, semicolon or tab; its first line names the columns) or Parquet.")
]
Encoding = Annotated[str, typer.Option(help="Of CSV: utf-8, latin-1, cp1252 …")]
Column = Annotated[
    list[str] | None,
    typer.Option(help="OURS=THEIRS: what the file calls one of our columns, as order_id=InvoiceNo. May be repeated."),
]
Others = Annotated[bool, typer.Option("--others", help="Pass over columns that mean nothing here.")]
_Read = Callable[["Database", "datetime", str, "Layout", "Progress"], "Imported"]


@app.command()
def customers(file: File, encoding: Encoding = "utf-8", column: Column = None, others: Others = False) -> None:
    """Read customers. Columns: id, first_name … zone, consent_email … consent_letter (yes or no), attributes.NAME.

    The columns that the file has are written; reading a file again changes nothing. Broken rows go to FILE.rejected.csv.
    """

    def read(database: Database, now: datetime, zone: str, layout: Layout, progress: Progress) -> Imported:
        from engine.imports import import_customers

        del zone
        return import_customers(database, file, now, layout, progress)

    _run(file, encoding, column, others, read, "customers")


@app.command()
def consents(file: File, encoding: Encoding = "utf-8", column: Column = None, others: Others = False) -> None:
    """Read dated words. Columns: customer_id, channel, granted (yes or no), at; and purpose, source.

    Of a customer's words on a channel and purpose the newest holds. Broken rows go to FILE.rejected.csv.
    """

    def read(database: Database, now: datetime, zone: str, layout: Layout, progress: Progress) -> Imported:
        from engine.imports import import_consents

        return import_consents(database, file, now, zone, layout, progress)

    _run(file, encoding, column, others, read, "words")


@app.command()
def orders(file: File, encoding: Encoding = "utf-8", column: Column = None, others: Others = False) -> None:
    """Read purchase lines. Columns: order_id, customer_id, at, total or price; and id or line, category, product, quantity.

    They are history and make no events. Reading a file again adds nothing. Broken rows go to FILE.rejected.csv.
    """

    def read(database: Database, now: datetime, zone: str, layout: Layout, progress: Progress) -> Imported:
        from engine.imports import import_orders

        return import_orders(database, file, now, zone, layout, progress)

    _run(file, encoding, column, others, read, "purchase lines")


@app.command()
def exposures(file: File, encoding: Encoding = "utf-8", column: Column = None, others: Others = False) -> None:
    """Read contacts that others made. Columns: customer_id, campaign, channel, at; and id, cost.

    They are kept; no rule and no report counts them yet. Reading a file again adds nothing. Broken rows go to FILE.rejected.csv.
    """

    def read(database: Database, now: datetime, zone: str, layout: Layout, progress: Progress) -> Imported:
        from engine.imports import import_exposures

        return import_exposures(database, file, now, zone, layout, progress)

    _run(file, encoding, column, others, read, "contacts")


@app.command()
def outcomes(
    file: File,
    encoding: Encoding = "utf-8",
    column: Column = None,
    others: Others = False,
    history: Annotated[bool, typer.Option("--history", help="Keep the events; nobody moves by them.")] = False,
) -> None:
    """Read events. Columns: customer_id, event (as mailing.responded), at; and id, campaign, payload.NAME.

    Journeys that wait for one move on by it. Reading a file again adds nothing. Broken rows go to FILE.rejected.csv.
    """

    def read(database: Database, now: datetime, zone: str, layout: Layout, progress: Progress) -> Imported:
        from engine.imports import import_outcomes

        return import_outcomes(database, file, now, zone, layout, progress, history=history)

    _run(file, encoding, column, others, read, "events")


@app.command()
def returns(file: File, encoding: Encoding = "utf-8", column: Column = None, others: Others = False) -> None:
    """Read letters that came back. Columns: letter_id or code; reason, at. No letter goes to these customers any more.

    Reading a file again changes nothing. Broken rows go to FILE.rejected.csv.
    """

    def read(database: Database, now: datetime, zone: str, layout: Layout, progress: Progress) -> Imported:
        from engine.imports import import_returns

        return import_returns(database, file, now, zone, layout, progress)

    _run(file, encoding, column, others, read, "returned letters")


@app.command()
def offers(file: File, encoding: Encoding = "utf-8", column: Column = None, others: Others = False) -> None:
    """Read offers. Columns: id, name, category, margin; and price, url, picture, text, valid_from, valid_to, on, data.NAME.

    Or a .json file: a list of the API's offers. Each is written as a whole; reading a file again changes nothing. Broken rows
    go to FILE.rejected.csv.
    """

    def read(database: Database, now: datetime, zone: str, layout: Layout, progress: Progress) -> Imported:
        from engine.imports import import_offers

        return import_offers(database, file, now, zone, layout, progress)

    _run(file, encoding, column, others, read, "offers")


def _run(file: Path, encoding: str, columns: list[str] | None, others: bool, read: _Read, what: str) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from api.commands.opening import open_database
    from engine.imports import Layout

    named: dict[str, str] = {}
    for given in columns or ():
        ours, sign, theirs = given.partition("=")
        if not (ours.strip() and sign and theirs.strip()):
            raise typer.BadParameter(f"{given!r}: write it as order_id=InvoiceNo", param_hint="--column")
        named[ours.strip().lower()] = theirs.strip()
    settings, database = open_database()
    console = Console(stderr=True)
    shown = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*shown, console=console, transient=True) as bars:
        bar = bars.add_task(file.name, total=None)

        def progress(done: int, size: int, rows: int) -> None:
            bars.update(bar, completed=done, total=size, description=f"{file.name}: {rows:,} rows")

        outcome = read(database, settings.clock.now(), settings.zone, Layout(encoding, named, others), progress)
    if outcome.resumed:
        typer.echo(f"went on after row {outcome.resumed:,}, where an earlier reading stopped")
    there = outcome.read - outcome.new - outcome.rejected
    typer.echo(f"{file}: {outcome.read:,} rows read, {outcome.new:,} new {what}, {there:,} there before")
    if outcome.rejected:
        typer.echo(f"{outcome.rejected:,} rows were set aside with their reasons: {outcome.rejected_file}", err=True)
        raise typer.Exit(1)
