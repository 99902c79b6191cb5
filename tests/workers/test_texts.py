"""Text messages from the batch to the gateway: asked for last of all at the turn, at a rate, and what the carrier says counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.engine import Engine
from kit.serving import serving
from temporalio.testing import ActivityEnvironment

from dsl import Api, Arrows, Final, Journey, Sms, after, marketing
from dsl.step import Row, chart
from engine import consent
from engine.db import Database
from engine.settings import Settings
from engine.tables import Enrolment
from workers.batch import Batch, Item, Outcome
from workers.channels import channels
from workers.local.gateway import STOPPED, Gateway
from workers.perform import Performer
from workers.registry import Registry


class Text(Journey):
    """A text message and a wait."""

    enters = Api()
    purpose = marketing
    done = Final()
    lost = Final()

    @Sms("t/sms")
    def text(self) -> Arrows:
        yield Sms.not_sent >> self.lost
        yield after(days=900) >> self.done


class Slow(Gateway):
    """While the first message is taken, those named withdraw."""

    def __init__(self, file: Path, account: str, token: str) -> None:
        super().__init__(file, account, token)
        self.withdraw: list[str] = []
        self.engine: Engine | None = None

    def _take(self, given: dict[str, str], key: str) -> dict[str, str]:  # type: ignore[override]
        if self.engine is not None:
            with self.engine.database.write() as conn:
                for who in self.withdraw:
                    consent.withdraw(conn, who, "sms", "marketing", "test", self.engine.now())
        return super()._take(given, key)


@pytest.fixture
def gateway(tmp_path: Path) -> Slow:
    return Slow(tmp_path / "sms.jsonl", "ACtest", "a token")


async def perform(settings: Settings, engine: Engine, *customers: str) -> Outcome:
    ir = engine.publish(Text)
    assert set(engine.enter(ir, *customers)) == {"entered"}
    registry = Registry()
    registry.add(chart(ir))
    now = settings.clock.now_ms()
    found = {row.customer_id: row.id for row in engine.rows(Enrolment)}
    items = tuple(Item(found[customer], 1, (Row(1, 0, "entry", None, now),)) for customer in customers)
    performer = Performer(settings, engine.database, registry, channels(settings, database=engine.database))
    wire = Batch(ir.hash, "send", 0, (), items, now).to_wire()
    return Outcome.from_wire(await ActivityEnvironment().run(performer.perform, wire))


async def test_C2_S6_consent_is_looked_at_when_the_turn_has_come(
    tmp_path: Path, templates: Path, sqlite: Database, gateway: Slow
) -> None:
    """Three are reserved; at one a second the first goes out, and in its call the others withdraw."""
    with serving(gateway.app()) as served:
        settings = Settings.model_validate(
            {"data": tmp_path / "var", "journeys": templates, "sms_url": served.url, "sms_account": "ACtest",
             "sms_token": "a token", "sms_rate": 1.0}
        )  # fmt: skip
        engine = gateway.engine = Engine(settings, sqlite, None)  # type: ignore[arg-type]
        gateway.withdraw = ["ben", "cat"]
        engine.customers("ann", "ben", "cat")
        outcome = await perform(settings, engine, "ann", "ben", "cat")
    assert len(gateway.messages) == 1
    assert outcome.not_sent == (1, 2)
    assert [engine.messages(who)[0].reason for who in ("ann", "ben", "cat")] == [None, *["consent withdrawn"] * 2]


async def test_who_has_unsubscribed_at_the_carrier_is_asked_no_second_time(
    tmp_path: Path, templates: Path, sqlite: Database, gateway: Slow
) -> None:
    with serving(gateway.app()) as served:
        settings = Settings.model_validate(
            {"data": tmp_path / "var", "journeys": templates, "sms_url": served.url, "sms_account": "ACtest",
             "sms_token": "a token"}
        )  # fmt: skip
        engine = Engine(settings, sqlite, None)  # type: ignore[arg-type]
        engine.customers("ann")
        engine.customers("zoe", phone=f"{STOPPED}1")
        outcome = await perform(settings, engine, "ann", "zoe")
    assert (outcome.not_sent, len(gateway.messages)) == ((1,), 1)
    (row,) = engine.messages("zoe")
    assert (row.status, (row.detail or {})["provider"][:9]) == ("failed", "400 21610")
    with sqlite.read() as conn:
        assert [word.granted for word in consent.of(conn, "zoe") if word.channel == "sms"] == [False]
        assert [word.granted for word in consent.of(conn, "ann") if word.channel == "sms"] == [True]
