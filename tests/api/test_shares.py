"""Learned shares over the API, and as the command shows them on a customer's path."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
from kit.command import parcours
from kit.recording import Recorder

from dsl.ir import IR, After, Answer, Arrow, Entry, Goal, Learned, State
from engine.db import Database
from engine.settings import Settings

DAY = 86_400


def lesson() -> IR:
    ways = tuple(State(name, "wait", (Arrow(After(2 * DAY), "gone"),)) for name in ("dull", "witty"))
    tone = State("tone", "split", (Arrow(Learned(), "dull"), Arrow(Learned(), "witty")))
    goal = Goal(Answer("shop.purchased", "customer"), 10 * DAY)
    return IR("lesson", "marketing", Entry("api"), (tone, *ways, State("gone", "final")), goal=goal)


async def test_shares_are_told_with_their_evidence(
    client: httpx.AsyncClient, sqlite: Database, settings: Settings
) -> None:
    books = Recorder(sqlite, lesson(), now=datetime(2026, 3, 2, 9, tzinfo=UTC))
    ids = [f"c{number}" for number in range(20)]
    books.customers(*ids)
    books.enter(*ids)
    for each in ids:
        if books.at(each) == "witty":
            books.tell(each, "shop.purchased", total=9)
    books.wait(days=30)
    found = (await client.get("/v1/journeys/lesson/shares")).json()
    (split,) = found["splits"]
    assert (found["name"], split["state"]) == ("lesson", "tone")
    dull, witty = split["arms"]
    assert (dull["to"], dull["successes"], witty["to"]) == ("dull", 0, "witty")
    assert witty["successes"] == witty["trials"] == 20 - dull["trials"] > 0
    assert witty["share"] > 0.95
    told = parcours(settings.data.parent, "where", ids[-1]).stdout
    assert "reached the goal, share" in told


async def test_a_journey_nobody_knows_has_no_shares(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/journeys/nothing/shares")).status_code == 404
