"""Arrivals: by which arrow customers came to their ends, against what the stepper says that it took."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kit.recording import Recorder

from dsl import (
    Anywhere,
    Api,
    Arrows,
    Consent,
    Email,
    Final,
    Goal,
    Journey,
    Purchase,
    Shop,
    Stage,
    after,
    compile_journey,
    hours,
    marketing,
)
from dsl.draw import svg
from dsl.ir import ENDS, IR, Note
from dsl.loading import load
from dsl.step import Row
from engine import journeys
from engine.arrivals import arrivals
from engine.db import Database

SHIPPED = Path(__file__).parents[2] / "journeys"


class Ways(Journey):
    """To each end by several ways."""

    enters = Api()
    purpose = marketing

    won = Goal()
    lapsed = Final()
    alone = Final()

    @Stage()
    def near(self) -> Arrows:
        yield Shop.signed_up >> self.won

    @Email("ways/first", stage=near)
    def first(self) -> Arrows:
        yield Email.clicked >> self.won
        yield Email.replied >> self.alone
        yield Email.opened.up_to(1, every=hours(20)) >> self.lapsed
        yield after(days=3) >> self.second

    @Email("ways/second", stage=near)
    def second(self) -> Arrows:
        yield Email.clicked >> self.won
        yield Email.clicked.late() >> self.won
        yield after(days=3) >> self.third

    @Email("ways/third")
    def third(self) -> Arrows:
        yield after(days=3) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased.where(Purchase.total > 10) >> self.won
        yield Consent.withdrawn >> self.lapsed


@dataclass
class Told(Recorder):
    """A recorder that keeps by which arrow the stepper says that someone ended."""

    took: Counter[int] = field(default_factory=Counter[int])

    def _perform(self, conn: Any, customer: str, effects: list[Any]) -> None:
        # Of a rest and what comes after it, the rest's row names the arrow.
        arrows = [row.arrow for row in effects if isinstance(row, Row) and row.arrow >= 0]
        self.took.update(arrow for arrow in arrows if self.ir.by_name[self.ir.arrows[arrow].to].kind in ENDS)
        super()._perform(conn, customer, effects)


def ways() -> IR:
    return compile_journey(Ways)


def played(db: Database, ir: IR) -> Told:
    found = Told(db, ir)
    ids = [f"c{n}" for n in range(12)]
    found.customers(*ids)
    found.enter(*ids)
    found.wait(hours=1)
    found.tell("c0", "email.clicked")
    found.tell("c1", "email.replied")
    found.tell("c2", "email.opened")
    found.tell("c3", "shop.purchased", total=50)
    found.tell("c4", "shop.signed_up")
    found.tell("c5", "consent.withdrawn")
    found.wait(days=4)
    found.tell("c6", "email.clicked")
    found.tell("c7", "shop.purchased", total=50)
    found.tell("c8", "shop.purchased", total=5)
    found.wait(days=9)
    return found


def test_arrivals_are_what_the_stepper_took(db: Database) -> None:
    ir = ways()
    told = played(db, ir)
    with db.read() as conn:
        found = arrivals(conn, ir)
        counts = journeys.counts(conn, ir.name)
        assert arrivals(conn, ir, ir.hash) == found
        assert not any(arrivals(conn, ir, "0" * 64).values())
    several = {number: many for number, many in told.took.items() if ir.arrows[number].to != "alone"}
    assert {number: many for number, many in found.items() if many} == several
    assert counts == {"won": 5, "lapsed": 6, "alone": 1}
    for end in ("won", "lapsed"):
        assert sum(many for number, many in found.items() if ir.arrows[number].to == end) == counts[end]


def test_arrivals_at_boxes_of_another_name_count_and_those_by_arrows_that_are_gone_do_not(db: Database) -> None:
    ir = ways()
    played(db, ir)
    states = tuple(
        replace(state, name={"lapsed": "over"}.get(state.name, state.name), arrows=tuple(
            replace(arrow, to="over") if arrow.to == "lapsed" else arrow for arrow in state.arrows
        ))
        for state in ir.states
        if state.name != "third"
    )  # fmt: skip
    states = tuple(
        replace(s, arrows=tuple(replace(a, to="over") if a.to == "third" else a for a in s.arrows)) for s in states
    )
    anywhere = tuple(replace(arrow, to="over") if arrow.to == "lapsed" else arrow for arrow in ir.anywhere)
    newer = replace(ir, states=states, anywhere=anywhere, notes={**ir.notes, "over": Note("", "", 0, was="lapsed")})
    with db.read() as conn:
        found = arrivals(conn, newer)
    assert sum(many for number, many in found.items() if newer.arrows[number].to == "over") == 2


def test_a_journey_of_which_each_end_has_one_arrow_asks_nothing(db: Database) -> None:
    (ir,) = (each.ir for each in load(SHIPPED) if each.ir.name == "welcome")
    once = replace(ir, anywhere=())
    with db.read() as conn:
        assert arrivals(conn, once) == {}


def test_each_copy_of_an_end_in_the_live_picture_shows_who_came_there(db: Database) -> None:
    ir = ways()
    played(db, ir)
    with db.read() as conn:
        drawn = svg(ir, counts=journeys.counts(conn, ir.name), taken=arrivals(conn, ir))
    lines = {part: line for line in drawn.splitlines() for part in [line.partition('id="')[2].partition('"')[0]]}
    assert "1 came here this way, of 5 in all" in lines["count-won"]
    assert "1 came here this way, of 5 in all" in lines["count-won-from-second"]
    assert "1 came here this way, of 6 in all" in lines["count-lapsed"]
    assert "4 came here this way, of 6 in all" in lines["count-lapsed-from-third"]
    assert "<title>" not in lines["count-alone"]
    captions = [line for name, line in lines.items() if name.startswith("count-caption-")]
    assert [line.partition("<title>")[2].partition(" came")[0] for line in captions] == ["2", "1"]
