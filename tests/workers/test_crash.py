"""Crashes: the worker and the Temporal server are killed in mid-run, come up again by themselves, and nothing is lost or doubled.

The books are the judge.
"""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kit.engine import Engine
from kit.mail import Taker, mail_server
from temporalio.client import Client

from api.stack import Child
from dsl import Anywhere, Api, Arrows, Call, Consent, Email, Feed, Final, Goal, Journey, Shop, after, marketing, then
from engine.db import Database
from engine.journeys import books
from engine.settings import Settings
from engine.tables import CallTask, Enrolment, Event, FeedItem, Message, Step
from workers.server import EmbeddedServer, free_port

pytestmark = pytest.mark.slow


class Storm(Journey):
    """A mail, a call for whoever clicks, an item in the feed for the rest."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()
    left = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.clicked >> self.call
        yield after(days=12) >> self.item

    @Call("t/call", queue="q")
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused.ignored
        yield Call.not_reached.ignored
        yield after(days=12) >> self.item

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield then >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased >> self.won
        yield Consent.withdrawn >> self.left


async def test_S1_worker_and_server_killed_in_mid_run(  # noqa: PLR0915  # one run, many books
    tmp_path: Path, templates: Path, sqlite: Database
) -> None:
    now = datetime.now(UTC)
    victim: list[Child] = []

    def kill_the_worker(count: int) -> None:
        """The mail is accepted, and the worker dies before it hears so."""
        if count in {15, 40}:
            pid = victim[0].pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)

    taker = Taker(kill_the_worker)
    server = EmbeddedServer(tmp_path / "temporal", free_port())
    await server.start()
    with mail_server(taker) as port:
        settings = Settings(
            data=tmp_path / "var", journeys=templates, temporal_address=server.address, smtp_port=port, smtp_connections=4,
            tick=0.05, grace=0.1, time_scale=86400, time_real_origin=now, time_origin=now,
        )  # fmt: skip
        client = await Client.connect(server.address)
        engine = Engine(settings, sqlite, client, server)
        worker = Child("worker", ["worker"], settings, lambda _: None)
        victim.append(worker)
        try:
            ir = engine.publish(Storm)
            people = [f"c{number}" for number in range(120)]
            engine.customers(*people)
            engine.enter(ir, *people)
            await worker.start()
            await engine.until(lambda: worker.restarts >= 2)
            await engine.until(lambda: len(engine.rows(Step)) >= 120)
            _kill(server)
            arrived = _keys(taker)  # nobody clicks in a mail that she hasn't: it would prove a send that there was not
            for number, message in enumerate(engine.rows(Message)):
                if number % 3 == 0 and message.key.encode() in arrived:
                    engine.tell("email.clicked", message.customer_id, key=message.key)
                elif number % 3 == 1:
                    engine.tell("shop.purchased", message.customer_id, total=20)
            await engine.until(lambda: server.restarts >= 1)
            await engine.until(lambda: any(event.fate == "delivered" for event in engine.rows(Event)))
            _kill(server)  # and once more, in the midst of their ways
            await engine.until(lambda: all(row.ended_at for row in engine.rows(Enrolment)), 180)
        finally:
            await worker.stop()
            await server.stop()

    assert (worker.restarts, server.restarts) == (2, 2)
    sent = _keys(taker)
    assert set(sent.values()) == {1}, "a mail was sent twice"
    mails = engine.rows(Message, channel="email")
    assert len(mails) == 120
    found = Counter(row.status for row in mails)
    assert found.keys() == {"sent", "unknown"}, "those in a call when the worker died: four lines, each with one, twice"
    assert 2 <= found["unknown"] <= 2 * 3 * 4, "next, in a call, or just out of it and not yet written down"
    assert {row.key.encode() for row in mails if row.status == "sent"} <= sent.keys(), "a mail was lost"
    with sqlite.read() as conn:
        kept = books(conn, "storm")
    assert (kept.entered, kept.active, sum(kept.ended.values())) == (120, 0, 120)
    for enrolment in engine.rows(Enrolment):
        steps = sorted(engine.rows(Step, enrolment_id=enrolment.id), key=lambda row: row.seq)
        assert [row.seq for row in steps] == list(range(1, len(steps) + 1)), "a step is missing"
        assert steps[-1].state == enrolment.state == enrolment.end_reason
    items = {row.key for row in engine.rows(FeedItem)} | {row.id for row in engine.rows(CallTask)}
    assert items == {row.key for row in engine.rows(Message) if row.channel in {"feed", "call"}}


def _keys(taker: Taker) -> Counter[bytes]:
    """The keys of the sends that the mail server has, with how often it has each."""
    return Counter(re.findall(rb"Message-ID: <(\d+-\d+-\d+)@", b"\n".join(taker.taken)))


def _kill(server: EmbeddedServer) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
