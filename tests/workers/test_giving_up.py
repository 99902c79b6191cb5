"""A message that its provider puts off for ever is given up, as mail servers do (RFC 5321, 4.5.4.1); hours of our own don't count."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kit.bench import Bench, Sorry
from kit.engine import Engine, working
from kit.rude_mail import Manners, rude_server
from temporalio.client import Client

from dsl.step import chart
from engine.db import Database
from engine.settings import Settings
from engine.tables import MessageEvent
from workers.batch import Outcome
from workers.server import EmbeddedServer

FIRST = datetime(2026, 3, 2, 9, tzinfo=UTC)
GREY = "451 4.7.1 greylisted, come again"


class Days:
    """One mail to a server that greylists, tried on days of our choosing."""

    def __init__(self, folder: Path, templates: Path, database: Database, port: int) -> None:
        self._given = {"data": folder, "journeys": templates, "smtp_port": port}
        self._database = database
        first = self._bench(0)
        first.enter("ann", journey=Sorry)
        self._ir, self._batch = first.ir, first.batch("ann")
        self.engine = first.engine

    async def tried(self, day: float) -> str:
        """Try it so many days after the first time: what becomes of it."""
        bench = self._bench(day)
        bench.registry.add(chart(self._ir))
        outcome = await bench.perform(self._batch)
        (row,) = self.engine.messages("ann")
        assert bool(outcome.deferred) is (row.status == "deferred")
        if row.status == "failed":
            assert outcome == Outcome((0,), reasons=(("failed",),))
        return str(row.status)

    def _bench(self, day: float) -> Bench:
        clock = {"time_real_origin": datetime.now(UTC), "time_origin": FIRST + timedelta(days=day)}
        return Bench(Settings(**self._given, **clock), self._database)  # pyright: ignore[reportArgumentType]


@asynccontextmanager
async def greylisted(tmp_path: Path, templates: Path, db: Database) -> AsyncGenerator[tuple[Days, Manners]]:
    manners = Manners(replies=lambda said, _: GREY if said.startswith("RCPT") else None)
    async with rude_server(manners) as port:
        yield Days(tmp_path / "var", templates, db, port), manners


async def test_a_mail_that_is_put_off_for_five_days_is_given_up(tmp_path: Path, templates: Path, db: Database) -> None:
    async with greylisted(tmp_path, templates, db) as (mail, _):
        for day in (0, 0.5, 1, 2, 3, 4, 4.9):
            assert await mail.tried(day) == "deferred", day
        assert await mail.tried(5.01) == "failed"
    (row,) = mail.engine.messages("ann")
    assert row.reason == "failed"
    assert row.detail == {"provider": f"given up, it was put off for too long; at last: {GREY}"}
    told = [event.status for event in mail.engine.rows(MessageEvent)]
    assert told == [*["deferred"] * 7, "failed"]


async def test_a_server_that_takes_it_at_last_gets_it(tmp_path: Path, templates: Path, sqlite: Database) -> None:
    async with greylisted(tmp_path, templates, sqlite) as (mail, manners):
        for day in (0, 1, 2, 3, 4):
            assert await mail.tried(day) == "deferred", day
        manners.replies = lambda _said, _number: None
        assert await mail.tried(6) == "sent"
    assert len(manners.taken) == 1


async def test_hours_in_which_the_journey_does_not_write_give_nobody_up(
    tmp_path: Path, templates: Path, sqlite: Database
) -> None:
    """Tried on Mondays alone: a day of each week counts, since no provider is waited for longer than that."""
    async with greylisted(tmp_path, templates, sqlite) as (mail, _):
        for monday in (0, 7, 14, 21, 28):
            assert await mail.tried(monday) == "deferred", monday
        assert await mail.tried(35) == "failed"


async def test_her_journey_goes_on_when_her_mail_is_given_up(
    engine_settings: Settings, sqlite: Database, temporal: EmbeddedServer
) -> None:
    """In journey time, a day a second, by the worker's own tries."""
    manners = Manners(replies=lambda said, _: GREY if said.startswith("RCPT TO:<ann") else None)
    async with rude_server(manners) as port:
        settings = engine_settings.model_copy(update={"smtp_port": port, "give_up_days": 0.4})
        client = await Client.connect(settings.temporal_address)
        async with working(settings):
            engine = Engine(settings, sqlite, client, temporal)
            ir = engine.publish(Sorry)
            engine.customers("ann", "ben")
            engine.enter(ir, "ann", "ben")
            await engine.until_at("ann", "lost")
            await engine.until_sent("ben", "mail")
    (row,) = engine.messages("ann")
    first, *_, last = sorted(event.at for event in engine.rows(MessageEvent, key=row.key))
    assert last - first >= timedelta(days=0.4)
    assert row.status == "failed"
    assert len(manners.taken) == 1
