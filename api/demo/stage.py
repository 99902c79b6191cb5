"""The stage: sets everything up in a folder of its own, lets the days pass with the crowd upon it, and closes the books."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from api.demo import report
from api.demo.agenda import HOUR, Agenda
from api.demo.agents import Agents
from api.demo.books import Check, check_answers, check_books
from api.demo.crowd import Crowd
from api.demo.data import load
from api.demo.ledger import Ledger
from api.demo.people import Person
from api.demo.replay import Happening, replay, story
from api.demo.shop import OPENING, open_shop
from api.demo.summary import Summary, summarise
from api.demo.surface import Surface
from api.stack import Stack
from dsl.loading import Loaded
from dsl.loading import load as load_journeys
from engine import journeys, keys
from engine.clock import Clock
from engine.db import Database
from engine.settings import Settings
from engine.templating.templates import Templates
from workers.local.gateway import Gateway
from workers.server import free_port

__all__ = ["NotOursError", "Play", "demo_settings", "play"]

QUEUE = "retention"
MARK = ".parcours-demo"
"""The file that says: this data folder is a demo's own."""
SETTLE = 45.0
"""Seconds without any progress after which the last answers are waited for no longer."""


class NotOursError(Exception):
    """The demo would have to remove what somebody else has written."""


@dataclass(frozen=True, slots=True)
class Play:
    """What is to be played: how many days, how long one lasts, on how many households."""

    out: Path
    journeys: Path
    small: bool = False
    days: int = 75
    seconds_per_day: float = 1.0
    seed: str = "parcours-2017"

    @property
    def data(self) -> Path:
        """The data folder of the demo's own installation."""
        return self.out / "data"


@dataclass(slots=True)
class _Done:
    """What the crowd has left behind."""

    acts: dict[str, int]
    requests: int
    until: datetime
    feed: bytes | None
    failures: list[str]
    notes: list[str] = field(default_factory=list[str])


def demo_settings(play: Play, begins: datetime) -> Settings:
    """Settings of an installation on free ports whose journey time is the opening day at `begins` (wall clock)."""
    port = free_port()
    return Settings(
        data=play.data,
        journeys=play.journeys,
        host="127.0.0.1",
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        smtp_port=free_port(),
        sms_url=f"http://127.0.0.1:{free_port()}",
        sms_token=SecretStr("parcours-demo"),
        mail_from="Maison Panier <bonjour@maison-panier.example>",
        letter_sender="Maison Panier\n1 rue du Marché\n75001 Paris",
        zone="Europe/Paris",
        key_rate=0,  # days of requests come within seconds
        time_scale=86_400 / play.seconds_per_day,
        time_real_origin=begins,
        time_origin=OPENING,
    )


def play(what: Play, console: Console) -> int:
    """Play, report, write the files. Returns the exit code: 0, or 1 where the books don't balance.

    Raises Problems where a journey is not sound, and NotOursError; nothing is made then.
    """
    began = time.monotonic()
    sound = load_journeys(what.journeys)
    _fresh(what.data)
    shop = open_shop(small=what.small)
    database = Database(f"sqlite:///{what.data / 'parcours.db'}")
    database.migrate()
    people = load(database, shop)
    lines = shop.before_opening
    loading = time.monotonic() - began
    console.print(f"{len(people):,} households and {lines:,} purchase lines are in after {loading:.1f} s")
    settings = demo_settings(what, datetime.now(UTC) + timedelta(seconds=8))
    key = keys.create(database, "demo", ["ingest", "read", "tasks", "operate"])
    _publish(database, settings, sound)
    happenings = story(shop.baskets(OPENING + timedelta(days=what.days)), what.seed)
    ledger = Ledger(what.out / "ledger.jsonl")
    try:
        done = asyncio.run(_act(what, settings, database, people, key, happenings, ledger, console))
    except ExceptionGroup as several:
        problems = "\n".join(f"  {type(error).__name__}: {error}" for error in several.exceptions)
        console.print(f"[bold red]error:[/] the demo broke off; logs: {settings.data / 'log'}\n{problems}")
        return 1
    finally:
        ledger.close()
    summary = _close(settings, database, len(people), done, ledger, time.monotonic() - began)
    report.show(summary, console)
    written = report.write(summary, database, settings, what.out, done.feed)
    console.print("written: " + ", ".join(str(path) for path in written))
    database.close()
    return 0 if summary.balanced else 1


def _fresh(folder: Path) -> None:
    """An empty data folder. One of an earlier demo is removed; anything else is left alone. Raises NotOursError."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARK).exists():
            raise NotOursError(f"{folder} holds files that no demo has written; name another folder: --out FOLDER")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


def _publish(database: Database, settings: Settings, sound: Sequence[Loaded]) -> None:
    """Publish every journey, off, each template's source kept beside."""
    templates = Templates.of(settings)
    now = settings.clock.now()
    for found in sound:
        used = [
            templates.find(state.template, state.kind, language)
            for state in found.ir.states
            if state.template is not None
            for language in templates.languages(state.template, state.kind)
        ]
        with database.write() as conn:
            journeys.publish(conn, found.ir, "demo", now, used)


async def _act(
    what: Play,
    settings: Settings,
    database: Database,
    people: list[Person],
    key: str,
    happenings: list[Happening],
    ledger: Ledger,
    console: Console,
) -> _Done:
    clock = settings.clock
    async with Stack(settings, say=console.print) as stack:
        console.print(f"API {stack.api_url} · a day lasts {86_400 / settings.clock.scale:.3g} s · {what.days} days")
        await _until(clock, OPENING + timedelta(hours=1))
        with database.write() as conn:
            for row in journeys.every(conn):
                journeys.switch(conn, row.name, True, "demo", "the demo begins", clock.now())
        async with Surface(stack.api_url, key, settings, clock, ledger) as surface:
            agenda = Agenda(clock)
            crowd = Crowd(surface, agenda, settings, people, seed=what.seed)
            agents = Agents(surface, clock, QUEUE, seed=what.seed)
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(agenda.run(stop))
                group.create_task(crowd.run(stop))
                group.create_task(agents.run(stop))
                sent = group.create_task(replay(surface, clock, happenings, stop))
                lost = group.create_task(stack.temporal.lost())
                await _watch(what, clock, database, console)
                stop.set()
                lost.cancel()
            acts = {**crowd.acts, **{f"call: {outcome}": n for outcome, n in agents.calls.items()}}
            acts |= {"calls that came too late": agents.withdrawn, "events of the shop": sent.result()}
            notes = [f"{len(agenda)} acts were still planned when the last day ended.", _punctual(agenda, surface)]
            notes += [
                f"{child.name} was started again {child.restarts}×"
                for child in (stack.temporal, stack.worker, stack.api)
                if child.restarts
            ]
            done = _Done(acts, surface.requests, clock.now(), await crowd.some_feed(), agenda.failures, notes)
            await _settle(database, done, ledger)
    return done


def _punctual(agenda: Agenda, surface: Surface) -> str:
    """How far the crowd kept up with its own plan: on a slow machine answers come late, and time-outs win."""
    lags = sorted(agenda.lags) or [0]
    middle, most = (lags[round((len(lags) - 1) * part)] / HOUR for part in (0.5, 0.95))
    wait = 1000 * surface.seconds / max(surface.requests, 1)
    return (
        f"The crowd acted {middle:.1f} h after its plan (median; 95 % within {most:.0f} h of journey time),"
        f" a request took {wait:.0f} ms on average."
    )


async def _until(clock: Clock, moment: datetime) -> None:
    left = (moment - clock.now()) / timedelta(milliseconds=1)
    await asyncio.sleep(max(clock.real_seconds(round(left)), 0))


async def _watch(what: Play, clock: Clock, database: Database, console: Console) -> None:
    """Wait until the last day is over, and say once in five days where things are."""
    for day in range(5, what.days, 5):
        await _until(clock, OPENING + timedelta(days=day))
        with database.read() as conn:
            books = journeys.all_books(conn)
        where = " · ".join(
            f"{name} {found.entered:,} in, {found.active:,} active" for name, found in sorted(books.items())
        )
        console.print(f"{clock.now():%d %B}: {where}")
    await _until(clock, OPENING + timedelta(days=what.days))


async def _settle(database: Database, done: _Done, ledger: Ledger) -> None:
    """Wait until every answer that was given has had its effect, as long as it gets better: the books are closed then."""
    patience = time.monotonic() + SETTLE
    fewest: int | None = None
    while time.monotonic() < patience:
        left = await asyncio.to_thread(_unsettled, database, done, ledger)
        if left == 0:
            return
        if fewest is None or left < fewest:
            fewest, patience = left, time.monotonic() + SETTLE
        await asyncio.sleep(1)


def _unsettled(database: Database, done: _Done, ledger: Ledger) -> int:
    with database.read() as conn:
        return sum(len(check.differences) for check in check_answers(conn, ledger.answers, done.until))


def _close(
    settings: Settings, database: Database, households: int, done: _Done, ledger: Ledger, seconds: float
) -> Summary:
    """With everything stopped: check the books and count."""
    texts = Gateway(settings.data / "sms.jsonl", settings.sms_account, settings.sms_token.get_secret_value()).messages
    with database.read() as conn:
        checks = check_books(conn, settings, ledger.answers, texts, done.until)
        checks.append(Check("whatever the crowd tried went through", done.requests, tuple(done.failures)))
        return summarise(
            conn,
            households=households,
            until=done.until,
            seconds=seconds,
            acts=done.acts,
            requests=done.requests,
            checks=checks,
            notes=done.notes,
        )
