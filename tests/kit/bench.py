"""The performer on a database, without Temporal: for tests of what becomes of a batch."""

from __future__ import annotations

import json
from typing import Any

from kit.engine import Engine
from temporalio.testing import ActivityEnvironment

from dsl import Api, Arrows, Email, Final, Journey, after, marketing
from dsl.step import Row, chart
from engine.db import Database
from engine.settings import Settings
from engine.tables import Enrolment
from engine.templating.stand_ins import StandIns
from engine.templating.templates import Templates
from workers.batch import Batch, Item, Outcome
from workers.channels import channels
from workers.perform import Performer
from workers.registry import Registry

__all__ = ["Bench", "Plain", "Sorry"]


class Plain(Journey):
    """One mail and a wait."""

    enters = Api()
    purpose = marketing
    done = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield after(days=900) >> self.done


class Sorry(Journey):
    """A mail, and a way for whom it can't be handed to."""

    enters = Api()
    purpose = marketing
    done = Final()
    lost = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.not_sent.because("failed") >> self.lost
        yield after(days=900) >> self.done


class Bench:
    """The performer on a database, without Temporal: a batch in, an outcome out."""

    def __init__(self, settings: Settings, database: Database, client: Any = None) -> None:
        self.settings = settings
        self.engine = Engine(settings, database, client)
        self.registry = Registry()
        self.performer = Performer(
            settings, database, self.registry, channels(settings, Templates.of(settings, StandIns(database)))
        )

    def enter(self, *customers: str, journey: type[Journey] = Plain) -> None:
        self.ir = self.engine.publish(journey)
        self.registry.add(chart(self.ir))
        self.engine.customers(*customers)
        assert set(self.engine.enter(self.ir, *customers)) == {"entered"}

    def batch(self, *customers: str) -> Batch:
        now = self.settings.clock.now_ms()
        found = {row.customer_id: row.id for row in self.engine.rows(Enrolment, journey=self.ir.name)}
        numbers = [found[customer] for customer in customers]
        items = tuple(Item(number, 1, (Row(1, 0, "entry", None, now),)) for number in numbers)
        return Batch(self.ir.hash, "send", 0, (), items, now)

    async def perform(self, batch: Batch) -> Outcome:
        wire = json.loads(json.dumps(batch.to_wire()))
        return Outcome.from_wire(await ActivityEnvironment().run(self.performer.perform, wire))
