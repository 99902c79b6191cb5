"""`parcours preview`: a box's message as a customer would get it, before anybody does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dsl.ir import IR
    from workers.preview import Preview, Previews

__all__ = ["preview"]


def preview(
    message: Annotated[str, typer.Argument(help="Journey and box: WinBack.discount, or win_back.discount.")],
    customer: Annotated[str | None, typer.Option(help="The customer's id; default: a trial customer.")] = None,
    language: Annotated[str | None, typer.Option(help="Instead of hers.")] = None,
    channel: Annotated[str | None, typer.Option(help="Where the box sends by several.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .html, .eml, .txt or .pdf file; default: print the text.")
    ] = None,
    send_to: Annotated[
        str | None, typer.Option(help="Send it there by mail, marked as a test. It counts nowhere.")
    ] = None,
) -> None:
    """Show what a box would send to a customer: the journeys and templates as they are in the folder, published or not."""
    from engine.links import Links
    from engine.settings import Settings
    from engine.templating.templates import TemplateError, Templates
    from workers.preview import Previews

    journey, _, box = message.rpartition(".")
    if not journey:
        raise typer.BadParameter(f"a message is named by its journey and its box, as WinBack.discount, not {message!r}")
    settings = Settings()
    previews = Previews(settings, Templates.of(settings), Links(settings.public_url, settings.signing_key()))
    ir = _journey(journey, settings.journeys)
    try:
        made = _made(previews, ir, box, customer, language, channel)
    except TemplateError as error:
        typer.echo(f"error[{error.code}]: {error}", err=True)
        raise typer.Exit(1) from None
    if output is not None:
        output.write_bytes(_as_file(previews, made, output.suffix))
        typer.echo(f"{output}")
    elif send_to is None:
        typer.echo(made.text(), nl=False)
    if send_to is not None:
        receipt = asyncio.run(previews.send(made, send_to))
        typer.echo(f"{send_to}: {receipt.status}{f', {receipt.detail}' if receipt.detail else ''}")
        if receipt.status != "sent":
            raise typer.Exit(1)


def _journey(name: str, folder: Path) -> IR:
    from dsl.loading import load
    from dsl.problems import Problems

    try:
        loaded = load(folder)
    except Problems as problems:
        loaded = list(problems.loaded)
        if not any(name in {each.ir.name, each.ir.title} for each in loaded):
            typer.echo(f"{problems}\n", err=True)
            raise typer.Exit(1) from None
    for each in loaded:
        if name in {each.ir.name, each.ir.title}:
            return each.ir
    if not loaded:
        from dsl.bases import only_bases

        raise typer.BadParameter(only_bases(folder))
    names = ", ".join(each.ir.title for each in loaded)
    raise typer.BadParameter(f"there is no journey {name!r} in {folder}; there are: {names}")


def _made(
    previews: Previews, ir: IR, box: str, customer: str | None, language: str | None, channel: str | None
) -> Preview:
    from engine.settings import Settings

    if customer is None:
        return previews.make(None, ir, box, None, Settings().clock.now(), language, channel)
    from api.commands.opening import open_database

    settings, database = open_database()
    with database.read() as conn:
        return previews.make(conn, ir, box, customer, settings.clock.now(), language, channel)


def _as_file(previews: Previews, made: Preview, ending: str) -> bytes:
    match ending.lower():
        case ".html" if made.content.html:
            return made.page().encode()
        case ".eml":
            return previews.mail(made)
        case ".txt":
            return made.text().encode()
        case ".pdf" if made.content.pdf:
            return made.content.pdf
        case other:
            raise typer.BadParameter(
                f"a message by {made.channel} can't be written as {other or 'a file without ending'}"
            )
