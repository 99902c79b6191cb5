"""Offers in a box: every channel shows each customer her best, and what she saw can be read for ever."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from kit.engine import Engine, working
from kit.mail import Taker, mail_server
from pypdf import PdfReader
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from api.app import create_app
from dsl import Api, Arrows, Call, Email, Feed, Final, Journey, Letter, Sms, after, marketing
from dsl.compile import compile_journey
from dsl.step import Row
from engine import keys, offers
from engine.db import Database, insert_new
from engine.offers import Offer
from engine.settings import Settings
from engine.tables import CallTask, FeedItem, Message, OfferVersion, Purchase
from engine.templating.checking import Use, check_templates
from engine.templating.templates import Templates
from workers.batch import Batch, Item, Outcome
from workers.channels import channels
from workers.local.gateway import Gateway
from workers.local.sink import Sink
from workers.perform import Performer
from workers.registry import Registry
from workers.server import free_port

LIST = """{% for offer in offers %}
<p>{{ offer.name }}{% if offer.price %}, {{ money(offer.price) }}{% endif %}
{% if offer.url %}<a href="{{ link(offer.url, 'offer-' ~ offer.id) }}">see</a>{% endif %}</p>
{% endfor %}"""
TEMPLATES = {
    "o/mail.en.mjml": """<mjml><mj-head><mj-title>For you: {{ offers[0].name if offers else "nothing" }}</mj-title></mj-head>
        <mj-body><mj-section><mj-column>
        {% for offer in offers %}
        <mj-text>{{ offer.name }} {{ money(offer.price) }} {{ offer.data.origin }}</mj-text>
        {% if offer.url %}<mj-button href="{{ link(offer.url, 'offer-' ~ offer.id) }}">{{ offer.name }}</mj-button>{% endif %}
        {% endfor %}
        <mj-text><a href="{{ unsubscribe_url }}">stop</a></mj-text></mj-column></mj-section></mj-body></mjml>""",
    "o/text.en.txt": "{% for offer in offers %}{{ offer.name }}"
        "{% if offer.url %} {{ link(offer.url, 'offer-' ~ offer.id) }} {% endif %}{% endfor %}.",
    "o/item.en.html": f"<title>For you</title>{LIST}",
    "o/ring.en.html": "<title>Offer</title>{% for offer in offers %}<p>{{ offer.name }}: {{ offer.text }}</p>{% endfor %}",
    "o/card.en.typ": '= For you\n\n#for offer in offers [- #offer.name: #money(offer.price) #offer.data.at("origin", default: none)\n]',
}  # fmt: skip
TEA = Offer("assam", "Assam & more", "tea", 300, {"price": 990, "url": "https://shop.example/assam", "text": "malty"})
WINE = Offer(
    "merlot", "Merlot", "wine", 900, {"price": 5400, "url": "https://shop.example/merlot", "origin": "Bordeaux"}
)
BREAD = Offer("rye", "Rye", "bread", 40)


class Best(Journey):
    """One box that says it in five ways."""

    enters = Api()
    purpose = marketing
    done = Final()

    @Email("o/mail", offers=2)
    @Sms("o/text")
    @Feed("o/item")
    @Call("o/ring")
    @Letter("o/card")
    def all(self) -> Arrows:
        yield Email.clicked.link("offer-assam") >> self.done
        yield Call.interested >> self.done
        yield Call.refused.ignored
        yield Call.not_reached.ignored
        yield after(days=4000) >> self.done


class Mailed(Journey):
    """One mail."""

    enters = Api()
    purpose = marketing
    done = Final()

    @Email("o/mail", offers=2)
    def mail(self) -> Arrows:
        yield after(days=900) >> self.done


@pytest.fixture
def shown(templates: Path) -> Path:
    """The templates that show offers."""
    for name, text in TEMPLATES.items():
        (templates / name).parent.mkdir(parents=True, exist_ok=True)
        (templates / name).write_text(text)
    return templates


@pytest.fixture
def gateway(tmp_path: Path, engine_settings: Settings) -> Iterator[tuple[Gateway, str]]:
    """An SMS gateway on a port of its own."""
    port = free_port()
    stand_in = Gateway(
        tmp_path / "sms.jsonl", engine_settings.sms_account, engine_settings.sms_token.get_secret_value()
    )
    server = uvicorn.Server(uvicorn.Config(stand_in.app(), port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield stand_in, f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


def stock(engine: Engine) -> None:
    """Three offers; ann drinks tea, ben wine."""
    now = engine.now()
    with engine.database.write() as conn:
        offers.put(conn, [TEA, WINE, BREAD], now)
        line = {"product": None, "quantity": 1, "total": 2000}
        for customer, category in (("ann", "tea"), ("ben", "wine")):
            rows = [
                line | {"id": f"{customer}{age}", "order_id": f"{customer}{age}", "customer_id": customer,
                        "at": now - timedelta(days=age), "category": category}
                for age in (3, 20, 45, 70, 100)
            ]  # fmt: skip
            insert_new(conn, Purchase, rows)


async def test_S4_every_channel_shows_her_best_offers_and_what_she_saw_stays(
    engine_settings: Settings, db: Database, shown: Path, sink: Sink, gateway: tuple[Gateway, str]
) -> None:
    texts, url = gateway
    database = db.engine.url.render_as_string(hide_password=False)
    settings = engine_settings.model_copy(update={"database": database, "sms_url": url, "journeys": shown})
    client = await Client.connect(settings.temporal_address)
    async with working(settings):
        engine = Engine(settings, db, client)
        stock(engine)
        ir = engine.publish(Best)
        engine.customers("ann", "ben", "cat")
        assert engine.enter(ir, "ann", "ben", "cat") == ["entered"] * 3
        await engine.until(lambda: len([m for m in engine.rows(Message) if m.status == "sent"]) == 15)
    sent = {(row.customer_id, row.channel): row for row in engine.rows(Message)}
    order = {
        customer: [each["id"] for each in sent[customer, "email"].context["offers"]]
        for customer in ("ann", "ben", "cat")
    }
    assert (order["ann"][0], order["ben"][0]) == ("assam", "merlot"), order
    for customer in order:
        for channel in ("sms", "feed", "call", "letter"):
            assert sent[customer, channel].context["offers"] == sent[customer, "email"].context["offers"]
    first = sent["ann", "email"].context["offers"][0]
    assert first["hash"] == TEA.hash
    assert first["chance"] * 300 == pytest.approx(first["value"], abs=0.1)  # both are rounded
    assert {row.hash for row in engine.rows(OfferVersion)} >= {TEA.hash, WINE.hash}
    wanted = {"name": "offer-assam", "url": "https://shop.example/assam"}
    assert all(wanted in sent["ann", channel].links for channel in ("email", "sms", "feed"))

    (mail,) = [each for each in sink.folder.glob("*.eml") if "ann@example.com" in each.read_text(errors="replace")]
    assert "Subject: For you: Assam & more" in mail.read_text(errors="replace")
    (text,) = [each for each in texts.messages if sent["ann", "sms"].key in each["body"]]
    assert text["body"].startswith("Assam & more http")
    (item,) = engine.rows(FeedItem, customer_id="ann")
    assert "Assam &amp; more, €9.90" in item.html
    (task,) = engine.rows(CallTask, id=sent["ann", "call"].key)
    assert "<p>Assam &amp; more: malty</p>" in task.script
    with db.write() as conn:
        offers.put(conn, [replace(TEA, name="Darjeeling", data={"price": 1})], engine.now())
        offers.withdraw(conn, "merlot", engine.now())
    key = keys.create(db, "reads", ["read"])
    transport = httpx.ASGITransport(create_app(settings, db))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", auth=(key, "")) as http:
        letter = await http.get(f"/v1/letters/{sent['ben', 'letter'].key}/pdf")
        assert "Merlot: €54.00 Bordeaux" in words_of(letter.content)
        for (customer, channel), row in sent.items():
            again = (await http.get(f"/v1/messages/{row.key}")).json()
            assert again["content"]["exact"], (customer, channel)
            assert again["context"]["offers"] == row.context["offers"]
            if channel != "letter":
                said = again["content"]["html"] + again["content"]["text"]
                assert "Darjeeling" not in said
                assert ("Assam" in said) == ("assam" in order[customer])


async def test_a_message_that_was_put_off_shows_what_is_offered_when_it_goes(
    tmp_path: Path, shown: Path, db: Database
) -> None:
    bench = Bench(Settings(data=tmp_path / "var", journeys=shown, smtp_port=free_port()), db)
    stock(bench.engine)
    batch = bench.batch("ann")
    assert len((await bench.perform(batch)).deferred) == 1
    (before,) = bench.engine.messages("ann")
    assert before.context["offers"][0]["id"] == "assam"
    with db.write() as conn:
        offers.withdraw(conn, "assam", bench.engine.now())
    taker = Taker()
    with mail_server(taker) as port:
        again = Bench(bench.engine.settings.model_copy(update={"smtp_port": port}), db)
        assert await again.perform(batch) == Outcome()
    (row,) = bench.engine.messages("ann")
    assert row.status == "sent"
    assert [each["id"] for each in row.context["offers"]] == ["merlot", "rye"]
    assert [link["name"] for link in row.links] == ["offer-merlot"]
    assert row.content_hash != before.content_hash
    assert b"Merlot" in taker.taken[0]
    assert b"Assam" not in taker.taken[0]


async def test_without_offers_the_message_goes_out_all_the_same(tmp_path: Path, shown: Path, sqlite: Database) -> None:
    taker = Taker()
    with mail_server(taker) as port:
        bench = Bench(Settings(data=tmp_path / "var", journeys=shown, smtp_port=port), sqlite)
        assert await bench.perform(bench.batch("ann")) == Outcome()
    assert b"For you: nothing" in taker.taken[0]
    assert "offers" not in bench.engine.messages("ann")[0].context


@pytest.mark.parametrize(
    ("ref", "text", "code", "says"),
    [
        ("o/bad", "{{ offers[0].name }}", "J161", "offers"),
        ("o/bad", "{% for o in offers %}{{ link(o.url, 'x') }}{% endfor %}.", "J167", "link() leads to http"),
        ("o/bad", "{% for o in offers %}{{ o.prise }}{% endfor %}.", "J161", "did you mean 'price'"),
        ("o/bad", "{% for o in offers %}{{ o.data.anything }}{{ money(o.price) }}{% endfor %}.", "", ""),
    ],
)
def test_A1_a_template_is_tried_with_few_offers_that_say_little(
    shown: Path, ref: str, text: str, code: str, says: str
) -> None:
    (shown / f"{ref}.en.txt").write_text(text)
    found = check_templates(Templates(shown), [Use(ref, "sms", "marketing", "box", offers=2)])
    assert [error.code for error in found] == ([code] if code else [])
    assert all(says in f"{error}" for error in found), str(found)


def test_A1_the_word_in_a_letters_text_is_no_use_of_offers(shown: Path) -> None:
    (shown / "o/note.en.typ").write_text("= Hello\n\nWe have offers for you, interested in offers or not.")
    assert check_templates(Templates(shown), [Use("o/note", "letter", "marketing", "box", offers=0)]) == []
    (shown / "o/note.en.typ").write_text("= Hello\n\n#if offers.len() > 0 [For you]")
    (found,) = check_templates(Templates(shown), [Use("o/note", "letter", "marketing", "box", offers=0)])
    assert (found.code, found.line) == ("J172", 3)


class Bench:
    """The performer on a database, without Temporal."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.engine = Engine(settings, database, client=None)  # type: ignore[arg-type]  # it asks no server
        self.performer = Performer(settings, database, Registry(), channels(settings))
        self.ir = compile_journey(Mailed)

    def batch(self, customer: str) -> Batch:
        self.engine.publish(Mailed)
        self.engine.customers(customer)
        assert self.engine.enter(self.ir, customer) == ["entered"]
        now = self.engine.settings.clock.now_ms()
        items = (Item(self.engine.enrolment(customer).id, 1, (Row(1, 0, "entry", None, now),)),)
        return Batch(self.ir.hash, "send", 0, (), items, now)

    async def perform(self, batch: Batch) -> Outcome:
        done: dict[str, Any] = await ActivityEnvironment().run(self.performer.perform, batch.to_wire())
        return Outcome.from_wire(done)


def words_of(pdf: bytes) -> str:
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages))
