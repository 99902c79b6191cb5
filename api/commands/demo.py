"""`parcours demo`: the whole of Parcours on real purchases and an invented crowd, with the books closed at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["demo"]


def demo(
    out: Annotated[
        Path, typer.Option(help="Folder for the report and everything that was sent; its data are made anew.")
    ] = Path("demo-out"),
    small: Annotated[bool, typer.Option(help="200 households and 25 days, for a quick look.")] = False,
    days: Annotated[int | None, typer.Option(min=1, max=90, help="Days to play. Default: 75, small 25.")] = None,
    seconds_per_day: Annotated[float, typer.Option(min=0.2, max=600, help="How many seconds a day lasts.")] = 1.0,
    journeys: Annotated[Path, typer.Option(help="Folder of the journeys.")] = Path("journeys"),
) -> None:
    """Play some weeks of a shop with 2,469 real households: mails, texts, calls, letters, feeds, and the answers to them.

    Ends with the report, files in the output folder, and exit code 1 if the books don't balance.
    """
    from rich.console import Console

    from api.demo.shop import DataMissingError
    from api.demo.stage import NotOursError, Play, play
    from dsl.problems import Problems

    console = Console()
    what = Play(
        out=out,
        journeys=journeys,
        small=small,
        days=days if days is not None else 25 if small else 75,
        seconds_per_day=seconds_per_day,
    )
    try:
        code = play(what, console)
    except (DataMissingError, NotOursError) as error:
        console.print(f"[bold red]error:[/] {error}")
        code = 2
    except Problems as problems:
        typer.echo(f"{problems}\n", err=True)
        code = 2
    raise typer.Exit(code)
