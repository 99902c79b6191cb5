"""That a message went out: told by itself in an author's test, as in the engine; of a letter, when it is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dsl import (
    Anywhere,
    Api,
    Arrows,
    Call,
    Customer,
    Email,
    Feed,
    Final,
    Journey,
    Letter,
    Sms,
    Stage,
    after,
    marketing,
    then,
)
from dsl.chart import Chart, chart
from dsl.compile import compile_journey
from dsl.ir import Answer, Arrow
from dsl.sends import AT_ONCE, SENT, sent_awaited
from dsl.testing import walk
from dsl.testing.driver import Driver
from dsl.testing.paths import paths


class Went(Journey):
    """Every channel's `sent`: of the box itself, of its stage, anywhere, late, and under a condition."""

    enters = Api()
    purpose = marketing
    out = Final()
    here = Final()
    lapsed = Final()

    @Stage()
    def near(self) -> Arrows:
        yield Sms.sent >> self.feed

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.sent >> self.text
        yield after(days=1) >> self.lapsed

    @Sms("t/sms", stage=near)
    def text(self) -> Arrows:
        yield after(days=1) >> self.lapsed

    @Feed("t/feed")
    @Email("t/mail")
    def feed(self) -> Arrows:
        yield Feed.sent.when(Customer.country == "FR") >> self.here
        yield after(days=1) >> self.ring

    @Call("t/call")
    def ring(self) -> Arrows:
        yield Call.sent.late() >> self.here
        yield Call.not_reached.ignored
        yield Call.interested.ignored
        yield Call.refused.ignored
        yield then >> self.letter

    @Letter("t/letter")
    def letter(self) -> Arrows:
        yield after(days=3) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Letter.sent >> self.out


def test_what_went_out_is_told_by_itself() -> None:
    w = walk(Went)
    assert [(step.state.name, step.event) for step in w.steps] == [
        ("mail", None),
        ("text", "email.sent"),
        ("feed", "sms.sent"),
    ]
    assert w.late == ["condition not met"]
    assert [message.channel for message in w.messages] == ["email", "sms", "feed", "email"]
    assert walk(Went, customer={"country": "FR"}).at is Went.here


def test_what_did_not_go_out_is_not_told() -> None:
    assert walk(Went, unreachable=[Email]).at is Went.mail
    assert walk(Went, unreachable=[Email]).wait(days=1).reason == "lapsed"
    assert walk(Went, unreachable=[Feed], customer={"country": "FR"}).at is Went.feed


def test_a_late_arrow_hears_it_from_the_next_box() -> None:
    w = walk(Went).wait(days=1)
    assert w.at is Went.here
    assert [step.state.name for step in w.steps][-3:] == ["ring", "letter", "here"]


def test_a_letter_goes_out_with_its_print_run() -> None:
    w = walk(Went, unreachable=[Call]).wait(days=1)
    assert w.at is Went.letter
    assert w.copy().tell(Letter.sent).reason == "out"
    assert w.wait(days=3).reason == "lapsed"


def test_what_is_told_by_itself_can_not_be_told_again() -> None:
    with pytest.raises(ValueError, match=r"email\.sent is told by itself"):
        walk(Went).tell(Email.sent)


def test_only_what_an_arrow_waits_for_is_told() -> None:
    ir = walk(Went).ir
    awaited = {state.name: sent_awaited(ir, state) for state in ir.states if state.channels}
    assert awaited == {"mail": {"email"}, "text": {"sms"}, "feed": {"feed"}, "ring": {"call"}, "letter": {"letter"}}
    assert {"letter.sent"} == SENT - AT_ONCE


def test_A3_generated_walks_take_each_of_them() -> None:
    found = paths(Went)
    assert [each.said for each in found.missed] == []
    assert ".sent" not in str(found).replace("tell(Letter.sent)", "")


def test_what_has_no_end_at_one_moment_is_told_with_its_boxes() -> None:
    """No chart that compiles is such a one."""
    ir = compile_journey(Went)
    mail = ir.by_name["mail"]
    again = Arrow(Answer("email.sent", "send"), "mail")
    states = tuple(replace(state, arrows=(again, *mail.arrows)) if state is mail else state for state in ir.states)

    class Endless(Driver):
        def _charted(self) -> Chart:
            return chart(replace(ir, states=states))

    with pytest.raises(RuntimeError, match=r"10,000 boxes were entered at one moment, 2026-.*: mail$"):
        Endless(Went, {}, (), datetime(2026, 3, 2, tzinfo=UTC), None, 0, (), (), ())
