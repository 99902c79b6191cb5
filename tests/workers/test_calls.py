"""The call center on a running engine, through its public API: K1 to K4; and the dialer of docs/examples."""

from __future__ import annotations

import asyncio
import importlib.util
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import Any

import httpx
import pytest
from kit.engine import Engine, working
from kit.serving import serving
from sqlalchemy import update
from temporalio.client import Client

from api.app import create_app
from dsl import (
    Anywhere,
    Api,
    Arrows,
    Call,
    Feed,
    Final,
    Goal,
    Journey,
    Shop,
    Stage,
    after,
    always,
    hours,
    marketing,
    then,
)
from engine import keys
from engine.db import Database, insert_new, table
from engine.settings import Settings
from engine.tables import CallDeferral, CallTask, Enrolment, Message, Purchase
from workers.server import EmbeddedServer

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "dialer.py"
BANK = Path(__file__).parents[3] / "shared" / "data" / "bank-full.csv"


class Ring(Journey):
    """A call; who buys needs none."""

    enters = Api()
    again = always
    purpose = marketing
    won = Goal()
    refused = Final()
    unreached = Final()
    lapsed = Final()

    @Call("t/call", queue="ring", skills=["wine"], priority=2)
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused >> self.refused
        yield Call.not_reached >> self.unreached
        yield after(days=3000) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased >> self.won


class Around(Journey):
    """What an agent says is heard by arrows that stand around the box, too."""

    enters = Api()
    again = always
    purpose = marketing
    won = Goal()
    busy = Final()
    later = Final()
    refused = Final()
    lapsed = Final()

    @Stage()
    def ringing(self) -> Arrows:
        yield Call.busy >> self.busy

    @Call("t/call", queue="ring", stage=ringing)
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused >> self.refused
        yield Call.not_reached >> self.lapsed
        yield after(days=3000) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Call.voicemail >> self.later


class RingOrWrite(Journey):
    """Who can't be called today gets an item instead."""

    enters = Api()
    again = always
    purpose = marketing
    won = Goal()
    wrote = Final()
    lapsed = Final()

    @Call("t/call", queue="ring")
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.not_sent.because("no capacity") >> self.item
        yield Call.refused.ignored
        yield Call.not_reached.ignored
        yield after(days=3000) >> self.lapsed

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield then >> self.wrote


class Stubborn(Journey):
    """Tries again and again, as the campaign of a bank did."""

    enters = Api()
    again = always
    purpose = marketing
    yes = Goal()
    no = Final()
    lapsed = Final()

    @Call("t/call", queue="bank")
    def call(self) -> Arrows:
        yield Call.interested >> self.yes
        yield Call.refused >> self.no
        yield Call.not_reached.up_to(60, every=hours(20)) >> self.call
        yield Call.not_reached.ignored
        yield after(days=30000) >> self.lapsed


@pytest.fixture
async def by_the_wall(engine_settings: Settings, sqlite: Database, temporal: EmbeddedServer) -> AsyncIterator[Engine]:
    """An engine whose days are as long as ours: slots and opening hours stand still while a test looks."""
    settings = engine_settings.model_copy(update={"time_scale": 1.0, "time_real_origin": None, "time_origin": None})
    client = await Client.connect(settings.temporal_address)
    async with working(settings):
        yield Engine(settings, sqlite, client, temporal)


@asynccontextmanager
async def center(engine: Engine) -> AsyncGenerator[httpx.AsyncClient]:
    """The API, with a key that may declare queues and work."""
    auth = httpx.BasicAuth(keys.create(engine.database, "center", ["tasks", "operate"]), "")
    transport = httpx.ASGITransport(create_app(engine.settings, engine.database))
    async with httpx.AsyncClient(transport=transport, base_url="http://test", auth=auth) as client:
        yield client


def noon() -> str:
    """A time zone where it is about noon now: no slot of a day ends while a test runs."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "UTC"


async def declare(http: httpx.AsyncClient, **rules: Any) -> dict[str, Any]:
    answer = await http.put(
        "/v1/queues/ring", json={"call_from": "00:00", "call_until": "00:00", "holidays": True, **rules}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def claim(http: httpx.AsyncClient, worker: str = "ines", **more: Any) -> list[dict[str, Any]]:
    answer = await http.post("/v1/call-tasks/claim", json={"queue": "ring", "worker": worker, **more})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["tasks"]
    return found


async def say(http: httpx.AsyncClient, task: dict[str, Any], what: str, **body: Any) -> httpx.Response:
    return await http.post(f"/v1/call-tasks/{task['id']}/{what}", json={"lease_token": task["lease_token"], **body})


async def test_K1_of_two_agents_one_has_the_lease_and_its_late_outcome_counts(engine_on_both: Engine) -> None:
    engine = engine_on_both
    ir = engine.publish(Ring)
    engine.customers("ann", language="fr")
    engine.enter(ir, "ann")
    async with center(engine) as http:
        await engine.until(lambda: engine.rows(CallTask))
        assert await claim(http, skills=["wine"]) == [], "she speaks French"
        both = await asyncio.gather(*(claim(http, name, skills=["wine", "language:fr"]) for name in ("ines", "omar")))
        ((task,),) = [found for found in both if found]
        assert (task["priority"], task["skills"], task["status"]) == (2, ["wine", "language:fr"], "reserved")
        assert task["customer"]["first_name"] == "Zoé"
        over = {"lease_until": datetime.now(UTC) - timedelta(seconds=1)}
        with engine.database.write() as conn:
            conn.execute(update(table(CallTask)).values(over))
        await engine.until(lambda: engine.rows(CallTask)[0].lapsed_at)  # the worker has told it
        (again,) = await claim(http, "other")
        assert again["id"] == task["id"]
        assert (await say(http, task, "complete", outcome="interested")).json()["worker"] == task["worker"]
        assert (await say(http, again, "complete", outcome="refused")).status_code == 409
    await engine.until_at("ann", "won")


async def test_K2_a_call_back_is_planned_at_her_time_and_its_outcome_is_an_arrow(by_the_wall: Engine) -> None:
    engine = by_the_wall
    ir = engine.publish(Ring)
    zone = noon()
    engine.customers("ann", "ben", "cat", zone=zone)
    engine.enter(ir, "ann", "ben", "cat")
    async with center(engine) as http:
        await declare(http, zone=zone, shifts=[{"opens": "08:00", "closes": "17:00"}], attempts=2)
        await engine.until(lambda: len(engine.rows(CallTask)) == 3)
        first, second, third = await claim(http, max=3)
        later = (await say(http, first, "callback", at="15:00")).json()
        due = datetime.fromisoformat(later["due_at"])
        assert (later["status"], later["callback_at"]) == ("pending", later["due_at"])
        assert timedelta(0) < due - datetime.now(UTC) < timedelta(hours=4)
        evening = (await say(http, second, "callback", at="20:00")).json()
        assert datetime.fromisoformat(evening["due_at"]) - due == timedelta(hours=17), "at eight, when the centre opens"
        assert (await say(http, third, "attempts", outcome="busy")).json()["attempts"] == 1
        assert await claim(http) == []
        with engine.database.write() as conn:  # three o'clock has come
            conn.execute(update(table(CallTask)).values(due_at=datetime.now(UTC)))
        again = {task["customer_id"]: task for task in await claim(http, max=3)}
        assert {task["attempts_left"] for task in again.values()} == {1}
        ann, ben, cat = (again[task["customer_id"]] for task in (first, second, third))
        assert (await say(http, ann, "callback", at="16:00")).json()["code"] == "no_attempts_left"
        assert (await say(http, ann, "complete", outcome="refused")).status_code == 200
        assert (await say(http, ben, "complete", outcome="interested")).status_code == 200
        assert (await say(http, cat, "attempts", outcome="voicemail")).json()["status"] == "completed"
    await engine.until_at(first["customer_id"], "refused")
    await engine.until_at(second["customer_id"], "won")
    await engine.until_at(third["customer_id"], "unreached")


def bought(engine: Engine, totals: dict[str, int]) -> None:
    """Orders by which the customers' calls are worth more, and less."""
    line = {"at": engine.now() - timedelta(days=9), "quantity": 1}
    with engine.database.write() as conn:
        rows = [line | {"id": c, "order_id": c, "customer_id": c, "total": total} for c, total in totals.items()]
        insert_new(conn, Purchase, rows)


async def test_K3_overflow_waits_for_the_next_slot_and_the_one_worth_most_is_called_first(by_the_wall: Engine) -> None:
    engine = by_the_wall
    ir = engine.publish(Ring)
    worth = {f"c{n}": n * 1000 for n in range(1, 8)}
    engine.customers(*worth)
    bought(engine, worth)
    async with center(engine) as http:
        whole_days = [{"opens": "00:00", "closes": "00:00", "agents": 1}]
        await declare(http, zone=noon(), shifts=whole_days, slot_minutes=1440, calls_per_agent=2)
        engine.enter(ir, *worth)
        await engine.until(lambda: len(engine.rows(CallTask)) == 7)
        assert [task["customer_id"] for task in await claim(http, max=9)] == ["c7", "c6"]
        rows = engine.rows(CallTask)
        days = Counter((row.due_at - engine.now()).days for row in rows if row.customer_id not in {"c6", "c7"})
        assert sorted(days.values()) == [1, 2, 2]
        assert {row.task_id for row in engine.rows(CallDeferral)} == {
            row.id for row in rows if row.customer_id not in {"c6", "c7"}
        }
        detail = (await http.get("/v1/queues/ring")).json()
        assert [slot["planned"] for slot in detail["slots"][:5]] == [2, 2, 2, 1, 0]
        assert len((await http.get("/v1/queues/ring/deferrals")).json()) == 5
        await declare(http, zone=noon(), shifts=[{"opens": "00:00", "closes": "00:00", "agents": 9}], slot_minutes=1440)
        assert [task["customer_id"] for task in await claim(http, max=9)] == ["c5", "c4", "c3", "c2", "c1"]


async def test_K3_overflow_takes_the_substitute_that_its_box_declares(by_the_wall: Engine) -> None:
    engine = by_the_wall
    ir = engine.publish(RingOrWrite)
    worth = {"ann": 4000, "ben": 9000, "cat": 1000, "dan": 6000}
    engine.customers(*worth)
    bought(engine, worth)
    async with center(engine) as http:
        whole_days = [{"opens": "00:00", "closes": "00:00", "agents": 1}]
        await declare(http, zone=noon(), shifts=whole_days, slot_minutes=1440, calls_per_agent=2)
        engine.enter(ir, *worth)
        await engine.until(lambda: len([row for row in engine.rows(Enrolment) if row.ended_at]) == 2)
    assert {row.customer_id: row.state for row in engine.rows(Enrolment)} == {
        "ann": "wrote",
        "ben": "call",
        "cat": "wrote",
        "dan": "call",
    }
    (refused,) = engine.rows(Message, customer_id="ann", channel="call")
    assert (refused.status, refused.reason) == ("not_sent", "no capacity")
    assert (refused.detail["queue"], refused.detail["value"], refused.detail["calls"]) == ("ring", 800, 2)
    assert engine.rows(CallDeferral) == []


async def test_an_outcome_is_heard_by_a_stages_arrow_and_by_one_from_anywhere(engine_on_both: Engine) -> None:
    engine = engine_on_both
    ir = engine.publish(Around)
    engine.customers("ann", "ben")
    async with center(engine) as http:
        await declare(http, attempts=1)
        engine.enter(ir, "ann", "ben")
        await engine.until(lambda: len(engine.rows(CallTask)) == 2)
        for task, outcome in zip(await claim(http, max=2), ("busy", "voicemail"), strict=True):
            assert (await say(http, task, "complete", outcome=outcome)).status_code == 200
        await engine.until(lambda: all(row.ended_at for row in engine.rows(Enrolment)))
    assert {row.end_reason for row in engine.rows(Enrolment)} == {"busy", "later"}


async def test_who_can_be_rung_at_none_of_the_queues_hours_gets_no_task_and_the_others_do(
    engine_on_both: Engine,
) -> None:
    engine = engine_on_both
    ir = engine.publish(RingOrWrite)
    engine.customers("ann", zone="Pacific/Honolulu")
    engine.customers("ben")
    async with center(engine) as http:
        shifts = [{"opens": "09:00", "closes": "18:00"}]
        await declare(http, zone="Europe/Paris", shifts=shifts, call_from="08:00", call_until="20:00")
        engine.enter(ir, "ann", "ben")
        await engine.until(lambda: any(row.ended_at for row in engine.rows(Enrolment)))
        await engine.until(lambda: len(engine.rows(CallTask)) == 1)
    assert [row.customer_id for row in engine.rows(CallTask)] == ["ben"]
    (refused,) = engine.rows(Message, customer_id="ann", channel="call")
    assert (refused.reason, refused.detail["hours"]) == ("no capacity", "none in common")


async def test_K4_who_buys_is_not_rung_and_a_call_under_way_is_flagged(engine_on_both: Engine) -> None:
    engine = engine_on_both
    ir = engine.publish(Ring)
    engine.customers("ann", "ben")
    engine.enter(ir, "ann", "ben")
    async with center(engine) as http:
        await engine.until(lambda: len(engine.rows(CallTask)) == 2)
        first, second = await claim(http, max=2)
        await say(http, first, "accept")
        for task in (first, second):
            engine.tell("shop.purchased", task["customer_id"], total=9)
        await engine.until(lambda: all(row.withdrawn_at for row in engine.rows(CallTask)))
        beat = (await say(http, first, "heartbeat")).json()
        assert (beat["status"], beat["withdrawn_at"] is not None) == ("assigned", True)
        assert (await say(http, second, "accept")).status_code == 410
        assert (await say(http, first, "wrap")).json()["status"] == "wrapping"
        assert (await say(http, first, "complete", outcome="interested")).status_code == 200
        withdrawn = (await http.get("/v1/call-tasks", params={"status": "withdrawn"})).json()["tasks"]
        assert [task["id"] for task in withdrawn] == [second["id"]]
    assert {row.end_reason for row in engine.rows(Enrolment)} == {"won"}


@pytest.fixture
def dialer() -> ModuleType:
    """docs/examples/dialer.py, as who copies it has it."""
    spec = importlib.util.spec_from_file_location("dialer", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys  # noqa: PLC0415  # dataclasses look their module up there

    sys.modules["dialer"] = module
    spec.loader.exec_module(module)
    return module


def test_the_dialer_outlives_a_server_that_is_away(dialer: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(dialer.time, "sleep", waits.append)
    away = dialer.Dialer("http://127.0.0.1:9", "a key", "omar")
    assert dialer.work(away, "wine", None, None, idle=2) == 0
    assert sum(waits) > 10, "it tried again, each time later"
    away.close()


async def test_the_dialer_of_the_docs_works_a_queue(by_the_wall: Engine, dialer: ModuleType) -> None:
    engine = by_the_wall
    ir = engine.publish(Ring)
    customers = ("ann", "ben", "cat", "dan", "eve")
    engine.customers(*customers)
    engine.enter(ir, *customers)
    await engine.until(lambda: len(engine.rows(CallTask)) == 5)
    key = keys.create(engine.database, "dialer", ["tasks"])
    calls: list[str] = []

    def call(task: dict[str, Any], gone: Event) -> Any:
        calls.append(task["customer_id"])
        match task["customer_id"]:
            case "ann":
                return dialer.Result("interested", answers={"wants": "red"})
            case "ben":
                return dialer.Result("callback", at="23:59", notes="at her sister's")
            case "cat":
                return dialer.Result("bussy")  # mistyped
            case "dan":  # he buys while the phone rings
                engine.tell("shop.purchased", "dan", total=9)
                assert gone.wait(60), "the heartbeat tells it"
                return dialer.Result("refused")
            case _:  # another agent is quicker with hers
                other = dialer.Dialer(url, key, "omar")
                other.finish(task, dialer.Result("refused"), 1)
                other.close()
                return dialer.Result("interested")

    refused: list[str] = []

    def again(task: dict[str, Any], why: str) -> Any:
        assert task["customer_id"] == "cat"
        refused.append(why)
        first = len(refused) == 1
        return dialer.Result("callback" if first else "busy")  # a call back needs a time: refused once more

    with serving(create_app(engine.settings, engine.database)) as served:
        url = served.url
        agent = dialer.Dialer(url, key, "ines", lease=3)
        reported = await asyncio.to_thread(dialer.work, agent, "ring", call, again, idle=1)
        agent.close()
    assert sorted(calls) == sorted(customers)
    assert reported == 4, "one was reported by another"
    assert ["it must be one of" in refused[0], "Give the time" in refused[1], len(refused)] == [True, True, 2]
    await engine.until_at("ann", "won")
    await engine.until_at("eve", "refused")
    found = {row.customer_id: (row.status, row.attempts, row.outcome) for row in engine.rows(CallTask)}
    assert found == {
        "ann": ("completed", 0, "interested"),
        "ben": ("pending", 1, None),
        "cat": ("pending", 1, None),
        "dan": ("completed", 0, "refused"),
        "eve": ("completed", 0, "refused"),
    }


@pytest.mark.skipif(not BANK.exists(), reason="shared/data/bank-full.csv is not here")
async def test_a_banks_campaign_is_played_as_it_was(engine: Engine) -> None:
    """Row i is not reached `campaign` − 1 times, and then says what the bank noted (y)."""
    with BANK.open(encoding="utf-8") as file:
        names = [name.strip('"') for name in file.readline().strip().split(";")]
        rows = [
            dict(zip(names, line.strip().replace('"', "").split(";"), strict=True))
            for line, _ in zip(file, range(12), strict=False)
        ]
    script = {
        f"b{n}": ["not_reached"] * (int(row["campaign"]) - 1) + ["interested" if row["y"] == "yes" else "refused"]
        for n, row in enumerate(rows)
    }
    left = {customer: list(outcomes) for customer, outcomes in script.items()}
    ir = engine.publish(Stubborn)
    engine.customers(*script)
    engine.enter(ir, *script)
    async with center(engine) as http:
        async with asyncio.timeout(90):
            while any(left.values()):
                answer = await http.post("/v1/call-tasks/claim", json={"queue": "bank", "worker": "ines", "max": 50})
                for task in answer.json()["tasks"]:
                    await say(http, task, "complete", outcome=left[task["customer_id"]].pop(0))
    await engine.until(lambda: all(row.ended_at for row in engine.rows(Enrolment)))
    ends = {row.customer_id: row.end_reason for row in engine.rows(Enrolment)}
    assert ends == {c: "yes" if outcomes[-1] == "interested" else "no" for c, outcomes in script.items()}
    assert len(engine.rows(CallTask)) == sum(len(outcomes) for outcomes in script.values())
