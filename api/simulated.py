"""A simulation's result on the terminal: boxes, arrows, contacts, cost, calls and letters, with their intervals."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dsl.draw.signs import GLYPHS
from dsl.draw.words import clock_words
from dsl.ir import ENDS, Clock
from dsl.plurals import counted
from engine.simulation.responses import Week
from engine.simulation.results import Box, Load, Result, number

__all__ = ["show"]


def show(result: Result, source: str, *, days: bool = False) -> None:
    """Print the tables. `source` says what the rates come from; `days` adds the load day by day."""
    console = Console(highlight=False)
    boxes, arrows = _boxes(result), _arrows(result)
    # rather wider than the terminal than a number cut short
    console.width = max(console.width, _whole(boxes), _whole(arrows))
    console.print(
        f"[bold]{result.ir.title or result.ir.name}[/bold]: {result.customers:,} customers, who enter over"
        f" {counted(result.over, 'day')}; {counted(result.runs, 'run')}, seed {result.seed}."
    )
    console.print(
        Text(f"By {source}. In brackets: where 19 of 20 such campaigns lie, if customers do as these say.", "dim")
    )
    console.print(boxes)
    console.print(
        Text("days: a stay's mean; unsent: couldn't be reached; late: answers that came after she had gone on", "dim")
    )
    console.print(arrows)
    console.print(_channels(result))
    console.print(f"Messages a customer gets: {result.contacts:2} on the mean; {_distribution(result)}")
    if result.held_out.mean:
        console.print(f"Held out, and so not written to: {result.held_out}")
    console.print(f"From entry to end: {result.days:1} days on the mean")
    for load in result.loads:
        console.print(_load(load))
    if days and result.loads:
        console.print("Calls and letters, each day from the first entry on:")
        console.print(_days(result))


def _table(title: str, *columns: str, left: int = 1) -> Table:
    """A table whose first columns stand left, the rest right."""
    found = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        found.add_column(column, justify="left" if index < left else "right", no_wrap=column not in {"when", "to"})
    return found


def _whole(table: Table) -> int:
    """Let no column but those of words be narrower than what stands in it; how wide the table is then, at least."""
    for column in table.columns:
        if column.no_wrap:
            column.min_width = max(
                cell_len(line) for cell in (column.header, *column.cells) for line in str(cell).split("\n")
            )
    return Console(width=1_000).measure(table).minimum


def _boxes(result: Result) -> Table:
    found = _table("Boxes", "box", "entered", "of all", "days", "sent", "unsent", "late")
    for box in sorted(result.boxes, key=lambda box: box.kind in ENDS):
        sends = bool(box.sent)
        found.add_row(
            f"{GLYPHS[box.kind]} {box.name}",
            str(box.entered),
            f"{box.entered.mean / result.customers:.1%}",
            number(box.days, 1) if box.days else "",
            "\n".join(_sent(box, channel) for channel in box.sent),
            number(box.not_sent.mean) if sends else "",
            number(box.late.mean) if box.late.mean else "",
        )
    for box in result.boxes:
        if box.under_way.mean:
            share = f"{box.under_way.mean / result.customers:.1%}"
            found.add_row(f"  still in {box.name} after 3 years", str(box.under_way), share)
    return found


def _sent(box: Box, channel: str) -> str:
    """How many it sent; of several channels, each with its name."""
    many = number(box.sent[channel].mean)
    return f"{channel} {many}" if len(box.sent) > 1 else many


def _distribution(result: Result) -> str:
    """The shares of customers by how many messages they get; the last per cent in one."""
    said: list[str] = []
    left = 1.0
    for many, share in result.distribution.items():
        if left < 0.01 and many < max(result.distribution):
            return "  ".join([*said, f"{many} and more: {left:.1%}"])
        said.append(f"{many}: {share:.1%}")
        left -= share
    return "  ".join(said)


def _arrows(result: Result) -> Table:
    found = _table("Arrows", "from", "when", "to", "taken", left=3)
    before = None
    for flow, words in zip(result.flows, result.words(), strict=True):
        owner = flow.owner or "anywhere"
        found.add_row(owner if owner != before else "", Text(words), flow.arrow.to, str(flow.taken))
        before = owner
    return found


def _channels(result: Result) -> Table:
    found = _table("Messages and their cost, in currency units", "channel", "messages", "cost")
    for channel in result.channels:
        found.add_row(channel.name, str(channel.sent), f"{channel.cost:2}")
    found.add_section()
    found.add_row("all", "", f"{result.cost:2}")
    found.add_row("a customer", "", number(result.cost.mean / result.customers, 4))
    return found


def _load(load: Load) -> str:
    what = f"Calls of queue {load.queue!r}" if load.channel == "call" else "Letters"
    said = f"{what}: {load.total}, on the fullest day {load.peak}"
    if load.week is None:
        return said + ("; no capacity is given" if load.channel == "call" else "")
    assert load.over is not None and load.left is not None, load.queue  # noqa: S101, PT018  # they come with a capacity
    return f"{said}; the centre makes {_made(load.week)}: too few on {load.over:1} days, up to {load.left} left over"


def _made(week: Week) -> str:
    """How many calls are made: `60 a day`, or `60 on Mon–Fri, none on Sat, Sun`."""
    if len(set(week)) == 1:
        return f"{week[0]:g} a day"
    days: dict[float, list[int]] = {}
    for day, many in enumerate(week):
        days.setdefault(many, []).append(day)
    said = ((clock_words(Clock(weekdays=tuple(on))), many) for many, on in days.items())
    return ", ".join(f"{many:g} on {on}" if many else f"none on {on}" for on, many in said)


def _days(result: Result) -> Table:
    names = [load.queue or load.channel for load in result.loads]
    found = _table("By day", "day", *names)
    last = max(len(load.days) for load in result.loads)
    for day in range(last):
        cells = [f"{load.days[day]:1}" if day < len(load.days) else "" for load in result.loads]
        found.add_row(str(day + 1), *cells)
    return found
