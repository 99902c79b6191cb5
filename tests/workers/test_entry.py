"""Entry by the clock: audiences by crontab lines, and by each customer's own time. The clock is moved, nobody waits."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from kit.engine import Engine

from dsl import Arrows, Audience, Customer, Feed, Final, Journey, always, cron, marketing, then, weekly
from engine.customers import put
from engine.db import Database
from engine.journeys import switch
from engine.settings import Settings
from engine.tables import Enrolment
from workers.entry import Entry
from workers.registry import Registry


class Mondays(Journey):
    """Everybody in France, on her own Monday."""

    enters = Audience(Customer.country == "FR", every=weekly("monday", at="08:00", local=True))
    again = always
    purpose = marketing
    zone = "Pacific/Auckland"
    done = Final()

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield then >> self.done


class Firsts(Mondays):
    """On the first of the month."""

    enters = Audience(Customer.country == "FR", every=cron("0 9 1 * *"))


@contextmanager
def at(moment: str, db: Database) -> Generator[tuple[Engine, Entry]]:
    """An engine's entry, at a moment."""
    now = datetime.now(UTC)
    settings = Settings(time_real_origin=now, time_origin=datetime.fromisoformat(moment).replace(tzinfo=UTC))
    entry = Entry(settings, db, Registry(), None)  # type: ignore[arg-type]  # audiences are read without Temporal
    yield Engine(settings, db, None), entry  # type: ignore[arg-type]  # as above


def read(moment: str, db: Database, times: int = 2) -> list[str]:
    """Who is in after the audiences were read, more than once, at this moment."""
    with at(moment, db) as (engine, entry):
        for _ in range(times):
            entry.read_audiences()
        return sorted(row.customer_id for row in engine.rows(Enrolment))


def switched_on(db: Database, journey: type[Journey], moment: str) -> None:
    with at(moment, db) as (engine, _):
        engine.publish(journey)
        for name, zone in (("tokyo", "Asia/Tokyo"), ("auckland", "Pacific/Auckland"), ("la", "America/Los_Angeles")):
            engine.customers(name, zone=zone)
        engine.customers("unknown", zone=None)
        engine.customers("berlin", country="DE")


def test_T2_monday_eight_is_each_customers_own_monday(db: Database) -> None:
    switched_on(db, Mondays, "2026-03-01T12:00")  # a Sunday, in Auckland too
    assert read("2026-03-01T18:59", db) == []
    assert read("2026-03-01T19:00", db) == ["auckland", "unknown"], "T4: of no zone known, the journey's counts"
    assert read("2026-03-01T23:00", db) == ["auckland", "tokyo", "unknown"]
    assert read("2026-03-02T15:59", db) == ["auckland", "tokyo", "unknown"]
    assert read("2026-03-02T16:00", db) == ["auckland", "la", "tokyo", "unknown"]
    with at("2026-03-02T16:00", db) as (engine, _):
        assert {row.entry for row in engine.rows(Enrolment, customer_id="la")} == {"audience:2026-03-02T08:00:00:la"}


def test_T2_who_moves_to_a_later_zone_has_one_monday(db: Database) -> None:
    switched_on(db, Mondays, "2026-03-01T12:00")
    read("2026-03-01T23:00", db)
    with at("2026-03-01T23:30", db) as (engine, _), db.write() as conn:
        conn.execute(Enrolment.__table__.update().values(ended_at=engine.now()))  # type: ignore[attr-defined]  # SQLModel
        put(conn, "tokyo", {"zone": "America/Los_Angeles"}, engine.now())
    assert read("2026-03-02T16:00", db).count("tokyo") == 1


def test_T2_a_reading_that_was_missed_is_made_up_once(db: Database) -> None:
    switched_on(db, Mondays, "2026-03-01T12:00")
    assert read("2026-03-04T12:00", db) == ["auckland", "la", "tokyo", "unknown"]


@pytest.mark.parametrize(("moment", "count"), [("2026-04-01T06:59", 0), ("2026-04-01T07:00", 4)])
def test_an_audience_is_read_by_a_crontab_line(db: Database, moment: str, count: int) -> None:
    switched_on(db, Firsts, "2026-03-01T12:00")
    assert len(read(moment, db)) == count


def test_E5_what_fell_due_while_the_journey_was_off_is_not_made_up(db: Database) -> None:
    switched_on(db, Mondays, "2026-03-01T12:00")
    for moment, on in (("2026-03-01T12:30", False), ("2026-03-02T12:00", True)):
        with at(moment, db) as (engine, _), db.write() as conn:
            switch(conn, "mondays", on, "test", "", engine.now())
    assert read("2026-03-02T16:00", db) == ["la"]
