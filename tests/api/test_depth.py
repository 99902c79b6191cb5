"""JSON that is nested without an end: refused or set aside at every door that keeps it, so that it can be read again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from kit.calls import make, task
from kit.command import invoke

from engine.db import Database
from engine.depth import DEEPEST, depth
from engine.events import StoredEvent

Events = Callable[[], list[StoredEvent]]

DEPTHS = (DEEPEST + 1, 300, 800)
CLOUDEVENTS = {"Content-Type": "application/cloudevents+json"}


def nested(deep: int, of: str = "object") -> Any:
    """An object with so many objects, or lists, inside of one another."""
    value: Any = {} if of == "object" else []
    for _ in range(deep - 2):
        value = {"a": value} if of == "object" else [value]
    return {"a": value}


def track(deep: int, ident: str = "m1", of: str = "object") -> dict[str, Any]:
    return {"type": "track", "messageId": ident, "userId": "4711", "event": "Loyal Now", "properties": nested(deep, of)}


@pytest.mark.parametrize(
    ("text", "deep"), [("1", 0), ('"[["', 0), ("[]", 1), ("{}", 1), ("[[], 1]", 2), ('{"a": [{"b": 1}], "c": 1}', 3)]
)
def test_how_deep_it_is(text: str, deep: int) -> None:
    assert depth(json.loads(text)) == deep


async def test_what_is_deep_enough_is_kept_and_read(client: httpx.AsyncClient, events: Events) -> None:
    assert (await client.post("/v1/track", json=track(DEEPEST))).status_code == 200
    written = await client.put("/v1/customers/4711", json={"attributes": nested(DEEPEST)})
    assert (written.status_code, written.json()["attributes"]) == (201, nested(DEEPEST))
    assert (await client.get("/v1/events")).json()["events"][0]["payload"] == events()[0].payload == nested(DEEPEST)


@pytest.mark.parametrize("of", ["object", "list"])
@pytest.mark.parametrize("deep", DEPTHS)
async def test_a_message_nested_too_deep_is_set_aside_or_refused(
    client: httpx.AsyncClient, events: Events, deep: int, of: str
) -> None:
    batch = [track(deep, "deep", of), track(2, "good"), {**track(2, "traits"), "context": nested(deep, of)}]
    answer = await client.post("/v1/batch", json={"batch": batch})
    assert answer.status_code == 200, answer.text
    first, second = answer.json()["rejected"]
    assert (first["message_id"], first["reason"]) == (
        "deep",
        f"properties: objects and lists may be nested {DEEPEST} deep (got {deep})",
    )
    assert second["reason"].startswith("context: ")
    assert [event.id for event in events()] == ["good"]
    assert [row["message_id"] for row in (await client.get("/v1/events/rejected")).json()] == ["traits", "deep"]
    for kind in ("track", "page"):
        single = await client.post(f"/v1/{kind}", json=track(deep, of=of))
        assert (single.status_code, single.json()["code"]) == (400, "malformed_event")
    identify = {"userId": "4711", "traits": nested(deep, of)}
    assert (await client.post("/v1/identify", json=identify)).status_code == 400
    assert (await client.get("/v1/events")).status_code == 200


async def test_at_the_edge_of_what_python_reads_nothing_is_a_fault_of_ours(client: httpx.AsyncClient) -> None:
    """What a parser takes, a writer that is called from further inside may not."""
    headers = {"Content-Type": "application/json"}
    for deep in range(900, 1000, 4):
        inner = '{"a":' * (deep - 1) + "{}" + "}" * (deep - 1)
        message = (
            f'{{"type": "track", "messageId": "{deep}", "userId": "1", "event": "Loyal Now", "properties": {inner}}}'
        )
        batch = await client.post("/v1/batch", content=f'{{"batch": [{message}]}}', headers=headers)
        assert batch.status_code in {200, 400}, (deep, batch.text)
        assert (await client.post("/v1/track", content=message, headers=headers)).status_code == 400
        fields = await client.put("/v1/customers/4711", content=f'{{"attributes": {inner}}}', headers=headers)
        assert fields.status_code in {400, 422}, (deep, fields.text)


@pytest.mark.parametrize("deep", DEPTHS)
async def test_a_cloudevent_nested_too_deep_is_refused(client: httpx.AsyncClient, events: Events, deep: int) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "till", "type": "loyal.now", "subject": "4711"}
    whole = await client.post("/v1/events", content=json.dumps({**event, "data": nested(deep)}), headers=CLOUDEVENTS)
    assert (whole.status_code, whole.json()["code"]) == (400, "malformed_event")
    assert whole.json()["message"].startswith("data: objects and lists may be nested")
    binary = {f"ce-{name}": value for name, value in event.items()} | {"Content-Type": "application/json"}
    assert (await client.post("/v1/events", content=json.dumps(nested(deep)), headers=binary)).status_code == 400
    assert events() == []


@pytest.mark.parametrize("deep", DEPTHS)
async def test_fields_nested_too_deep_are_a_422_that_names_them(
    client: httpx.AsyncClient, sqlite: Database, deep: int
) -> None:
    now = datetime.now(UTC)
    times = {"created_at": now, "updated_at": now, "due_at": now - timedelta(minutes=1)}
    make(sqlite, task("1-1-0", **times), task("2-1-0", **times), now=now)
    claim = await client.post("/v1/call-tasks/claim", json={"queue": "retention", "worker": "anna"})
    (held,) = claim.json()["tasks"]
    free = "2-1-0" if held["id"] == "1-1-0" else "1-1-0"
    done = {"lease_token": held["lease_token"], "outcome": "interested", "answers": nested(deep)}
    offer = {"name": "Tea", "category": "tea", "margin": 100, "data": nested(deep)}
    segment: dict[str, Any] = {"op": "customer", "name": "a"}
    for _ in range(deep):
        segment = {"op": "not", "of": segment}
    for method, path, body, field in (
        ("PUT", "/v1/customers/4711", {"attributes": nested(deep)}, "attributes"),
        ("PUT", "/v1/offers/tea", offer, "data"),
        ("PUT", "/v1/feeds/news", {"title": "News", "segment": segment}, "segment"),
        ("PUT", "/v1/feed-sources/news", {"url": "https://example.com/feed", "segment": segment}, "segment"),
        ("POST", f"/v1/call-tasks/{held['id']}/complete", done, "answers"),
    ):
        answer = await client.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_value"), (path, answer.text)
        assert f"{field}: objects and lists may be nested {DEEPEST} deep" in answer.json()["message"]
    text = json.dumps(nested(deep)).replace('"', '""')
    file = f'id,outcome,answers\n{free},interested,"{text}"\n'
    told = await client.post("/v1/call-tasks/results.csv", content=file, headers={"Content-Type": "text/csv"})
    assert told.json()["rejected"][0]["code"] == "invalid_value"
    for path in ("/v1/customers/4711", "/v1/offers/tea"):
        assert (await client.get(path)).status_code == 404
    assert (await client.get("/v1/feeds")).json() == (await client.get("/v1/feed-sources")).json() == []
    shown = await client.get("/v1/call-tasks")
    assert {each["id"]: each["status"] for each in shown.json()["tasks"]} == {held["id"]: "reserved", free: "pending"}


def test_a_file_of_offers_nested_too_deep_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "offers.json"
    for deep in (*DEPTHS, 5000):
        inner = '{"a":' * (deep - 1) + "{}" + "}" * (deep - 1)
        file.write_text(f'[{{"id": "tea", "name": "Tea", "category": "tea", "margin": 1, "data": {inner}}}]')
        result = invoke("import", "offers", str(file))
        assert result.exit_code == 1
        assert "nested" in str(result.exception) or "recursion" in str(result.exception)
