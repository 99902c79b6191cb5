"""Knobs of published journeys, on both databases: turned, given back, kept when the code is published again, and audited."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dsl.ir import IR, After, Arrow, Entry, Knob, Limit, State
from engine import journeys, knobs
from engine.db import Database
from engine.errors import Invalid, NotFound
from engine.tables import KnobChange

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
DAY = 86_400


def basket(days: int = 3, least: int = 1, most: int = 10, tries: int = 2, **changes: Any) -> IR:
    """A wait and a number of tries that may be tuned."""
    wait = State(
        "rest", "wait", (Arrow(After(days * DAY), "call"), Arrow(After(60 * DAY), "rest", limit=Limit(tries))),
    )  # fmt: skip
    call = State("call", "wait", (Arrow(After(days * DAY), "gone"),))
    tunable = (
        Knob("pause", "duration", days * DAY, least * DAY, most * DAY, "Wait before we ring",
             (("rest", 0, "seconds"), ("call", 0, "seconds"))),
        Knob("tries", "number", tries, 1, 5, "", (("rest", 1, "times"),)),
    )  # fmt: skip
    made = IR("basket", "marketing", Entry("api"), (wait, call, State("gone", "final")), knobs=tunable)
    return replace(made, **changes)


def publish(db: Database, ir: IR, minutes: int = 0) -> journeys.JourneyVersion:
    with db.write() as conn:
        return journeys.publish(conn, ir, "dev", NOW + timedelta(minutes=minutes))


def turn(db: Database, knob: str, value: str | float | None, why: str = "slower", who: str = "marie") -> knobs.Turned:
    with db.write() as conn:
        return knobs.turn(conn, "basket", knob, value, who, why, NOW)


def listed(db: Database) -> dict[str, knobs.Knob]:
    with db.read() as conn:
        return {knob.name: knob for knob in knobs.listed(conn, "basket")}


def current(db: Database) -> IR:
    with db.read() as conn:
        return journeys.load_ir(conn, journeys.get(conn, "basket").hash)


def changes(db: Database) -> list[KnobChange]:
    with db.read() as conn:
        return knobs.history(conn, "basket")


def test_a_knob_is_listed_with_its_bounds(db: Database) -> None:
    publish(db, basket())
    pause, tries = listed(db).values()
    assert (pause.label, pause.value_words, pause.default_words, pause.min_words, pause.max_words) == (
        "Wait before we ring", "3 days", "3 days", "1 day", "10 days",
    )  # fmt: skip
    assert (pause.boxes, pause.turned, pause.changed) == (("rest", "call"), False, None)
    assert (tries.kind, tries.value, tries.min, tries.max) == ("number", 2, 1, 5)


def test_L1_turning_makes_a_version_that_is_current_and_audited(db: Database) -> None:
    code = publish(db, basket())
    made = turn(db, "pause", "4 days", "customers need longer")
    assert (made.changed, made.version, made.knob.value_words) == (True, 2, "4 days")
    assert made.hash == current(db).hash == basket(days=4).hash != code.hash
    assert [arrow.on for state in current(db).states for arrow in state.arrows][:1] == [After(4 * DAY)]
    (row,) = changes(db)
    assert (row.knob, row.old, row.value, row.version, row.who, row.why, row.at) == (
        "pause", 3 * DAY, 4 * DAY, 2, "marie", "customers need longer", NOW,
    )  # fmt: skip
    with db.read() as conn:
        assert [each.hash for each in journeys.versions(conn, "basket")] == [made.hash, code.hash]


def test_L7_turning_is_idempotent(db: Database) -> None:
    publish(db, basket())
    assert not turn(db, "pause", "3 days").changed, "the code says so"
    assert not turn(db, "pause", None).changed
    first = turn(db, "pause", "96 h")
    again = turn(db, "pause", 4 * DAY, "once more")
    assert (again.changed, again.version, again.hash) == (False, first.version, first.hash)
    assert len(changes(db)) == 1


def test_giving_it_back_makes_the_code_s_version_current_again(db: Database) -> None:
    code = publish(db, basket())
    turn(db, "pause", "4 days")
    turn(db, "tries", 3)
    back = turn(db, "pause", None, "as it was")
    assert (back.knob.value, back.knob.turned) == (3 * DAY, False)
    assert current(db).hash == basket(tries=3).hash, "the other knob stays turned"
    assert turn(db, "tries", None).hash == code.hash
    assert (turn(db, "tries", None).version, len(changes(db))) == (1, 4)
    assert [row.value for row in changes(db)] == [None, None, 3, 4 * DAY]


def test_a_value_out_of_bounds_is_refused_and_nothing_is_written(db: Database) -> None:
    publish(db, basket())
    with pytest.raises(Invalid, match=r"pause: it goes from 1 day to 10 days \(got '11 days'\)"):
        turn(db, "pause", "11 days")
    with pytest.raises(NotFound, match="did you mean `pause`"):
        turn(db, "paus", "4 days")
    with db.write() as conn, pytest.raises(NotFound, match="published: basket"):
        knobs.turn(conn, "bascket", "pause", 1, "marie", "", NOW)
    assert (changes(db), current(db).hash) == ([], basket().hash)


def test_the_code_published_again_keeps_what_was_turned(db: Database) -> None:
    publish(db, basket())
    turn(db, "pause", "4 days")
    again = publish(db, basket(), 1)
    assert (again.version, again.hash) == (2, basket(days=4).hash), "the same code changes nothing"
    edited = publish(db, basket(days=2, tries=5), 2)
    assert edited.hash == current(db).hash == basket(days=4, tries=5).hash
    pause = listed(db)["pause"]
    assert (pause.value_words, pause.default_words, pause.turned) == ("4 days", "2 days", True)
    assert turn(db, "pause", None).hash == basket(days=2, tries=5).hash


def test_what_does_not_fit_the_code_any_more_is_let_go_and_a_row_says_so(db: Database) -> None:
    publish(db, basket())
    turn(db, "pause", "9 days")
    turn(db, "tries", 4)
    narrower = basket(most=7)
    assert publish(db, replace(narrower, knobs=narrower.knobs[:1])).hash == basket().hash
    told = {row.knob: (row.who, row.old, row.value, row.why) for row in changes(db)[:2]}
    assert told["tries"] == ("dev", 4, None, "the code has no such knob any more")
    assert told["pause"][:3] == ("dev", 9 * DAY, None)
    assert "it goes from 1 day to 7 days" in told["pause"][3]
    assert publish(db, basket(most=10)).hash == basket().hash, "it does not come back by itself"


def test_bounds_and_labels_are_the_newest_though_the_behaviour_is_an_older_version(db: Database) -> None:
    publish(db, basket())
    wider = basket(most=30)
    relabelled = replace(wider.knobs[0], label="A pause")
    assert publish(db, replace(wider, knobs=(relabelled, *wider.knobs[1:]))).version == 1
    assert (listed(db)["pause"].label, listed(db)["pause"].max_words) == ("A pause", "30 days")
    assert turn(db, "pause", "20 days").hash == basket(days=20).hash


def test_two_who_turn_at_once_lose_neither_value(db: Database) -> None:
    publish(db, basket())
    wanted: list[tuple[str, str]] = [("pause", "5 days"), ("tries", "4")]
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(turn, db, knob, value) for knob, value in wanted]:
            done.result()
    assert current(db).hash == basket(days=5, tries=4).hash
    assert sorted(row.version for row in changes(db)) == [2, 3]


def test_a_journey_without_knobs_has_none(db: Database) -> None:
    publish(db, replace(basket(), knobs=()))
    assert listed(db) == {}
    with pytest.raises(NotFound, match="it has none"):
        turn(db, "pause", 1)
