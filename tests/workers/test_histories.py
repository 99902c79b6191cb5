"""What Temporal keeps of a cohort: it goes on in new runs without a change for anybody, and nothing personal is in it."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator

from kit.engine import Engine, working
from temporalio.client import Client, WorkflowHistory

from dsl import Api, Arrows, Customer, Email, Feed, Final, Goal, Journey, after, hours, marketing
from engine.clock import to_ms
from engine.db import Database
from engine.settings import Settings
from engine.tables import Event, Message, Step

ROUNDS = 12


class Rounds(Journey):
    """An item after another."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield Feed.clicked >> self.last
        yield after(hours(6)).up_to(ROUNDS) >> self.item
        yield after(hours(6)) >> self.lapsed

    @Feed("t/feed")
    def last(self) -> Arrows:
        yield Feed.clicked.any_send() >> self.won
        yield after(hours(6)).up_to(ROUNDS) >> self.last
        yield after(days=4000) >> self.lapsed


async def test_R4_the_same_event_across_new_runs_of_the_workflow_is_one_transition(
    engine_settings: Settings, sqlite: Database
) -> None:
    settings = engine_settings.model_copy(update={"history_events": 40})
    client = await Client.connect(settings.temporal_address)
    async with working(settings):
        engine = Engine(settings, sqlite, client)
        ir = engine.publish(Rounds)
        engine.customers("ann", "ben")
        engine.enter(ir, "ann", "ben")
        mail = await engine.until_sent("ann", "item")
        click = engine.tell("feed.clicked", "ann", key=mail.key)
        await engine.until_at("ann", "last")
        (event,) = engine.rows(Event, id=click)
        number, first = engine.enrolment("ann").id, (await engine.workflow("ann").describe()).run_id
        heard = next(index for index, answer in enumerate(ir.listens) if answer.scope == "any_send")
        await engine.until(lambda: len(engine.messages("ann", state="last")) > ROUNDS)
        assert (await engine.workflow("ann").describe()).run_id != first, (
            "its history grew long: it went on in a new run"
        )
        again = [number, event.seq, to_ms(event.at), [heard], 1]
        await engine.workflow("ann").signal("answers", [again, again])  # as a dispatcher does that was killed meanwhile
        await engine.until(lambda: engine.enrolment("ben").ended_at)
        await engine.history_length("ann")
        assert engine.at("ann") == "last"
        assert engine.path("ann").count("item") == len([m for m in engine.messages("ann") if m.state == "item"])
        assert engine.path("ben") == ["item"] * (ROUNDS + 1) + ["lapsed"]
        assert len({row.key for row in engine.rows(Message)}) == len(engine.rows(Message))
        assert [s.seq for s in sorted(engine.rows(Step, enrolment_id=number), key=lambda s: s.seq)] == list(
            range(1, engine.enrolment("ann").seq + 1)
        )
        await engine.workflow("ann").signal("answers", [[number, event.seq + 1, *again[2:]]])
        await engine.until_at("ann", "won")  # another event of the kind does move her


class Letters(Journey):
    """Decides on what it knows of her, writes to her, and hears her."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.clicked.when(Customer.country == "FR") >> self.won
        yield after(days=4000) >> self.lapsed


async def test_M6_nothing_personal_is_in_a_history(engine: Engine) -> None:
    ir = engine.publish(Letters)
    engine.customers("customer-of-1871", first_name="Rosalind", address="7 quai des Brumes", phone="+33612345678")
    engine.enter(ir, "customer-of-1871")
    mail = await engine.until_sent("customer-of-1871", "mail")
    engine.tell("email.clicked", "customer-of-1871", key=mail.key, link="shop", note="Rosalind says hello")
    await engine.until(lambda: engine.enrolment("customer-of-1871").ended_at)
    await engine.until(lambda: engine.rows(Event)[0].fate)
    said = "\n".join(_texts(await engine.workflow("customer-of-1871").fetch_history()))
    assert ir.hash in said, "the payloads are read"
    for personal in ("customer-of-1871", "Rosalind", "Lefèvre", "Brumes", "69003", "612345678", "example.com", "shop"):
        assert personal not in said


def _texts(history: WorkflowHistory) -> Iterator[str]:
    """The history as JSON, and each payload in it decoded."""
    whole = json.dumps(history.to_json_dict(), ensure_ascii=False)
    yield whole
    yield from (b64decode(data).decode(errors="replace") for data in re.findall(r'"data": "([^"]*)"', whole))
