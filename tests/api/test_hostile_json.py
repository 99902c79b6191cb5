"""Values that JSON can spell and nobody can keep: told at every door where they come in, and no fault of what stands around them."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from kit.calls import make, task
from kit.command import invoke

from engine.db import Database
from engine.events import StoredEvent

Events = Callable[[], list[StoredEvent]]

LONG = "9" * 5000  # Python's parser reads no number of more than 4,300 digits, nor the text that it stands in
VALUES = [
    pytest.param(LONG, "a number that is past the largest", id="long"),
    pytest.param("9" * 400, "a number that is past the largest", id="readable"),
    pytest.param(f"-{LONG}", "a number that is past the largest", id="negative"),
    pytest.param("1e999", "a number that is past the largest", id="exponent"),
    pytest.param("NaN", "a number that is none", id="nan"),
    pytest.param(r'"\u0000"', "a NUL character", id="nul"),
    pytest.param(r'"\ud800"', "half of a surrogate pair", id="half"),
]
TEXT = {"Content-Type": "application/json"}
ONE = {"Content-Type": "application/cloudevents+json"}


@pytest.mark.parametrize(("value", "says"), VALUES)
async def test_an_event_is_refused_and_of_a_batch_it_alone(
    client: httpx.AsyncClient, events: Events, value: str, says: str
) -> None:
    inner = f'{{"a": {value}}}'
    message = f'{{"type": "track", "messageId": "bad", "userId": "1", "event": "Note Written", "properties": {inner}}}'
    good = json.dumps({"type": "track", "messageId": "good", "userId": "1", "event": "Note Written"})
    answer = await client.post("/v1/batch", content=f'{{"batch": [{message}, {good}]}}', headers=TEXT)
    assert answer.status_code == 200, answer.text
    (told,) = answer.json()["rejected"]
    assert (told["index"], told["message_id"]) == (0, "bad")
    assert says in told["reason"]
    assert [row["message_id"] for row in (await client.get("/v1/events/rejected")).json()] == ["bad"]
    kind = '"datacontenttype": "application/json"'
    head = '"specversion": "1.0", "id": "1", "source": "/till", "type": "note.written", "subject": "1"'
    hidden = b64encode(inner.encode()).decode()
    binary = {"ce-specversion": "1.0", "ce-id": "2", "ce-source": "/till", "ce-type": "note.written"}
    for path, content, headers in (
        ("/v1/track", message, TEXT),
        ("/v1/events", f'{{{head}, {kind}, "data": {inner}}}', ONE),
        ("/v1/events", f'{{{head}, {kind}, "data_base64": "{hidden}"}}', ONE),
        ("/v1/events", inner, {**binary, **TEXT}),
    ):
        answer = await client.post(path, content=content, headers=headers)
        assert answer.status_code == 400, (path, answer.text)
        assert says in answer.json()["message"]
    assert [event.id for event in events()] == ["good"]


@pytest.mark.parametrize(
    ("content", "headers"),
    [(b"a\x00b", {"Content-Type": "text/plain"}), (b"{}", {"Content-Type": "application/json", "ce-subject": "a%00b"})],
)
async def test_a_nul_hidden_in_a_cloudevents_header_or_text_is_named(
    client: httpx.AsyncClient, events: Events, content: bytes, headers: dict[str, str]
) -> None:
    binary = {"ce-specversion": "1.0", "ce-id": "2", "ce-source": "/till", "ce-type": "note.written"}
    answer = await client.post("/v1/events", content=content, headers={**binary, **headers})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_event")
    assert "it holds a NUL character" in answer.json()["message"]
    assert events() == []


@pytest.mark.parametrize(("value", "says"), VALUES)
async def test_what_is_kept_as_json_elsewhere_is_refused_by_its_name(
    client: httpx.AsyncClient, sqlite: Database, tmp_path: Path, value: str, says: str
) -> None:
    inner = f'{{"a": {value}}}'
    offer = f'"name": "Tea", "category": "tea", "margin": 100, "data": {inner}'
    for path, content in (("/v1/customers/4711", f'{{"attributes": {inner}}}'), ("/v1/offers/tea", f"{{{offer}}}")):
        answer = await client.put(path, content=content, headers=TEXT)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_text"), answer.text
        assert says in answer.json()["message"]
        assert (await client.get(path)).status_code == 404
    make(sqlite, task("1-1-0"), now=datetime.now(UTC))
    text = inner.replace('"', '""')
    told = await client.post(
        "/v1/call-tasks/results.csv",
        content=f'id,outcome,answers\n1-1-0,interested,"{text}"\n',
        headers={"Content-Type": "text/csv"},
    )
    (refused,) = told.json()["rejected"]
    assert says in refused["reason"]
    file = tmp_path / "offers.json"
    file.write_text(f'[{{"id": "tea", {offer}}}]')
    result = invoke("import", "offers", str(file))
    assert result.exit_code == 1
    assert says in str(result.exception)


async def test_every_whole_number_of_an_address_has_bounds_that_databases_know(http: httpx.AsyncClient) -> None:
    """SQLite counts to 2**63: a larger one would be a fault of ours."""
    paths = (await http.get("/v1/openapi.json")).json()["paths"]
    for path, methods in paths.items():
        for method, call in methods.items():
            for given in call.get("parameters", []):
                kinds = given["schema"].get("anyOf", [given["schema"]])
                for kind in (each for each in kinds if each.get("type") == "integer"):
                    assert {"minimum", "maximum"} <= kind.keys(), (method, path, given["name"])
