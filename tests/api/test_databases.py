"""One round through the API on each database: what SQLite forgives, PostgreSQL must not stumble over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx

from api.app import create_app
from dsl.ir import IR, After, Answer, Arrow, Entry, State
from engine import journeys, keys
from engine.db import Database, insert_new
from engine.links import Links
from engine.settings import Settings
from engine.tables import CallTask, Consent, Message

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


def fill(db: Database) -> None:
    call = State("call", "call", (Arrow(Answer("call.interested", "send"), "won"), Arrow(After(seconds=60), "won")))
    ir = IR("win_back", "marketing", Entry("api"), (call, State("won", "goal")), title="WinBack")
    where: dict[str, Any] = {"customer_id": "c1", "enrolment_id": 1, "journey": "win_back", "state": "call"}
    message: dict[str, Any] = {
        **where,
        "key": "1-1-0",
        "hash": ir.hash,
        "visit": 1,
        "arm": "treated",
        "channel": "call",
        "purpose": "marketing",
        "status": "sent",
        "links": [{"name": "shop", "url": "https://shop.example/"}],
        "cost": 0,
        "reserved_at": NOW,
    }
    task: dict[str, Any] = {
        **where,
        "id": "1-1-0",
        "queue": "retention",
        "status": "pending",
        "priority": 5,
        "script": "",
        "title": "",
        "phone": "+33612345678",
        "outcomes": ["interested"],
        "created_at": NOW,
        "updated_at": NOW,
        "due_at": NOW,
    }
    with db.write() as conn:
        journeys.publish(conn, ir, "ada", NOW)
        insert_new(conn, Message, [message])
        insert_new(conn, CallTask, [task])
        word = {"customer_id": "c1", "channel": "call", "purpose": "marketing", "granted": True, "source": "till"}
        insert_new(conn, Consent, [word | {"at": NOW}])


async def test_one_round(db: Database, settings: Settings) -> None:
    fill(db)
    links = Links(settings.public_url, settings.signing_key())
    auth = httpx.BasicAuth(keys.create(db, "tests", ["admin"]), "")
    transport = httpx.ASGITransport(create_app(settings, db))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", auth=auth) as client:

        async def call(method: str, path: str, body: Any = None, expected: int = 200) -> Any:
            response = await client.request(method, path, json=body)
            assert response.status_code == expected, (path, response.text)
            return response.json() if "json" in response.headers.get("content-type", "") else None

        await call("GET", "/v1/health")
        await call("PUT", "/v1/customers/c1", {"first_name": "Zoë", "phone": "+33612345678"}, 201)
        who = {"userId": "c1", "messageId": "m1"}
        batch = [{**who, "type": "track", "event": "Order Completed", "properties": {"total": 12.5}}]
        for _ in range(2):
            await call("POST", "/v1/batch", {"batch": batch})
        await call("GET", links.click("1-1-0", 0), expected=302)
        (task,) = (await call("POST", "/v1/call-tasks/claim", {"queue": "retention", "worker": "ada"}))["tasks"]
        done = {"lease_token": task["lease_token"], "outcome": "interested"}
        await call("POST", "/v1/call-tasks/1-1-0/complete", done)
        await call("POST", links.unsubscribe("1-1-0"))
        await call("PUT", "/v1/journeys/win_back/on", {"why": "spring"})
        entry = {"customer_id": "c1", "key": "k1"}
        assert (await call("POST", "/v1/journeys/win_back/enrolments", entry))["outcome"] == "entered"
        assert (await call("GET", "/v1/journeys/win_back"))["books"]["entered"] == 1
        assert (await call("GET", "/v1/journeys/win_back/report"))["boxes"][0]["answers"] == {
            "call.clicked": 1,
            "call.interested": 1,
        }
        assert len((await call("GET", "/v1/customers/c1/journeys/win_back"))["enrolments"]) == 1
        assert [row["name"] for row in (await call("GET", "/v1/events"))["events"]] == [
            "shop.purchased",
            "call.clicked",
            "call.interested",
            "consent.withdrawn",
        ]
        assert (await call("GET", "/v1/queues"))[0]["completed"] == 1
        await call("GET", "/v1/journeys/win_back/picture.svg")
        assert (await call("GET", "/v1/messages/1-1-0"))["content"] is None
        await call("POST", "/v1/customers/c1/feed")
        await call("GET", "/v1/call-tasks/export.csv")
        for path in ("/v1/customers/" + "x" * 300, "/v1/messages/%F0%9F%8D%B7"):
            await call("GET", path, expected=404)
        await call("GET", "/v1/call-tasks?cursor=WyIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsICJ4Il0")
