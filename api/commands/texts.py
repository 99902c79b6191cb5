"""`parcours sms`: what the text messages of journeys will be, and cost, before one is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["sms"]


def sms(
    path: Annotated[
        Path | None, typer.Argument(help="A journey file or a folder of them; default: PARCOURS_JOURNEYS.")
    ] = None,
    to: Annotated[str, typer.Option(help="A number that they go to: it decides price, sender and MMS.")] = "",
    text: Annotated[bool, typer.Option("--text", help="Print the texts too, as a sample customer gets them.")] = False,
) -> None:
    """Count and price text messages before they are sent: characters, alphabet, messages, cost; one line a language."""
    from phonenumbers import country_code_for_region

    from api.commands.authored import checked
    from engine.settings import Settings
    from engine.sms.check import sms_costs
    from engine.templating.checking import uses_of
    from engine.templating.templates import Templates

    settings = Settings() if path is None else Settings(journeys=path if path.is_dir() else path.parent)
    number = to or f"+{country_code_for_region(settings.country.upper())}"
    uses = [use for each in checked(path) for use in uses_of(each)]
    costs = sms_costs(settings, Templates.of(settings), uses, number)
    if not costs:
        typer.echo("no journey here sends text messages")
        return
    widest = max(len(each.file) for each in costs)
    for each in costs:
        many = "MMS" if not each.segments else f"{each.segments} message{'s' if each.segments > 1 else ''}"
        price = f"{each.cost / 100_000:.4f} {settings.currency} to {number}"
        typer.echo(f"{each.file:{widest}}  {each.characters:4} characters  {each.alphabet}  {many:11} {price}")
        if text:
            typer.echo("".join(f"    {line}\n" for line in (*each.text.splitlines(), each.media) if line), nl=False)
