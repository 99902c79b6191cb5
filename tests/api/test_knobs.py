"""Knobs over the API and by command."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from kit.command import parcours

from dsl.ir import IR, After, Arrow, Entry, Knob, State
from engine import journeys, keys
from engine.db import Database

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
DAY = 86_400
CODE = """
from dsl import Api, Arrows, Final, Journey, Knob, Wait, after, days


class Basket(Journey):
    enters = Api()
    pause = Knob(days({days}), min=days(1), max=days({most}), label="Wait before we ring")
    gone = Final()

    @Wait()
    def rest(self) -> Arrows:
        yield after(self.pause) >> self.gone
"""


@pytest.fixture
def basket(sqlite: Database) -> IR:
    rest = State("rest", "wait", (Arrow(After(3 * DAY), "gone"),))
    pause = Knob("pause", "duration", 3 * DAY, DAY, 10 * DAY, "Wait before we ring", (("rest", 0, "seconds"),))
    ir = IR("basket", "marketing", Entry("api"), (rest, State("gone", "final")), knobs=(pause,))
    with sqlite.write() as conn:
        journeys.publish(conn, ir, "ada", NOW)
    return ir


async def test_L7_a_knob_is_turned_and_given_back(client: httpx.AsyncClient, basket: IR) -> None:
    turned = await client.put("/v1/journeys/basket/knobs/pause", json={"value": "4 days", "why": "agreed on Monday"})
    assert turned.status_code == 200, turned.text
    assert {name: turned.json()[name] for name in ("name", "version", "changed")} == {
        "name": "basket", "version": 2, "changed": True,
    }  # fmt: skip
    again = await client.put("/v1/journeys/basket/knobs/pause", json={"value": 4 * DAY})
    assert (again.json()["version"], again.json()["changed"]) == (2, False)
    found = (await client.get("/v1/journeys/basket/knobs")).json()
    (knob,) = found["knobs"]
    assert (knob["value"], knob["value_words"], knob["default_words"]) == (4 * DAY, "4 days", "3 days")
    assert (knob["min_words"], knob["max_words"], knob["turned"], knob["boxes"]) == ("1 day", "10 days", True, ["rest"])
    assert [(row["old"], row["value"], row["who"], row["why"]) for row in found["changes"]] == [
        (3 * DAY, 4 * DAY, "tests", "agreed on Monday")
    ]
    assert (await client.get("/v1/journeys/basket")).json()["version"] == 2
    assert "4 d" in (await client.get("/v1/journeys/basket/picture.svg")).text
    back = await client.delete("/v1/journeys/basket/knobs/pause", params={"why": "no better"})
    assert (back.json()["hash"], back.json()["knob"]["turned"]) == (basket.hash, False)
    assert (await client.get("/v1/journeys/basket/knobs")).json()["changes"][0]["why"] == "no better"


@pytest.mark.usefixtures("basket")
@pytest.mark.parametrize(
    ("path", "body", "status", "code", "says"),
    [
        ("basket/knobs/pause", {"value": "11 days"}, 422, "invalid_value", "pause: it goes from 1 day to 10 days"),
        ("basket/knobs/pause", {"value": "soon"}, 422, "invalid_value", "write a duration as 3 days"),
        ("basket/knobs/pause", {"value": None}, 422, "invalid_value", "value"),
        ("basket/knobs/pause", {"value": []}, 422, "invalid_value", "value"),
        ("basket/knobs/pause", {}, 422, "invalid_value", "value"),
        ("basket/knobs/paus", {"value": 1}, 404, "knob_not_found", "did you mean `pause`?"),
        ("nothing/knobs/pause", {"value": 1}, 404, "journey_not_found", "published: basket"),
    ],
)
async def test_what_can_t_be_turned_is_refused(
    client: httpx.AsyncClient, path: str, body: object, status: int, code: str, says: str
) -> None:
    refused = await client.put(f"/v1/journeys/{path}", json=body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert says in refused.json()["message"]


@pytest.mark.usefixtures("basket")
async def test_who_may_look_may_not_turn(http: httpx.AsyncClient, sqlite: Database) -> None:
    auth = (keys.create(sqlite, "looks", ["read"]), "")
    assert (await http.get("/v1/journeys/basket/knobs", auth=auth)).status_code == 200
    for method in ("PUT", "DELETE"):
        refused = await http.request(method, "/v1/journeys/basket/knobs/pause", json={"value": 1}, auth=auth)
        assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")


def test_the_command_turns_and_lists(tmp_path: Path) -> None:
    file = tmp_path / "journeys" / "basket.py"
    file.parent.mkdir()
    file.write_text(CODE.format(days=3, most=10))
    assert parcours(tmp_path, "publish").returncode == 0
    turned = parcours(tmp_path, "turn", "basket", "pause", "9 days", "--why", "slower")
    assert turned.stdout == "basket: pause is 9 days (the code says 3 days), version 2 from now on\n"
    assert "nothing changed: version 2" in parcours(tmp_path, "turn", "basket", "pause", "216h").stdout
    listed = parcours(tmp_path, "knobs", "basket").stdout
    assert all(word in listed for word in ("pause", "9 days", "3 days", "1 day", "10 days", "slower")), listed
    refused = parcours(tmp_path, "turn", "basket", "pause", "11 days")
    assert (refused.returncode, refused.stderr) == (
        1, "error[invalid_value]: pause: it goes from 1 day to 10 days (got '11 days')\n",
    )  # fmt: skip
    assert parcours(tmp_path, "turn", "basket", "pause").returncode == 2
    assert parcours(tmp_path, "turn", "basket", "pause", "2 days", "--reset").returncode == 2
    file.write_text(CODE.format(days=2, most=10))
    assert "knob pause: stays at 9 days (the code says 2 days)" in parcours(tmp_path, "publish").stdout
    file.write_text(CODE.format(days=2, most=7))
    assert "pause: it goes from 1 day to 7 days" in parcours(tmp_path, "publish").stdout
    assert "is 2 days (as the code says)" in parcours(tmp_path, "turn", "basket", "pause", "--reset").stdout


def test_a_journey_without_knobs_says_so(tmp_path: Path) -> None:
    file = tmp_path / "journeys" / "plain.py"
    file.parent.mkdir()
    file.write_text(
        CODE.format(days=3, most=10)
        .replace("after(self.pause)", "after(days=1)")
        .replace("    pause = Knob", "    # pause = Knob")
    )
    published = parcours(tmp_path, "publish")
    assert published.returncode == 0, published.stderr
    assert parcours(tmp_path, "knobs", "basket").stdout == "basket has no knobs\n"
