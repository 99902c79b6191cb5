"""Stages: several boxes with arrows of their own, fired from any box within, also in mid-wait; and counts of visits."""

from __future__ import annotations

import json

import pytest
from kit.stepping import DAY, HOUR, Stepped

from dsl import (
    Anywhere,
    Api,
    Arrows,
    Call,
    Choice,
    Consent,
    Customer,
    Email,
    Final,
    Goal,
    Journey,
    LanguageError,
    Shop,
    Sms,
    Stage,
    Wait,
    after,
    compile_journey,
    hours,
    marketing,
    otherwise,
    transactional,
    when,
)
from dsl.ir_json import from_json, to_json
from dsl.problems import Problems
from dsl.step import RESTING, WAITING, Acted, Answered, Due, Postponed, Snapshot, pack, unpack
from dsl.testing import walk

SENT = Acted()


class Staged(Journey):
    """Two boxes in a stage of five days; behind it one of no stage, which may lead back."""

    enters = Api()
    purpose = marketing
    bought = Goal()
    left = Final()
    lapsed = Final()

    @Stage()
    def offers(self) -> Arrows:
        """While we offer something."""
        yield Shop.purchased >> self.bought
        yield Email.replied >> self.call
        yield after(days=5) >> self.call

    @Email("t/mail", stage=offers)
    def mail(self) -> Arrows:
        yield Email.clicked.up_to(2, every=hours(20)) >> self.mail
        yield after(days=2) >> self.text

    @Sms("t/sms", stage=offers)
    def text(self) -> Arrows:
        yield Shop.purchased.when(Customer.country == "DE") >> self.left

    @Call("t/call", queue="q")
    def call(self) -> Arrows:
        yield Call.interested >> self.mail
        yield Call.refused >> self.left
        yield Call.not_reached.ignored
        yield after(days=7) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Consent.withdrawn >> self.left
        yield Shop.purchased >> self.lapsed


def test_an_arrow_of_the_stage_is_fired_from_any_box_within_in_mid_wait() -> None:
    assert walk(Staged).wait(days=1).tell(Shop.purchased).reason == "bought"
    assert walk(Staged).wait(days=3).tell(Shop.purchased).reason == "bought"


def test_a_box_s_own_arrow_comes_first_then_the_stage_s_then_anywhere_s() -> None:
    assert walk(Staged, customer={"country": "DE"}).wait(days=3).tell(Shop.purchased).reason == "left"
    assert walk(Staged).wait(days=5).tell(Shop.purchased).reason == "lapsed", "out of the stage"


def test_an_answer_in_a_stage_is_to_any_send_of_the_journey() -> None:
    w = walk(Staged).wait(days=3)
    assert w.at is Staged.text
    assert w.tell(Email.replied).at is Staged.call


def test_the_stage_s_time_out_runs_from_when_it_was_entered_whatever_boxes_she_goes_through() -> None:
    w = walk(Staged).wait(days=4, hours=23)
    assert w.at is Staged.text
    assert w.wait(hours=1).at is Staged.call
    assert [step.cause for step in w.steps] == ["entry", "timer", "timer"]


def test_the_stage_entered_again_runs_anew_and_entered_by_its_own_box_does_not() -> None:
    w = walk(Staged).wait(days=5).tell(Call.interested)
    assert w.at is Staged.mail
    assert w.wait(days=4, hours=23).at is Staged.text
    assert w.wait(hours=1).at is Staged.call

    w = walk(Staged).wait(days=1).tell(Email.clicked).wait(days=3, hours=23)
    assert w.at is Staged.text
    assert w.wait(hours=1).at is Staged.call


def test_the_stage_s_time_out_finds_her_resting_between_two_tries() -> None:
    m = Stepped(Staged)
    m.tell(Postponed(9 * 86400, held=True), 1000)
    assert (m.snapshot.phase, m.deadline) == (RESTING, 5 * DAY)
    m.tell(Due(), 5 * DAY)
    assert m.at == "call"

    m = Stepped(Staged)
    m.tell(SENT, 1000)
    m.tell(m.clicked(), DAY)
    assert (m.snapshot.phase, m.deadline) == (RESTING, DAY + 20 * HOUR)
    m.tell(m.answer("shop.purchased"), DAY + HOUR)
    assert m.at == "bought"


def test_R2_what_happened_before_the_stage_was_entered_does_not_fire_it() -> None:
    m = Stepped(Staged)
    m.tell(SENT, 1000)
    m.tell(Due(), 2 * DAY + 60_000)
    m.tell(SENT)
    m.tell(Due(), 5 * DAY)
    m.tell(SENT)
    m.tell(m.answer("call.interested", visit=m.snapshot.seq), 6 * DAY)
    m.tell(SENT)
    assert m.at == "mail"
    m.tell(m.answer("shop.purchased", at=5 * DAY + HOUR))
    assert m.at == "lapsed", "older than the stage: anywhere's arrow alone hears it"


class Guarded(Journey):
    """A stage whose time-out has a condition."""

    enters = Api()
    purpose = marketing
    done = Final()
    lapsed = Final()

    @Stage()
    def contact(self) -> Arrows:
        yield after(days=1).when(Customer.country == "FR") >> self.done

    @Wait(stage=contact)
    def pause(self) -> Arrows:
        yield after(days=3) >> self.lapsed


def test_a_stage_s_wait_whose_condition_fails_is_over_and_the_box_waits_on() -> None:
    assert walk(Guarded, customer={"country": "FR"}).wait(days=1).reason == "done"
    w = walk(Guarded).wait(days=1)
    assert w.at is Guarded.pause
    assert w.wait(days=2).reason == "lapsed"


class Base(Journey, abstract=True):
    """To derive from."""

    lapsed = Final()

    @Stage()
    def contact(self) -> Arrows:
        yield Shop.purchased >> self.lapsed

    @Wait(stage=contact)
    def pause(self) -> Arrows:
        yield after(days=30) >> self.lapsed


class Shorter(Base):
    enters = Api()
    done = Final()

    @Stage(was="talk")
    def contact(self) -> Arrows:
        yield after(days=2) >> self.done
        yield from Base.contact.arrows(self)


def test_an_heir_may_replace_a_stage_and_its_base_s_boxes_are_in_the_new_one() -> None:
    assert walk(Shorter).wait(days=2).reason == "done"
    assert walk(Shorter).tell(Shop.purchased).reason == "lapsed"
    assert compile_journey(Shorter).notes["contact"].was == "talk"
    assert repr(Shorter.contact) == "<stage contact>"


# --- counts -----------------------------------------------------------------------------------------------------------


class Counted(Journey):
    """A third mail ends it, in France with a letter of goodbye."""

    enters = Api()
    purpose = marketing
    adieu = Final()
    goodbye = Final()
    won = Goal()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.clicked.when((self.mail.visits >= 2) & (Customer.country == "FR")) >> self.won
        yield after(days=1).when((self.mail.visits >= 3) & (Customer.country == "FR")) >> self.adieu
        yield after(days=1).when(self.mail.visits >= 3) >> self.goodbye
        yield after(days=1) >> self.check

    @Choice()
    def check(self) -> Arrows:
        yield when(self.mail.visits > 50) >> self.goodbye
        yield otherwise >> self.mail


def test_visits_are_counted_this_one_included_and_joined_with_facts() -> None:
    assert walk(Counted).wait(days=2).at is Counted.mail
    assert walk(Counted).wait(days=3).reason == "goodbye"
    assert walk(Counted, customer={"country": "FR"}).wait(days=3).reason == "adieu"
    w = walk(Counted, customer={"country": "FR"}).tell(Email.clicked)
    assert (w.at, w.late) == (Counted.mail, ["condition not met"])
    assert w.wait(days=1).tell(Email.clicked).reason == "won"


def test_only_boxes_that_are_asked_about_are_counted() -> None:
    m = Stepped(Counted)
    assert m.snapshot.visits == ((0, 1),)
    assert [box.name for box in m.chart.boxes if box.counted] == ["mail"]
    assert from_json(json.loads(json.dumps(to_json(m.chart.ir)))) == m.chart.ir


# --- the snapshot -----------------------------------------------------------------------------------------------------


def test_a_snapshot_with_every_field_survives_the_wire() -> None:
    full = Snapshot(
        7, 1, WAITING, 3, 10, 20, 30, 40, 50, 2, ((4, 60),), ((5, 1),), (Answered(1, 2, (3, 4), 5), Answered(2, 3, ())),
        (1, 2), (6, 7), ("timer", 9), 2, "then", 70, 80, 90, ((1, 2), (3, 4)), (Answered(8, 9, (1,)),), ((0, 3),),
    )  # fmt: skip
    assert unpack(json.loads(json.dumps(pack(full)))) == full
    assert full.copy() == full
    for name in Snapshot.__slots__:
        plain = Snapshot(7, 1, WAITING, 3, 10, 20)
        setattr(plain, name, getattr(full, name))
        assert unpack(json.loads(json.dumps(pack(plain)))) == plain, name
        assert plain.copy() == plain, name


def test_a_snapshot_of_an_older_release_is_read() -> None:
    """What was written before a field was there: it holds its default."""
    short = pack(Snapshot(7, 1, WAITING, 3, 10, 20, 30))
    assert short == [7, 1, WAITING, 3, 10, 20, 30]
    assert unpack(short) == Snapshot(7, 1, WAITING, 3, 10, 20, 30)


# --- several sends in a box -------------------------------------------------------------------------------------------


class Both(Journey):
    """A mail and a text together."""

    enters = Api()
    won = Goal()
    paper = Final()
    lapsed = Final()

    @Email("t/mail", purpose=transactional, offers=2)
    @Sms("t/sms")
    def both(self) -> Arrows:
        yield Email.clicked >> self.won
        yield Sms.replied.keyword("yes") >> self.won
        yield Email.not_sent >> self.paper
        yield after(days=1) >> self.lapsed


def test_a_box_of_two_channels_sends_both_and_hears_the_answers_of_each() -> None:
    w = walk(Both)
    assert [(message.channel, message.template) for message in w.messages] == [("email", "t/mail"), ("sms", "t/sms")]
    assert w.ir.start.offers == 2
    assert walk(Both).tell(Email.clicked).reason == "won"
    assert walk(Both).tell(Sms.replied.keyword("yes")).reason == "won"


def test_S3_a_box_of_two_channels_is_not_sent_where_neither_can_be() -> None:
    assert [message.channel for message in walk(Both, unreachable=[Email]).messages] == ["sms"]
    assert walk(Both, unreachable=[Email, Sms]).reason == "paper"


def test_A1_what_stands_above_a_box_of_several_channels_must_agree() -> None:
    def both(_: Journey) -> Arrows:
        yield from ()

    below = Sms("t/sms", offers=3)(both)
    with pytest.raises(LanguageError, match="offers= differs"):
        Email("t/mail", offers=2)(below)
    with pytest.raises(LanguageError, match="sends nothing"):
        Email("t/mail")(Wait()(both))


def test_A1_a_late_arrow_may_wait_for_its_stage_s_time_out() -> None:
    class Waiting(Journey):
        enters = Api()
        purpose = marketing
        won = Goal()
        lapsed = Final()

        @Stage()
        def contact(self) -> Arrows:
            yield after(days=2) >> self.rest

        @Email("t/mail", stage=contact)
        def mail(self) -> Arrows:
            yield Email.clicked.late() >> self.won

        @Wait()
        def rest(self) -> Arrows:
            yield after(days=9) >> self.lapsed

    w = walk(Waiting).wait(days=2)
    assert w.at is Waiting.rest
    assert w.tell(Email.clicked).reason == "won"


def test_A1_stages_carry_on_names_too() -> None:
    class Renamed(Journey):
        enters = Api()
        lapsed = Final()

        @Stage(was="pause")
        def contact(self) -> Arrows:
            yield after(days=2) >> self.lapsed

        @Wait(stage=contact)
        def pause(self) -> Arrows:
            yield after(days=1) >> self.lapsed

    with pytest.raises(Problems) as caught:
        compile_journey(Renamed)
    assert [error.code for error in caught.value] == ["J139"]
