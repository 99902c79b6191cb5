"""The call center's API, as an agent's system uses it."""

from __future__ import annotations

import csv
import io
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from engine.calls import tasks as call_tasks
from engine.db import Database, insert_new
from engine.events import StoredEvent
from engine.tables import CallTask

Events = Callable[[], list[StoredEvent]]


@pytest.fixture
def tasks(sqlite: Database) -> Callable[..., None]:
    def make(*keys: str, **changes: Any) -> None:
        now = datetime.now(UTC) - timedelta(minutes=1)
        rows: list[dict[str, Any]] = [
            {
                "id": key,
                "customer_id": f"c{index}",
                "enrolment_id": int(key.split("-")[0]),
                "journey": "win_back",
                "state": "call",
                "queue": "retention",
                "status": "pending",
                "priority": 5,
                "script": "<p>Hello</p>",
                "title": "Win back",
                "phone": "+33612345678",
                "outcomes": ["interested", "refused"],
                "created_at": now,
                "updated_at": now + timedelta(milliseconds=index),
                "due_at": now,
                **changes,
            }
            for index, key in enumerate(keys)
        ]
        with sqlite.write() as conn:
            insert_new(conn, CallTask, rows)

    return make


async def claim(client: httpx.AsyncClient, most: int = 1) -> list[dict[str, Any]]:
    response = await client.post("/v1/call-tasks/claim", json={"queue": "retention", "worker": "ada", "max": most})
    assert response.status_code == 200
    found: list[dict[str, Any]] = response.json()["tasks"]
    return found


async def test_from_claim_to_outcome(client: httpx.AsyncClient, tasks: Callable[..., None], events: Events) -> None:
    tasks("1-1-0")
    (task,) = await claim(client)
    assert (task["status"], task["worker"], task["script"]) == ("reserved", "ada", "<p>Hello</p>")
    assert "lease_hash" not in task
    lease = {"lease_token": task["lease_token"]}
    assert (
        await client.post("/v1/call-tasks/1-1-0/heartbeat", json={**lease, "lease_seconds": 300})
    ).status_code == 200
    assert (await client.post("/v1/call-tasks/1-1-0/accept", json=lease)).json()["status"] == "assigned"
    body = {**lease, "outcome": "interested", "answers": {"wants": "red"}, "notes": "Nice.", "duration_s": 61}
    for _ in range(2):
        done = await client.post("/v1/call-tasks/1-1-0/complete", json=body)
        assert (done.status_code, done.json()["status"], done.json()["outcome"]) == (200, "completed", "interested")
    (event,) = events()
    assert (event.name, event.message_key, event.payload["answers"]) == ("call.interested", "1-1-0", {"wants": "red"})
    assert "notes" not in event.payload
    assert await claim(client) == []


async def test_what_can_go_wrong_has_its_status(
    client: httpx.AsyncClient, tasks: Callable[..., None], sqlite: Database
) -> None:
    tasks("1-1-0", "2-1-0")
    first, second = await claim(client, 2)

    async def complete(key: str, **body: Any) -> tuple[int, str]:
        response = await client.post(f"/v1/call-tasks/{key}/complete", json=body)
        return response.status_code, response.json()["code"]

    assert await complete("9-9-9", lease_token="x", outcome="refused") == (404, "call_task_not_found")
    assert await complete("1-1-0", lease_token="x", outcome="refused") == (409, "stale_lease")
    assert await complete("1-1-0", lease_token=first["lease_token"], outcome="keen") == (422, "invalid_value")
    assert await complete("1-1-0", outcome="refused") == (422, "invalid_value")
    assert await complete("1-1-0", lease_token="x", outcome="refused", duration_s=-1) == (422, "invalid_value")
    with sqlite.write() as conn:
        call_tasks.withdraw(conn, ["2-1-0"], datetime.now(UTC))
    assert await complete("2-1-0", lease_token=second["lease_token"], outcome="refused") == (410, "withdrawn")
    body = {"queue": "retention", "worker": "ada", "max": 0}
    response = await client.post("/v1/call-tasks/claim", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_value")
    assert "body.max" in response.json()["message"]


def cursor(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


async def test_listing_by_status_and_page(client: httpx.AsyncClient, tasks: Callable[..., None]) -> None:
    tasks(*(f"{number}-1-0" for number in range(1, 6)))
    await claim(client, 2)
    page = (await client.get("/v1/call-tasks", params={"status": "pending", "limit": 2})).json()
    rest = (await client.get("/v1/call-tasks", params={"status": "pending", "limit": 2, "cursor": page["next"]})).json()
    assert [task["id"] for task in page["tasks"] + rest["tasks"]] == ["3-1-0", "4-1-0", "5-1-0"]
    assert rest["next"] is None
    assert len((await client.get("/v1/call-tasks", params={"status": "reserved"})).json()["tasks"]) == 2
    assert (await client.get("/v1/call-tasks", params={"queue": "none"})).json() == {"tasks": [], "next": None}
    future = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert (await client.get("/v1/call-tasks", params={"updated_since": future})).json()["tasks"] == []
    for edge in ("0001-01-01T00:00:00", "0001-01-01T00:00:00Z"):
        assert len((await client.get("/v1/call-tasks", params={"updated_since": edge})).json()["tasks"]) == 5
    for wrong in (
        {"status": "open"},
        {"cursor": "nonsense"},
        {"cursor": "W10"},
        {"limit": "0"},
        {"updated_since": "x"},
        {"updated_since": "0001-01-01T00:00:00+14:00"},
        {"updated_since": "9999-12-31T23:59:59-14:00"},
        {"cursor": cursor('["0001-01-01T00:00:00+14:00", "1-1-0"]')},
        {"cursor": cursor("[" * 3000)},
    ):
        assert (await client.get("/v1/call-tasks", params=wrong)).status_code == 422
    assert (await client.get("/v1/queues")).json()[0] | {"oldest_due_at": None} == {
        "name": "retention",
        "pending": 3,
        "reserved": 2,
        "assigned": 0,
        "wrapping": 0,
        "completed": 0,
        "withdrawn": 0,
        "oldest_due_at": None,
        "open": True,
        "limited": False,
    }
    codes = [outcome["code"] for outcome in (await client.get("/v1/outcomes")).json()]
    assert codes[:4] == ["interested", "refused", "not_reached", "busy"]


async def test_the_dialers_file_holds_no_formula(client: httpx.AsyncClient, tasks: Callable[..., None]) -> None:
    tasks("1-1-0", title='=HYPERLINK("http://evil.example")')
    tasks("2-1-0", title="\t@SUM(A1)", phone="+336 12;=1")
    tasks("3-1-0", title='-1, "quoted"\nand more')
    response = await client.get("/v1/call-tasks/export.csv")
    assert response.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [row["title"] for row in rows] == [
        '\'=HYPERLINK("http://evil.example")',
        "'\t@SUM(A1)",
        '\'-1, "quoted"\nand more',
    ]
    assert [row["phone"] for row in rows] == ["+33612345678", "'+336 12;=1", "+33612345678"]


async def test_giving_a_task_back(client: httpx.AsyncClient, tasks: Callable[..., None]) -> None:
    tasks("1-1-0")
    (task,) = await claim(client)
    response = await client.post("/v1/call-tasks/1-1-0/reject", json={"lease_token": task["lease_token"]})
    assert response.json()["status"] == "pending"
    assert (await client.get("/v1/call-tasks/1-1-0")).json()["worker"] is None
    assert len(await claim(client)) == 1
