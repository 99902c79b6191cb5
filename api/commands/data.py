"""`parcours import …`: CSV and Parquet files in, with a bar; safe to run again, and resumed after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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


_WHAT = {
    "customers": """Read customers. Columns: id, first_name … zone, consent_email … consent_letter (yes or no), attributes.NAME.

    The columns that the file has are written; reading a file again changes nothing.""",
    "consents": """Read dated words. Columns: customer_id, channel, granted (yes or no), at; and purpose, source.

    Of a customer's words on a channel and purpose the newest holds.""",
    "orders": """Read purchase lines. Columns: order_id, customer_id, at, total or price; and id or line, category, product, quantity.

    They are history and make no events. Reading a file again adds nothing.""",
    "exposures": """Read contacts that others made. Columns: customer_id, campaign, channel, at; and id, cost.

    They are kept; no rule and no report counts them yet. Reading a file again adds nothing.""",
    "returns": """Read letters that came back. Columns: letter_id or code; reason, at. No letter goes to these customers any more.

    Reading a file again changes nothing.""",
    "offers": """Read offers. Columns: id, name, category, margin; and price, url, picture, text, valid_from, valid_to, on, data.NAME.

    Or a .json file: a list of the API's offers. Each is written as a whole; reading a file again changes nothing.""",
}
_NOUNS = {
    "consents": "words",
    "orders": "purchase lines",
    "exposures": "contacts",
    "outcomes": "events",
    "history": "events",
    "returns": "returned letters",
}
_BROKEN = "Broken rows go to FILE.rejected.csv."


def _command(kind: str, what: str) -> None:
    def command(file: File, encoding: Encoding = "utf-8", column: Column = None, others: Others = False) -> None:
        _run(kind, file, encoding, column, others)

    app.command(kind, help=f"{what} {_BROKEN}")(command)


for _kind, _what in _WHAT.items():
    _command(_kind, _what)


@app.command(
    help=f"""Read events. Columns: customer_id, event (as mailing.responded), at; and id, campaign, payload.NAME.

    Journeys that wait for one move on by it. Reading a file again adds nothing. {_BROKEN}"""
)
def outcomes(
    file: File,
    encoding: Encoding = "utf-8",
    column: Column = None,
    others: Others = False,
    history: Annotated[bool, typer.Option("--history", help="Keep the events; nobody moves by them.")] = False,
) -> None:
    """Events, which journeys may wait for."""
    _run("history" if history else "outcomes", file, encoding, column, others)


def _run(kind: str, file: Path, encoding: str, columns: list[str] | None, others: bool) -> None:
    from api.commands.bars import bar
    from api.commands.opening import open_database
    from engine import imports

    named: dict[str, str] = {}
    for given in columns or ():
        ours, sign, theirs = given.partition("=")
        if not (ours.strip() and sign and theirs.strip()):
            raise typer.BadParameter(f"{given!r}: write it as order_id=InvoiceNo", param_hint="--column")
        named[ours.strip().lower()] = theirs.strip()
    settings, database = open_database()
    with bar(file.name) as moved:

        def progress(done: int, size: int, rows: int) -> None:
            moved(done, size, f"{file.name}: {rows:,} rows")

        layout = imports.Layout(encoding, named, others)
        outcome = imports.read(kind, database, file, settings.clock.now(), settings.zone, layout, progress)
    if outcome.resumed:
        typer.echo(f"went on after row {outcome.resumed:,}, where an earlier reading stopped")
    there = outcome.read - outcome.new - outcome.rejected
    typer.echo(
        f"{file}: {outcome.read:,} rows read, {outcome.new:,} new {_NOUNS.get(kind, kind)}, {there:,} there before"
    )
    if outcome.rejected:
        typer.echo(f"{outcome.rejected:,} rows were set aside with their reasons: {outcome.rejected_file}", err=True)
        raise typer.Exit(1)
