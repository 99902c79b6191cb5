"""Learned shares in a worker: drawn on what the rows say, written down, and the same for everyone when a batch is repeated."""

from __future__ import annotations

from collections import Counter

from kit.engine import Engine, working
from kit.recording import Recorder
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from dsl import Api, Arrows, Final, Goal, Journey, Shop, Split, Wait, after, learned, marketing
from dsl.compile import compile_journey
from dsl.step import Row
from engine import learned as learning
from engine.clock import to_ms
from engine.db import Database
from engine.settings import Settings
from engine.tables import Step
from workers.batch import Batch, Item, Outcome
from workers.perform import Performer
from workers.registry import Registry


class Lesson(Journey):
    """Two ways, of which one is better; a third is as dull as the first."""

    enters = Api()
    purpose = marketing
    goal = Shop.purchased.within(days=20)
    won = Goal()
    lapsed = Final()

    @Split()
    def tone(self) -> Arrows:
        yield learned >> self.dull
        yield learned >> self.witty

    @Wait()
    def dull(self) -> Arrows:
        yield Shop.purchased >> self.won
        yield after(days=30) >> self.lapsed

    @Wait()
    def witty(self) -> Arrows:
        yield Shop.purchased >> self.won
        yield after(days=30) >> self.lapsed


def taught(database: Database) -> Recorder:
    """Two months ago: all who went the witty way bought, and nobody else."""
    books = Recorder(database, compile_journey(Lesson))
    ids = [f"past{number}" for number in range(40)]
    books.customers(*ids)
    books.enter(*ids)
    books.wait(days=2)
    for customer in [each for each in ids if books.at(each) == "witty"]:
        books.tell(customer, "shop.purchased", total=50)
    books.wait(days=60)
    return books


async def test_a_worker_draws_on_what_the_rows_say_and_writes_it_down(
    engine_settings: Settings, sqlite: Database
) -> None:
    books = taught(sqlite)
    client = await Client.connect(engine_settings.temporal_address)
    ids = [f"c{number}" for number in range(30)]
    async with working(engine_settings):
        engine = Engine(engine_settings, sqlite, client)
        engine.customers(*ids)
        assert engine.enter(books.ir, *ids) == ["entered"] * 30
        await engine.until(lambda: all(engine.at(each) in {"dull", "witty"} for each in ids))
    taken = Counter(engine.path(each)[1] for each in ids)
    assert taken["witty"] >= 29, taken
    for customer in ids:
        first, second, *_ = sorted(engine.rows(Step, enrolment_id=engine.enrolment(customer).id), key=lambda s: s.seq)
        assert (first.detail["learned"]["to"], second.cause) == (second.state, "share")
        assert [(arm["to"], arm["successes"] > 0) for arm in first.detail["learned"]["arms"]] == [
            ("dull", False), ("witty", True),
        ]  # fmt: skip


async def test_S1_a_repeated_batch_gives_everyone_the_same(settings: Settings, sqlite: Database) -> None:
    """A worker dies when it has written the draws and before it could say so; meanwhile more is known."""
    engine = Engine(settings, sqlite, client=None)  # type: ignore[arg-type]  # this test asks no server
    ir = engine.publish(Lesson)
    ids = [f"c{number}" for number in range(20)]
    engine.customers(*ids)
    engine.enter(ir, *ids)
    now = to_ms(engine.now())
    items = tuple(Item(engine.enrolment(each).id, 1, [Row(1, 0, "entry", None, now)]) for each in ids)
    wire = Batch(ir.hash, "decide", 0, (0, 1), items, now).to_wire()

    def performer() -> Performer:
        return Performer(settings, sqlite, Registry(), {})

    first = Outcome.from_wire(await ActivityEnvironment().run(performer().perform, wire))
    assert {sum(each) for each in first.results} == {1}
    assert len(set(first.results)) == 2, "even, as long as nothing is known"
    taught(sqlite)
    again = Outcome.from_wire(await ActivityEnvironment().run(performer().perform, wire))
    assert again == first
    fresh = learning.Known()
    with sqlite.read() as conn:
        known = fresh.arms(conn, ir, "tone", engine.now())
    assert {learning.decide(ir, "tone", known, item.enrolment_id).to for item in items} == {"witty"}, (
        "it would be another now"
    )
