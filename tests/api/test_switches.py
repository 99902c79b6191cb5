"""The switch where a second person has to approve: over the API, and by command (behaviour L7)."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from kit.command import invoke

from api.app import create_app
from dsl.ir import IR, After, Arrow, Entry, State
from engine import journeys, keys
from engine.db import Database
from engine.settings import Settings

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


@pytest.fixture
def tea(sqlite: Database) -> str:
    states = (State("pause", "wait", (Arrow(After(60), "done"),)), State("done", "final"))
    with sqlite.write() as conn:
        journeys.publish(conn, IR("tea", "marketing", Entry("api"), states), "ada", NOW)
    return "tea"


async def test_L7_who_asks_does_not_approve(settings: Settings, sqlite: Database, tea: str) -> None:
    app = create_app(settings.model_copy(update={"second_person": True}), sqlite)
    ada = keys.create(sqlite, "ada", ["operate", "approve", "read"])
    bob = keys.create(sqlite, "bob", ["approve"])
    url = f"/v1/journeys/{tea}"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        early = await http.post(f"{url}/approve", auth=(bob, ""))
        assert (early.status_code, early.json()["code"]) == (409, "nothing_to_approve")
        asked = await http.put(f"{url}/on", json={"why": "spring"}, auth=(ada, ""))
        assert (asked.status_code, asked.json()["on"], asked.json()["waiting"]) == (202, False, True)
        shown = (await http.get(url, auth=(ada, ""))).json()
        assert (shown["on"], shown["waiting"]["who"], shown["waiting"]["why"]) == (False, "ada", "spring")
        own = await http.post(f"{url}/approve", auth=(ada, ""))
        assert (own.status_code, own.json()["code"]) == (409, "same_person")
        approved = await http.post(f"{url}/approve", auth=(bob, ""))
        assert approved.json() == {"name": tea, "on": True, "changed": True}
        again = await http.put(f"{url}/on", auth=(ada, ""))
        assert (again.status_code, again.json()) == (200, {"name": tea, "on": True, "changed": False})
        off = await http.put(f"{url}/off", auth=(ada, ""))
        assert off.json() == {"name": tea, "on": False, "changed": True}, "at once, by anybody who may operate"
        shown = (await http.get(url, auth=(ada, ""))).json()
        assert (shown["waiting"], [(row["who"], row["approved_by"]) for row in shown["toggles"]]) == (
            None,
            [("ada", None), ("ada", "bob")],
        )
        assert (await http.put(f"{url}/on", auth=(bob, ""))).status_code == 403


def test_L7_by_command(settings: Settings, sqlite: Database, tea: str) -> None:
    def command(who: str, *arguments: str) -> str:
        env = {"LOGNAME": who, "PARCOURS_SECOND_PERSON": "true", "PARCOURS_DATA": str(settings.data)}
        done = invoke(*arguments, env=env)
        return done.output or str(done.exception)

    assert (
        command("ada", "on", tea, "--why", "spring")
        == f"{tea} is asked for; another person turns it on: parcours approve {tea}\n"
    )
    assert "ada has asked for it; another person has to approve" in command("ada", "approve", tea)
    assert command("bob", "approve", tea) == f"{tea} is on\n"
    assert command("ada", "on", tea) == f"{tea} is on, as it was\n"
    assert command("ada", "off", tea) == f"{tea} is off\n"
    with sqlite.read() as conn:
        assert [(row.on, row.who, row.approved_by) for row in journeys.toggles(conn, tea)] == [
            (False, "ada", None),
            (True, "ada", "bob"),
        ]
