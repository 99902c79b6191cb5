"""Corners of a send: a substitute that is none, and what a stop left reserved."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kit.bench import Bench
from kit.calls import MONDAY, declared, make, task, tasks_of
from kit.mail import Taker, mail_server
from sqlalchemy import update
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from dsl import Api, Arrows, Call, Customer, Feed, Final, Journey, after, marketing, then
from engine.db import Database, table
from engine.events import Incoming, accept
from engine.settings import Settings
from engine.tables import Customer as Person
from engine.tables import Message, TemplateVersion
from engine.templating.templates import TemplateError
from workers.batch import Outcome


class Ring(Journey):
    """Who can't be called gets an item instead."""

    enters = Api()
    purpose = marketing
    done = Final()

    @Call("t/call", queue="retention")
    def call(self) -> Arrows:
        yield Call.interested >> self.done
        yield Call.not_sent.because("no capacity") >> self.item
        yield Call.refused.ignored
        yield Call.not_reached.ignored
        yield after(days=30) >> self.done

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield then >> self.done


class RingFrench(Ring):
    """… if she lives in France."""

    @Call("t/call", queue="retention")
    def call(self) -> Arrows:
        yield Call.interested >> self.done
        yield Call.not_sent.because("no capacity").when(Customer.country == "FR") >> self.item
        yield Call.refused.ignored
        yield Call.not_reached.ignored
        yield after(days=30) >> self.done


class RingTwice(Ring):
    """… but once."""

    @Call("t/call", queue="retention")
    def call(self) -> Arrows:
        yield Call.interested >> self.done
        yield Call.not_sent.because("no capacity").up_to(1) >> self.item
        yield Call.refused.ignored
        yield Call.not_reached.ignored
        yield after(days=30) >> self.done


@pytest.mark.parametrize(("journey", "refused"), [(Ring, True), (RingFrench, False), (RingTwice, False)])
async def test_K3_a_substitute_that_may_not_be_open_to_her_is_none(
    tmp_path: Path, templates: Path, db: Database, journey: type[Journey], refused: bool
) -> None:
    """The queue's two calls of this half-hour are worth more: her call waits for the next, or gives way to what the box has instead."""
    clock = {"time_real_origin": datetime.now(UTC), "time_origin": MONDAY}
    settings = Settings.model_validate({"data": tmp_path / "var", "journeys": templates, **clock})
    declared(db)
    make(db, task("91-1-0", value=90_000), task("92-1-0", value=90_000))
    bench = Bench(settings, db)
    bench.enter("ann", journey=journey)
    outcome = await bench.perform(bench.batch("ann"))
    (row,) = bench.engine.messages("ann")
    if refused:
        assert outcome == Outcome((0,), reasons=(("no capacity",),))
        assert (row.status, row.reason) == ("not_sent", "no capacity")
        assert set(tasks_of(db)) == {"91-1-0", "92-1-0"}
        return
    assert outcome == Outcome()
    assert (row.status, row.reason) == ("sent", None)
    assert tasks_of(db)[row.key].due_at > MONDAY, "it waits for a slot of its own"


async def test_S4_what_a_stop_left_reserved_is_made_anew_and_its_row_says_what_she_got(
    tmp_path: Path, templates: Path, db: Database
) -> None:
    """Between the stop and the next worker she changes her name, and the template is edited."""
    environment = ActivityEnvironment()
    stop = Taker(lambda _: environment.worker_shutdown() or time.sleep(0.05))
    people = [f"c{number}" for number in range(12)]
    with mail_server(stop) as port:
        given = {"data": tmp_path / "var", "journeys": templates, "smtp_port": port, "smtp_connections": 1}
        bench = Bench(Settings.model_validate(given), db)
        bench.enter(*people)
        batch = bench.batch(*people)
        with pytest.raises(ApplicationError, match="the worker stops"):
            await environment.run(bench.performer.perform, json.loads(json.dumps(batch.to_wire())))
        left = [c for c in people if bench.engine.messages(c)[0].status == "reserved"]
        assert left
        before = {c: bench.engine.messages(c)[0] for c in people}
        with db.write() as conn:
            conn.execute(update(table(Person)).values(first_name="Anaïs"))
        file = templates / "t" / "mail.en.mjml"
        file.write_text(file.read_text().replace("Hello", "Good morning"))
        assert await bench.perform(batch) == Outcome()
    assert len(stop.taken) == 12
    kept = {row.hash: row.source for row in bench.engine.rows(TemplateVersion)}
    for customer in people:
        (row,) = bench.engine.messages(customer)
        assert row.status == "sent"
        anew = customer in left
        assert row.context["customer"]["first_name"] == ("Anaïs" if anew else "Zoé")
        assert ("Good morning" in kept[row.template_hash]) is anew
        assert (row.content_hash != before[customer].content_hash) is anew
        mail = next(text for text in stop.taken if f"Message-ID: <{row.key}@".encode() in text)
        assert (b"Good morning" in mail) is anew
        assert (b"Ana" in mail) is anew


@pytest.mark.parametrize(
    ("came", "status"), [("email.clicked", "sent"), ("email.bounced", "unknown"), (None, "unknown")]
)
async def test_S1_what_came_back_before_the_next_attempt_ends_the_doubt_that_a_crash_left(
    tmp_path: Path, templates: Path, db: Database, came: str | None, status: str
) -> None:
    """The worker was killed in the call; she clicked while it was away."""
    taker = Taker()
    with mail_server(taker) as port:
        given = {"data": tmp_path / "var", "journeys": templates, "smtp_port": port}
        bench = Bench(Settings.model_validate(given), db)
        bench.enter("ann", "ben")
        batch = bench.batch("ann", "ben")
        assert await bench.perform(batch) == Outcome()
        with db.write() as conn:
            conn.execute(update(table(Message)).values(status="sending", provider_id=None, settled_at=None))
            key = bench.engine.messages("ann")[0].key
            if came is not None:
                accept(conn, [Incoming("e1", came, datetime.now(UTC), "ann", key, {}, "link")], datetime.now(UTC))
        assert await bench.perform(batch) == Outcome()
    assert len(taker.taken) == 2, "nothing is sent again"
    assert [bench.engine.messages(customer)[0].status for customer in ("ann", "ben")] == [status, "unknown"]


async def test_a_template_that_no_longer_compiles_costs_nobody_her_message(
    tmp_path: Path, templates: Path, db: Database
) -> None:
    """An edit in the middle of a campaign: the batch is tried again until it is mended."""
    taker = Taker()
    with mail_server(taker) as port:
        given = {"data": tmp_path / "var", "journeys": templates, "smtp_port": port}
        bench = Bench(Settings.model_validate(given), db)
        bench.enter("ann", "ben")
        file = templates / "t" / "mail.en.mjml"
        sound = file.read_text()
        file.write_text(sound.replace("</mjml>", "{% if %}</mjml>"))
        with pytest.raises(TemplateError, match=r"mail\.en\.mjml"):
            await bench.perform(bench.batch("ann", "ben"))
        assert bench.engine.messages("ann") == []
        file.write_text(sound)
        assert await bench.perform(bench.batch("ann", "ben")) == Outcome()
    assert len(taker.taken) == 2
