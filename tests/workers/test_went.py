"""Answers of providers on a real server: every message is told of once it went out, and what became of it later is heard."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from kit.engine import Engine, working
from kit.mail import Taker, mail_server
from kit.serving import serving
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from api.app import create_app
from dsl import Anywhere, Api, Arrows, Call, Email, Feed, Final, Journey, Letter, Sms, Stage, after, marketing, percent
from dsl.step import Row, chart
from engine.db import Database
from engine.settings import Settings
from engine.sms.twilio import sign_twilio
from engine.tables import Enrolment, Event, LateAnswer, Message
from workers.batch import Batch, Item
from workers.channels import channels
from workers.local.gateway import Gateway
from workers.local.post_office import PostOffice
from workers.perform import Performer
from workers.registry import Registry
from workers.server import EmbeddedServer


class Went(Journey):
    """Every channel's `sent`: of the box itself, of its stage, and anywhere."""

    enters = Api()
    purpose = marketing
    out = Final()
    lapsed = Final()

    @Stage()
    def near(self) -> Arrows:
        yield Sms.sent >> self.feed

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.sent >> self.text
        yield after(days=900) >> self.lapsed

    @Sms("t/sms", stage=near)
    def text(self) -> Arrows:
        yield after(days=900) >> self.lapsed

    @Feed("t/feed")
    def feed(self) -> Arrows:
        yield Feed.sent >> self.ring
        yield after(days=900) >> self.lapsed

    @Call("t/call")
    def ring(self) -> Arrows:
        yield Call.sent >> self.letter
        yield Call.not_reached >> self.lapsed
        yield Call.interested.ignored
        yield Call.refused.ignored
        yield after(days=900) >> self.lapsed

    @Letter("t/letter")
    def letter(self) -> Arrows:
        yield after(days=900) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Letter.sent >> self.out


class Carried(Journey):
    """What carriers say: of a text that it came not, then of a letter."""

    enters = Api()
    purpose = marketing
    came = Final()
    lost = Final()
    lapsed = Final()

    @Sms("t/sms")
    def text(self) -> Arrows:
        yield Sms.delivered >> self.lapsed
        yield Sms.undelivered >> self.letter
        yield after(days=900) >> self.lapsed

    @Letter("t/letter")
    def letter(self) -> Arrows:
        yield Letter.delivered >> self.came
        yield Letter.undelivered >> self.lost
        yield after(days=900) >> self.lapsed


@pytest.fixture
def office(tmp_path: Path) -> PostOffice:
    return PostOffice(tmp_path / "post", "a token")


@pytest.fixture
def outside(engine_settings: Settings, tmp_path: Path, office: PostOffice) -> Iterator[Settings]:
    """Settings with an SMS gateway and a print provider, each on a port of its own."""
    token = engine_settings.sms_token.get_secret_value()
    gateway = Gateway(tmp_path / "sms.jsonl", engine_settings.sms_account, token)
    with serving(gateway.app()) as texts, serving(office.app()) as letters:
        more = {"sms_url": texts.url, "letter_provider": letters.url, "letter_token": "a token"}
        yield Settings.model_validate(engine_settings.model_dump() | more)


@pytest.fixture
async def carried(outside: Settings, sqlite: Database, temporal: EmbeddedServer) -> AsyncIterator[Engine]:
    """A running engine with all that is outside."""
    client = await Client.connect(outside.temporal_address)
    async with working(outside):
        yield Engine(outside, sqlite, client, temporal)


async def test_every_channels_sent_moves_her_on_from_the_box_that_sent(carried: Engine) -> None:
    carried.customers("ann")
    carried.enter(carried.publish(Went), "ann")
    await carried.until_at("ann", "out")
    assert carried.path("ann") == ["mail", "text", "feed", "ring", "letter", "out"]
    events = {row.name: row.message_key for row in carried.rows(Event)}
    assert events == {f"{row.channel}.sent": row.key for row in carried.messages("ann")}
    assert carried.rows(LateAnswer) == []


async def test_K6_what_carriers_say_moves_her_on(carried: Engine, outside: Settings, office: PostOffice) -> None:
    carried.customers("ann", "ben")
    carried.enter(carried.publish(Carried), "ann", "ben")
    texts = {customer: (await carried.until_sent(customer, "text")).provider_id for customer in ("ann", "ben")}
    with serving(create_app(outside, carried.database)) as app:
        async with httpx.AsyncClient(base_url=app.url, timeout=30) as http:
            for sid in texts.values():
                form = {"MessageSid": sid, "MessageStatus": "undelivered", "ErrorCode": "30003"}
                signature = sign_twilio(outside.public_url + _STATUS, form, outside.sms_token.get_secret_value())
                answer = await http.post(_STATUS, data=form, headers={"X-Twilio-Signature": signature})
                assert answer.status_code == 204, answer.text
        for customer, word in (("ann", "letter.delivered"), ("ben", "letter.failed")):
            await carried.until(lambda who=customer: _handed_over(carried, who))
            letter = carried.messages(customer, channel="letter")[0].provider_id
            assert (await office.says(letter, word, f"{app.url}/hooks/letters/lob")).status_code == 204
    await carried.until_at("ann", "came")
    await carried.until_at("ben", "lost")
    assert not [row for row in carried.rows(Event) if row.name.endswith(".sent")], "nobody waits for it"


_STATUS = "/v1/sms/twilio/status"


def _handed_over(engine: Engine, customer: str) -> bool:
    return any(row.provider_id for row in engine.messages(customer, channel="letter"))


# --- one batch, without Temporal --------------------------------------------------------------------------------------


class Held(Journey):
    """A mail and an item in one box, half of the customers held out."""

    enters = Api()
    purpose = marketing
    holdout = percent(50)
    out = Final()
    lapsed = Final()

    @Email("t/mail")
    @Feed("t/feed")
    def mail(self) -> Arrows:
        yield Email.sent >> self.out
        yield after(days=900) >> self.lapsed


class Deaf(Held):
    """The same, without an ear."""

    holdout = percent(0)

    @Email("t/mail")
    @Feed("t/feed")
    def mail(self) -> Arrows:
        yield Email.delivered >> self.out
        yield after(days=900) >> self.lapsed


@pytest.fixture
def performed(tmp_path: Path, templates: Path, db: Database) -> Callable[..., Any]:
    """Performs the first box for customers, twice, as after a crash."""

    async def perform(port: int, journey: type[Journey], *customers: str) -> Engine:
        settings = Settings(data=tmp_path / "var", journeys=templates, smtp_port=port)
        engine, registry = Engine(settings, db, None), Registry()  # type: ignore[arg-type]  # no Temporal here
        ir = engine.publish(journey)
        registry.add(chart(ir))
        engine.customers(*customers)
        engine.enter(ir, *customers)
        now = settings.clock.now_ms()
        numbers = sorted(row.id for row in engine.rows(Enrolment, journey=ir.name))
        items = tuple(Item(number, 1, (Row(1, 0, "entry", None, now),)) for number in numbers)
        wire = json.loads(json.dumps(Batch(ir.hash, "send", 0, (), items, now).to_wire()))
        for _ in range(2):
            await ActivityEnvironment().run(Performer(settings, db, registry, channels(settings)).perform, wire)
        return engine

    return perform


async def test_who_is_held_out_hears_that_hers_would_have_gone_out(performed: Callable[..., Any]) -> None:
    with mail_server(Taker()) as port:
        engine: Engine = await performed(port, Held, *(f"c{number}" for number in range(20)))
    statuses = {row.key: row.status for row in engine.rows(Message, channel="email")}
    assert set(statuses.values()) == {"sent", "held_out"}
    told = engine.rows(Event)
    assert {(row.name, row.source) for row in told} == {("email.sent", "send")}
    assert sorted(row.message_key for row in told) == sorted(statuses), "once each, and of the feed's items none"


async def test_a_journey_that_waits_for_no_sent_is_told_of_none(performed: Callable[..., Any]) -> None:
    with mail_server(Taker()) as port:
        engine: Engine = await performed(port, Deaf, "ann", "ben")
    assert {row.status for row in engine.rows(Message)} == {"sent"}
    assert {row.sent_awaited for row in engine.rows(Message)} == {None}
    assert engine.rows(Event) == []
