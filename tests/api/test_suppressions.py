"""Suppressions over the API and by command: seen, and taken back with who and why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from api.command import app as parcours
from engine import consent, keys
from engine.db import Database
from engine.settings import Settings

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


@pytest.fixture
def suppressed(sqlite: Database) -> None:
    with sqlite.write() as conn:
        consent.suppress(conn, "email", "zoe@example.com", "mailbox full", "smtp", NOW)
        consent.suppress(conn, "letter", "4711 @0123456789ab", "returned: moved", "returned post", NOW)
        consent.suppress(conn, "sms", "+33612345678", "do not call", "task outcome", NOW)


@pytest.mark.usefixtures("suppressed")
async def test_they_are_listed_and_taken_back(client: httpx.AsyncClient) -> None:
    rows = (await client.get("/v1/suppressions")).json()["suppressions"]
    assert [row["channel"] for row in rows] == ["email", "letter", "sms"]
    assert rows[0]["reason"] == "mailbox full"
    page = {"after_channel": "email", "after_address": "zoe@example.com", "limit": 1}
    (second,) = (await client.get("/v1/suppressions", params=page)).json()["suppressions"]
    (hers,) = (await client.get("/v1/suppressions", params={"address": "4711"})).json()["suppressions"]
    assert second == hers == rows[1]

    body = {"channel": "email", "address": "zoe@example.com", "why": "her server was full for an hour"}
    lifted = await client.post("/v1/suppressions/lift", json=body)
    assert lifted.status_code == 200
    assert lifted.json()["reason"] == "mailbox full"
    assert lifted.json()["who"] == "tests"
    again = await client.post("/v1/suppressions/lift", json=body)
    assert (again.status_code, again.json()["code"]) == (404, "suppression_not_found")
    (kept,) = (await client.get("/v1/suppressions/lifts")).json()
    assert (kept["address"], kept["why"]) == ("zoe@example.com", body["why"])


@pytest.mark.usefixtures("suppressed")
async def test_what_is_wrong_is_said_and_nothing_is_taken_back(
    client: httpx.AsyncClient, http: httpx.AsyncClient, sqlite: Database
) -> None:
    half = await client.get("/v1/suppressions", params={"after_channel": "email"})
    assert (half.status_code, half.json()["code"]) == (422, "invalid_value")
    body = {"channel": "email", "address": "zoe@example.com", "why": " "}
    assert (await client.post("/v1/suppressions/lift", json=body)).status_code == 422
    reads = keys.create(sqlite, "reads", ["read"])
    refused = await http.post("/v1/suppressions/lift", json=body | {"why": "x"}, auth=(reads, ""))
    assert refused.status_code == 403
    assert len((await client.get("/v1/suppressions")).json()["suppressions"]) == 3


def test_the_command_lists_and_takes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARCOURS_DATA", str(tmp_path))
    run = CliRunner().invoke
    assert "nothing is suppressed" in run(parcours, ["suppression", "list"]).output
    with Database(Settings().database_url).write() as conn:
        consent.suppress(conn, "sms", "+33612345678", "do not call", "task outcome", NOW)
    assert "do not call" in run(parcours, ["suppression", "list"]).output
    done = run(parcours, ["suppression", "lift", "sms", "+33612345678", "--why", "she rang and asked for it"])
    assert done.output == "sms +33612345678 may be written to again; it was suppressed for: do not call\n"
    assert "+33612345678 isn't suppressed" in run(parcours, ["suppression", "list", "+33612345678"]).output
