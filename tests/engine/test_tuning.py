"""Tuning: another value stands wherever its knob is used, nothing else moves, and what can't be is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsl import (
    Anywhere,
    Api,
    Arrows,
    Customer,
    Email,
    Final,
    Goal,
    Journey,
    Knob,
    Orders,
    Shop,
    Sms,
    Split,
    Stage,
    Wait,
    after,
    days,
    hours,
    marketing,
    now,
    share,
    until,
)
from dsl.compile import compile_journey
from dsl.diff import diff
from dsl.ir import IR, After, Limit, Share
from dsl.ir_json import from_json, to_json
from engine.errors import Invalid
from engine.tuning import read_value, tuned, value_words

DAY = 86_400


class Timed(Journey):
    """Waits that are measured, and dates, with knobs in them."""

    enters = Api()
    stand_in = Knob(days(30), min=days(0), max=days(60))
    least = Knob(days(2), min=days(0), max=days(40))
    most = Knob(days(45), min=days(0), max=days(90))
    lead = Knob(days(14), min=days(0), max=days(30))
    lag = Knob(hours(3), min=hours(0), max=hours(9))
    over = Final()

    @Wait()
    def rhythm(self) -> Arrows:
        yield after(Orders.rhythm(), missing=self.stand_in, at_least=self.least, at_most=self.most) >> self.before

    @Wait()
    def before(self) -> Arrows:
        yield until(Customer.created_at.yearly() - self.lead, missing=now) >> self.behind

    @Wait()
    def behind(self) -> Arrows:
        yield until(Customer.created_at + self.lag, past=now, missing=now) >> self.over


def test_a_measured_wait_and_a_date_are_tuned_where_the_knob_stands() -> None:
    ir = compile_journey(Timed)
    assert ir.by_name["rhythm"].arrows[0].on == After(None, Orders.rhythm().expression, 2 * DAY, 45 * DAY, 30 * DAY)
    assert {knob.name: knob.uses for knob in ir.knobs} == {
        "stand_in": (("rhythm", 0, "missing"),),
        "least": (("rhythm", 0, "at_least"),),
        "most": (("rhythm", 0, "at_most"),),
        "lead": (("before", 0, "earlier"),),
        "lag": (("behind", 0, "later"),),
    }
    other = tuned(ir, {"stand_in": 9 * DAY, "least": 40 * DAY, "most": 50 * DAY, "lead": 7 * DAY, "lag": 0})
    assert other.by_name["rhythm"].arrows[0].on == After(None, Orders.rhythm().expression, 40 * DAY, 50 * DAY, 9 * DAY)
    assert [getattr(other.by_name[name].arrows[0].on, "offset", None) for name in ("before", "behind")] == [-7 * DAY, 0]


@pytest.mark.parametrize(
    ("knob", "value", "says"),
    [("stand_in", 0, "no time at all"), ("most", DAY, "at least 2 days"), ("most", 0, "at least"), ("least", 0, "")],
)
def test_a_measured_wait_keeps_its_bounds(knob: str, value: float, says: str) -> None:
    ir = compile_journey(Timed)
    if not says:
        assert tuned(ir, {knob: value}).hash != ir.hash
        return
    with pytest.raises(Invalid, match=says):
        tuned(ir, {knob: value})


class Tuned(Journey):
    """Everything that can be tuned."""

    enters = Api()
    purpose = marketing
    pause = Knob(days(3), min=days(1), max=days(10), label="Wait before the text")
    tries = Knob(2, min=0, max=5)
    gap = Knob(hours(20), min=hours(0), max=hours(48))
    part = Knob(30.0, min=10.0, max=100.0)
    won = Goal()
    lapsed = Final()

    @Split()
    def offer(self) -> Arrows:
        yield share(self.part) >> self.mail
        yield share(50) >> self.text
        yield share(20) >> self.rest

    @Stage()
    def contact(self) -> Arrows:
        yield after(self.pause) >> self.lapsed

    @Email("t/mail", stage=contact)
    def mail(self) -> Arrows:
        yield Email.clicked.up_to(self.tries, every=self.gap) >> self.mail
        yield after(self.pause) >> self.text

    @Sms("t/sms")
    def text(self) -> Arrows:
        yield after(days=1) >> self.lapsed

    @Wait()
    def rest(self) -> Arrows:
        yield after(days=3) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased.up_to(self.tries) >> self.text
        yield Shop.purchased >> self.won


class Halves(Journey):
    """Two knobs that must add up: neither can be turned alone. And a wait that may be nothing."""

    enters = Api()
    purpose = marketing
    one = Knob(50, min=10, max=90)
    two = Knob(50, min=10, max=90)
    pause = Knob(days(1), min=days(0), max=days(2))
    lapsed = Final()

    @Split()
    def offer(self) -> Arrows:
        yield share(self.one) >> self.first
        yield share(self.two) >> self.second

    @Wait()
    def first(self) -> Arrows:
        yield after(self.pause) >> self.lapsed

    @Wait()
    def second(self) -> Arrows:
        yield after(self.pause, at="09:00") >> self.lapsed


IR_ = compile_journey(Tuned)


def knob(ir: IR, name: str) -> float:
    return next(each.value for each in ir.knobs if each.name == name)


def test_a_value_stands_wherever_the_knob_is_used_and_nothing_else_moves() -> None:
    made = tuned(IR_, {"pause": 5 * DAY, "tries": 4, "gap": 3600})
    mail, contact = made.by_name["mail"], made.stages[0]
    assert mail.arrows[0].limit == Limit(4, 3600)
    assert mail.arrows[1].on == After(5 * DAY)
    assert contact.arrows[0].on == After(5 * DAY)
    assert made.anywhere[0].limit == Limit(4)
    assert [made.by_name[name] for name in ("offer", "text", "rest")] == [
        IR_.by_name[name] for name in ("offer", "text", "rest")
    ], "the wait of three days that hangs on no knob stays"
    assert knob(made, "pause") == 5 * DAY
    assert made.hash != IR_.hash
    assert from_json(to_json(made)).hash == made.hash


def test_the_code_s_own_values_make_the_code_s_own_version() -> None:
    assert tuned(IR_, {each.name: each.value for each in IR_.knobs}) is IR_
    there = tuned(IR_, {"pause": 5 * DAY})
    assert tuned(there, {"pause": 3 * DAY}).hash == IR_.hash


def test_tuning_is_what_another_value_in_the_code_compiles_to() -> None:
    class Other(Tuned, name="tuned"):
        pause = Knob(days(5), min=days(1), max=days(10))
        tries = Knob(3, min=1, max=5)

    other = compile_journey(Other)
    made = tuned(IR_, {"pause": 5 * DAY, "tries": 3})
    assert made.hash == other.hash, str(list(diff(made, other).changes))


def test_shares_without_a_knob_take_what_is_left_in_their_own_proportions() -> None:
    made = tuned(IR_, {"part": 65})
    assert [arrow.on for arrow in made.by_name["offer"].arrows] == [Share(65), Share(25), Share(10)]
    with pytest.raises(Invalid, match=r"add up to 100 %, and nothing is left"):
        tuned(IR_, {"part": 100})


def test_two_knobs_that_fill_a_split_can_only_be_turned_together() -> None:
    ir = compile_journey(Halves)
    with pytest.raises(Invalid, match="the others are knobs too"):
        tuned(ir, {"one": 60})
    made = tuned(ir, {"one": 60, "two": 40})
    assert [arrow.on for arrow in made.by_name["offer"].arrows] == [Share(60), Share(40)]


def test_a_wait_of_nothing_is_refused_unless_a_clock_decides() -> None:
    ir = compile_journey(Halves)
    with pytest.raises(Invalid, match="one second at least"):
        tuned(ir, {"pause": 0})
    clocked = replace(ir, knobs=tuple(replace(each, uses=(("second", 0, "seconds"),)) for each in ir.knobs[2:]))
    on = tuned(clocked, {"pause": 0}).by_name["second"].arrows[0].on
    assert isinstance(on, After)
    assert on.seconds == 0


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("pause", 11 * DAY, r"pause: it goes from 1 day to 10 days \(got '11 days'\)"),
        ("pause", -5, "pause: it goes from 1 day to 10 days"),
        ("pause", 1.5 + DAY, "whole seconds"),
        ("tries", 2.5, "a whole number"),
        ("tries", 0, "1 at least"),
        ("part", 5, "part: it goes from 10 to 100"),
    ],
)
def test_a_value_that_cannot_be_is_refused(name: str, value: float, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        tuned(IR_, {name: value})


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("pause", "3 days", 3 * DAY),
        ("pause", "36h", 36 * 3600),
        ("pause", "1 day, 12 hours and 30 min", 36 * 3600 + 1800),
        ("pause", "1.5 d", 36 * 3600),
        ("pause", 7200, 7200),
        ("pause", "7200", 7200),
        ("tries", "4", 4),
        ("part", "12,5", 12.5),
        ("part", "12.5 %", 12.5),
    ],
)
def test_values_are_read_as_people_write_them(name: str, given: str | float, value: float) -> None:
    assert read_value(next(each for each in IR_.knobs if each.name == name), given) == value


@pytest.mark.parametrize("given", ["soon", "", "3 moons", "3 days and a bit", "nan", "inf", "1e999", "0.00001 h", True])
def test_what_is_no_value_is_refused_with_the_bounds(given: str | float) -> None:
    for each in IR_.knobs:
        with pytest.raises(Invalid, match=each.name):
            tuned(IR_, {each.name: read_value(each, given)})


@given(st.integers(min_value=1, max_value=10**9))
def test_what_is_printed_is_read_back(seconds: int) -> None:
    pause = IR_.knobs[0]
    assert read_value(pause, value_words(pause, seconds)) == seconds
