"""Learned shares, from real rows on both databases: even while nothing is known, then the better arrow, and the row says why."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.recording import START, Recorder
from sqlalchemy import select

from dsl import Api, Arrows, Final, Goal, Journey, Purchase, Shop, Split, Wait, after, learned, marketing
from dsl.compile import compile_journey
from dsl.ir import IR, Note
from dsl.testing import walk
from engine import learned as learning
from engine.db import Database, table
from engine.events import Incoming, accept
from engine.holdout import HELD_OUT, TREATED
from engine.learned import Arm, decide
from engine.simulation.backtest import backtest
from engine.simulation.responses import ResponseModel
from engine.simulation.simulate import simulate
from engine.tables import Step


class Lesson(Journey):
    """Two ways, of which one is better."""

    enters = Api()
    purpose = marketing
    goal = Shop.purchased.where(Purchase.total >= 20).within(days=30)
    won = Goal()
    lapsed = Final()

    @Split()
    def tone(self) -> Arrows:
        yield learned >> self.dull
        yield learned >> self.witty

    @Wait()
    def dull(self) -> Arrows:
        yield Shop.purchased >> self.won
        yield after(days=60) >> self.lapsed

    @Wait()
    def witty(self) -> Arrows:
        yield Shop.purchased >> self.won
        yield after(days=60) >> self.lapsed


IR_ = compile_journey(Lesson)
NUMBERS = count(1)


def come(books: Recorder, many: int) -> list[str]:
    ids = [f"c{next(NUMBERS)}" for _ in range(many)]
    books.customers(*ids)
    books.enter(*ids)
    return ids


def at(books: Recorder, ids: list[str], box: str) -> list[str]:
    return [each for each in ids if books.at(each) == box]


def arms(books: Recorder) -> dict[str, Arm]:
    with books.database.read() as conn:
        return {arm.to: arm for arm in learning.arms(conn, books.ir, "tone", books.now)}


def taught(db: Database, ir: IR = IR_, many: int = 80) -> Recorder:
    """Of those who went the witty way two in five bought after some days, of the others one in twenty; their month is over."""
    books = Recorder(db, ir)
    ids = come(books, many)
    books.wait(days=3)
    for box, every, buy in (("witty", 5, 2), ("dull", 20, 1)):
        for place, customer in enumerate(at(books, ids, box)):
            if place % every < buy:
                books.tell(customer, "shop.purchased", total=50)
    books.wait(days=40)
    return books


def test_with_no_data_shares_are_near_even(db: Database) -> None:
    books = Recorder(db, IR_)
    ids = come(books, 120)
    found = Counter(books.at(each) for each in ids)
    assert 40 <= found["dull"] <= 80, found
    assert all(0.4 < arm.share < 0.6 and arm.successes == 0 for arm in arms(books).values())


def test_the_share_moves_to_the_better_arrow_and_the_row_says_why(db: Database) -> None:
    books = taught(db)
    known = arms(books)
    assert known["witty"].successes > 3 * known["dull"].successes
    assert known["witty"].share > 0.95
    later = come(books, 60)
    assert len(at(books, later, "witty")) > 50
    step = table(Step)
    with db.read() as conn:
        who = books.members[later[0]].id
        (detail,) = conn.execute(select(step.c.detail).where(step.c.enrolment_id == who, step.c.seq == 1)).scalars()
    told = {arm["to"]: arm for arm in detail["learned"]["arms"]}
    assert detail["learned"]["to"] == max(told, key=lambda to: told[to]["drawn"]) == books.at(later[0])
    for to, arm in known.items():
        assert (told[to]["trials"], told[to]["successes"], told[to]["share"]) == (
            round(arm.trials, 1), arm.successes, round(arm.share, 3),
        )  # fmt: skip


def test_M2_who_is_held_out_is_drawn_too_and_never_counted(db: Database) -> None:
    books = Recorder(db, replace(IR_, holdout=50.0))
    ids = come(books, 60)
    held = [each for each in ids if books.arm(each) == HELD_OUT]
    assert {books.at(each) for each in held} == {"dull", "witty"}
    for each in held:
        books.tell(each, "shop.purchased", total=50)
    books.wait(days=31)
    found = arms(books)
    assert sum(arm.trials for arm in found.values()) == sum(books.arm(each) == TREATED for each in ids)
    assert sum(arm.successes for arm in found.values()) == 0


def test_who_has_time_left_is_no_failure_yet(db: Database) -> None:
    books = Recorder(db, IR_)
    ids = come(books, 20)
    trials: list[float] = []
    for _ in range(4):
        trials.append(sum(arm.trials for arm in arms(books).values()))
        books.wait(days=10)
    assert trials[0] == 0
    assert trials == sorted(trials)
    assert 0 < trials[1] < trials[2] < 20
    assert trials[3] == 20, "their month is over"
    buyer = ids[0]
    books.tell(buyer, "shop.purchased", total=50)
    assert sum(arm.successes for arm in arms(books).values()) == 0, "too late"


def test_how_soon_buyers_come_says_what_silence_means(db: Database) -> None:
    """Where all who came did so within three days, ten days of silence are nearly a no."""
    books = taught(db)
    before = sum(arm.trials for arm in arms(books).values())
    come(books, 20)
    books.wait(days=10)
    assert 15 < sum(arm.trials for arm in arms(books).values()) - before < 20


def test_only_the_goal_counts_after_the_arrow_in_time_and_once(db: Database) -> None:
    books = Recorder(db, IR_)
    early, small, twice = come(books, 3)
    with db.write() as conn:
        before = START - timedelta(hours=1)
        accept(conn, [Incoming("early", "shop.purchased", before, early, None, {"total": 90}, "test")], books.now)
    books.wait(days=1)
    books.tell(small, "shop.purchased", total=5)
    books.tell(twice, "shop.purchased", total=50)
    books.wait(days=1)
    books.tell(twice, "shop.purchased", total=60)
    books.wait(days=40)
    found = arms(books)
    assert (sum(a.successes for a in found.values()), sum(a.trials for a in found.values())) == (1, 3)


def test_rows_of_older_versions_and_names_count(db: Database) -> None:
    books = taught(db)
    old = arms(books)
    names = {"tone": "voice", "witty": "funny"}
    states = tuple(
        replace(
            state,
            name=names.get(state.name, state.name),
            arrows=tuple(replace(arrow, to=names.get(arrow.to, arrow.to)) for arrow in state.arrows),
        )
        for state in IR_.states
    )
    notes = {**IR_.notes, **{new: Note(was=was) for was, new in names.items()}}
    renamed = replace(IR_, states=states, notes=notes)
    with db.read() as conn:
        found = {arm.to: arm for arm in learning.arms(conn, renamed, "voice", books.now)}
    assert (found["funny"], found["dull"]) == (
        replace(old["witty"], to="funny", share=found["funny"].share),
        replace(old["dull"], share=found["dull"].share),
    )


def test_a_journey_without_a_goal_learns_nothing(db: Database) -> None:
    books = taught(db)
    with db.read() as conn:
        found = learning.arms(conn, replace(IR_, goal=None), "tone", books.now)
    assert [(arm.trials, arm.successes) for arm in found] == [(0, 0), (0, 0)]


def test_what_is_known_is_kept_for_a_moment(sqlite: Database) -> None:
    books = taught(sqlite)
    known = learning.Known()
    with sqlite.read() as conn:
        first = known.arms(conn, IR_, "tone", books.now)
    come(books, 10)
    with sqlite.read() as conn:
        assert known.arms(conn, IR_, "tone", books.now + timedelta(minutes=40)) is first
        assert known.arms(conn, IR_, "tone", books.now + timedelta(minutes=45)) is not first
        assert known.arms(conn, IR_, "tone", books.now - timedelta(minutes=1)) is not first, "a clock that was set back"


@given(st.integers(min_value=1, max_value=2**62))
def test_the_same_rows_give_the_same_lot(enrolment: int) -> None:
    known = [Arm("dull", 10.0, 1), Arm("witty", 10.0, 2)]
    assert decide(IR_, "tone", known, enrolment) == decide(IR_, "tone", known, enrolment)


def test_an_arrow_is_taken_as_often_as_it_is_likely_to_be_the_best() -> None:
    """Of two Beta distributions the chance that one value is the higher is known: here 5/6, by integration."""
    known = [Arm("dull", 1.0, 0), Arm("witty", 1.0, 1)]
    witty = sum(decide(IR_, "tone", known, number).to == "witty" for number in range(6000))
    assert witty / 6000 == pytest.approx(5 / 6, abs=0.02)


def test_the_other_drivers_take_an_even_lot_or_the_one_that_fell(db: Database) -> None:
    assert walk(Lesson).at is Lesson.dull, "a walk takes the first, or as `take` says"
    assert walk(Lesson, take=Lesson.witty).at is Lesson.witty
    played = simulate(IR_, ResponseModel(), customers=2000, runs=2)
    entered = {box.name: box.entered.mean for box in played.boxes}
    assert entered["dull"] == pytest.approx(1000, abs=100)
    books = taught(db)
    with db.read() as conn:
        same = backtest(conn, IR_, books.now, zone="Europe/Paris")
        assert same.moved == 0
        third = replace(IR_.by_name["dull"], name="third")
        tone = IR_.by_name["tone"]
        new_ways = replace(
            tone,
            arrows=tuple(replace(arrow, to=to) for arrow, to in zip(tone.arrows, ("third", "fourth"), strict=True)),
        )
        other = replace(IR_, states=(new_ways, third, replace(third, name="fourth"), *IR_.states[3:]))
        ways = Counter(
            case.path_now[1]
            for cell in backtest(conn, other, books.now, zone="Europe/Paris", examples=100).cells
            for case in cell.examples
        )
    assert 20 <= ways["third"] <= 60, ways
    assert ways.total() == 80
