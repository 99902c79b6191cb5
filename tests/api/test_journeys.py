"""Journeys and customers over the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from dsl.ir import IR, After, Answer, Arrow, Entry, Reentry, State
from engine import journeys
from engine.db import Database, insert_new
from engine.tables import Step, TemplateVersion

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


@pytest.fixture
def win_back(sqlite: Database) -> IR:
    mail = State(
        "mail",
        "email",
        (Arrow(Answer("email.clicked", "send"), "won"), Arrow(After(seconds=86_400), "lapsed")),
        template="win_back/mail",
    )
    ir = IR(
        "win_back", "marketing", Entry("api"), (mail, State("won", "goal"), State("lapsed", "final")), title="WinBack"
    )
    with sqlite.write() as conn:
        journeys.publish(conn, ir, "ada", NOW)
    return ir


async def person(client: httpx.AsyncClient, ident: str = "c1", **fields: Any) -> httpx.Response:
    return await client.put(f"/v1/customers/{ident}", json=fields)


async def test_a_customer_is_written_and_read_with_consents(client: httpx.AsyncClient) -> None:
    made = await person(client, first_name="Zoë", phone="06 12 34 56 78", country="fr", attributes={"tier": "gold"})
    assert (made.status_code, made.json()["phone"], made.json()["consents"]) == (201, "+33612345678", [])
    changed = await person(client, city="Lyon", attributes={"points": 3})
    assert changed.status_code == 200
    assert changed.json()["attributes"] == {"tier": "gold", "points": 3}
    for _ in range(2):
        response = await client.post(
            "/v1/customers/c1/consents", json={"channel": "email", "granted": True, "source": "form"}
        )
        assert [(row["channel"], row["granted"], row["source"]) for row in response.json()] == [("email", True, "form")]
    assert (await client.get("/v1/customers/c1")).json()["consents"][0]["granted"]
    names = [event["name"] for event in (await client.get("/v1/events")).json()["events"]]
    assert names == ["consent.granted"]


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/v1/customers/c1", {"email": "zoe"}, 422, "email: not an e-mail address"),
        ("/v1/customers/c1", {"nickname": "Z"}, 422, "body.nickname"),
        ("/v1/customers/c1", {"first_name": 7}, 422, "body.first_name: Input should be a valid string (got 7)"),
        ("/v1/customers/%0A", {}, 422, "customer_id: a customer's id is text"),
        ("/v1/customers/%00", {}, 400, "NUL"),
        ("/v1/customers/c1", {"city": "a\x00"}, 400, "city holds a NUL character"),
        ("/v1/customers/c1", [], 422, "body"),
    ],
)
async def test_a_customer_that_cannot_be_is_refused(
    client: httpx.AsyncClient, path: str, body: Any, status: int, says: str
) -> None:
    response = await client.put(path, json=body)
    assert response.status_code == status
    assert set(response.json()) == {"code", "message"}
    assert says in response.json()["message"]
    assert (await client.get("/v1/customers/c1")).status_code == 404


async def test_consents_of_nobody_or_for_nothing_are_refused(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/customers/c1/consents", json={"channel": "email", "granted": True})
    assert (response.status_code, response.json()["code"]) == (404, "customer_not_found")
    await person(client)
    for wrong in (
        {"channel": "pigeon", "granted": True},
        {"channel": "email", "granted": True, "purpose": "fun"},
        {"channel": "sms"},
    ):
        assert (await client.post("/v1/customers/c1/consents", json=wrong)).status_code == 422


async def test_L7_the_switch(client: httpx.AsyncClient, win_back: IR) -> None:
    del win_back
    on = await client.put("/v1/journeys/win_back/on", json={"why": "spring"})
    assert on.json() == {"name": "win_back", "on": True, "changed": True}
    assert (await client.put("/v1/journeys/win_back/on")).json()["changed"] is False
    assert (await client.put("/v1/journeys/win_back/off")).json()["on"] is False
    missing = await client.put("/v1/journeys/winback/on")
    assert (missing.status_code, missing.json()["code"]) == (404, "journey_not_found")
    detail = (await client.get("/v1/journeys/win_back")).json()
    assert [(row["on"], row["who"], row["why"]) for row in detail["toggles"]] == [
        (False, "tests", ""),
        (True, "tests", "spring"),
    ]


async def test_E1_E5_entry_by_the_api(client: httpx.AsyncClient, win_back: IR) -> None:
    del win_back

    async def enrol(customer: str, key: str, **more: Any) -> Any:
        response = await client.post(
            "/v1/journeys/win_back/enrolments", json={"customer_id": customer, "key": key, **more}
        )
        return response.json().get("outcome", response.json().get("code"))

    await person(client, "c1")
    await person(client, "c2")
    assert await enrol("c1", "k1") == "off"
    await client.put("/v1/journeys/win_back/on")
    assert await enrol("c1", "k1") == "repeat"
    assert await enrol("c1", "k2") == "entered"
    assert await enrol("c1", "k2") == "repeat"
    assert await enrol("c1", "k3") == "active"
    assert await enrol("nobody", "k4") == "customer_not_found"
    assert await enrol("c2", "") == "invalid_value"
    way = (await client.get("/v1/customers/c1/journeys/win_back")).json()
    assert [row["entry"] for row in way["enrolments"]] == ["api:k2"]
    assert [(row["entry"], row["reason"]) for row in way["refusals"]] == [("api:k3", "active"), ("api:k1", "off")]
    (listed,) = (await client.get("/v1/journeys")).json()
    assert listed["books"] == {"entered": 1, "active": 1, "ended": {}}


async def test_a_parallel_journey_asks_for_its_keys_value(
    client: httpx.AsyncClient, sqlite: Database, win_back: IR
) -> None:
    parallel = replace(win_back, name="order", again=Reentry("always", parallel="order_id"))
    with sqlite.write() as conn:
        journeys.publish(conn, parallel, "ada", NOW)
        journeys.switch(conn, "order", True, "ada", "", NOW)
    await person(client)

    async def enrol(key: str, slot: str | None) -> httpx.Response:
        return await client.post("/v1/journeys/order/enrolments", json={"customer_id": "c1", "key": key, "slot": slot})

    assert (await enrol("k1", None)).status_code == 422
    assert [(await enrol(f"k{slot}", slot)).json()["outcome"] for slot in ("A", "B")] == ["entered", "entered"]
    assert (await enrol("k9", "A")).json()["outcome"] == "active"


async def test_the_live_picture_is_a_picture_with_its_counts(
    client: httpx.AsyncClient, sqlite: Database, win_back: IR
) -> None:
    await person(client)
    await client.put("/v1/journeys/win_back/on")
    await client.post("/v1/journeys/win_back/enrolments", json={"customer_id": "c1", "key": "k"})
    row = {
        "enrolment_id": 1,
        "seq": 1,
        "state": "mail",
        "cause": "entry",
        "at": NOW,
        "hash": win_back.hash,
        "arm": "treated",
    }
    with sqlite.write() as conn:
        insert_new(conn, Step, [row])
    picture = await client.get("/v1/journeys/win_back/picture.svg")
    assert picture.status_code == 200
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert ET.fromstring(picture.text).tag.endswith("svg")  # noqa: S314  # our own drawing
    again = await client.get("/v1/journeys/win_back/picture.svg", headers={"If-None-Match": picture.headers["etag"]})
    assert again.status_code == 304
    path = await client.get("/v1/journeys/win_back/picture.svg", params={"customer_id": "c1", "version": 1})
    assert path.status_code == 200
    assert path.text != picture.text
    for wrong, status in (
        ({"version": 7}, 404),
        ({"customer_id": "c9"}, 404),
        ({"theme": "pink"}, 422),
        ({"version": 0}, 422),
    ):
        assert (await client.get("/v1/journeys/win_back/picture.svg", params=wrong)).status_code == status


async def test_the_report_and_the_versions(client: httpx.AsyncClient, win_back: IR) -> None:
    report = (await client.get("/v1/journeys/win_back/report")).json()
    assert [box["state"] for box in report["boxes"]] == ["mail", "won", "lapsed"]
    assert report["increment"] is None
    assert (await client.get("/v1/journeys/win_back/report", params={"version": 2})).status_code == 404
    detail = (await client.get("/v1/journeys/win_back")).json()
    assert [(row["version"], row["hash"], row["published_by"]) for row in detail["versions"]] == [
        (1, win_back.hash, "ada")
    ]


async def test_S4_what_she_got_is_made_again_from_what_was_kept(
    client: httpx.AsyncClient, sqlite: Database, sent: Callable[..., dict[str, Any]], win_back: IR
) -> None:
    del win_back
    source = "Hello {{ customer.first_name }}: {{ link('https://shop.example', 'shop') }}"
    with sqlite.write() as conn:
        insert_new(
            conn,
            TemplateVersion,
            [{"hash": "t1", "name": "win_back/hi", "channel": "sms", "language": "en", "source": source, "at": NOW}],
        )
    person = {"id": "c1", "language": "en", "zone": "Europe/Paris", "first_name": "Zoë"}
    context = {"customer": person, "orders": {"count": 0}, "now": NOW.isoformat()}
    sent(channel="sms", template="win_back/hi", template_hash="t1", context=context, content_hash="0")
    sent("2-1-0", status="not_sent", reason="no consent", detail={"channel": "email"})
    got = (await client.get("/v1/messages/1-1-0")).json()
    assert got["content"]["text"].startswith("Hello Zoë: http://127.0.0.1:8000/c/1-1-0.0.")
    assert got["content"]["exact"] is False
    refused = (await client.get("/v1/messages/2-1-0")).json()
    assert (refused["status"], refused["reason"], refused["content"]) == ("not_sent", "no consent", None)
    assert (await client.get("/v1/messages/9-9-9")).json()["code"] == "message_not_found"


async def test_the_journeys_of_nobody_are_a_404(client: httpx.AsyncClient) -> None:
    nobody = await client.get("/v1/customers/nobody/journeys")
    assert (nobody.status_code, nobody.json()["code"]) == (404, "customer_not_found")
    assert (await client.put("/v1/customers/somebody", json={})).status_code == 201
    assert (await client.get("/v1/customers/somebody/journeys")).json() == []
