"""SMS, over HTTP to a gateway of Twilio's shape, and by Apprise to another."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engine.db import Database
from engine.links import Links
from engine.outgoing import Outgoing, Paced, Receipt
from engine.settings import Settings
from engine.signed_json import signed_by
from engine.sms.text import segments, wide
from engine.sms.twilio import verify_twilio
from engine.templating.checking import SAMPLE
from engine.templating.templates import TemplateError, Templates
from workers.channels import SmsChannel
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
    async with channel.batch() as hand_over:
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
    assert path == "/v1/sms/twilio/status?key=7-1-0"
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
        answer = 200

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            got.append((self.path, json.loads(body)["message"]))
            self.send_response(self.answer)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            del format, args

    with listening(Provider) as host:
        provider = f"json://{host}/{{number}}"
        channel = SmsChannel(settings.model_copy(update={"sms_provider": provider}), templates, links)
        outgoing = compose(channel, "win/text")
        (receipt,) = await send(channel, outgoing)
        Provider.answer = 500
        (doubtful,) = await send(channel, outgoing)
        nonsense = settings.model_copy(update={"sms_provider": "json://nowhere"})
        (wrong,) = await send(SmsChannel(nonsense, templates, links), outgoing)
    assert receipt.status == "sent"
    assert doubtful.status == "unknown", "it may have it: a second try could reach her twice"
    assert (wrong.status, "PARCOURS_SMS_PROVIDER" in (wrong.detail or "")) == ("deferred", True)
    (path, text), _ = got
    assert "33612345678" in path
    assert text == outgoing.content.text
    (closed,) = await send(channel, outgoing)
    assert (closed.status, (closed.detail or "")[:9]) == ("deferred", "Apprise: "), (
        "it was never there: it is tried again"
    )


# --- what it costs, where it comes from, and its picture ---------------------------------------------------------------


async def test_the_price_and_the_sender_are_by_where_it_goes(
    settings: Settings, templates: Templates, links: Links, gateway: Gateway, url: str, compose: Compose
) -> None:
    change = {
        "sms_prices": "49=7500 590=9000",
        "sms_from": "+33700000000 49=+4915112345678",
        "sms_url": url,
        "sms_account": ACCOUNT,
        "sms_token": TOKEN,
    }
    channel = SmsChannel(Settings.model_validate({**settings.model_dump(), **change}), templates, links)
    german = replace(SAMPLE, phone="+4915123456789", country="DE")
    outgoing = compose(channel, "win/text", key="8-1-0", recipient=german)
    assert (outgoing.content.cost, outgoing.content.sender) == (7500, "+4915112345678")
    (receipt,) = await send(channel, outgoing)
    assert receipt.cost == 7500
    assert gateway.messages[0]["from"] == "+4915112345678"
    long = replace(SAMPLE, first_name="Zoê" * 30)  # ê: 70 letters a segment, or 67 of several
    assert compose(channel, "win/text", recipient=long).content.cost == 3 * 4500


@pytest.mark.parametrize("wrong", ["49=", "=5", "4a=5", "49=5 49=6", "49=cheap", "49=-5"])
def test_a_table_of_prices_that_cannot_be_read_is_an_error(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"can't be read|is no price"):
        Settings(sms_prices=wrong)


async def test_a_picture_goes_as_mms_where_it_can_else_as_a_link(
    settings: Settings, templates: Templates, links: Links, gateway: Gateway, url: str, compose: Compose
) -> None:
    (templates.folder / "win" / "tea.en.txt").write_text(
        "---\nmedia: leaf.jpg\n---\nTea for {{ customer.first_name }}\n"
    )
    channel = SmsChannel(_at(settings.model_copy(update={"sms_mms": "1=2000"}), url), templates, links)
    american = replace(SAMPLE, phone="+12125550123", country="US")
    outgoing = compose(channel, "win/tea", key="8-1-0", recipient=american)
    assert (outgoing.content.text, outgoing.content.cost) == ("Tea for Camille", 2000)
    french = compose(channel, "win/tea", key="9-1-0")
    picture = links.media("win/leaf.jpg")
    assert french.content.text == f"Tea for Camille\n{picture}"
    await send(channel, outgoing, french)
    assert {(m["num_media"], m["media_url"]) for m in gateway.messages} == {("1", picture), ("0", None)}


@pytest.mark.parametrize(
    ("top", "says"),
    [
        ("media: https://cdn.example/{{ customer.first_name }}.png", ""),
        ("", ""),
        ("picture: leaf.jpg", "win/tea.en.txt:2: the front part of a text message names its picture, once"),
        ("media: leaf.jpg\nmedia: leaf.jpg", "win/tea.en.txt:3"),
        ("media: ../../etc/passwd.jpg", "no picture's file"),
        ("media: leaf.pdf", "no picture's file"),
        ("media: javascript:x.jpg", "no picture's file"),
        ("media: {{ customer.pictur }}", "no field 'pictur'"),
    ],
)
def test_what_a_front_part_may_say(
    settings: Settings, templates: Templates, links: Links, compose: Compose, top: str, says: str
) -> None:
    (templates.folder / "win" / "tea.en.txt").write_text(f"---\n{top}\n---\nTea\n")
    channel = SmsChannel(settings.model_copy(update={"sms_mms": "33=2000"}), templates, links)
    if says:
        with pytest.raises(TemplateError) as caught:
            compose(channel, "win/tea")
        assert says in str(caught.value)
    else:
        outgoing = compose(channel, "win/tea")
        assert outgoing.content.media == ("https://cdn.example/Camille.png" if top else "")
        assert outgoing.content.text == "Tea"


# --- a call that breaks off --------------------------------------------------------------------------------------------


@asynccontextmanager
async def breaking(url: str, *, before: bool) -> AsyncGenerator[str]:
    """A line to the gateway that breaks when a message is handed over: before it got there, or before its answer came."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
        headers = {name: value for name, _, value in lines if name.lower() not in {"host", "connection"}}
        length = next((int(value) for name, value in headers.items() if name.lower() == "content-length"), 0)
        body = await reader.readexactly(length)
        if method == "GET" or not before:
            async with httpx.AsyncClient() as client:
                reply = await client.request(method, url + path, headers=headers, content=body)
            if method == "GET":
                writer.write(
                    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n" + reply.content
                )
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("made", "status"),
    [("{now} -0000", "sent"), ("{now}", "sent"), ("25 Nov 2025 09:00:00 -0000", "unknown"), ("?", "unknown")],
)
async def test_S1_a_providers_date_need_not_tell_its_zone(
    settings: Settings, templates: Templates, links: Links, gateway: Gateway, url: str, compose: Compose,
    made: str, status: str,
) -> None:  # fmt: skip
    """RFC 2822, 3.3: `-0000` says UTC, and no more."""
    message = compose(SmsChannel(settings, templates, links), "win/text")
    await send(SmsChannel(_at(settings, url), templates, links), message)
    gateway.messages[0]["date_created"] = made.format(now=f"{datetime.now(UTC):%d %b %Y %H:%M:%S}")
    async with breaking(url, before=True) as line:
        (receipt,) = await send(SmsChannel(_at(settings, line), templates, links), message)
    assert receipt.status == status


@pytest.mark.parametrize(("before", "status"), [(False, "sent"), (True, "unknown")])
async def test_S1_a_call_that_breaks_off_is_looked_up_before_anything_else(
    settings: Settings, templates: Templates, links: Links, gateway: Gateway, url: str, compose: Compose,
    before: bool, status: str,
) -> None:  # fmt: skip
    async with breaking(url, before=before) as line:
        channel = SmsChannel(_at(settings, line), templates, links)
        other = compose(channel, "win/text", key="6-1-0", recipient=replace(SAMPLE, first_name="Another"))
        await send(SmsChannel(_at(settings, url), templates, links), other)  # to the same number, and another text
        (receipt,) = await send(channel, compose(channel, "win/text"))
    assert receipt.status == status
    assert len(gateway.messages) == (1 if before else 2)
    assert receipt.provider_id == (None if before else gateway.messages[1]["sid"])


async def test_S1_an_equal_text_of_last_year_is_not_the_one_whose_call_broke_off(
    settings: Settings, templates: Templates, links: Links, gateway: Gateway, url: str, compose: Compose
) -> None:
    await send(
        SmsChannel(_at(settings, url), templates, links), compose(SmsChannel(settings, templates, links), "win/text")
    )
    gateway.messages[0]["date_created"] = "Tue, 25 Nov 2025 09:00:00 +0000"
    async with breaking(url, before=True) as line:
        channel = SmsChannel(_at(settings, line), templates, links)
        (receipt,) = await send(channel, compose(channel, "win/text"))
    assert receipt.status == "unknown"


@pytest.mark.parametrize(
    ("code", "status", "dead", "unsubscribed"),
    [
        (21211, "rejected", "not a number", False),
        (21614, "rejected", "not a mobile number", False),
        (21610, "rejected", None, True),
        (21408, "deferred", None, False),
        (21606, "deferred", None, False),
        (30001, "deferred", None, False),
    ],
)
async def test_twilios_codes_have_their_outcomes(
    settings: Settings, templates: Templates, links: Links, compose: Compose,
    code: int, status: str, dead: str | None, unsubscribed: bool,
) -> None:  # fmt: skip
    async def app(scope: object, receive: object, respond: Callable[..., object]) -> None:
        del scope, receive
        body = json.dumps({"code": code, "message": "no", "status": 400}).encode()
        await respond({"type": "http.response.start", "status": 400, "headers": []})  # type: ignore[misc]
        await respond({"type": "http.response.body", "body": body})  # type: ignore[misc]

    with serving(app) as url:
        channel = SmsChannel(_at(settings, url), templates, links)
        (receipt,) = await send(channel, compose(channel, "win/text"))
    assert (receipt.status, receipt.dead, receipt.unsubscribed) == (status, dead, unsubscribed)


# --- the rate ----------------------------------------------------------------------------------------------------------


async def test_S6_workers_share_a_rate_and_who_is_triggered_passes_a_mass_send(
    settings: Settings, templates: Templates, links: Links, url: str, compose: Compose, sqlite: Database
) -> None:
    paced = _at(settings.model_copy(update={"sms_rate": 40.0}), url)
    one, two = (SmsChannel(paced, templates, links, sqlite) for _ in range(2))
    at: dict[bool, list[float]] = {True: [], False: []}

    async def through(channel: SmsChannel, count: int, first: int, *, planned: bool) -> None:
        async def one(paced: Paced, number: int) -> None:
            async with paced.turn(planned=planned) as way, way() as call:
                at[planned].append(time.monotonic())
                assert (await call(compose(channel, "win/text", key=f"{number}-1-0"))).status == "sent"

        async with channel.batch() as batch:
            assert isinstance(batch, Paced)
            await asyncio.gather(*(one(batch, number) for number in range(first, first + count)))

    begun = time.monotonic()
    mass = [asyncio.create_task(through(each, 16, 100 * n, planned=True)) for n, each in enumerate((one, two))]
    while not at[True]:  # noqa: ASYNC110  # as they come
        await asyncio.sleep(0.005)
    await through(two, 2, 900, planned=False)
    assert len(at[True]) < 32, "it waited behind the mass"
    await asyncio.gather(*mass)
    assert len(at[True]) == 32
    assert max(at[True]) - begun >= 31 / 40, "two workers are no faster than one"


# --- a gateway of signed JSON -------------------------------------------------------------------------------------------


class Signed:
    """A gateway as docs/sms.md describes it: verifies what it gets by the Standard Webhooks library, keeps a key once."""

    def __init__(self, *answers: tuple[int, dict[str, object]]) -> None:
        self.got: dict[str, dict[str, object]] = {}
        self.answers = list(answers)

    async def send(self, request: Request) -> Response:
        body = await request.body()
        if not signed_by(TOKEN, request.headers, body):
            return JSONResponse({"code": "bad_signature", "message": "not ours"}, 401)
        given = json.loads(body)
        assert request.headers["webhook-id"] == given["key"]
        self.got.setdefault(given["key"], given)
        if self.answers:
            status, answer = self.answers.pop(0)
            return JSONResponse(answer, status, {"Retry-After": "17"})
        return JSONResponse({"id": f"g-{given['key']}", "status": "queued"}, 202)

    async def find(self, request: Request) -> Response:
        key = request.query_params["key"]
        if key not in self.got:
            return JSONResponse({"code": "not_found", "message": "no such key"}, 404)
        return JSONResponse({"id": f"g-{key}", "status": "sent"})

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/sms", self.send, methods=["POST"]), Route("/sms", self.find, methods=["GET"])])


def _generic(settings: Settings, templates: Templates, links: Links, url: str, token: str = TOKEN) -> SmsChannel:
    changes = {"sms_provider": "generic", "sms_url": f"{url}/sms", "sms_token": token, "sms_mms": "33=2000"}
    return SmsChannel(Settings.model_validate({**settings.model_dump(), **changes}), templates, links)


async def test_a_gateway_of_signed_json_gets_all_it_needs(
    settings: Settings, templates: Templates, links: Links, compose: Compose
) -> None:
    (templates.folder / "win" / "tea.en.txt").write_text("---\nmedia: https://cdn.example/a.jpg\n---\nThé\n")
    gateway = Signed()
    with serving(gateway.app()) as url:
        channel = _generic(settings, templates, links, url)
        outgoing = compose(channel, "win/tea")
        first, again = await send(channel, outgoing, outgoing)
        (wrong,) = await send(_generic(settings, templates, links, url, "wrong"), outgoing)
    assert (first.status, first.provider_id, first.cost) == ("sent", "g-7-1-0", 2000)
    assert again.provider_id == first.provider_id
    assert gateway.got["7-1-0"] == {
        "key": "7-1-0",
        "from": "+33700000000",
        "to": "+33612345678",
        "text": "Thé",
        "media": ["https://cdn.example/a.jpg"],
        "segments": 1,
        "status_url": "https://journeys.example/v1/sms/generic/status",
    }
    assert (wrong.status, "PARCOURS_SMS_URL" in (wrong.detail or "")) == ("deferred", True)


@pytest.mark.parametrize(
    ("answer", "status", "dead"),
    [
        ((400, {"code": "unknown_number", "message": "nobody"}), "rejected", "unknown number"),
        ((422, {"code": "too_long", "message": "at most ten segments"}), "rejected", None),
        ((429, {"code": "slow_down", "message": "later"}), "deferred", None),
        ((500, {"code": "oops", "message": "we may have it"}), "sent", None),
    ],
)
async def test_each_answer_of_signed_json_has_its_outcome(
    settings: Settings, templates: Templates, links: Links, compose: Compose, answer: tuple[int, dict[str, object]],
    status: str, dead: str | None,
) -> None:  # fmt: skip
    with serving(Signed(answer).app()) as url:
        channel = _generic(settings, templates, links, url)
        (receipt,) = await send(channel, compose(channel, "win/text"))
    assert (receipt.status, receipt.dead) == (status, dead)
    assert receipt.retry_after == (17.0 if status == "deferred" else None)


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
        ("06 39 98 00 00", "FR", "+33639980000"),  # numbers for films: a stand-in takes them
        ("07700 900123", "GB", "+447700900123"),
        ("06 39 99 00 0", "FR", None),
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
