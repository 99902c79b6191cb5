"""`parcours mail`: mail that came back, from a pipe; and what came in and belongs to no send."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from engine.mail.door import Taken

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Take in mail that came back, and look at what belongs to no send.")

Number = Annotated[int, typer.Argument(help="Its number, as `parcours mail list` shows it.")]


@app.command("in")
def take(
    file: Annotated[Path, typer.Argument(help="A mail as it came (RFC 5322), or `-` for the standard input.")],
    to: Annotated[
        str, typer.Option(help="The address that it came to; else its Delivered-To, X-Original-To or To.")
    ] = "",
    sender: Annotated[
        str | None, typer.Option("--from", help="Its SMTP sender, empty for none; else its Return-Path.")
    ] = None,
) -> None:
    """Take one mail in, as a mail server's pipe has it. It ends by the codes of sysexits.h, which Postfix and Exim know.

    0: kept (also where it belongs to no send: then it waits in `parcours mail list`). 66: no such file. 67: no address of
    ours. 69: too large. 75: not now, come again.
    """
    try:
        code = _take(file, to, sender)
    except Exception:  # noqa: BLE001  # a mail server sends back what ends by a code that it doesn't know
        traceback.print_exc()
        code = os.EX_TEMPFAIL
    raise typer.Exit(code)


@app.command("list")
def list_() -> None:
    """List the mails that belong to no send, the newest first; and what was refused or passed over, counted."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from api.commands.opening import open_database
    from engine.mail import strays

    _, database = open_database()
    with database.read() as conn:
        kept, tallies = strays.listed(conn), strays.tallies(conn)
    console = Console()
    table = Table("number", "came (UTC)", "to", "from", "subject", "why it waits")
    for mail in kept:
        cells = (str(mail.id), f"{mail.at:%Y-%m-%d %H:%M}", mail.recipient, mail.sender, mail.subject, mail.reason)
        table.add_row(*(Text(cell) for cell in cells))
    if kept:
        console.print(table)
    else:
        console.print("no mail waits to be looked at")
    if tallies:
        table = Table("way", "refused or passed over", "times", "last (UTC)", "the newest")
        for tally in tallies:
            cells = (tally.source, tally.reason, str(tally.count), f"{tally.last_at:%Y-%m-%d %H:%M}", tally.example)
            table.add_row(*(Text(cell) for cell in cells))
        console.print(table)


@app.command()
def show(number: Number) -> None:
    """Print a mail as it came."""
    from api.commands.opening import open_database
    from engine.mail import strays

    _, database = open_database()
    with database.read() as conn:
        raw = strays.get(conn, number).raw
    sys.stdout.flush()
    sys.stdout.buffer.write(raw)


@app.command()
def accept(number: Number) -> None:
    """Take a mail in after all: you have looked at it, and the send that it names needs no proof."""
    from api.commands.opening import open_database
    from engine.mail.door import Door

    settings, database = open_database()
    with database.write() as conn:
        taken = Door(settings).again(conn, number)
    typer.echo(f"{taken.status}: {taken.said}")
    if taken.status == "stray":
        raise typer.Exit(1)


@app.command()
def drop(number: Number) -> None:
    """Forget a mail."""
    from api.commands.opening import open_database
    from engine.mail import strays

    _, database = open_database()
    with database.write() as conn:
        strays.drop(conn, number)
    typer.echo(f"{number} is forgotten")


def _take(file: Path, to: str, sender: str | None) -> int:
    from api.commands.opening import open_database
    from engine.mail.door import Door
    from engine.mail.envelope import envelope
    from engine.settings import Settings

    settings = Settings()
    door = Door(settings)
    try:
        raw = _read(file, door.largest + 1)
    except OSError as error:
        typer.echo(f"error: {file}: {error.strerror}", err=True)
        return os.EX_NOINPUT
    if len(raw) > door.largest:
        typer.echo(f"error: a mail may have {door.largest} bytes (PARCOURS_MAIL_IN_SIZE)", err=True)
        return os.EX_UNAVAILABLE
    found = envelope(raw, to, sender, door)
    _, database = open_database(migrate=False)  # a mail server starts many of these at once
    if found.refusal is not None:
        door.refuse(database, found.recipient, found.refusal, "pipe")
        typer.echo(f"error: {found.recipient}: {found.refusal}", err=True)
        return os.EX_NOUSER
    taken: Taken = door.take(database, raw, found.sender, found.recipient, "pipe")
    typer.echo(f"{taken.status}: {taken.said}")
    return os.EX_OK


def _read(file: Path, most: int) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read(most)
    with file.open("rb") as opened:
        return opened.read(most)
