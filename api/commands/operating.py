"""`parcours publish`, `on`, `approve`, `off`, `where`: work on the journeys of an installation."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.commands.authored import (
    At,
    Only,
    chosen,
    folder_of,
    load_sound,
    print_problems,
    sources,
    template_problems,
    templates_of,
    warn,
)  # fmt: skip

if TYPE_CHECKING:
    from dsl.ir import IR
    from engine.paths import Path as Way
    from engine.tables import KnobChange

__all__ = ["Name", "Why", "approve", "off", "on", "publish", "where", "who"]

Name = Annotated[str, typer.Argument(help="The journey's name, as win_back.")]
Why = Annotated[str, typer.Option("--why", "-m", help="The reason: it is kept, and shown.")]


def publish(path: At = None, journey: Only = None) -> None:
    """Check journeys, and make them the newest versions. Customers under way stay on theirs; the switch stays as it is."""
    from engine import journeys, knob_changes

    loaded, problems = load_sound(path)
    wanted = chosen(loaded, path, journey) if not problems else []
    problems += template_problems(path, wanted)
    if problems:
        print_problems(problems)
        typer.echo("nothing was published", err=True)
        raise typer.Exit(1)
    warn(wanted)
    templates = templates_of(path)
    settings, database = _database()
    for each in wanted:
        with database.write() as conn:
            before = [row.hash for row in journeys.versions(conn, each.ir.name)]
            turned = {row.knob for row in knob_changes.newest(conn, each.ir.name).values() if row.value is not None}
            made = journeys.publish(conn, each.ir, who(), settings.clock.now(), sources(templates, each.ir))
            changes = knob_changes.newest(conn, each.ir.name)
            switched = "on" if journeys.get(conn, each.ir.name).on else f"off: parcours on {each.ir.name}"
        news = "as it was published before" if made.hash in before else "new"
        typer.echo(f"{each.ir.name}: version {made.version} ({news}), {switched}")
        _print_turned(each.ir, {name: changes[name] for name in sorted(turned)})
    own = settings.journeys.resolve()
    if not folder_of(path).resolve().is_relative_to(own):
        typer.echo(
            f"note: workers render templates of {own} (PARCOURS_JOURNEYS); let it be the folder published from",
            err=True,
        )


def _print_turned(ir: IR, turned: Mapping[str, KnobChange]) -> None:
    """What became of the knobs that were turned before this publication."""
    from engine.tuning import value_words

    knobs = {knob.name: knob for knob in ir.knobs}
    for name, change in turned.items():
        if change.value is None:
            typer.echo(f"  knob {name}: {change.why}; what was turned holds no longer")
        else:
            said = (value_words(knobs[name], value) for value in (change.value, knobs[name].value))
            typer.echo("  knob {}: stays at {} (the code says {})".format(name, *said))


def on(name: Name, why: Why = "") -> None:
    """Turn a journey on: customers enter from now on."""
    _switch(name, why, on=True)


def approve(name: Name) -> None:
    """Approve that a journey is turned on, which somebody else has asked for."""
    from engine import approval

    settings, database = _database()
    with database.write() as conn:
        approval.approve(conn, name, who(), settings.clock.now())
    typer.echo(f"{name} is on")


def off(name: Name, why: Why = "") -> None:
    """Turn a journey off: nobody enters, and nothing is sent."""
    _switch(name, why, on=False)


def where(
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    journey: Only = None,
) -> None:
    """Where a customer is, how she got there, and what she was sent or why not."""
    from engine import customers, paths
    from engine.errors import NotFound

    _, database = _database()
    with database.read() as conn:
        if customers.get(conn, customer) is None:
            raise NotFound("customer_not_found", f"there is no customer {customer!r}")
        ways = paths.path(conn, customer, journey)
        refusals = paths.refusals(conn, customer, journey)
    if not ways and not refusals:
        typer.echo(f"customer {customer} was never in {journey or 'a journey'}")
    for way in ways:
        _print_way(way)
    for refusal in refusals:
        typer.echo(f"{refusal.at:%Y-%m-%d %H:%M}  {refusal.journey}: not let in, {refusal.reason} ({refusal.entry})")


def who() -> str:
    """Who gives the command, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "command"


def _switch(name: str, why: str, *, on: bool) -> None:
    from engine import approval, journeys

    settings, database = _database()
    with database.write() as conn:
        if on and settings.second_person:
            if approval.ask(conn, name, who(), why, settings.clock.now()):
                typer.echo(f"{name} is asked for; another person turns it on: parcours approve {name}")
                return
            changed = False
        else:
            changed = journeys.switch(conn, name, on, who(), why, settings.clock.now())
    typer.echo(f"{name} is {'on' if on else 'off'}{'' if changed else ', as it was'}")


def _database():  # noqa: ANN202  # what it returns is imported only when a command runs
    from api.commands.opening import open_database

    return open_database()


def _print_way(way: Way) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    at = f"ended: {way.end_reason}" if way.ended_at is not None else f"is at {way.state or 'the entrance'}"
    table = Table(
        title=f"{way.journey}: {at} ({way.arm}, entered {way.entered_at:%Y-%m-%d %H:%M})", title_justify="left"
    )
    for column in ("when (UTC)", "box", "by", "what was sent"):
        table.add_column(column)
    for step in way.steps:
        by = step.cause if step.event is None else f"{step.cause}: {step.event.name}"
        sent = [f"{m.channel} {m.status}{f': {m.reason}' if m.reason else ''}" for m in step.messages]
        values = list(_why(step.detail or {}))
        told = (f"{step.at:%Y-%m-%d %H:%M}", step.state, "\n".join([by, *values]), "\n".join(sent))
        table.add_row(*(Text(cell) for cell in told))
    console.print(table)
    for late in way.late:
        console.print(Text(f"{late.at:%Y-%m-%d %H:%M}  {late.event.name} moved nothing: {late.reason}"))


def _why(detail: Mapping[str, Any]) -> Iterator[str]:
    """What a step was decided on, a line each."""
    for name, value in detail.items():
        if name == "learned":
            for arm in value["arms"]:
                said = f"{arm['successes']} of {arm['trials']:g} reached the goal, share {arm['share']:.0%}"
                yield f"{arm['to']}: {said}, drawn {arm['drawn']:.3f}"
        else:
            yield f"{name} = {value}"
