"""CloudEvents in: every mode of the HTTP binding, once each by source and id, and what is no CloudEvent."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from engine import customers
from engine.db import Database, table
from engine.events import StoredEvent
from engine.tables import Purchase

Events = Callable[[], list[StoredEvent]]
ONE = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
MANY = {"Content-Type": "application/cloudevents-batch+json"}


def event(**changes: Any) -> dict[str, Any]:
    whole = {
        "specversion": "1.0",
        "id": "A234-1234-1234",
        "source": "https://till.example/paris/3",
        "type": "mailing.responded",
        "subject": "4711",
        "time": "2026-05-04T09:30:00Z",
        "datacontenttype": "application/json",
        "data": {"how": "phone"},
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not ...}


async def test_a_structured_event(client: httpx.AsyncClient, events: Events) -> None:
    response = await client.post("/v1/events", content=json.dumps(event(traceparent="00-af")), headers=ONE)
    assert (response.status_code, response.json()) == (200, {"success": True})
    (kept,) = events()
    assert (kept.name, kept.customer_id, kept.payload, kept.source) == (
        "mailing.responded", "4711", {"how": "phone"}, "cloudevent",
    )  # fmt: skip
    assert kept.at == datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
    assert kept.id == "https://till.example/paris/3 A234-1234-1234"


async def test_an_event_in_binary_mode(client: httpx.AsyncClient, events: Events) -> None:
    headers = {
        "ce-specversion": "1.0",
        "CE-ID": "7",
        "ce-source": "/tills/caf%C3%A9%203",
        "ce-type": "mailing.responded",
        "ce-customerid": "Zo%C3%AB",
        "ce-subject": "orders/7",
        "Content-Type": "application/json",
    }
    assert (await client.post("/v1/events", content=b'{"how": "phone"}', headers=headers)).status_code == 200
    (kept,) = events()
    assert (kept.customer_id, kept.payload) == ("Zoë", {"how": "phone"})
    assert kept.id == "/tills/café%203 7"


async def test_a_batch_is_kept_whole_or_not_at_all(client: httpx.AsyncClient, events: Events) -> None:
    batch = [event(id="1"), event(id="2", type=...), event(id="3")]
    response = await client.post("/v1/events", content=json.dumps(batch), headers=MANY)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_event")
    assert response.json()["message"].startswith("[1].type: a CloudEvent has it, as text (got None)")
    assert events() == []
    batch[1] = event(id="2")
    assert (await client.post("/v1/events", content=json.dumps(batch), headers=MANY)).status_code == 200
    assert len(events()) == 3
    assert (await client.post("/v1/events", content=b"[]", headers=MANY)).status_code == 200


async def test_R4_source_and_id_count_once_together(client: httpx.AsyncClient, events: Events) -> None:
    for changes in ({}, {}, {"id": "other"}, {"source": "https://till.example/paris/4"}):
        await client.post("/v1/events", content=json.dumps(event(**changes)), headers=ONE)
    assert len(events()) == 3


@pytest.mark.parametrize(
    ("changes", "payload"),
    [
        ({"data": ...}, {}),
        ({"data": None}, {}),
        ({"data": [1, 2]}, {"data": [1, 2]}),
        ({"data": "text"}, {"data": "text"}),
        ({"data": ..., "data_base64": b64encode(b'{"a": 1}').decode()}, {"a": 1}),
        (
            {"data": ..., "data_base64": b64encode("é".encode()).decode(), "datacontenttype": "text/plain"},
            {"data": "é"},
        ),
        (
            {"data": ..., "data_base64": "//4=", "datacontenttype": "image/png"},
            {"data_base64": "//4=", "datacontenttype": "image/png"},
        ),
    ],
)
async def test_data_of_every_kind(
    client: httpx.AsyncClient, events: Events, changes: dict[str, Any], payload: dict[str, Any]
) -> None:
    assert (await client.post("/v1/events", content=json.dumps(event(**changes)), headers=ONE)).status_code == 200
    assert events()[0].payload == payload


async def test_purchases_and_profiles_are_what_they_are_by_the_other_doors(
    client: httpx.AsyncClient, sqlite: Database
) -> None:
    bought = event(type="shop.purchased", data={"order_id": "A-7", "total": 12.5, "category": "tea"})
    known = event(id="2", type="customer.identified", data={"firstName": "Zoë", "tier": "gold"})
    assert (await client.post("/v1/events", content=json.dumps([bought, known]), headers=MANY)).status_code == 200
    target = table(Purchase)
    with sqlite.read() as conn:
        line = conn.execute(select(target)).one()
        zoe = customers.get(conn, "4711")
    assert (line.order_id, line.customer_id, line.total) == ("A-7", "4711", 1250)
    assert zoe is not None
    assert (zoe.first_name, zoe.attributes) == ("Zoë", {"tier": "gold"})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"specversion": "0.3"}, "specversion: 1.0 is what is read here (got '0.3')"),
        ({"specversion": ...}, "specversion: a CloudEvent has it"),
        ({"id": ""}, "id: a CloudEvent has it"),
        ({"id": 7}, "id: a CloudEvent has it, as text (got 7)"),
        ({"source": "x" * 256}, "source: it may have 255 characters"),
        ({"source": "parcours:x"}, "ids that begin with parcours: are Parcours' own"),
        ({"type": "email.clicked"}, "type: names that begin with email are Parcours' own"),
        ({"time": "yesterday"}, "time: it must be ISO 8601"),
        ({"subject": "a\nb"}, "subject: a customer's id is text"),
        ({"Camel": "x"}, "Camel: an attribute's name is small letters and digits"),
        ({"data_base64": "YQ=="}, "data or data_base64, not both"),
        ({"data": ..., "data_base64": "!"}, "data_base64: it must be base64"),
        ({"data": ..., "data_base64": "YQ=="}, "data: it says that it is JSON, and is not"),
        ({"type": "shop.purchased", "data": {"total": "much"}}, "data.total: it must be a number"),
    ],
)
async def test_a_malformed_event_is_named(
    client: httpx.AsyncClient, events: Events, changes: dict[str, Any], says: str
) -> None:
    response = await client.post("/v1/events", content=json.dumps(event(**changes)), headers=ONE)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_event")
    assert says in response.json()["message"]
    assert events() == []


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", ONE, 400, "bad_json"),
        (b"[" * 100_000, MANY, 400, "bad_json"),
        (b"{}", MANY, 400, "malformed_batch"),
        (b"[]", ONE, 400, "malformed_event"),
        (b"[" + b"{}," * 5000 + b"{}]", MANY, 413, "batch_too_large"),
        (b"<x/>", {"Content-Type": "application/cloudevents+xml"}, 415, "unknown_format"),
        (b"{}", {"Content-Type": "application/json"}, 400, "no_cloudevent"),
        (b"", {"ce-specversion": "1.0"}, 400, "malformed_event"),
        (b"", {"ce-specversion": "1.0", "ce-id": "%ff"}, 400, "malformed_event"),
    ],
)
async def test_what_is_no_cloudevent(
    client: httpx.AsyncClient, events: Events, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    response = await client.post("/v1/events", content=content, headers=headers)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert set(response.json()) == {"code", "message"}
    assert events() == []


async def test_a_sender_may_ask_first(http: httpx.AsyncClient) -> None:
    response = await http.options("/v1/events", headers={"WebHook-Request-Origin": "events.example"})
    assert (response.status_code, response.headers["webhook-allowed-origin"]) == (200, "events.example")
