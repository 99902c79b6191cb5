"""Text messages in doubt, looked up at a real gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from kit.serving import serving
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import JSONResponse

from engine.db import Database, insert_new, table
from engine.events import since
from engine.links import Links
from engine.messages import mark_unknown
from engine.settings import Settings
from engine.tables import Message, MessageEvent
from engine.templating.templates import Templates
from workers.channels import SmsChannel
from workers.local.gateway import Gateway
from workers.settling import Settler

ZOE, OURS = "+33612345678", "+33700000000"


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path / "sms.jsonl", "ACtest", "a token")


@pytest.fixture
def settings(tmp_path: Path, gateway: Gateway) -> Iterator[Settings]:
    with serving(gateway.app()) as served:
        yield Settings.model_validate(
            {"data": tmp_path / "var", "sms_url": served.url, "sms_account": "ACtest", "sms_token": "a token"}
        )


@pytest.fixture
def settler(settings: Settings, sqlite: Database) -> Settler:
    channel = SmsChannel(settings, Templates.of(settings), Links(settings.public_url, b"k"))
    return Settler(settings, sqlite, channel, every=0)


@pytest.fixture
def doubted(settings: Settings, sqlite: Database) -> Callable[..., None]:
    """A message whose call broke off, `minutes` ago."""

    def make(key: str, text: str, minutes: float = 1, **changes: Any) -> None:
        then = settings.clock.now() - timedelta(minutes=minutes)
        row = {
            "key": key, "enrolment_id": 1, "customer_id": "c1", "journey": "win_back", "hash": "h", "state": "s", "visit": 1,
            "arm": "treated", "channel": "sms", "purpose": "marketing", "status": "sending", "address": ZOE, "sender": OURS,
            "content_hash": sha256(text.encode()).hexdigest(), "cost": 4500, "reserved_at": then, "settled_at": None,
            "provider_id": None, **changes,
        }  # fmt: skip
        with sqlite.write() as conn:
            insert_new(conn, Message, [row])
            if row["status"] == "sending":
                mark_unknown(conn, [key], then)

    return make


def hand_over(settings: Settings, text: str) -> str:
    reply = httpx.post(
        f"{settings.sms_url}/2010-04-01/Accounts/ACtest/Messages.json",
        auth=("ACtest", "a token"),
        data={"To": ZOE, "From": OURS, "Body": text},
    )
    return reply.json()["sid"]


def books(db: Database) -> dict[str, tuple[str, str | None, int]]:
    rows = table(Message)
    with db.read() as conn:
        return {row.key: (row.status, row.provider_id, row.cost) for row in conn.execute(select(rows))}


async def test_S1_what_the_provider_has_is_sent_and_what_it_never_took_has_failed(
    settings: Settings, sqlite: Database, settler: Settler, doubted: Callable[..., None]
) -> None:
    sid = hand_over(settings, "Hello Zoé")
    doubted("1-1-0", "Hello Zoé", sent_awaited=True)
    doubted("2-1-0", "Another text", sent_awaited=True)
    doubted("3-1-0", "A third, long ago", minutes=11, sent_awaited=True)
    assert await settler.round() == 2
    with sqlite.read() as conn:
        assert [(event.name, event.message_key) for event in since(conn, 0, 9)] == [("sms.sent", "1-1-0")]
    assert books(sqlite) == {
        "1-1-0": ("sent", sid, 4500),
        "2-1-0": ("unknown", None, 4500),
        "3-1-0": ("failed", None, 0),
    }
    line = table(MessageEvent)
    with sqlite.read() as conn:
        looked_up = line.c.detail.startswith("looked up")
        told = list(conn.execute(select(line.c.detail).where(looked_up).order_by(line.c.key)).scalars())
    assert told == ["looked up: the provider has it, queued", "looked up: the provider never took it"]


async def test_two_messages_of_one_text_are_two(
    settings: Settings, sqlite: Database, settler: Settler, doubted: Callable[..., None]
) -> None:
    first, second = hand_over(settings, "Hello"), hand_over(settings, "Hello")
    doubted("1-1-0", "Hello", status="sent", provider_id=second)  # this one is accounted for
    doubted("2-1-0", "Hello")
    doubted("3-1-0", "Hello")  # the provider has two of the three
    await settler.round()
    found = books(sqlite)
    assert {found["2-1-0"][1], found["3-1-0"][1]} == {first, None}


async def test_a_provider_that_is_away_is_asked_again(
    settings: Settings, sqlite: Database, doubted: Callable[..., None]
) -> None:
    away = settings.model_copy(update={"sms_url": "http://127.0.0.1:9"})
    channel = SmsChannel(away, Templates.of(away), Links(away.public_url, b"k"))
    doubted("1-1-0", "Hello", minutes=60)
    assert await Settler(away, sqlite, channel, every=0).round() == 0
    assert books(sqlite)["1-1-0"][0] == "unknown"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Apprise imports modules that Python is giving up
async def test_a_provider_that_cannot_be_asked_leaves_it_in_doubt(
    settings: Settings, sqlite: Database, doubted: Callable[..., None]
) -> None:
    other = settings.model_copy(update={"sms_provider": "json://127.0.0.1/{number}"})
    channel = SmsChannel(other, Templates.of(other), Links(other.public_url, b"k"))
    doubted("1-1-0", "Hello", minutes=60)
    assert await Settler(other, sqlite, channel, every=0).round() == 0
    assert books(sqlite)["1-1-0"][0] == "unknown"


async def test_a_look_up_that_the_provider_refuses_keeps_no_other_waiting(
    tmp_path: Path, gateway: Gateway, sqlite: Database, doubted: Callable[..., None]
) -> None:
    """One number that its provider won't look up (404) is passed over; where the provider itself fails (500), all wait."""
    poison, inner, says = "+33600000000", gateway.app(), {"status": 404}
    asked: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        number = Request(scope).query_params.get("To", "")
        if scope["method"] == "GET":
            asked.append(number)
        answer = JSONResponse({"code": 20404}, says["status"]) if number == poison else inner
        await answer(scope, receive, send)

    with serving(app) as served:
        settings = Settings.model_validate(
            {"data": tmp_path / "var", "sms_url": served.url, "sms_account": "ACtest", "sms_token": "a token"}
        )
        sid = hand_over(settings, "Hello")
        doubted("1-1-0", "Hello", minutes=60, address=poison)
        doubted("2-1-0", "Hello", minutes=30)
        doubted("3-1-0", "Never taken", minutes=20)
        channel = SmsChannel(settings, Templates.of(settings), Links(settings.public_url, b"k"))
        settler = Settler(settings, sqlite, channel, every=0)
        says["status"] = 500
        assert await settler.round() == 0
        assert set(asked) == {poison}, "the provider is down: the others are asked for later"
        says["status"] = 404
        assert await settler.round() == 2
    assert {key: status for key, (status, *_) in books(sqlite).items()} == {
        "1-1-0": "unknown", "2-1-0": "sent", "3-1-0": "failed",
    }  # fmt: skip
    assert books(sqlite)["2-1-0"][1] == sid
