"""`parcours simulate`: what is to be expected of a journey, in virtual time, with virtual customers or with real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.looking import one_journey, reading
from dsl.plurals import counted

if TYPE_CHECKING:
    from dsl.ir import IR
    from engine.simulation.plan import Person
    from engine.simulation.responses import ResponseModel
    from engine.simulation.results import Result

__all__ = ["simulate"]

_SAMPLE = 10_000
_MOST = 100_000_000
"""Customers, in all runs together: half an hour. More of them change no share by what anybody could see."""
_MOST_RUNS = 1_000
_MOST_DAYS = 3_660
_A_SECOND = 50_000
"""Customers, roughly: to say how long a wish would take."""
_PATIENCE = 1.0
"""Seconds without a bar."""


def simulate(
    path: Annotated[
        Path | None, typer.Argument(help="A journey file or a folder of them; default: PARCOURS_JOURNEYS.")
    ] = None,
    journey: Annotated[str | None, typer.Option("--journey", "-j", help="One journey of them, by its name.")] = None,
    customers: Annotated[
        int | None, typer.Option("-n", min=1, help="Customers in a run. Default: 10,000; of real ones, each once.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Independent runs: intervals are over these.")] = 20,
    seed: Annotated[str, typer.Option(help="The same seed gives the same result.")] = "1",
    over: Annotated[
        int | None, typer.Option(min=1, help="Days over which they enter. Default: 30; an audience read once: 1.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="A response model, a .toml or .json file.")] = None,
    model_template: Annotated[
        bool, typer.Option("--model-template", help="Print the response model as a TOML file to edit, and end.")
    ] = False,
    learned: Annotated[
        bool, typer.Option("--learned", help="Learn the rates from what the database recorded.")
    ] = False,
    from_customers: Annotated[
        bool, typer.Option("--from-customers", help="Take customers of the database, with their own facts.")
    ] = False,
    database: Annotated[str | None, typer.Option(help="The database's URL. Default: PARCOURS_DATABASE.")] = None,
    days: Annotated[bool, typer.Option("--days", help="Also print calls and letters day by day.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Draw the expected flow: a .svg or .png file.")
    ] = None,
) -> None:
    """Play a journey with virtual customers: the expected flow, contacts, cost, calls and letters. Nothing is sent or written.

    Works without a database: then what customers do is what the response model says, and the default one is invented.
    """
    if output is not None and output.suffix.lower() not in {".svg", ".png"}:
        raise typer.BadParameter(f"a picture is a .svg or .png file, not {output.name!r}", param_hint="--output")
    _bounded(customers or _SAMPLE, runs, over or 1)
    ir = one_journey(path, journey)
    rates, people, first, source = _known(ir, model, database, learned=learned, from_customers=from_customers)
    if model_template:
        from engine.simulation.model_text import template

        typer.echo(template(rates, ir), nl=False)
        return
    from api.commands.bars import bar
    from engine.settings import Settings
    from engine.simulation.simulate import FIRST_DAY
    from engine.simulation.simulate import simulate as play

    once = ir.entry.every is not None and ir.entry.every.kind == "once"
    crowd = customers or len(people) or _SAMPLE
    with bar(ir.name, after=_PATIENCE) as moved:
        result = play(
            ir,
            rates,
            customers=crowd,
            runs=runs,
            seed=seed,
            over=over or (1 if once else 30),
            people=people,
            whole=bool(people) and customers is None,
            first=FIRST_DAY if first is None else first,
            zone=Settings().zone,
            progress=lambda done: moved(done, crowd * runs, f"{ir.name}: {done:,} customers"),
        )
    if as_json:
        _print_json(result, rates, source)
    else:
        from api.simulated import show

        show(result, source, days=days)
    if output is not None:
        output.write_bytes(_drawn(result, output))
        typer.echo(f"{output}", err=as_json)


def _bounded(customers: int, runs: int, over: int) -> None:
    """Refuse what would take hours, and tell no more than a wish of a minute does."""
    if customers * runs > _MOST:
        minutes = max(1, round(customers * runs / _A_SECOND / 60))
        raise typer.BadParameter(
            f"{customers:,} customers in {counted(runs, 'run')} take about {counted(minutes, 'minute')}; at most {_MOST:,} are"
            " played in all, and shares hardly move beyond 100,000 a run: scale the numbers up",
            param_hint="-n",
        )
    if runs > _MOST_RUNS:
        raise typer.BadParameter(
            f"{runs:,} runs; at most {_MOST_RUNS:,}, and intervals hardly move beyond 100", param_hint="--runs"
        )
    if over > _MOST_DAYS:
        raise typer.BadParameter(
            f"{over:,} days; at most {_MOST_DAYS:,}, ten years: nobody is followed longer than three",
            param_hint="--over",
        )


def _known(
    ir: IR, model: Path | None, database: str | None, *, learned: bool, from_customers: bool
) -> tuple[ResponseModel, Sequence[Person], int | None, str]:
    """The rates, real customers if they are asked for, the first day if it matters, and where all that comes from."""
    from engine.simulation.responses import ResponseModel

    rates, source = ResponseModel(), "invented rates (parcours simulate … --model-template prints them for you to edit)"
    if model is not None:
        from engine.simulation.model_file import read

        rates, source = read(model, ir), f"the rates of {model}"
    if not learned and not from_customers and database is None:
        return rates, (), None, source
    people: Sequence[Person] = ()
    with reading(database) as (settings, conn):
        from engine.simulation.centre import declared
        from engine.simulation.model_text import model_queues

        now = settings.clock.now()
        first = int(now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()) * 1000
        if learned:
            from engine.simulation.learning import learn

            rates, source = learn(conn, ir, now, rates), f"rates learned from what is recorded, leaning on {source}"
        if from_customers:
            from engine.simulation.sample import people as sample

            people = sample(conn, ir, now, settings.zone)
            source = f"{len(people):,} real customers' facts; {source}"
        shifts = declared(conn, model_queues(ir), now)
    if any(queue not in rates.capacity for queue in shifts):
        source += "; the queues' shifts"
    return replace(rates, shifts=shifts), people, first if learned or from_customers else None, source


def _print_json(result: Result, rates: ResponseModel, source: str) -> None:
    import json

    from engine.simulation.model_text import document

    whole = {**result.to_json(), "rates_from": source, "model": document(rates, result.ir)}
    typer.echo(json.dumps(whole, indent=2, ensure_ascii=False))


def _drawn(result: Result, file: Path) -> bytes:
    from engine.simulation.picture import flow_svg

    picture = flow_svg(result)
    if file.suffix.lower() == ".svg":
        return picture.encode()
    from api.commands.pictures import as_png

    return as_png(picture, file)
