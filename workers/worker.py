"""The worker process: performs batches, dispatches events, brings customers in. As many as wanted run side by side."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from datetime import timedelta
from functools import partial
from secrets import token_hex
from typing import Any

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from engine.db import Database
from engine.errors import EngineError
from engine.links import Links
from engine.outgoing import Closing
from engine.settings import Settings
from engine.templating.stand_ins import StandIns
from engine.templating.templates import Templates
from workers.calls import CallKeeper
from workers.channels import channels
from workers.cohort import CohortWorkflow, planned_queue
from workers.dispatcher import Dispatcher
from workers.entry import Entry
from workers.feed_reading import FeedReading
from workers.jobs import Job, pause
from workers.perform import Performer
from workers.printing import Printing
from workers.registry import REGISTRY
from workers.settling import Settler
from workers.webhooks import Deliverer

__all__ = ["connect", "run_worker"]

_log = logging.getLogger(__name__)
_TRIGGERED, _PLANNED = 8, 6  # batches at once: mass sends have places of their own (behaviour S6)


async def connect(settings: Settings, *, patience: float = 60.0) -> Client:
    """A client of the Temporal that the settings name, else of temporalio's environment configuration.

    Tries for `patience` seconds, then raises EngineError with the address that did not answer.
    """
    given: dict[str, Any] = {"target_host": "127.0.0.1:7233", **ClientConfig.load_client_connect_config()}
    if settings.temporal_address:
        given["target_host"] = settings.temporal_address
    if settings.temporal_namespace != "default":
        given["namespace"] = settings.temporal_namespace
    given["identity"] = f"p{os.getpid()}"  # short: it stands in every event of every history
    until = time.monotonic() + patience
    while True:
        try:
            return await Client.connect(**given)
        except (RuntimeError, RPCError) as error:
            if time.monotonic() > until:
                raise EngineError(
                    "no_temporal",
                    f"no Temporal answers at {given['target_host']}: {error}; set PARCOURS_TEMPORAL_ADDRESS, or run `parcours up`",
                ) from None
            await asyncio.sleep(0.5)


async def run_worker(settings: Settings, stop: asyncio.Event) -> None:
    """Work until `stop` is set; then finish the batches under way, and return."""
    database = Database(settings.database_url)
    await asyncio.to_thread(database.migrate)
    client = await connect(settings)
    REGISTRY.load(database)
    links = Links(settings.public_url, settings.signing_key())
    ways = channels(settings, Templates.of(settings, StandIns(database)), links, database)
    performer = Performer(settings, database, REGISTRY, ways)
    shared: dict[str, Any] = {
        "activities": [performer.perform],
        "max_heartbeat_throttle_interval": timedelta(seconds=3),
        "graceful_shutdown_timeout": timedelta(seconds=20),
    }
    worker = Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[CohortWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),  # docs/decisions/0004-no-workflow-sandbox.md
        max_cached_workflows=1000,
        max_concurrent_workflow_tasks=20,
        max_concurrent_activities=_TRIGGERED,
        **shared,
    )
    campaigns = Worker(
        client, task_queue=planned_queue(settings.task_queue), max_concurrent_activities=_PLANNED, **shared
    )
    dispatcher = Dispatcher(settings, database, REGISTRY, client)
    entry = Entry(settings, database, REGISTRY, client)
    deliverer = Deliverer(database)
    keeper = CallKeeper(database, settings.clock)
    printing = Printing(settings, database)
    settler = Settler(settings, database, ways["sms"])
    reading = FeedReading(settings, database)
    job = partial(Job, database=database, holder=f"{os.getpid()}-{token_hex(4)}", tick=settings.tick)
    gc.freeze()  # what is loaded by now stays: the collector need not look through it again and again
    async with worker, campaigns:
        await asyncio.gather(
            job("entry", entry.round).run(stop),
            job("dispatcher", dispatcher.round).run(stop),
            job("call tasks", keeper.round).run(stop),
            job("webhooks", deliverer.round).run(stop),
            job("printing", printing.round).run(stop),
            job("settler", settler.round).run(stop),
            job("feeds", reading.round).run(stop),
            _registry(settings, database, stop),
        )
    await deliverer.close()
    for channel in ways.values():
        if isinstance(channel, Closing):
            await channel.close()
    database.close()


async def _registry(settings: Settings, database: Database, stop: asyncio.Event) -> None:
    """Load versions as they are published, so that a workflow seldom finds its own missing."""
    while not stop.is_set():
        try:
            await asyncio.to_thread(REGISTRY.load, database)
        except Exception:  # noqa: BLE001  # a round that fails must not end the loop; nothing is lost, all of it is in rows
            _log.exception("registry: the published versions can't be read; trying again")
        await pause(stop, settings.tick)
