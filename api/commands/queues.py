"""`parcours queue list|set|plan`: the call center's queues: when they call, with how many agents, and what is waiting."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from engine.calls.hours import Shift

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The call center's queues.")

_SHIFT = re.compile(r"\s*(\S+)\s+(\d\d:\d\d)-(\d\d:\d\d)(?:\s+x(\d+))?\s*")


@app.command("list")
def list_() -> None:
    """List queues: what is waiting, under way and done, and how full the running slot is."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from api.commands.opening import open_database
    from engine.calls import capacity as call_capacity
    from engine.calls import queues as call_queues
    from engine.calls.hours import rules_of

    settings, database = open_database()
    now = settings.clock.now()
    table = Table()
    for column in ("queue", "open", "waiting", "under way", "done", "slot", "taken"):
        table.add_column(column)
    with database.read() as conn:
        for queue in call_queues.queues(conn):
            rules = rules_of(conn, queue.name)
            loads = call_capacity.load(conn, rules, now, 1) if rules.limited else []
            slot, taken = "", ""
            for load in loads:
                slot = f"{load.slot.start:%m-%d %H:%M} UTC"
                taken = f"{load.planned} of {load.slot.calls if load.slot.calls is not None else 'any number'}"
            under_way = queue.reserved + queue.assigned + queue.wrapping
            cells = (queue.name, "yes" if rules.open_at(now) else "no", str(queue.pending), str(under_way))
            table.add_row(*(Text(cell) for cell in (*cells, str(queue.completed), slot, taken)))
    Console().print(table)


@app.command("set")
def set_(
    name: Annotated[str, typer.Argument(help="The queue, as a journey names it: @Call(…, queue=NAME).")],
    shift: Annotated[
        list[str] | None,
        typer.Option(
            help='As "mon-fri 09:00-18:00 x4": days, from, until, agents. Without agents: any number of calls.'
        ),
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Whose clock the shifts are on. Default: PARCOURS_ZONE.")] = None,
    country: Annotated[str | None, typer.Option(help="Whose public holidays. Default: PARCOURS_COUNTRY.")] = None,
    holidays: Annotated[bool, typer.Option(help="It works on public holidays, too.")] = False,
    slot_minutes: Annotated[int, typer.Option(help="The length of a slot.")] = 30,
    calls_per_agent: Annotated[int, typer.Option(help="Calls of an agent in a slot.")] = 3,
    call_from: Annotated[str, typer.Option(help="No customer is rung before, on her own clock …")] = "08:00",
    call_until: Annotated[str, typer.Option(help="… nor from then on.")] = "20:00",
    attempts: Annotated[int, typer.Option(help="Most calls for one task.")] = 3,
    retry_minutes: Annotated[int, typer.Option(help="Pause after a call that reached nobody.")] = 240,
) -> None:
    """Declare when a queue calls, and how much it can take; what is pending gets its place anew."""
    from api.commands.opening import open_database
    from engine.calls import centre as call_centre

    settings, database = open_database()
    with database.write() as conn:
        rules = call_centre.declare(
            conn,
            name,
            settings.clock.now(),
            zone=zone or settings.zone,
            country=country or settings.country,
            shifts=[_shift(text) for text in shift or ()],
            holidays=holidays,
            slot_minutes=slot_minutes,
            calls_per_agent=calls_per_agent,
            call_from=call_from,
            call_until=call_until,
            attempts=attempts,
            retry_minutes=retry_minutes,
        )
    agents = [each.agents for each in rules.shifts]
    limit = (
        "any number of calls"
        if not rules.limited
        else f"{max(a or 0 for a in agents) * calls_per_agent} calls in a slot at most"
    )
    number = len(rules.shifts)
    typer.echo(f"{name}: {number or 'no'} shift{'' if number == 1 else 's'} in {rules.zone}, {limit}")


@app.command()
def plan(name: Annotated[str, typer.Argument(help="The queue.")]) -> None:
    """Estimate anew what each open call is expected to bring, and give each its place."""
    from api.commands.opening import open_database
    from engine.calls import capacity as call_capacity
    from engine.calls import value as call_value

    settings, database = open_database()
    now = settings.clock.now()
    with database.write() as conn:
        revalued = call_value.revalue(conn, name, now, settings.order_value)
        moved = call_capacity.plan(conn, name, now)
    typer.echo(f"{name}: {revalued} calls are worth something else now, {moved} have another place")


def _shift(text: str) -> Shift:
    from engine.calls import centre as call_centre
    from engine.errors import Invalid

    found = _SHIFT.fullmatch(text)
    if found is None:
        raise Invalid("shift", text, 'write it as "mon-fri 09:00-18:00 x4"')
    days, opens, closes, agents = found.groups()
    given = {"days": _days(days), "opens": opens, "closes": closes}
    return call_centre.shift({**given, "agents": int(agents) if agents is not None else None})


def _days(text: str) -> list[str]:
    from engine.calls.centre import DAYS
    from engine.errors import Invalid

    short = [day[:3] for day in DAYS]
    chosen: list[str] = []
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        if first == "daily":
            chosen += DAYS
        elif first in short and (last or first) in short and short.index(first) <= short.index(last or first):
            chosen += DAYS[short.index(first) : short.index(last or first) + 1]
        else:
            raise Invalid("shift", text, f"days are {', '.join(short)}, as mon-fri or mon,wed, or daily")
    return chosen
