"""`parcours knobs` and `parcours turn`: what may be tuned of a journey without a developer, and turning it."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands.operating import Name, Why, who

__all__ = ["knobs", "turn"]


def knobs(name: Name) -> None:
    """List a journey's knobs: how each stands, what the code says, within which bounds, and who turned it last."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from api.commands.opening import open_database
    from engine import knobs as tuning

    _, database = open_database()
    with database.read() as conn:
        found = tuning.listed(conn, name)
    if not found:
        typer.echo(f"{name} has no knobs")
        return
    table = Table()
    for column in ("knob", "is", "the code says", "from", "to", "what it does", "turned"):
        table.add_column(column)
    for knob in found:
        last = knob.changed
        turned = "" if last is None else f"{last.at:%Y-%m-%d %H:%M} by {last.who}{f': {last.why}' if last.why else ''}"
        cells = (knob.name, knob.value_words, knob.default_words, knob.min_words, knob.max_words)
        where = knob.label or ", ".join(knob.boxes)
        table.add_row(*(Text(cell) for cell in (*cells, where, turned)))
    Console().print(table)


def turn(
    name: Name,
    knob: Annotated[str, typer.Argument(help="The knob's name, as pause.")],
    value: Annotated[str | None, typer.Argument(help="A number, or a duration: 3 days, 36h, 1 d 12 h.")] = None,
    why: Why = "",
    reset: Annotated[bool, typer.Option("--reset", help="Give it back to what the code says.")] = False,
) -> None:
    """Turn a knob: a new version of the journey, for who enters from now on. Customers under way stay on theirs."""
    from api.commands.opening import open_database
    from engine import knobs as tuning

    if (value is None) != reset:
        raise typer.BadParameter("give a value, or --reset for what the code says", param_hint="VALUE")
    settings, database = open_database()
    with database.write() as conn:
        made = tuning.turn(conn, name, knob, value, who(), why, settings.clock.now())
    is_now = f"{name}: {knob} is {made.knob.value_words}"
    says = "as the code says" if not made.knob.turned else f"the code says {made.knob.default_words}"
    news = f"version {made.version} from now on" if made.changed else f"nothing changed: version {made.version}"
    typer.echo(f"{is_now} ({says}), {news}")
