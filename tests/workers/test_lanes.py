"""Lanes: a mass send is under way, at the provider's rate, and whoever has just done something is not to wait behind it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from kit.engine import Engine, working
from kit.mail import Taker, mail_server
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from dsl import Api, Arrows, Audience, Customer, Email, Final, Journey, after, marketing
from engine.db import Database
from engine.settings import Settings
from engine.tables import Cohort, Message
from workers.cohort import CohortWorkflow, planned_queue
from workers.server import EmbeddedServer

PEOPLE, RATE = 1_000, 125.0


class Campaign(Journey):
    """Everybody in France, at once."""

    enters = Audience(Customer.country == "FR")
    purpose = marketing
    done = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield after(days=900) >> self.done


class Welcome(Journey):
    """Somebody has just done something."""

    enters = Api()
    purpose = marketing
    done = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield after(days=900) >> self.done


@dataclass
class Clock:
    """When each mail came."""

    at: list[float] = field(default_factory=list[float])

    def __call__(self, _: int) -> None:
        self.at.append(time.monotonic())


@pytest.fixture
def arrivals() -> Clock:
    return Clock()


@pytest.fixture
async def paced(
    engine_settings: Settings, sqlite: Database, temporal: EmbeddedServer, arrivals: Clock
) -> AsyncIterator[Engine]:
    """An engine whose mail server is called at a rate."""
    with mail_server(Taker(arrivals)) as port:
        settings = engine_settings.model_copy(update={"smtp_port": port, "smtp_rate": RATE, "smtp_connections": 4})
        client = await Client.connect(settings.temporal_address)
        async with working(settings):
            yield Engine(settings, sqlite, client, temporal)


@pytest.mark.slow
async def test_S6_a_triggered_mail_overtakes_a_mass_send_and_the_rate_holds(paced: Engine, arrivals: Clock) -> None:
    paced.customers("ann", "ben", "cat", country="DE")
    paced.customers(*(f"c{number}" for number in range(PEOPLE)))
    welcome = paced.publish(Welcome)
    paced.publish(Campaign)
    await paced.until(lambda: len(arrivals.at) > 20)
    paced.enter(welcome, "ann", "ben", "cat")
    for customer in ("ann", "ben", "cat"):
        await paced.until_sent(customer, "mail")
    out = len(paced.rows(Message, journey="campaign", status="sent"))
    assert out < PEOPLE * 0.8, "the campaign was all but over: nobody was overtaken"
    await paced.until(lambda: len(paced.rows(Message, journey="campaign", status="sent")) == PEOPLE)
    assert len(arrivals.at) == PEOPLE + 3
    took = max(arrivals.at) - min(arrivals.at)
    assert (PEOPLE + 3) / took <= RATE, "all workers together keep the rate"
    handle = paced.workflow("c1")
    described = await handle.describe()
    assert described.raw_description.workflow_execution_info.priority.priority_key == 5
    await _replays_from_before(await handle.fetch_history(), paced.settings.task_queue)
    assert (await paced.workflow("ann").describe()).raw_description.workflow_execution_info.priority.priority_key == 1
    assert len(paced.rows(Cohort)) >= 3


async def _replays_from_before(history: WorkflowHistory, queue: str) -> None:
    """A campaign that began before mass sends had a queue of their own goes on with its history."""
    moved = 0
    for event in history.events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            planned = event.activity_task_scheduled_event_attributes.task_queue
            assert planned.name == planned_queue(queue)
            planned.name = queue
            moved += 1
    assert moved
    replayer = Replayer(workflows=[CohortWorkflow], workflow_runner=UnsandboxedWorkflowRunner())
    await replayer.replay_workflow(history)
