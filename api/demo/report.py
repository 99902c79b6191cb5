"""The report: what the demo came to, as tables on the terminal, and as files in the output folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email import message_from_bytes, policy
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, select

from api.demo.summary import Revenue, Summary
from dsl.draw import svg
from engine import journeys
from engine.arrivals import arrivals
from engine.db import Database, table
from engine.letters import post
from engine.letters import runs as print_runs
from engine.letters.printing import Printer, templates_of
from engine.png import png
from engine.settings import Settings
from engine.tables import Letter
from engine.templating.templates import Templates

__all__ = ["show", "write"]

INVENTED = (
    "Purchases are real (2,469 households of 2017, completejourney, CC0). Names, addresses, telephone numbers, consents,"
    " sign-ups and every answer are invented."
)


def show(summary: Summary, console: Console) -> None:
    """Print the tables."""
    console.print(
        f"[bold]{summary.households:,} households, {summary.days:g} days in {summary.seconds:g} s[/bold]"
        f" ({summary.requests:,} requests of the crowd)"
    )
    console.print(INVENTED, style="dim")
    console.print(_journeys(summary))
    for count in summary.journeys.values():
        console.print(_boxes(count.title, count.passed, count.now))
    console.print(_channels(summary))
    for revenue in summary.revenue:
        console.print(_revenue(summary, revenue))
        console.print(verdict(revenue), style="dim")
    console.print(_checks(summary))
    for note in summary.notes:
        console.print(note)


def verdict(revenue: Revenue) -> str:
    """What may be concluded from a comparison, and what may not, in a sentence or two."""
    zero = revenue.low <= 0 <= revenue.high
    found = (
        f"The interval from {revenue.low:+.2f} to {revenue.high:+.2f} contains zero: no effect on spending is shown."
        if zero
        else f"The interval from {revenue.low:+.2f} to {revenue.high:+.2f} does not contain zero: one comparison in twenty"
        " does so by chance alone."
    )
    return (
        f"{found} No effect could be there: these baskets were bought in 2017 by people who got none of these messages, so the true"
        " effect is zero. What the table shows is that both arms are counted alike, not that the journey works."
    )


def write(summary: Summary, database: Database, settings: Settings, folder: Path, feed_xml: bytes | None) -> list[Path]:
    """Write the pictures, the summary and one of each thing that was sent; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []

    def keep(name: str, content: bytes) -> None:
        path = folder / name
        path.write_bytes(content)
        written.append(path)

    keep("summary.json", (json.dumps(summary.to_json(), indent=2, ensure_ascii=False) + "\n").encode())
    with database.read() as conn:
        for name, count in summary.journeys.items():
            ir = journeys.load_ir(conn, count.hash)
            picture = svg(ir, counts=count.passed, taken=arrivals(conn, ir), version=f"v{count.version}")
            keep(f"{name}.svg", picture.encode())
            keep(f"{name}.png", png(picture))
        letter = _some_letter(conn, settings)
    mails = sorted((settings.data / "sink").glob("*.eml"))
    if mails:
        raw = mails[0].read_bytes()
        keep("mail.eml", raw)
        body = message_from_bytes(raw, policy=policy.default).get_body(("html",))
        if body is not None:
            keep("mail.html", str(body.get_content()).encode())
    if letter is not None:
        keep("letter.pdf", letter)
    if feed_xml is not None:
        keep("feed.xml", feed_xml)
    return written


def _journeys(summary: Summary) -> Table:
    found = Table(title="Journeys: entered = active + ended", title_justify="left")
    for name in ("journey", "version"):
        found.add_column(name)
    for name in ("entered", "treated", "held out", "active", "ended"):
        found.add_column(name, justify="right")
    found.add_column("by reason")
    for count in summary.journeys.values():
        ended = sum(count.ended.values())
        reasons = ", ".join(
            f"{name} {number:,}" for name, number in sorted(count.ended.items(), key=lambda pair: -pair[1])
        )
        arms = (f"{count.arms.get(arm, 0):,}" for arm in ("treated", "held_out"))
        version = f"v{count.version} {count.hash[:12]}"
        found.add_row(count.title, version, f"{count.entered:,}", *arms, f"{count.active:,}", f"{ended:,}", reasons)
    return found


def _boxes(title: str, passed: Mapping[str, int], now: Mapping[str, int]) -> Table:
    found = Table(title=f"{title}: the boxes", title_justify="left")
    found.add_column("box")
    found.add_column("were here", justify="right")
    found.add_column("are here", justify="right")
    for box, number in sorted(passed.items(), key=lambda pair: -pair[1]):
        found.add_row(box, f"{number:,}", f"{now.get(box, 0):,}")
    return found


def _channels(summary: Summary) -> Table:
    found = Table(title="Sends and answers", title_justify="left")
    found.add_column("channel")
    for name in ("went out", "held out", "not sent", "failed"):
        found.add_column(name, justify="right")
    found.add_column("answers")
    found.add_column("not sent or failed, because")
    for channel, count in summary.channels.items():
        out = sum(count.statuses.get(status, 0) for status in ("sent", "delivered"))
        found.add_row(
            channel,
            f"{out:,}",
            f"{count.statuses.get('held_out', 0):,}",
            f"{count.statuses.get('not_sent', 0):,}",
            f"{count.statuses.get('failed', 0):,}",
            ", ".join(f"{name} {number:,}" for name, number in count.answers.items()),
            ", ".join(f"{name} {number:,}" for name, number in (*count.not_sent.items(), *count.failed.items())),
        )
    return found


def _revenue(summary: Summary, revenue: Revenue) -> Table:
    title = summary.journeys[revenue.journey].title
    found = Table(title=f"{title}: spent per household in {revenue.days:g} days after entry", title_justify="left")
    for name in ("arm", "households", "mean", "± standard error"):
        found.add_column(name, justify="left" if name == "arm" else "right")
    for name, arm in (("treated", revenue.treated), ("held out", revenue.held_out)):
        found.add_row(name, f"{arm.households:,}", f"{arm.mean:.2f}", f"{arm.error:.2f}")
    found.add_row("difference", "", f"{revenue.difference:+.2f}", f"95 %: {revenue.low:+.2f} to {revenue.high:+.2f}")
    return found


def _checks(summary: Summary) -> Table:
    found = Table(title="The books", title_justify="left")
    found.add_column("what must hold")
    found.add_column("looked at", justify="right")
    found.add_column("")
    for check in summary.checks:
        found.add_row(check.name, f"{check.counted:,}", "✓" if check.holds else "\n".join(check.shown()))
    return found


def _some_letter(conn: Connection, settings: Settings) -> bytes | None:
    """The first letter of all, as the printer got it, by itself."""
    target = table(Letter)
    key = conn.execute(select(target.c.key).order_by(target.c.at, target.c.key).limit(1)).scalar()
    if key is None:
        return None
    letter = post.get(conn, str(key))
    printer = Printer(settings.journeys, settings.country, Templates.of(settings).brand)
    return printer.single(letter, templates_of(conn, [letter]), print_runs.get(conn, letter.run).cut_off_at)
