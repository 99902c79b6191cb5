"""SMS, over HTTP to a gateway of Twilio's shape, and by Apprise to another."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import uvicorn

from engine.checking import SAMPLE
from engine.links import Links
from engine.outgoing import Outgoing, Receipt
from engine.settings import Settings
from engine.templates import Templates
from engine.twilio import verify_twilio
from workers.channels import SmsChannel
from workers.channels.sms import segments, wide
from workers.local.gateway import INVALID, Gateway

Compose = Callable[..., Outgoing]
ACCOUNT, TOKEN = "ACtest", "a token"


@contextmanager
def serving(app: object) -> Generator[str]:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off"))  # pyright: ignore[reportArgumentType]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path / "sms.jsonl", ACCOUNT, TOKEN)


@pytest.fixture
def url(gateway: Gateway) -> Iterator[str]:
    with serving(gateway.app()) as url:
        yield url


@pytest.fixture
def sms(settings: Settings, templates: Templates, links: Links, url: str) -> SmsChannel:
    return SmsChannel(_at(settings, url), templates, links)


def _at(settings: Settings, url: str, token: str = TOKEN) -> Settings:
    given = {**settings.model_dump(), "sms_url": url, "sms_account": ACCOUNT, "sms_token": token}
    return Settings.model_validate(given)


async def send(channel: SmsChannel, *outgoing: Outgoing) -> list[Receipt]:
    async with channel.batch("run") as hand_over:
        return list(await asyncio.gather(*(hand_over(each) for each in outgoing)))


async def test_a_text_is_taken_once_a_key_with_its_price(
    sms: SmsChannel, gateway: Gateway, compose: Compose, links: Links
) -> None:
    outgoing = compose(sms, "win/text")
    first, again = await send(sms, outgoing, outgoing)
    assert (first.status, again.status) == ("sent", "sent")
    assert first.provider_id == again.provider_id
    (message,) = gateway.messages
    assert message["to"] == "+33612345678"
    assert message["body"] == f"Camille, 10 %'s yours: {links.click('7-1-0', 0)}"
    assert message["num_segments"] == "1"
    assert first.cost == 4500
    assert [json.loads(line) for line in gateway.file.read_text().splitlines()] == [message]
    assert Gateway(gateway.file, ACCOUNT, TOKEN).messages == [message]


async def test_a_number_that_the_provider_refuses_is_rejected_with_its_code(sms: SmsChannel, compose: Compose) -> None:
    (receipt,) = await send(sms, compose(sms, "win/text", address=f"{INVALID}1234"))
    assert receipt.status == "rejected"
    assert (receipt.detail or "").startswith("400 21211")


async def test_a_wrong_token_defers_and_names_the_settings(
    settings: Settings, templates: Templates, links: Links, url: str, compose: Compose
) -> None:
    channel = SmsChannel(_at(settings, url, "wrong"), templates, links)
    (receipt,) = await send(channel, compose(channel, "win/text"))
    assert receipt.status == "deferred"
    assert "PARCOURS_SMS_ACCOUNT" in (receipt.detail or "")


@pytest.mark.parametrize(
    ("code", "status", "retry"),
    [
        (429, "deferred", 17.0),
        (503, "deferred", 17.0),
        (500, "unknown", None),
        (502, "unknown", None),
        (400, "rejected", None),
    ],
)
async def test_each_answer_of_a_provider_has_its_receipt(
    settings: Settings,
    templates: Templates,
    links: Links,
    compose: Compose,
    code: int,
    status: str,
    retry: float | None,
) -> None:
    async def app(scope: object, receive: object, respond: Callable[..., object]) -> None:
        del scope, receive
        await respond({"type": "http.response.start", "status": code, "headers": [(b"retry-after", b"17")]})  # type: ignore[misc]
        await respond({"type": "http.response.body", "body": b"not even JSON"})  # type: ignore[misc]

    with serving(app) as url:
        channel = SmsChannel(_at(settings, url), templates, links)
        (receipt,) = await send(channel, compose(channel, "win/text"))
    assert (receipt.status, receipt.retry_after) == (status, retry)


async def test_no_provider_defers(settings: Settings, templates: Templates, links: Links, compose: Compose) -> None:
    channel = SmsChannel(_at(settings, "http://127.0.0.1:9"), templates, links)
    (receipt,) = await send(channel, compose(channel, "win/text"))
    assert receipt.status == "deferred"


async def test_a_status_callback_is_signed_and_carries_the_key(
    settings: Settings, templates: Templates, compose: Compose, tmp_path: Path
) -> None:
    told: list[tuple[str, dict[str, str], str]] = []
    gateway = Gateway(tmp_path / "sms.jsonl", ACCOUNT, TOKEN, callbacks=True)
    with listening(_collector(told)) as host, serving(gateway.app()) as url:
        public = f"http://{host}"
        channel = SmsChannel(_at(settings, url), templates, Links(public, b"k"))
        await send(channel, compose(channel, "win/text"))
    ((path, form, signature),) = told
    assert path == "/hooks/sms/status?key=7-1-0"
    assert form["MessageStatus"] == "delivered"
    assert verify_twilio(public + path, form, signature, TOKEN)


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Generator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _collector(told: list[tuple[str, dict[str, str], str]]) -> type[BaseHTTPRequestHandler]:
    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            told.append((self.path, dict(httpx.QueryParams(body)), self.headers.get("X-Twilio-Signature", "")))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            del format, args

    return Collector


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Apprise imports modules that Python is giving up
async def test_another_provider_is_reached_by_apprise(
    settings: Settings, templates: Templates, links: Links, compose: Compose
) -> None:
    got: list[tuple[str, str]] = []

    class Provider(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            got.append((self.path, json.loads(body)["message"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            del format, args

    with listening(Provider) as host:
        provider = f"json://{host}/{{number}}"
        channel = SmsChannel(settings.model_copy(update={"sms_provider": provider}), templates, links)
        outgoing = compose(channel, "win/text")
        (receipt,) = await send(channel, outgoing)
    assert receipt.status == "sent"
    ((path, text),) = got
    assert "33612345678" in path
    assert text == outgoing.content.text
    (closed,) = await send(channel, outgoing)
    assert closed.status == "deferred"


def test_the_list_of_the_gateway_wants_the_password_and_can_be_read_on(gateway: Gateway, url: str) -> None:
    path = f"{url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert httpx.get(path).status_code == 401
    assert httpx.get(path, auth=(ACCOUNT, "wrong")).status_code == 401
    for number in ("+33612345678", "+33612345679"):
        made = httpx.post(path, auth=(ACCOUNT, TOKEN), data={"To": number, "From": "+33700000000", "Body": "Hi"})
        assert made.status_code == 201
    assert httpx.post(path, auth=(ACCOUNT, TOKEN), data={"To": "+33612345678"}).json()["code"] == 21603
    listed = httpx.get(path, auth=(ACCOUNT, TOKEN), params={"since": 1}).json()
    assert [each["to"] for each in listed["messages"]] == ["+33612345679"]
    assert listed["end"] == len(gateway.messages) == 2


@pytest.mark.parametrize(
    ("phone", "country", "number"),
    [
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("06 12 34 56 78", None, "+33612345678"),
        ("+44 7400 123456", "FR", "+447400123456"),
        ("030 901820", "DE", "+4930901820"),
        ("(212) 555-0123", "US", "+12125550123"),
        ("12", "FR", None),
        ("nobody", "FR", None),
        (None, "FR", None),
    ],
)
def test_S3_the_number_is_e164_or_missing(
    settings: Settings, templates: Templates, links: Links, phone: str | None, country: str | None, number: str | None
) -> None:
    channel = SmsChannel(settings, templates, links)
    assert channel.address(replace(SAMPLE, phone=phone, country=country)) == number


def test_segments_and_the_characters_that_make_them_short() -> None:
    assert (segments("a" * 160), segments("a" * 161), segments("ê" * 70), segments("ê" * 71)) == (1, 2, 1, 2)
    assert wide("Fête: ça va? é è à ù, c`est 🦊") == "êç`🦊"
