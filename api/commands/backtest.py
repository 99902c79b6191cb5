"""`parcours backtest`: what was recorded, put through an edited journey: who would have gone where instead."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.looking import one_journey, reading
from dsl.plurals import counted

if TYPE_CHECKING:
    from engine.simulation.backtest import Comparison

__all__ = ["backtest"]


def backtest(
    path: Annotated[
        Path | None, typer.Argument(help="The edited journey's file or folder; default: PARCOURS_JOURNEYS.")
    ] = None,
    journey: Annotated[str | None, typer.Option("--journey", "-j", help="One journey of them, by its name.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="Only who entered since then, UTC.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="A response model for messages that were never sent. Default: no answers to them."),
    ] = None,
    seed: Annotated[str, typer.Option(help="With a model: the same seed gives the same result.")] = "1",
    database: Annotated[str | None, typer.Option(help="The database's URL. Default: PARCOURS_DATABASE.")] = None,
    examples: Annotated[int, typer.Option(min=0, help="Customers to name of each kind.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Put the customers who were in a journey through an edited one, with what they did then. Nothing is sent or written."""
    from engine.simulation import backtest as testing

    ir = one_journey(path, journey)
    rates = None
    if model is not None:
        from engine.simulation.model_file import read

        rates = read(model, ir)
    with reading(database) as (settings, conn):
        found = testing.backtest(
            conn,
            ir,
            settings.clock.now(),
            zone=settings.zone,
            since=None if since is None else since.replace(tzinfo=UTC),
            model=rates,
            seed=seed,
            examples=examples,
        )
    if as_json:
        import json

        typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        _show(found)


def _show(found: Comparison) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    since = f" since {found.since:%Y-%m-%d %H:%M}" if found.since is not None else ""
    same = " (this very version among them)" if found.ir.hash in found.versions else ""
    console.print(
        f"[bold]{found.ir.title or found.ir.name}[/bold]: {counted(found.customers, 'enrolment')}{since}, of"
        f" {counted(len(found.versions), 'version')}{same}."
    )
    console.print(f"{found.moved:,} would have gone elsewhere ({found.moved / found.customers:.1%}).")
    table = Table(title="Who would have gone where instead", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("went to", "would have gone to"):
        table.add_column(column)
    for column in ("enrolments", "on unknown answers"):
        table.add_column(column, justify="right")
    table.add_column("for example")
    for cell in found.cells:
        named = ", ".join(case.customer for case in cell.examples)
        now = Text("the same", "dim") if cell.was == cell.now else Text(cell.now)
        table.add_row(
            Text(cell.was), now, f"{cell.customers:,}", f"{cell.assumed:,}" if cell.assumed else "", Text(named)
        )
    console.print(table)
    console.print(
        "Messages that went out: " + ", ".join(f"{c} {was:,} → {now:,}" for c, (was, now) in found.sent.items())
    )
    if found.assumed:
        how = "the model drew answers" if found.modelled else "none was assumed, so waits ran to their time-outs"
        console.print(
            f"{counted(found.assumed, 'enrolment')} got messages that were never sent: how they would have been answered nobody"
            f" knows; {how}."
        )
