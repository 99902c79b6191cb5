"""Letters from the send to the print run, without Temporal: the performer and the printer over a database."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

from kit.engine import Engine
from temporalio.testing import ActivityEnvironment

from dsl import Api, Arrows, Final, Goal, Journey, Letter, Shop, after, marketing, then
from dsl.ir import IR
from dsl.step import Row
from engine.db import Database
from engine.letters.printing import MANIFEST
from engine.settings import Settings
from engine.tables import Enrolment
from engine.tables import Letter as Piece
from workers.batch import Batch, Item, Outcome
from workers.channels import channels
from workers.perform import Performer
from workers.printing import Printing
from workers.registry import Registry

__all__ = ["OPENING", "RUN", "Desk", "Onward", "Paper"]

OPENING = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""A Monday, ten o'clock in Paris; the cut-off is at 16:00."""
RUN = "2026-03-02-1600"


class Paper(Journey):
    """One letter, a sale, or nothing."""

    enters = Api()
    purpose = marketing
    lapsed = Final()
    won = Goal()

    @Letter("t/letter")
    def letter(self) -> Arrows:
        yield Shop.purchased >> self.won
        yield after(days=14) >> self.lapsed


class Onward(Journey):
    """A letter, and on at once."""

    enters = Api()
    purpose = marketing
    done = Final()

    @Letter("t/letter")
    def letter(self) -> Arrows:
        yield then >> self.done


@dataclass
class Desk:
    """The performer and the printer over a database, without Temporal, at a time of the test's own."""

    settings: Settings
    engine: Engine
    ir: IR
    registry: Registry

    @property
    def database(self) -> Database:
        return self.engine.database

    def at(self, moment: datetime) -> Settings:
        """The settings with the clock set."""
        return self.settings.model_copy(update={"time_real_origin": datetime.now(UTC), "time_origin": moment})

    async def send(self, *customers: str, moment: datetime = OPENING, ir: IR | None = None) -> Outcome:
        """Enter customers, and perform their first box."""
        ir = ir or self.ir
        settings = self.at(moment)
        assert set(self.engine.enter(ir, *customers)) == {"entered"}
        performer = Performer(settings, self.database, self.registry, channels(settings))
        now = settings.clock.now_ms()
        numbers = [e.id for c in customers for e in self.engine.rows(Enrolment, customer_id=c, journey=ir.name)]
        items = tuple(Item(number, 1, (Row(1, _first(ir), "entry", None, now),)) for number in numbers)
        wire = json.loads(json.dumps(Batch(ir.hash, "send", _first(ir), (), items, now).to_wire()))
        return Outcome.from_wire(await ActivityEnvironment().run(performer.perform, wire))

    async def move(self, customer: str, cause: str, to: str, ir: IR | None = None) -> None:
        """Record that somebody's second step was taken."""
        ir = ir or self.ir
        settings = self.at(OPENING + timedelta(minutes=5))
        performer = Performer(settings, self.database, self.registry, channels(settings))
        number = self.engine.enrolment(customer).id
        now = settings.clock.now_ms()
        state = [each.name for each in ir.states].index(to)
        items = (Item(number, 2, (Row(2, state, cause, None, now),)),)
        wire = json.loads(json.dumps(Batch(ir.hash, "record", state, (), items, now).to_wire()))
        await ActivityEnvironment().run(performer.perform, wire)

    async def print(self, moment: datetime = OPENING + timedelta(hours=7)) -> int:
        return await Printing(self.at(moment), self.database).round()

    def letter(self, customer: str) -> Any:
        (found,) = self.engine.rows(Piece, customer_id=customer)
        return found

    def manifest(self, run: str = RUN) -> list[dict[str, str]]:
        text = (self.settings.data / "outbox" / run / "manifest.csv").read_text("utf-8")
        rows = csv.DictReader(StringIO(text, newline=""))
        assert tuple(rows.fieldnames or ()) == MANIFEST
        return list(rows)


def _first(ir: IR) -> int:
    return next(number for number, state in enumerate(ir.states) if state.template is not None)
