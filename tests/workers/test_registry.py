"""The registry: a version that a worker can't read stops no other journey, and nothing of its own is lost."""

from __future__ import annotations

import pytest
from kit.engine import Engine
from sqlalchemy import update

from dsl import Api, Arrows, Feed, Final, Journey, Shop, after, always, marketing, then
from engine.db import Database, table
from engine.settings import Settings
from engine.tables import Enrolment, Event, JourneyVersion
from workers.dispatcher import Dispatcher
from workers.registry import NotLoaded, Registry


class Newer(Journey):
    """What a newer Parcours has published."""

    enters = Api()
    purpose = marketing
    left = Final()

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield Feed.opened >> self.left
        yield after(days=3) >> self.left


class Bought(Journey):
    """Begins with an event."""

    enters = Shop.purchased
    again = always
    purpose = marketing
    done = Final()

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield then >> self.done


async def test_a_version_that_this_worker_cannot_read_stops_no_other(
    db: Database, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine(settings, db, None)  # type: ignore[arg-type]  # no event of this test has to be signalled
    newer, bought = engine.publish(Newer), engine.publish(Bought)
    engine.customers("ann", "ben")
    engine.enter(newer, "ann")
    with db.write() as conn:
        rows = table(JourneyVersion)
        conn.execute(update(rows).where(rows.c.hash == newer.hash).values(ir={"format": "of next year"}))
    engine.tell("feed.opened", "ann")
    engine.tell("shop.purchased", "ben")
    registry = Registry()
    dispatcher = Dispatcher(settings, db, registry, None)  # type: ignore[arg-type]  # as above
    for _ in range(2):
        await dispatcher.round()
    assert {row.name: row.fate for row in engine.rows(Event)} == {"feed.opened": None, "shop.purchased": "entered"}
    assert [row.customer_id for row in engine.rows(Enrolment, journey=bought.name)] == ["ben"]
    assert registry.find(newer.hash, db) is None
    with pytest.raises(NotLoaded, match=newer.hash[:12]):
        registry.get(newer.hash, db)
    assert caplog.text.count("can't be read") == 1
