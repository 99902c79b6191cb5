"""Previews and test mails, over the API and by the command: what would go out, and nothing that counts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from kit import ready
from kit.command import as_text
from sqlalchemy import func, select

from api.app import create_app
from dsl.loading import load
from engine import journeys, keys, offers
from engine.db import Database, insert_new, table
from engine.links import Links
from engine.mail.door import Door
from engine.offers import Offer
from engine.settings import Settings
from engine.tables import Customer, Event, Feed, Message, MessageEvent
from workers.local.sink import Sink, messages
from workers.server import free_port

JOURNEY = """
from dsl import Api, Arrows, Email, Feed, Final, Goal, Journey, Letter, Sms, after, marketing, then


class Spring(Journey):
    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Email("spring/hello")
    @Sms("spring/text")
    def hello(self) -> Arrows:
        yield Email.clicked >> self.won
        yield after(days=3) >> self.card

    @Letter("spring/card")
    def card(self) -> Arrows:
        yield then >> self.item

    @Feed("spring/item")
    def item(self) -> Arrows:
        yield then >> self.lapsed
"""
MAIL = """<html><head><title>Spring, {{ customer.first_name }}</title></head><body>
<p><img src="{{ image('logo.gif') }}" alt="Marchand"> {{ orders.count }} orders</p>
<p><a href="{{ link('https://shop.example/?a=1&b=2', 'spring') }}">Spring</a> <a href="{{ feed_url }}">feed</a>
<a href="{{ unsubscribe_url }}">no more</a> {{ brand.name }}, {{ brand.address }}</p></body></html>"""
GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
FILES = {
    "spring.py": JOURNEY,
    "spring/hello.en.html": MAIL,
    "spring/hello.fr.html": MAIL.replace("Spring, ", "Printemps, "),
    "spring/text.en.txt": "Spring, {{ customer.first_name }}: {{ link('https://shop.example/', 'spring') }}",
    "spring/item.en.html": "<title>Spring</title><p>{{ customer.first_name }}</p>",
    "spring/card.en.typ": "= Spring\n\nDear #customer.first_name,\n",
}
PREVIEW = "/v1/journeys/spring/boxes/hello/preview"
TEST = "/v1/journeys/spring/boxes/hello/test-send"


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with Sink(tmp_path / "sink") as sink:
        yield sink


@pytest.fixture
def settings(tmp_path: Path, sink: Sink) -> Settings:
    folder = tmp_path / "journeys"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    (folder / "spring/logo.gif").write_bytes(GIF)
    return Settings(data=tmp_path / "var", journeys=folder, smtp_port=sink.port)


@pytest.fixture
def app(settings: Settings, sqlite: Database) -> FastAPI:
    now = datetime.now(UTC)
    her = {"id": "4711", "first_name": "Zoë", "email": "zoe@example.com", "phone": "+33612345678", "language": "en"}
    postal = {
        "last_name": "Lefèvre",
        "address": "3 rue des Lilas",
        "postcode": "69003",
        "city": "Lyon",
        "country": "FR",
    }
    (loaded,) = load(settings.journeys)
    with sqlite.write() as conn:
        insert_new(conn, Customer, [her | postal | {"attributes": {}, "created_at": now, "updated_at": now}])
        journeys.publish(conn, loaded.ir, "ada", now)
    return create_app(settings, sqlite)


def counted(database: Database) -> list[int]:
    """Rows of everything that a real message would leave."""
    with database.read() as conn:
        models = (Message, MessageEvent, Event, Feed)
        return [conn.execute(select(func.count()).select_from(table(model))).scalar_one() for model in models]


async def test_a_preview_is_the_mail_without_what_counts(
    client: httpx.AsyncClient, sqlite: Database, settings: Settings
) -> None:
    response = await client.get(PREVIEW, params={"customer": "4711"})
    assert response.status_code == 200
    page = response.text
    assert "Spring, Zo&#235;" in page
    assert "0 orders" in page
    assert 'href="https://shop.example/?a=1&amp;b=2"' in page
    assert "data:image/gif;base64,R0lGOD" in page
    links = Links(settings.public_url, settings.signing_key())
    for tracked in ("/c/", "/o/", "cid:", links.feed_token("4711")):
        assert tracked not in page
    policy_ = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy_
    assert "sandbox" in policy_
    assert "script-src" not in policy_
    assert response.headers["cache-control"] == "no-store"
    assert counted(sqlite) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("box", "asked", "kind", "says"),
    [
        ("hello", {"language": "fr"}, "text/html", b"Printemps, Camille"),
        ("hello", {"language": "it", "customer": "4711"}, "text/html", b"Spring, Zo&#235;"),
        (
            "hello",
            {"channel": "sms"},
            "text/plain",
            b"Spring, Camille: https://shop.example/\n\n--\n",
        ),
        ("item", {}, "text/html", b"<p>Camille</p>"),
        ("card", {"customer": "4711"}, "application/pdf", b"%PDF"),
    ],
)
async def test_every_channel_has_a_preview(
    client: httpx.AsyncClient, box: str, asked: dict[str, str], kind: str, says: bytes
) -> None:
    response = await client.get(PREVIEW.replace("hello", box), params=asked)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(kind)
    assert says in response.content


async def test_a_preview_shows_her_offers_and_the_trial_customer_samples(
    client: httpx.AsyncClient, sqlite: Database, settings: Settings
) -> None:
    (settings.journeys / "spring.py").write_text(
        JOURNEY.replace('@Feed("spring/item")', '@Feed("spring/item", offers=2)')
    )
    item = "<title>Spring</title>{% for each in offers %}<p>{{ each.name }}</p>{% else %}<p>NONE</p>{% endfor %}"
    (settings.journeys / "spring/item.en.html").write_text(item)
    (loaded,) = load(settings.journeys)
    now = datetime.now(UTC)
    with sqlite.write() as conn:
        journeys.publish(conn, loaded.ir, "ada", now)
        offers.put(conn, [Offer("merlot", "A case of Merlot", "wine", 900), Offer("assam", "Assam", "tea", 300)], now)
    url = PREVIEW.replace("hello", "item")
    hers = (await client.get(url, params={"customer": "4711"})).text
    assert "A case of Merlot" in hers
    assert "Assam" in hers
    assert "Sample" in (await client.get(url)).text


@pytest.mark.parametrize(
    ("path", "status", "code", "says"),
    [
        ("/v1/journeys/sprong/boxes/hello/preview", 404, "journey_not_found", "sprong"),
        ("/v1/journeys/spring/boxes/hallo/preview", 404, "box_not_found", "those that send are"),
        ("/v1/journeys/spring/boxes/won/preview", 409, "no_message", "sends nothing"),
        (f"{PREVIEW}?customer=nobody", 404, "customer_not_found", "nobody"),
        (f"{PREVIEW}?channel=call", 409, "no_message", "by email, sms, not by call"),
        (f"{PREVIEW}?channel=fax", 422, "invalid_value", "channel"),
        (f"{PREVIEW}?language={'x' * 99}", 422, "invalid_value", "language"),
    ],
)
async def test_what_cant_be_shown_says_why(
    client: httpx.AsyncClient, path: str, status: int, code: str, says: str
) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert says in response.json()["message"]


async def test_a_template_that_fails_is_told_with_its_line(client: httpx.AsyncClient, settings: Settings) -> None:
    file = settings.journeys / "spring/hello.en.html"
    file.write_text(MAIL.replace("orders.count", "orders.cuont"), "utf-8")
    response = await client.get(PREVIEW)
    assert (response.status_code, response.json()["code"]) == (422, "template_fails")
    assert "spring/hello.en.html:2" in response.json()["message"]
    for name in ("en", "fr"):
        (settings.journeys / f"spring/hello.{name}.html").unlink()
    response = await client.get(PREVIEW)
    assert (response.status_code, response.json()["code"]) == (404, "template_not_found")


async def test_a_test_mail_arrives_marked_and_counts_nowhere(
    client: httpx.AsyncClient, http: httpx.AsyncClient, sink: Sink, sqlite: Database, settings: Settings
) -> None:
    told: list[str] = []
    for _ in range(2):
        response = await client.post(TEST, json={"to": "Ada@Shop.example", "customer": "4711"})
        assert response.status_code == 200
        assert response.json()["status"] == "sent"
        told.append(f"<{response.json()['message_id']}>")
    first, second = (stored.read() for stored in messages(sink.folder))
    assert first["Subject"] == "[Test] Spring, Zoë"
    assert [address.addr_spec for address in first["To"].addresses] == ["ada@shop.example"]
    assert "Zo" not in str(first["To"])
    assert first["X-Parcours-Test"] == "spring.hello"
    assert first["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert first["List-Id"].startswith("<spring.")
    assert first["Feedback-ID"].startswith("hello:spring:marketing:")
    assert [first["Message-ID"], second["Message-ID"]] == told
    assert len(set(told)) == 2
    page, text = first.get_body(("html",)), first.get_body(("plain",))
    assert page is not None
    assert text is not None
    for body in (page.get_content(), text.get_content()):
        assert "/c/" not in body
        assert "/o/" not in body
        assert "shop.example/?a=1" in body
    assert [part.get_content_type() for part in first.walk()].count("image/gif") == 1
    assert counted(sqlite) == [0, 0, 0, 0]
    way_out = next(word for word in text.get_content().split() if "/u/" in word).strip("<>")
    one_click = first["List-Unsubscribe"].partition(">")[0].strip("<")
    assert one_click == way_out
    address = way_out.removeprefix("http://127.0.0.1:8000")
    for language, says in (("en", "This was a test"), ("fr-FR", "C&#39;était un essai"), ("de", "Das war ein Test")):
        seen = await http.get(address, headers={"Accept-Language": language})
        pressed = await http.post(
            address, data={"List-Unsubscribe": "One-Click"}, headers={"Accept-Language": language}
        )
        assert (seen.status_code, pressed.status_code) == (200, 200)
        assert says in seen.text
        assert pressed.text == seen.text, "without a button: there is nothing to press"
    assert (await http.head(address)).status_code == 200
    assert (await http.get(f"{address[:-1]}!")).status_code == 404
    assert counted(sqlite) == [0, 0, 0, 0]
    mailto, _, token = first["List-Unsubscribe"].partition("mailto:")[2].strip("> ").partition("?subject=")
    by_mail = f"From: zoe@example.com\r\nTo: {mailto}\r\nSubject: {token}\r\n\r\n".encode()
    assert Door(settings).take(sqlite, by_mail, "zoe@example.com", mailto, "smtp").status == "stray"
    assert counted(sqlite) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"to": "nobody"}, 422, "invalid_value"),
        ({"to": "a@b.example\r\nBcc: x@evil.example"}, 422, "invalid_value"),
        ({}, 422, "invalid_value"),
        ({"to": "ada@shop.example", "customer": "nobody"}, 404, "customer_not_found"),
    ],
)
async def test_a_test_to_nobody_is_refused(
    client: httpx.AsyncClient, sink: Sink, body: dict[str, str], status: int, code: str
) -> None:
    response = await client.post(TEST, json=body)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert list(messages(sink.folder)) == []


async def test_what_the_server_says_is_told(client: httpx.AsyncClient) -> None:
    response = await client.post(TEST, json={"to": "bounce@example.com"})
    assert response.json()["status"] == "rejected"
    assert response.json()["detail"].startswith("550 5.1.1")
    refused = await client.post(TEST.replace("hello", "card"), json={"to": "ada@shop.example"})
    assert (refused.status_code, refused.json()["code"]) == (409, "no_message")


async def test_looking_needs_read_and_sending_needs_operate(
    http: httpx.AsyncClient, sqlite: Database, sink: Sink
) -> None:
    assert (await http.get(PREVIEW)).status_code == 401
    reads = keys.create(sqlite, "reads", ["read"])
    assert (await http.get(PREVIEW, auth=(reads, ""))).status_code == 200
    sends = await http.post(TEST, json={"to": "ada@shop.example"}, auth=(reads, ""))
    assert (sends.status_code, sends.json()["code"]) == (403, "missing_scope")
    assert list(messages(sink.folder)) == []


def preview(settings: Settings, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return parcours(settings, "preview", *arguments, **environment)


def parcours(settings: Settings, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": os.environ["PATH"],
        "PARCOURS_DATA": str(settings.data),
        "PARCOURS_JOURNEYS": str(settings.journeys),
        "PARCOURS_SMTP_PORT": str(settings.smtp_port),
        "COLUMNS": "200",
        **environment,
    }
    return as_text(ready.run(arguments, folder=settings.journeys.parent, env=env))


@pytest.mark.usefixtures("app")
def test_the_command_writes_what_it_is_asked_for(settings: Settings, sink: Sink, sqlite: Database) -> None:
    folder = settings.journeys.parent
    shown = preview(settings, "Spring.hello", "--customer", "4711")
    assert shown.stdout.startswith("Subject: Spring, Zoë\n\n[Marchand] 0 orders\n")
    for name in ("mail.html", "mail.eml", "mail.txt"):
        assert preview(settings, "spring.hello", "--language", "fr", "-o", name).stdout == f"{name}\n"
    assert "Printemps, Camille" in (folder / "mail.html").read_text("utf-8")
    assert (folder / "mail.txt").read_text("utf-8").startswith("Subject: Printemps, Camille\n")
    mail = message_from_bytes((folder / "mail.eml").read_bytes(), policy=policy.default)
    assert mail["Subject"] == "Printemps, Camille"
    assert preview(settings, "Spring.card", "-o", "card.pdf").returncode == 0
    assert (folder / "card.pdf").read_bytes().startswith(b"%PDF")
    text = preview(settings, "Spring.hello", "--channel", "sms").stdout
    tracked = len("Spring, Camille: ") + len(Links(settings.public_url, b"x").click("t-0123456789ab", 0))
    assert text.endswith(f"\n--\n{tracked} letters, 1 segment, with its links as they are sent\n")
    sent = preview(settings, "Spring.hello", "--send-to", "ada@shop.example")
    assert sent.stdout.startswith("ada@shop.example: sent, 250")
    assert len(list(messages(sink.folder))) == 1
    assert counted(sqlite) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["Spring"], 2, "WinBack.discount"),
        (["Sprong.hello"], 2, "there are: Spring"),
        (["Spring.hallo"], 1, "error[box_not_found]"),
        (["Spring.hello", "-o", "mail.pdf"], 2, "can't be written as .pdf"),
        (["Spring.card", "-o", "card.eml"], 1, "error[no_mail]"),
        (["Spring.hello", "--customer", "nobody"], 1, "error[customer_not_found]"),
        (["Spring.hello", "--send-to", "nobody"], 1, "error[invalid_value]"),
    ],
)
@pytest.mark.usefixtures("app")
def test_the_command_says_what_is_wrong(settings: Settings, arguments: list[str], code: int, says: str) -> None:
    run = preview(settings, *arguments)
    assert run.returncode == code, run.stderr
    assert says in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.usefixtures("app")
def test_a_test_without_a_server_fails(settings: Settings) -> None:
    run = preview(settings, "Spring.hello", "--send-to", "ada@shop.example", PARCOURS_SMTP_PORT=str(free_port()))
    assert run.returncode == 1
    assert "deferred" in run.stdout


def test_an_address_that_is_not_https_is_warned_of(settings: Settings) -> None:
    (settings.journeys / "spring/hello.fr.html").unlink()
    fine = [
        parcours(settings, "check", PARCOURS_PUBLIC_URL=url)
        for url in ("https://shop.example", "http://127.0.0.1:8000")
    ]
    assert [(run.returncode, run.stderr) for run in fine] == [(0, "")] * 2
    warned = parcours(settings, "check", PARCOURS_PUBLIC_URL="http://shop.example")
    assert warned.returncode == 0
    assert "warning: PARCOURS_PUBLIC_URL is http://shop.example: one-click unsubscribing" in warned.stderr
    assert "warning: " in parcours(settings, "publish", PARCOURS_PUBLIC_URL="http://shop.example").stderr


def test_a_mail_that_bulk_senders_may_not_send_is_not_published(settings: Settings) -> None:
    file = settings.journeys / "spring/hello.en.html"
    file.write_text(MAIL.replace("no more</a>", "</a>"), "utf-8")
    refused = parcours(settings, "publish")
    assert refused.returncode == 1
    assert "error[J165]" in refused.stderr
    assert "nothing was published" in refused.stderr
