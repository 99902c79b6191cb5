"""How a call that reached nobody is heard: an author's test hears what the engine hears."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsl import Anywhere, Api, Arrows, Call, Final, Goal, Journey, Stage, after, marketing
from dsl.loading import load
from dsl.outcomes import OUTCOMES, UNREACHED, answer_of, heard_as, offered
from dsl.testing import walk
from dsl.testing.paths import paths
from dsl.triggers import Event


class Ring(Journey):
    """Three calls: of no box's own, of a stage, and of a box, a busy line has an arrow; anywhere a voicemail has."""

    enters = Api()
    purpose = marketing
    won = Goal()
    full = Final()
    away = Final()
    lapsed = Final()

    @Stage()
    def hot(self) -> Arrows:
        yield Call.busy >> self.full

    @Call("t/call")
    def first(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.not_reached >> self.second
        yield Call.refused.ignored
        yield after(days=1) >> self.lapsed

    @Call("t/call", stage=hot)
    def second(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.not_reached >> self.third
        yield Call.refused.ignored
        yield after(days=1) >> self.lapsed

    @Call("t/call")
    def third(self) -> Arrows:
        yield Call.busy.up_to(1) >> self.third
        yield Call.busy.ignored
        yield Call.not_reached >> self.lapsed
        yield Call.not_sent >> self.lapsed
        yield Call.interested.ignored
        yield Call.refused.ignored
        yield after(days=1) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Call.voicemail >> self.away


@pytest.mark.parametrize(
    ("box", "outcome", "to"),
    [
        (Ring.first, Call.busy, "second"),
        (Ring.second, Call.busy, "full"),
        (Ring.third, Call.busy, "third"),
        (Ring.first, Call.voicemail, "away"),
        (Ring.second, Call.not_reached, "third"),
        (Ring.first, Call.callback, "first"),  # the task itself comes back
        (Ring.first, Call.wrong_number, "first"),
    ],
)
def test_S4_a_call_is_heard_as_an_arrow_waits_for_it(box: object, outcome: Event, to: str) -> None:
    w = walk(Ring)
    while w.at is not box:
        w.tell(Call.not_reached)
    assert w.tell(outcome).at.name == to
    if to != "away":
        assert offered(w.ir, w.ir.by_name[w.at.name]) == OFFERED.get(to, ("voicemail",))


OFFERED = {
    "first": ("interested", "not_reached", "voicemail"),
    "second": ("interested", "not_reached", "busy", "voicemail"),
    "third": ("busy", "not_reached", "voicemail"),
}


def test_S4_an_answer_to_a_call_of_before_is_heard_as_that_box_hears_it() -> None:
    w = walk(Ring).tell(Call.not_reached).tell(Call.not_reached)
    assert w.tell(Call.busy, to=Ring.first).late == ["earlier send"]
    assert w.at is Ring.third


def test_S4_a_busy_arrow_that_is_used_up_is_still_the_boxs_own() -> None:
    w = walk(Ring).tell(Call.not_reached).tell(Call.not_reached).tell(Call.busy)
    assert (w.at, w.tell(Call.busy).late) == (Ring.third, ["limit reached"])


def test_A3_generated_walks_take_each_of_them() -> None:
    assert paths(Ring).missed == ()


def test_every_code_has_its_class_and_its_answer() -> None:
    assert {"not_reached", "busy", "voicemail"} == UNREACHED
    assert {answer_of(code, ()) for code in OUTCOMES} == set(OUTCOMES) - {"busy", "voicemail"}
    assert answer_of("in_two_weeks", ()) == "in_two_weeks"
    ir = walk(Ring).ir
    assert heard_as("email.clicked", ir, ir.start) == "email.clicked"


RUNG = """\
from dsl import *


class Care(Journey):
    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Call("t/call")
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused.ignored
        {line}
        yield after(days=1) >> self.lapsed
"""
SURE = {
    "nobody tries again, so nothing is lost": "yield Call.busy.up_to(1) >> self.call\n        yield Call.not_reached.ignored",
    "a second arrow": (
        "yield Call.busy.up_to(1) >> self.call\n        yield Call.busy >> self.lapsed\n        yield Call.not_reached >> self.lapsed"
    ),
    "it is ignored": (
        "yield Call.callback.up_to(1) >> self.call\n        yield Call.callback.ignored\n        yield Call.not_reached >> self.lapsed"
    ),
}


@pytest.mark.parametrize("why", SURE)
def test_S4_a_bounded_arrow_for_a_busy_line_is_fine_where_nothing_is_lost(why: str, tmp_path: Path) -> None:
    (tmp_path / "care.py").write_text(RUNG.format(line=SURE[why]))
    assert [each.cls.__name__ for each in load(tmp_path / "care.py")] == ["Care"]


def test_S4_what_an_arrow_from_anywhere_takes_the_place_of_may_be_ignored_in_the_box(tmp_path: Path) -> None:
    line = "yield Call.busy.ignored\n        yield Call.not_reached >> self.lapsed"
    anywhere = "\n    @Anywhere()\n    def always(self) -> Arrows:\n        yield Call.busy.up_to(1) >> self.call\n"
    (tmp_path / "care.py").write_text(RUNG.format(line=line) + anywhere)
    assert [each.cls.__name__ for each in load(tmp_path / "care.py")] == ["Care"]
