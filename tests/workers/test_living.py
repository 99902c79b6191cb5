"""Live change and operations: versions side by side, replays, entries that are repeated, answers long after the end."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from kit.engine import Engine
from sqlalchemy import func, select
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from dsl import (
    Api,
    Arrows,
    Audience,
    Customer,
    Feed,
    Final,
    Goal,
    Journey,
    after,
    always,
    daily,
    marketing,
    then,
)
from dsl.compile import compile_journey
from dsl.ir import Every, Reentry
from dsl.ir_json import from_json
from dsl.step import chart
from engine.cohorts import form_cohorts, joined, over, to_join
from engine.db import Database, table
from engine.enrolments import Applicant, enter
from engine.journeys import books, switch
from engine.paths import path
from engine.settings import Settings
from engine.tables import Cohort, Enrolment, EntryRefusal, JourneyVersion, LateAnswer
from engine.tables import Journey as JourneyRow
from workers.cohort import CohortWorkflow
from workers.entry import last_due
from workers.registry import REGISTRY

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HISTORIES = Path(__file__).parents[1] / "histories"


class Slow(Journey):
    """Waits long enough for whatever a test does meanwhile, on a slow machine too."""

    enters = Api()
    again = always
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield Feed.clicked >> self.won
        yield after(days=900) >> self.lapsed


class Brief(Slow):
    """Waits long enough for a new version to come."""

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield Feed.clicked >> self.won
        yield after(days=3) >> self.lapsed


async def test_L1_those_under_way_stay_on_their_version(engine: Engine) -> None:
    old = engine.publish(Brief)
    engine.customers("ann", "ben")
    engine.enter(old, "ann")
    await engine.until_sent("ann", "item")
    states = tuple(replace(state, name="given_up") if state.name == "lapsed" else state for state in old.states)
    item = replace(
        old.start, arrows=tuple(replace(a, to="given_up") if a.to == "lapsed" else a for a in old.start.arrows)
    )
    new = engine.publish(replace(old, states=(item, *states[1:])))
    assert new.hash != old.hash
    engine.enter(new, "ben")
    await engine.until(lambda: all(row.ended_at for row in engine.rows(Enrolment)))
    assert {row.customer_id: (row.hash, row.end_reason) for row in engine.rows(Enrolment)} == {
        "ann": (old.hash, "lapsed"),
        "ben": (new.hash, "given_up"),
    }
    assert [row.version for row in engine.rows(JourneyVersion)] == [1, 2]


async def test_L4_a_history_replays(engine: Engine) -> None:
    ir = engine.publish(Brief)
    engine.customers("ann", "ben")
    engine.enter(ir, "ann", "ben")
    message = await engine.until_sent("ann", "item")
    engine.tell("feed.clicked", "ann", key=message.key)
    await engine.until(lambda: all(row.ended_at for row in engine.rows(Enrolment)))
    history = await engine.workflow("ann").fetch_history()
    await _replay(history)


@pytest.mark.parametrize("file", sorted(HISTORIES.glob("*.json")), ids=lambda file: file.stem)
async def test_L4_every_recorded_history_replays(file: Path) -> None:
    """Histories of releases, with the journey that they ran: no change of ours may strand a customer who is under way."""
    kept = json.loads(await asyncio.to_thread(file.read_text))
    REGISTRY.add(chart(from_json(kept["ir"])))
    await _replay(WorkflowHistory.from_json(kept["id"], kept["history"]))


def test_L4_what_is_recorded_has_joins_answers_stops_and_new_runs() -> None:
    kept = "".join(file.read_text() for file in HISTORIES.glob("*.json"))
    for signal in ("join", "answers", "stop"):
        assert f'"signalName": "{signal}"' in kept
    assert '"continuedExecutionRunId": "' in kept


async def _replay(history: WorkflowHistory) -> None:
    replayer = Replayer(workflows=[CohortWorkflow], workflow_runner=UnsandboxedWorkflowRunner())
    await replayer.replay_workflow(history)


async def test_L8_the_step_log_answers_when_temporal_has_forgotten(engine: Engine) -> None:
    ir = engine.publish(Slow)
    engine.customers("ann")
    engine.enter(ir, "ann")
    message = await engine.until_sent("ann", "item")
    engine.tell("feed.clicked", "ann", key=message.key)
    await engine.until(lambda: engine.enrolment("ann").ended_at)
    described = await engine.workflow("ann").describe()
    await engine.client.workflow_service.delete_workflow_execution(_deletion(described.id, described.run_id))
    engine.tell("feed.clicked", "ann", key=message.key)
    await engine.until(lambda: _late(engine))
    with engine.database.read() as conn:
        (way,) = path(conn, "ann", "slow")
    assert [step.state for step in way.steps] == ["item", "won"]
    assert way.steps[1].cause == "answer"


def _deletion(workflow: str, run: str | None) -> DeleteWorkflowExecutionRequest:
    return DeleteWorkflowExecutionRequest(
        namespace="default", workflow_execution=WorkflowExecution(workflow_id=workflow, run_id=run or "")
    )


def _late(engine: Engine) -> bool:
    return bool(engine.rows(LateAnswer, reason="ended"))


async def test_M4_entered_is_active_and_ended_at_every_moment(engine: Engine) -> None:
    ir = engine.publish(Brief)
    people = [f"c{number}" for number in range(60)]
    engine.customers(*people)
    seen: list[tuple[int, int, int]] = []

    async def look() -> None:
        while True:
            with engine.database.read() as conn:
                kept = books(conn, "brief")
            assert kept.entered == kept.active + sum(kept.ended.values())
            seen.append((kept.entered, kept.active, sum(kept.ended.values())))
            await asyncio.sleep(0.02)

    looking = asyncio.create_task(look())
    for start in range(0, 60, 20):
        engine.enter(ir, *people[start : start + 20])
        await asyncio.sleep(0.3)
    await engine.until(lambda: len([row for row in engine.rows(Enrolment) if row.ended_at]) == 60)
    looking.cancel()
    assert len(set(seen)) > 3
    with pytest.raises(asyncio.CancelledError):
        await looking


def test_an_ended_workflow_sends_back_whoever_had_not_joined(db: Database) -> None:
    """The worker died between the join and its record: who has a step had joined; the other goes to a cohort that runs."""
    _published(db)
    ir = compile_journey(Slow)
    with db.write() as conn:
        enter(conn, ir, [Applicant(c, c, None, NOW) for c in ("ann", "ben")], NOW)
        form_cohorts(conn, NOW, 500)
        (joining,) = to_join(conn)
        conn.execute(
            table(Enrolment).update().where(table(Enrolment).c.customer_id == "ann").values(seq=2, ended_at=NOW)
        )
        over(conn, joining, 500, NOW)
        form_cohorts(conn, NOW, 500)
        (again,) = to_join(conn)
    assert again.cohort != joining.cohort
    assert [number for number, _ in again.members] == [joining.members[1][0]]
    with db.write() as conn:
        joined(conn, [again], NOW)
        assert to_join(conn) == []


def test_E5_who_was_turned_away_at_the_door_may_come_again(db: Database) -> None:
    engine = _published(db)
    ir = replace(compile_journey(Slow), again=Reentry("never"))
    with db.write() as conn:
        assert enter(conn, ir, [Applicant("ann", "audience:once:ann", None, NOW)], NOW) == ["entered"]
        switch(conn, ir.name, False, "test", "", NOW)
        form_cohorts(conn, NOW, 10)
        switch(conn, ir.name, True, "test", "", NOW)
        assert enter(conn, ir, [Applicant("ann", "audience:once:ann", None, NOW)], NOW) == ["entered"]
    assert sorted(str(row.end_reason) for row in engine.rows(Enrolment)) == ["None", "rejected: off"]


def test_later_entries_fill_the_newest_cohort_up(db: Database) -> None:
    _published(db)
    ir = compile_journey(Slow)
    for number in range(5):
        with db.write() as conn:
            enter(conn, ir, [Applicant(f"c{number}-{n}", f"e{number}-{n}", None, NOW) for n in range(3)], NOW)
            form_cohorts(conn, NOW, 10)
    with db.read() as conn:
        assert conn.execute(select(table(Cohort).c.size).order_by(table(Cohort).c.id)).scalars().all() == [10, 5]


async def test_who_enters_later_joins_the_running_workflow(engine: Engine) -> None:
    ir = engine.publish(Slow)
    engine.customers("ann", "ben")
    engine.enter(ir, "ann")
    await engine.until_sent("ann", "item")
    engine.enter(ir, "ben")
    message = await engine.until_sent("ben", "item")
    assert engine.enrolment("ben").cohort_id == engine.enrolment("ann").cohort_id
    await engine.workflow("ben").signal("join", [0, engine.enrolment("ben").id, engine.enrolment("ann").id])
    engine.tell("feed.clicked", "ben", key=message.key)
    await engine.until_at("ben", "won")
    assert engine.at("ann") == "item"
    engine.tell("feed.clicked", "ann", key=(await engine.until_sent("ann", "item")).key)
    await engine.until(lambda: all(row.ended_at for row in engine.rows(Enrolment)))
    assert (engine.path("ann"), engine.path("ben")) == (["item", "won"], ["item", "won"])


def _published(db: Database, journey: type[Journey] = Slow) -> Engine:
    engine = Engine(Settings(), db, None)  # type: ignore[arg-type]  # no Temporal is needed for rows
    engine.publish(journey)
    return engine


def test_E2_the_same_entry_on_two_processes_is_one_enrolment(db: Database) -> None:
    """Two connections at once, many times over: the database's unique keys decide."""
    _published(db)
    ir = compile_journey(Slow)

    def apply(number: int) -> str:
        with db.write() as conn:
            return enter(conn, ir, [Applicant(f"c{number // 4}", f"event:{number // 2}", None, NOW)], NOW)[0]

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(apply, range(80)))
    with db.read() as conn:
        assert conn.execute(select(func.count()).select_from(table(Enrolment))).scalar_one() == 20
    assert outcomes.count("entered") == 20, "who lost the race must be told so"
    assert set(outcomes) <= {"entered", "repeat", "active"}


def test_E3_an_audience_read_twice_makes_each_enrolment_once(db: Database) -> None:
    _published(db)
    ir = compile_journey(Slow)
    people = [f"c{number}" for number in range(1200)]

    def read(upto: int) -> None:
        for start in range(0, upto, 500):
            with db.write() as conn:
                applicants = [
                    Applicant(c, f"audience:monday:{c}", None, NOW) for c in people[start : start + 500][: upto - start]
                ]
                enter(conn, ir, applicants, NOW)

    read(700)
    read(1200)
    read(1200)
    with db.write() as conn:
        assert form_cohorts(conn, NOW, 500) == 1200
        assert form_cohorts(conn, NOW, 500) == 0
    with db.read() as conn:
        starts = to_join(conn)
        sizes = conn.execute(select(table(Cohort).c.size).order_by(table(Cohort).c.id)).scalars().all()
    assert sizes == [500, 500, 200]
    assert sorted(number for start in starts for number, _ in start.members) == sorted(
        {number for start in starts for number, _ in start.members}
    )
    assert [len(start.members) for start in starts] == [500, 500, 200]


@pytest.mark.parametrize(
    ("rule", "days", "expected"),
    [("never", 400, "never again"), ("always", 1, "entered"), ("after", 179, "too soon"), ("after", 181, "entered")],
)
def test_E4_re_entry_follows_the_recorded_end(db: Database, rule: str, days: int, expected: str) -> None:
    _published(db)
    ir = replace(compile_journey(Slow), again=Reentry(rule, 180 * 86400))  # type: ignore[arg-type]  # of the table above
    with db.write() as conn:
        assert enter(conn, ir, [Applicant("ann", "one", None, NOW)], NOW) == ["entered"]
        assert enter(conn, ir, [Applicant("ann", "two", None, NOW)], NOW) == ["active"]
        conn.execute(table(Enrolment).update().values(ended_at=NOW, end_reason="lapsed"))
        later = NOW + timedelta(days=days)
        assert enter(conn, ir, [Applicant("ann", "three", None, later)], later) == [expected]
        refusals = conn.execute(select(table(EntryRefusal).c.reason)).scalars().all()
    assert refusals == ["active"] + ([expected] if expected != "entered" else [])


def test_a_parallel_journey_runs_once_a_key(db: Database) -> None:
    _published(db)
    ir = replace(compile_journey(Slow), again=Reentry("never", parallel="order_id"))
    with db.write() as conn:
        given = [
            Applicant("ann", "e1", "o1", NOW),
            Applicant("ann", "e2", "o2", NOW),
            Applicant("ann", "e3", "o1", NOW),
        ]
        assert enter(conn, ir, given, NOW) == ["entered", "entered", "active"]


@pytest.mark.parametrize(
    ("every", "now", "since", "due"),
    [
        (Every("daily", "09:00"), "2026-03-29T06:59", "2026-03-28T12:00", None),
        (Every("daily", "09:00"), "2026-03-29T07:00", "2026-03-28T12:00", "2026-03-29T07:00"),
        (Every("daily", "09:00"), "2026-03-31T10:00", "2026-03-28T12:00", "2026-03-31T07:00"),
        (Every("daily", "02:30"), "2026-03-29T01:00", "2026-03-28T12:00", "2026-03-29T01:00"),
        (Every("weekly", "08:00", 0), "2026-03-08T12:00", "2026-03-02T08:00", None),
        (Every("weekly", "08:00", 0), "2026-03-09T07:00", "2026-03-02T08:00", "2026-03-09T07:00"),
        (Every("cron", cron="30 2 * * *"), "2026-03-29T01:00", "2026-03-28T12:00", "2026-03-29T01:00"),
        (Every("cron", cron="30 2 * * *"), "2026-10-25T01:30", "2026-10-25T00:30", None),
        (Every("once"), "2026-03-09T07:00", "2026-03-02T08:00", "2026-03-02T08:00"),
    ],
)
def test_T1_an_audience_is_read_at_its_local_time(every: Every, now: str, since: str, due: str | None) -> None:
    found = last_due(every, _utc(now), ZoneInfo("Europe/Paris"), _utc(since))
    assert (found.at if found is not None else None) == (_utc(due) if due is not None else None)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Daily(Journey):
    """Everybody in France, each morning."""

    enters = Audience(Customer.country == "FR", every=daily(at="09:00"))
    purpose = marketing
    done = Final()

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield then >> self.done


async def test_an_audience_is_read_when_it_is_due(engine: Engine) -> None:
    engine.customers("ann", "ben")
    engine.customers("cat", country="DE")
    engine.publish(Daily)
    await engine.until(lambda: engine.rows(Enrolment, end_reason="done"))
    (first,) = {row.audience_read_at for row in engine.rows(JourneyRow)}
    await engine.until(lambda: engine.rows(JourneyRow)[0].audience_read_at > first)
    assert sorted(row.customer_id for row in engine.rows(Enrolment)) == ["ann", "ben"]
    assert engine.rows(EntryRefusal) == [], "who is in an audience every morning did not apply every morning"
