"""Answers and their times: which of two decides, what comes in the grace, late arrows, looking back. Behaviours by their codes."""

from __future__ import annotations

from itertools import permutations

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
    Shop,
    Sms,
    Wait,
    after,
    hours,
    ignore,
    marketing,
    otherwise,
    then,
    when,
)
from dsl.step import ACTING, RESTING, WAITING, Acted, Decide, Decided, Due, Late, Postponed, Stopped
from dsl.testing import walk

SENT = Acted()


class Race(Journey):
    """Two events that lead to two ends."""

    enters = Api()
    purpose = marketing
    bought = Goal()
    left = Final()
    lapsed = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Shop.purchased >> self.bought
        yield Consent.withdrawn >> self.left
        yield after(days=3) >> self.lapsed


class Ranked(Race):
    """A withdrawal is heard first."""

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Shop.signed_up.when(Customer.country == "FR") >> self.lapsed
        yield Shop.purchased >> self.bought
        yield Consent.withdrawn.first() >> self.left
        yield after(days=3) >> self.lapsed


def raced(journey: type[Journey], bought: int, withdrawn: int, *, withdrawal_arrives_first: bool) -> str:
    """Both come while the mail goes out; they are numbered as they arrive."""
    m = Stepped(journey)
    first, second = ("consent.withdrawn", withdrawn), ("shop.purchased", bought)
    for name, at in (first, second) if withdrawal_arrives_first else (second, first):
        m.tell(m.answer(name, at=at), 5000)
    m.tell(SENT, 6000)
    return m.at


@pytest.mark.parametrize("reverse", [False, True])
def test_R5_event_time_decides_whichever_arrived_first(reverse: bool) -> None:
    assert raced(Race, 1000, 2000, withdrawal_arrives_first=reverse) == "bought"
    assert raced(Race, 2000, 1000, withdrawal_arrives_first=reverse) == "left"


def test_R5_ties_fall_to_the_one_that_arrived_first() -> None:
    assert raced(Race, 1000, 1000, withdrawal_arrives_first=False) == "bought"
    assert raced(Race, 1000, 1000, withdrawal_arrives_first=True) == "left"


@pytest.mark.parametrize("reverse", [False, True])
def test_R5_a_declared_rank_goes_before_event_time_if_asked_for(reverse: bool) -> None:
    assert raced(Ranked, 1000, 2000, withdrawal_arrives_first=reverse) == "left"


def test_R5_no_rank_wins_over_an_answer_that_came_before_the_deadline() -> None:
    """While a guard is decided, she buys in time; when the wait is over she says stop, which is ranked first."""
    for order in permutations(range(2)):
        m = Stepped(Ranked)
        m.tell(SENT, 1000)
        over = m.deadline
        m.tell(m.answer("shop.signed_up"), over - 10)
        assert isinstance(m.effects[-1], Decide)
        events = (m.answer("shop.purchased", at=over - 5), m.answer("consent.withdrawn", at=over + 5))
        for index in order:
            m.tell(events[index], over + 6)
        m.tell(Decided((False,)), over + 7)
        assert m.at == "bought"


def test_R6_in_the_grace_an_answer_given_in_time_wins_and_after_it_the_time_out_has() -> None:
    """The driver rings when the grace is over: an answer with a time before the deadline that comes till then wins."""
    in_time, too_late = Stepped(Race), Stepped(Race)
    for m in (in_time, too_late):
        m.tell(SENT, 1000)
    over = in_time.deadline
    in_time.tell(in_time.answer("shop.purchased", at=over - 1), over + 1999)
    assert in_time.at == "bought"
    too_late.tell(Due(), over + 2000)
    too_late.tell(too_late.answer("shop.purchased", at=over - 1), over + 2001)
    assert (too_late.at, too_late.late) == ("lapsed", ["ended"])


# --- R7: the late policy ----------------------------------------------------------------------------------------------


class Told(Journey):
    """A mail, then a text."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.clicked >> self.won
        yield after(days=1) >> self.text

    @Sms("t/sms")
    def text(self) -> Arrows:
        yield Sms.clicked >> self.won
        yield after(days=1) >> self.lapsed


class Silent(Told):
    late_answers = ignore


def test_R7_an_answer_after_the_time_out_moves_nobody_and_is_a_row_unless_the_journey_ignores_it() -> None:
    for journey, rows in ((Told, ["not awaited here", "ended"]), (Silent, [])):
        m = Stepped(journey)
        m.tell(SENT, 1000)
        m.tell(Due(), 2 * DAY)
        m.tell(SENT)
        m.tell(m.clicked(visit=1))
        told = m.late
        assert m.at == "text"
        m.tell(Due(), 4 * DAY)
        m.tell(m.clicked(visit=1))
        assert (m.at, told + m.late) == ("lapsed", rows)


@pytest.mark.parametrize(("journey", "rows"), [(Told, ["ended"]), (Silent, [])])
def test_R7_what_waited_when_she_ended_is_told_by_the_same_policy(journey: type[Journey], rows: list[str]) -> None:
    m = Stepped(journey)
    m.tell(m.clicked(), 500)
    m.tell(m.clicked(), 501)
    m.tell(SENT, 1000)
    assert (m.at, m.late) == ("won", rows)

    m = Stepped(journey)
    m.tell(m.clicked(), 500)
    m.tell(Stopped())
    assert m.late == rows
    assert m.tell(Stopped()) == []


class Tardy(Journey):
    """Clicks count after the time-out, too."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.clicked >> self.won
        yield Email.clicked.late() >> self.call
        yield after(days=1).up_to(2) >> self.mail
        yield after(days=1) >> self.text

    @Sms("t/sms")
    def text(self) -> Arrows:
        yield after(days=5) >> self.lapsed

    @Call("t/call", queue="q")
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused.ignored
        yield Call.not_reached.ignored
        yield after(days=7) >> self.lapsed


def at_the_text(journey: type[Journey] = Tardy) -> Stepped:
    m = Stepped(journey)
    m.tell(SENT, 1000)
    for day in range(1, 4):
        m.tell(Due(), 2 * day * DAY)
        m.tell(SENT)
    assert (m.at, m.snapshot.seq) == ("text", 4)
    return m


def test_R7_a_late_arrow_leads_on_from_wherever_she_waits_and_a_row_says_so() -> None:
    for visit in (1, 2, 3):
        m = at_the_text()
        m.tell(m.clicked(visit=visit))
        assert (m.at, m.late) == ("call", ["late arrow"])


def test_R7_a_late_arrow_is_taken_once() -> None:
    m = at_the_text()
    m.tell(m.clicked(visit=2))
    m.tell(SENT)
    calls = m.snapshot.seq
    m.tell(m.clicked(visit=2))
    assert (m.at, m.snapshot.seq, m.late) == ("call", calls, ["not awaited here"])


def test_R7_who_is_back_in_the_box_answers_its_send_and_an_earlier_one_late() -> None:
    m = Stepped(Tardy)
    m.tell(SENT, 1000)
    m.tell(Due(), 2 * DAY)
    m.tell(SENT)
    assert (m.at, m.snapshot.seq) == ("mail", 2)
    m.tell(m.clicked(visit=1))
    assert m.at == "call"

    m = Stepped(Tardy)
    m.tell(SENT, 1000)
    m.tell(Due(), 2 * DAY)
    m.tell(SENT)
    m.tell(m.clicked(visit=2))
    assert m.at == "won"


class Pausing(Journey):
    """Rests between two tries, and by a `then`."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.clicked.late().when(Customer.country == "FR") >> self.won
        yield Email.replied >> self.pause
        yield after(days=1).up_to(1, every=hours(20)) >> self.mail
        yield then.up_to(1) >> self.pause
        yield after(days=2) >> self.lapsed

    @Wait()
    def pause(self) -> Arrows:
        yield after(days=5) >> self.lapsed


def test_R7_a_box_that_is_left_by_then_can_be_answered_late() -> None:
    m = Stepped(Pausing)
    m.tell(SENT, 1000)
    assert m.at == "pause"
    m.tell(m.clicked(visit=1))
    assert m.late == [], "nothing is late until the guard is decided"
    m.tell(Decided((False,)))
    assert (m.at, m.late) == ("pause", ["condition not met"])
    m.tell(m.clicked(visit=1))
    m.tell(Decided((True,)))
    assert (m.at, m.late) == ("won", ["late arrow"])


class Retried(Journey):
    """A time-out that rests before it tries again."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.clicked.late() >> self.won
        yield Email.replied.up_to(1, every=hours(20)) >> self.mail
        yield after(days=1).up_to(1, every=hours(20)) >> self.mail
        yield after(days=1) >> self.lapsed


def test_R7_late_while_she_rests_after_the_time_out() -> None:
    m = Stepped(Retried)
    m.tell(SENT, 1000)
    m.tell(Due(), 2 * DAY)
    assert m.snapshot.phase == RESTING
    m.tell(m.clicked(visit=1), 2 * DAY + 1)
    assert m.at == "won"

    m = Stepped(Retried)
    m.tell(SENT, 1000)
    m.tell(Due(), 2 * DAY)
    m.tell(Due(), 2 * DAY + 20 * HOUR)
    m.tell(SENT)
    m.tell(m.clicked(visit=1))
    assert m.at == "won"


def test_R7_who_has_answered_is_not_late() -> None:
    m = Stepped(Retried)
    m.tell(SENT, 1000)
    m.tell(m.answer("email.replied", visit=1))
    assert m.snapshot.phase == RESTING
    m.tell(m.clicked(visit=1))
    assert (m.snapshot.phase, m.late) == (RESTING, ["not awaited here"])


# --- looking back -----------------------------------------------------------------------------------------------------


class Back(Journey):
    """The second box looks back on what the first one did not take."""

    enters = Api()
    purpose = marketing
    won = Goal()
    bought = Goal()
    lapsed = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Shop.signed_up.when(Customer.country == "FR") >> self.lapsed
        yield after(days=10) >> self.text

    @Sms("t/sms")
    def text(self) -> Arrows:
        yield Email.clicked.any_send().looking_back(days=7) >> self.won
        yield Shop.purchased.looking_back(days=2) >> self.bought
        yield Shop.signed_up.looking_back(days=7) >> self.won
        yield after(days=10) >> self.lapsed


def test_R2_a_click_on_any_mail_of_the_last_days_counts_when_the_box_is_entered() -> None:
    assert walk(Back).wait(days=4).tell(Email.clicked).wait(days=6).reason == "won"
    assert walk(Back).wait(days=2).tell(Email.clicked).wait(days=8).at is Back.text, "older than the look-back"


def test_R2_events_are_looked_back_on_too_and_the_earlier_one_decides() -> None:
    w = walk(Back).wait(days=8, hours=1).tell(Shop.purchased).wait(hours=1).tell(Email.clicked)
    assert w.late == ["not awaited here", "not awaited here"]
    assert w.wait(days=2).reason == "bought"


def test_R2_what_a_guard_turned_away_moved_her_nowhere_and_counts_later() -> None:
    assert walk(Back).wait(days=5).tell(Shop.signed_up).wait(days=5).reason == "won"
    assert walk(Back, customer={"country": "FR"}).wait(days=5).tell(Shop.signed_up).reason == "lapsed"


def test_R2_what_was_before_she_entered_is_not_looked_back_on() -> None:
    m = Stepped(Back, at=10 * DAY)
    m.tell(SENT)
    m.tell(m.answer("shop.purchased", at=10 * DAY - 1))
    m.tell(Due(), 20 * DAY + 60_000)
    m.tell(SENT)
    assert (m.at, m.snapshot.phase) == ("text", WAITING)
    m.tell(m.answer("shop.purchased", at=18 * DAY))
    assert m.late == ["too old"]
    m.tell(m.answer("shop.purchased", at=19 * DAY))
    assert m.at == "bought"


class Twice(Journey):
    """Both boxes look back."""

    enters = Api()
    purpose = marketing
    done = Final()
    lapsed = Final()

    @Wait()
    def first(self) -> Arrows:
        yield Shop.purchased.looking_back(days=9) >> self.second
        yield after(days=1) >> self.second

    @Wait()
    def second(self) -> Arrows:
        yield Shop.purchased.looking_back(days=9) >> self.done
        yield after(days=1) >> self.lapsed


def test_R4_an_event_that_moved_her_is_not_looked_back_on() -> None:
    w = walk(Twice).tell(Shop.purchased)
    assert w.at is Twice.second
    assert w.wait(days=1).reason == "lapsed"


def test_a_look_back_keeps_no_more_than_some_events_and_none_that_is_too_old() -> None:
    m = Stepped(Back)
    m.tell(SENT, 1000)
    for second in range(100):
        m.tell(m.answer("shop.purchased", at=2000 + second), 2000 + second)
    assert len(m.snapshot.kept) == 32
    m.tell(m.answer("shop.purchased", at=1), 8 * DAY)
    assert m.snapshot.kept == ()


# --- what is passed through, and what is owed -------------------------------------------------------------------------


class Chosen(Journey):
    """A choice first."""

    enters = Api()
    purpose = marketing
    bought = Goal()
    lapsed = Final()

    @Choice()
    def near(self) -> Arrows:
        yield when(Customer.country == "FR") >> self.mail
        yield otherwise >> self.lapsed

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Shop.purchased >> self.bought
        yield Email.clicked >> self.near
        yield after(days=3) >> self.lapsed


def test_R1_what_happens_while_a_choice_is_made_counts_in_the_box_behind_it() -> None:
    m = Stepped(Chosen, at=5000, began=1000)
    m.tell(m.answer("shop.purchased", at=2000), 5001)
    m.tell(Decided((True,)), 6000)
    m.tell(SENT, 7000)
    assert m.at == "bought", "she was let in, and bought before the cohort had begun"

    m = Stepped(Chosen)
    m.tell(Decided((True,)), 1000)
    m.tell(SENT, 2000)
    m.tell(m.clicked(), 3000)
    m.tell(m.answer("shop.purchased", at=3500), 3600)
    m.tell(Decided((True,)), 4000)
    m.tell(SENT, 5000)
    assert m.at == "bought", "she was between two boxes"


def test_R2_what_happened_before_the_choice_does_not_count_behind_it() -> None:
    m = Stepped(Chosen)
    m.tell(Decided((True,)), 1000)
    m.tell(SENT, 2000)
    m.tell(m.clicked(), 3000)
    m.tell(Decided((True,)), 4000)
    m.tell(SENT, 5000)
    m.tell(m.answer("shop.purchased", at=2500))
    assert (m.at, m.late) == ("mail", ["too old"])


class Refusable(Journey):
    """What is left where no arrow for the refusal is open."""

    enters = Api()
    purpose = marketing
    sorry = Final()
    done = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.not_sent.up_to(2) >> self.mail
        yield Email.not_sent.when(Customer.country == "FR") >> self.sorry
        yield then >> self.done


def test_S3_a_refusal_that_no_arrow_takes_goes_on_as_the_box_would() -> None:
    m = Stepped(Refusable)
    m.tell(Acted(sent=False, reasons=("suppressed",)), 1000)
    m.tell(Acted(sent=False, reasons=("suppressed",)), 2000)
    assert m.snapshot.phase == ACTING
    m.tell(Acted(sent=False, reasons=("suppressed",)), 3000)
    assert isinstance(m.effects[-1], Decide)
    m.tell(Decided((False,)), 4000)
    assert (m.at, m.causes) == ("done", ["then"])


class Because(Journey):
    """Another way for each reason."""

    enters = Api()
    purpose = marketing
    paper = Final()
    peace = Final()
    done = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.not_sent.because("address missing", "suppressed") >> self.paper
        yield Email.not_sent.because("journey off") >> self.peace
        yield after(days=1) >> self.done


@pytest.mark.parametrize(
    ("reason", "to"),
    [
        ("address missing", "paper"),
        ("suppressed", "paper"),
        ("journey off", "peace"),
        ("no consent", "done"),
        ("", "done"),
    ],
)
def test_S3_a_refusal_takes_the_arrow_for_its_reason_or_waits(reason: str, to: str) -> None:
    m = Stepped(Because)
    m.tell(Acted(sent=False, reasons=(reason,)), 1000)
    if to == "done":
        assert (m.at, m.snapshot.phase) == ("mail", WAITING)
        m.tell(Due(), 3 * DAY)
    assert m.at == to


def test_a_deadline_that_rings_while_a_guard_is_decided_changes_nothing() -> None:
    m = Stepped(Ranked)
    m.tell(SENT, 1000)
    over = m.deadline
    m.tell(m.answer("shop.signed_up"), over - 10)
    assert m.tell(Due(), over + 10) == []
    m.tell(Decided((False,)))
    m.tell(Due(), over + 10)
    assert m.at == "lapsed"


class Around(Journey):
    """What holds anywhere, with a bound."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield after(days=3) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased.up_to(1) >> self.mail
        yield Consent.withdrawn.when(Customer.country == "FR") >> self.won


def test_a_put_off_send_goes_on_resting_when_a_guard_fails() -> None:
    m = Stepped(Around)
    m.tell(Postponed(10), 1000)
    m.tell(m.answer("consent.withdrawn"), 2000)
    m.tell(Decided((False,)), 3000)
    assert (m.snapshot.phase, m.deadline, m.late) == (RESTING, 31_000, ["condition not met"])


def test_a_limit_that_is_reached_is_told() -> None:
    m = Stepped(Around)
    m.tell(SENT, 1000)
    m.tell(m.answer("shop.purchased"), 2000)
    m.tell(SENT, 3000)
    m.tell(m.answer("shop.purchased"), 4000)
    assert m.effects == [Late(m.seq, m.snapshot.state, "limit reached")]
