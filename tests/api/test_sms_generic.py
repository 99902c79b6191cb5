"""Text messages by a gateway of signed JSON: what comes in, receipts, replays, and the pictures that it fetches."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from engine import consent
from engine.db import Database, table
from engine.events import StoredEvent
from engine.links import Links
from engine.settings import Settings
from engine.signed_json import sign
from engine.tables import Message

Events = Callable[[], list[StoredEvent]]
Sent = Callable[..., dict[str, Any]]
ZOE = "+33612345678"


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"journeys": tmp_path / "journeys"})


async def post(http: httpx.AsyncClient, settings: Settings, what: str, **given: Any) -> httpx.Response:
    body = json.dumps(given)
    headers = sign(settings.sms_token.get_secret_value(), "w1", body)
    return await http.post(f"/v1/sms/generic/{what}", content=body, headers=headers)


def text(words: str, ident: str = "t1") -> dict[str, str]:
    return {"id": ident, "from": ZOE, "to": "+33700000000", "text": words}


async def test_a_reply_and_its_send(http: httpx.AsyncClient, settings: Settings, sent: Sent, events: Events) -> None:
    sent("1-1-0", "sms", sender="+33700000000")
    for _ in range(2):
        response = await post(http, settings, "inbound", **text("Yes, gladly"))
        assert (response.status_code, response.json()) == (200, {"reply": None})
    (event,) = events()
    assert (event.name, event.message_key, event.payload["keyword"]) == ("sms.replied", "1-1-0", "YES")


async def test_stop_start_help(http: httpx.AsyncClient, settings: Settings, sent: Sent, sqlite: Database) -> None:
    sent("1-1-0", "sms")
    await post(http, settings, "inbound", **text("arrêter", "t1"))
    with sqlite.read() as conn:
        assert [(word.granted, word.source) for word in consent.of(conn, "c1")] == [(False, "sms ARRÊTER")]
    await post(http, settings, "inbound", **text("start", "t2"))
    with sqlite.read() as conn:
        assert [word.granted for word in consent.of(conn, "c1")] == [True]
    said = await post(http, settings, "inbound", **text("hilfe", "t3"))
    assert said.json()["reply"].endswith("START, um sie wieder zu erhalten.")


async def test_receipts(
    http: httpx.AsyncClient,
    settings: Settings,
    sent: Sent,
    events: Events,
    sqlite: Database,
    suppressed: Callable[[], list[tuple[str, str, str]]],
) -> None:
    sent("1-1-0", "sms", provider_id="g1")
    sent("2-1-0", "sms", status="sending")
    assert (await post(http, settings, "status", id="g1", status="queued")).status_code == 204
    assert (await post(http, settings, "status", id="g1", status="delivered")).status_code == 204
    failed = {"id": "g2", "key": "2-1-0", "status": "failed", "code": "unknown_number", "message": "no such subscriber"}
    assert (await post(http, settings, "status", **failed)).status_code == 204
    unknown = await post(http, settings, "status", id="nobody's", status="sent")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "message_not_found")
    rows = table(Message)
    with sqlite.read() as conn:
        found = conn.execute(select(rows.c.status, rows.c.provider_id).order_by(rows.c.key)).all()
    assert [tuple(row) for row in found] == [("delivered", "g1"), ("failed", "g2")]
    assert [event.name for event in events()] == ["sms.delivered", "sms.undelivered"]
    assert suppressed() == [("sms", ZOE, "unknown number")]


async def test_who_unsubscribed_at_the_gateway_has_withdrawn(
    http: httpx.AsyncClient, settings: Settings, sent: Sent, sqlite: Database
) -> None:
    sent("1-1-0", "sms", provider_id="g1")
    assert (await post(http, settings, "status", id="g1", status="failed", code="unsubscribed")).status_code == 204
    with sqlite.read() as conn:
        assert [(word.channel, word.granted) for word in consent.of(conn, "c1")] == [("sms", False)]


async def test_what_is_not_the_gateways_is_refused(http: httpx.AsyncClient, settings: Settings, events: Events) -> None:
    now = datetime.now(UTC)
    body = json.dumps(text("STOP"))
    right = sign(settings.sms_token.get_secret_value(), "w1", body)
    for headers in (
        {},
        {**right, "webhook-signature": "v1,AAAA"},
        {**right, "webhook-signature": "nonsense"},
        {**right, "webhook-id": "w2"},
        {**right, "webhook-timestamp": "soon"},
        sign("another secret", "w1", body),
        sign(settings.sms_token.get_secret_value(), "w1", body, now - timedelta(minutes=6)),
        sign(settings.sms_token.get_secret_value(), "w1", body, now + timedelta(minutes=6)),
    ):
        response = await http.post("/v1/sms/generic/inbound", content=body, headers=headers)
        assert (response.status_code, response.json()["code"]) == (403, "bad_signature")
    assert events() == []


def _nested(deep: int) -> object:
    value: object = 1
    for _ in range(deep):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"from": ZOE}, "id: Field required"),
        ({"id": "", "from": ZOE}, "id: String should have at least 1"),
        ({"id": "1", "from": 7}, "from: Input should be a valid string"),
        ({"id": "1", "from": ZOE, "text": "x" * 10_001}, "text: String should have at most"),
        ({"id": "1", "from": ZOE, "text": _nested(900)}, "text: Input should be a valid string"),
    ],
)
async def test_what_is_no_text_is_told(
    http: httpx.AsyncClient, settings: Settings, events: Events, given: dict[str, Any], says: str
) -> None:
    response = await post(http, settings, "inbound", **given)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_value")
    assert says in response.json()["message"]
    assert events() == []


async def test_a_picture_is_shown_at_its_signed_address_alone(
    http: httpx.AsyncClient, settings: Settings, links: Links
) -> None:
    folder = settings.journeys / "tea"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "leaf é.jpg").write_bytes(b"\xff\xd8picture")
    (folder / "hello.en.txt").write_text("secret")

    def path(name: str) -> str:
        return links.media(name).removeprefix(settings.public_url)

    shown = await http.get(path("tea/leaf é.jpg"))
    assert (shown.status_code, shown.headers["content-type"], shown.content) == (200, "image/jpeg", b"\xff\xd8picture")
    assert (await http.head(path("tea/leaf é.jpg"))).status_code == 200
    for address in (
        path("tea/hello.en.txt"),
        path("tea/none.jpg"),
        path("../../etc/passwd"),
        path("tea/leaf é.jpg").replace("/m/", "/m/x"),
        "/m/AAAAAAAAAAAAAAAA/tea/leaf.jpg",
    ):
        assert (await http.get(address)).status_code == 404, address


async def test_a_text_that_no_database_can_hold_says_stop_all_the_same(
    http: httpx.AsyncClient, settings: Settings, sent: Sent, events: Events, sqlite: Database
) -> None:
    """A gateway cuts a long text in the middle of an emoji."""
    sent("1-1-0", "sms", sender="+33700000000")
    assert (await post(http, settings, "inbound", **text("Stop\x00 \ud83d"))).status_code == 200
    with sqlite.read() as conn:
        assert [word.granted for word in consent.of(conn, "c1")] == [False]
    assert [(event.name, event.payload["text"]) for event in events() if event.name == "sms.stop"] == [
        ("sms.stop", "Stop")
    ]
    for wrong in (
        {**text("x"), "text": "x" * 10_001},
        {**text("x"), "media": 7},
        {**text("x"), "id": "\x00"},
    ):
        assert (await post(http, settings, "inbound", **wrong)).status_code == 422
