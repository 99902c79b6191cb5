"""The stepper: what a journey means, one member and one event at a time. Behaviours by their codes."""

from __future__ import annotations

import json
from itertools import permutations

import pytest
from kit.stepping import DAY, Stepped

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
    Orders,
    Shop,
    Split,
    Wait,
    after,
    days,
    hours,
    marketing,
    otherwise,
    share,
    when,
)
from dsl.step import (
    ACTING,
    ENDED,
    RESTING,
    WAITING,
    Acted,
    Decide,
    Decided,
    Due,
    Event,
    Late,
    Measure,
    Postponed,
    Row,
    Send,
    Snapshot,
    enter,
    pack,
    unpack,
)

SENT = Acted()


class Two(Journey):
    """Two mails in a row; a call for whoever clicks the second."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()
    left = Final()

    @Email("t/first")
    def first(self) -> Arrows:
        yield Email.clicked >> self.second
        yield after(days=3) >> self.second

    @Email("t/second")
    def second(self) -> Arrows:
        yield Email.clicked >> self.call
        yield Shop.purchased >> self.won
        yield after(days=2).when(Customer.country == "FR") >> self.call
        yield after(days=5) >> self.lapsed

    @Call("t/call", queue="q")
    def call(self) -> Arrows:
        yield Call.interested.when(Customer.country == "FR") >> self.won
        yield Call.not_reached.up_to(2, every=hours(20)) >> self.call
        yield Call.not_reached >> self.lapsed
        yield Call.interested.ignored
        yield Call.refused.ignored
        yield after(days=7) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Consent.withdrawn >> self.left


class Member(Stepped):
    """One member, of `Two` unless it is said."""

    def __init__(self, journey: type[Journey] = Two, number: int = 1, at: int = 0) -> None:
        super().__init__(journey, number, at)


def test_a_send_is_asked_for_and_then_the_wait_begins() -> None:
    m = Member()
    assert m.effects == [Row(1, m.snapshot.state, "entry", None, 0), Send(m.snapshot.state, 1)]
    assert m.snapshot.phase == ACTING
    m.tell(SENT, 1000)
    assert (m.snapshot.phase, m.snapshot.deadline) == (WAITING, 3 * DAY + 60_000)


def test_R1_an_answer_before_the_wait_completes_it_at_once() -> None:
    m = Member()
    assert m.tell(m.clicked(), 500) == []
    m.tell(SENT, 1000)
    assert (m.at, m.snapshot.phase) == ("second", ACTING)


def test_R2_an_event_older_than_the_box_is_no_answer_to_it() -> None:
    m = Member()
    m.tell(SENT, 1000)
    m.tell(Due(), 4 * DAY)
    m.tell(SENT, 4 * DAY + 1000)
    assert m.at == "second"
    (late,) = m.tell(m.answer("shop.purchased", at=DAY), 4 * DAY + 2000)
    assert late == Late(1, m.snapshot.state, "too old")
    assert m.at == "second"


def test_R2_an_event_older_than_the_enrolment_is_no_answer_anywhere() -> None:
    m = Member(at=10 * DAY)
    m.tell(SENT, 10 * DAY + 1000)
    (late,) = m.tell(m.answer("consent.withdrawn", at=9 * DAY))
    assert late == Late(1, m.snapshot.state, "too old")


def test_R3_a_click_on_an_earlier_mail_leaves_the_wait_waiting() -> None:
    m = Member()
    m.tell(SENT, 1000)
    m.tell(Due(), 4 * DAY)
    m.tell(SENT)
    (late,) = m.tell(m.clicked(visit=1), 4 * DAY + 5000)
    assert (m.at, late) == ("second", Late(1, m.snapshot.state, "earlier send"))


@pytest.mark.parametrize("times", [1, 2, 100])
def test_R4_the_same_event_again_is_one_transition(times: int) -> None:
    m = Member()
    m.tell(SENT, 1000)
    click = m.clicked()
    rows = [effect for _ in range(times) for effect in m.tell(click, 2000) if isinstance(effect, Row)]
    m.tell(SENT, 3000)
    m.snapshot = unpack(json.loads(json.dumps(pack(m.snapshot))))
    m.tell(click, 4000)
    assert len(rows) == 1
    assert (m.at, m.snapshot.seq) == ("second", 2)


def test_R5_of_two_events_in_the_inbox_the_earlier_one_decides() -> None:
    for order in permutations(range(2)):
        m = Member()
        m.tell(SENT, 1000)
        m.tell(m.clicked(), 2000)
        bought, clicked = m.answer("shop.purchased", at=3000), m.clicked(at=2500)
        for index in order:
            m.tell((bought, clicked)[index], 4000)
        m.tell(SENT, 5000)
        assert m.at == "call"


def test_R6_event_time_decides_between_answer_and_deadline() -> None:
    m = Member()
    m.tell(SENT, 1000)
    deadline = m.snapshot.deadline
    assert deadline is not None
    m.tell(m.clicked(at=deadline), deadline + 1500)
    assert [e.cause for e in m.effects if isinstance(e, Row)] == ["answer"]

    m = Member()
    m.tell(SENT, 1000)
    m.tell(m.clicked(at=deadline + 1), deadline + 1500)
    assert [e.cause for e in m.effects if isinstance(e, Row)] == ["timer"]
    m.tell(SENT, deadline + 2000)
    assert [e for e in m.effects if isinstance(e, Late)] == [Late(1, m.snapshot.state, "earlier send")]


def test_R8_timer_and_event_in_one_activation_give_one_result_in_either_order() -> None:
    seen: set[tuple[str, int]] = set()
    for order in permutations(range(2)):
        m = Member()
        m.tell(SENT, 1000)
        deadline = m.snapshot.deadline or 0
        events: tuple[Event, Event] = (Due(), m.clicked(at=deadline + 5))
        for index in order:
            m.tell(events[index], deadline + 10)
        seen.add((m.at, m.snapshot.seq))
    assert seen == {("second", 2)}


def test_a_guard_is_asked_for_and_what_comes_meanwhile_waits() -> None:
    m = Member()
    m.tell(SENT, 1000)
    m.tell(m.clicked(), 2000)
    m.tell(SENT, 3000)
    (ask,) = m.tell(Due(), 3 * DAY)
    assert isinstance(ask, Decide)
    m.tell(m.answer("shop.purchased", at=3 * DAY + 5), 3 * DAY + 5)
    m.tell(Decided((False,)), 3 * DAY + 10)
    assert m.at == "won"


def test_a_guard_that_fails_leaves_the_next_wait_running() -> None:
    m = Member()
    m.tell(SENT, 1000)
    m.tell(m.clicked(), 2000)
    m.tell(SENT, 3000)
    m.tell(Due(), 3 * DAY)
    m.tell(Decided((False,)), 3 * DAY)
    assert (m.at, m.snapshot.deadline) == ("second", 5 * DAY + 60_000)
    m.tell(Due(), 6 * DAY)
    assert (m.at, m.snapshot.phase) == ("lapsed", ENDED)


def test_a_guard_on_an_answer_that_fails_is_told() -> None:
    m = at_the_call()
    m.tell(m.answer("call.interested", visit=m.snapshot.seq))
    m.tell(Decided((False,)))
    assert m.effects == [Late(m.seq, m.snapshot.state, "condition not met")]
    m.tell(m.answer("call.interested", visit=m.snapshot.seq))
    m.tell(Decided((True,)))
    assert m.at == "won"


def at_the_call() -> Member:
    m = Member()
    m.tell(SENT, 1000)
    m.tell(m.clicked(), 2000)
    m.tell(SENT, 3000)
    m.tell(m.clicked(), 4000)
    m.tell(SENT, 5000)
    assert m.at == "call"
    return m


def test_a_bounded_arrow_rests_between_tries_and_gives_way_to_the_next() -> None:
    m = at_the_call()
    for _ in range(2):
        m.tell(m.answer("call.not_reached", visit=m.snapshot.seq))
        assert m.snapshot.phase == RESTING
        rest = m.snapshot.deadline or 0
        assert rest == m.now + 20 * 3_600_000
        m.tell(Due(), rest)
        m.tell(SENT)
    m.tell(m.answer("call.not_reached", visit=m.snapshot.seq))
    assert m.at == "lapsed"


def test_who_rests_still_hears_what_counts_anywhere() -> None:
    m = at_the_call()
    m.tell(m.answer("call.not_reached", visit=m.snapshot.seq))
    (late,) = m.tell(m.answer("call.interested", visit=m.snapshot.seq - 1))
    assert late == Late(m.seq, m.snapshot.state, "not awaited here")
    m.tell(m.answer("consent.withdrawn"))
    assert m.at == "left"


def test_C1_withdrawing_while_a_send_is_under_way_ends_the_journey_when_it_is_back() -> None:
    m = Member()
    m.tell(m.answer("consent.withdrawn"), 500)
    m.tell(SENT, 1000)
    assert (m.at, m.snapshot.phase) == ("left", ENDED)


def test_answers_in_the_inbox_at_the_end_are_told_as_late() -> None:
    m = Member()
    m.tell(m.answer("consent.withdrawn"), 500)
    m.tell(m.clicked(at=600), 600)
    m.tell(SENT, 1000)
    assert [effect for effect in m.effects if isinstance(effect, Late)] == [Late(2, m.snapshot.state, "ended")]


def test_a_send_that_is_put_off_is_tried_again_and_what_counts_anywhere_counts_meanwhile() -> None:
    m = Member()
    m.tell(Postponed(10), 1000)
    assert (m.snapshot.phase, m.snapshot.deadline) == (RESTING, 31_000)
    m.tell(Due(), 31_000)
    assert m.effects == [Send(m.snapshot.state, 1)]
    m.tell(Postponed(10), 32_000)
    assert m.snapshot.deadline == 332_000
    m.tell(m.answer("consent.withdrawn"), 40_000)
    assert m.at == "left"

    m = Member()
    m.tell(m.answer("consent.withdrawn"), 500)
    m.tell(Postponed(10), 1000)
    assert m.at == "left"

    m = Member()
    m.tell(Postponed(10), 1000)
    m.tell(Due(), 31_000)
    m.tell(SENT, 32_000)
    assert (m.snapshot.phase, m.snapshot.tries) == (WAITING, 0)


class Fallback(Journey):
    """A mail, or a call where it can't be sent."""

    enters = Api()
    purpose = marketing
    done = Final()

    @Email("t/first")
    def mail(self) -> Arrows:
        yield Email.not_sent >> self.call
        yield Email.clicked >> self.done
        yield after(days=3) >> self.done

    @Call("t/call", queue="q")
    def call(self) -> Arrows:
        yield Call.interested >> self.done
        yield Call.refused.ignored
        yield Call.not_reached.ignored
        yield after(days=3) >> self.done


def test_S3_a_send_that_was_not_made_takes_its_arrow_or_goes_on_waiting() -> None:
    m = Member(Fallback)
    m.tell(Acted(sent=False), 1000)
    assert (m.at, m.effects[0].cause if isinstance(m.effects[0], Row) else "") == ("call", "not_sent")
    m.tell(Acted(sent=False), 2000)
    assert (m.at, m.snapshot.phase) == ("call", WAITING)


class Greeted(Journey):
    """A text and on; whoever buys in France is done."""

    enters = Api()
    purpose = marketing
    done = Final()
    on = Final()

    @Email("t/first")
    def mail(self) -> Arrows:
        yield Email.not_sent >> self.on
        yield Shop.signed_up >> self.done
        yield after(days=30) >> self.done

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased.when(Customer.country == "FR") >> self.done


def test_a_guarded_answer_in_the_inbox_does_not_swallow_what_the_box_does_next() -> None:
    m = Member(Greeted)
    m.tell(m.answer("shop.purchased"), 500)
    m.tell(Acted(sent=False), 1000)
    assert isinstance(m.effects[-1], Decide)
    m.tell(Decided((False,)), 2000)
    assert (m.at, m.snapshot.phase) == ("on", ENDED)


def test_a_send_that_is_put_off_hears_the_box_s_own_events() -> None:
    m = Member(Greeted)
    m.tell(Postponed(10), 1000)
    m.tell(m.answer("shop.signed_up"), 2000)
    assert m.at == "done"


def test_events_count_from_when_she_was_let_in() -> None:
    m = Member(Greeted, at=5000)
    m.snapshot, _ = enter(m.chart, 1, 5000, 3000)
    m.tell(SENT, 6000)
    m.tell(m.answer("shop.signed_up", at=4000), 6500)
    assert m.at == "done"


def test_R6_an_answer_after_two_deadlines_finds_both_taken() -> None:
    m = Member()
    m.tell(SENT, 1000)
    m.tell(m.clicked(), 2000)
    m.tell(SENT, 3000)
    m.tell(Due(), 3 * DAY)
    m.tell(Decided((False,)), 3 * DAY)
    m.tell(m.answer("shop.purchased", at=9 * DAY), 9 * DAY)
    assert m.at == "lapsed"


class Paced(Journey):
    """Chooses, draws, and waits at her own pace."""

    enters = Api()
    purpose = marketing
    done = Final()
    other = Final()

    @Choice()
    def near(self) -> Arrows:
        yield when(Customer.country == "FR") >> self.draw
        yield when(Customer.country == "DE") >> self.pace
        yield otherwise >> self.other

    @Split()
    def draw(self) -> Arrows:
        yield share(50) >> self.pace
        yield share(50) >> self.other

    @Wait()
    def pace(self) -> Arrows:
        yield after(Orders.rhythm(), at_least=days(2), at_most=days(30), missing=days(7)) >> self.done


def test_a_choice_takes_the_first_that_holds() -> None:
    for results, expected in (((False, True), "pace"), ((False, False), "other")):
        m = Member(Paced)
        assert isinstance(m.effects[-1], Decide)
        m.tell(Decided(results))
        assert m.at == expected


def test_a_split_falls_by_share_and_always_alike() -> None:
    fell: dict[int, str] = {}
    for number in range(400):
        m = Member(Paced, number)
        m.tell(Decided((True, False)))
        fell[number] = m.at
        again = Member(Paced, number)
        again.tell(Decided((True, False)))
        assert again.at == m.at
    assert 150 < sum(state == "pace" for state in fell.values()) < 250


def test_a_measured_wait_runs_as_long_as_was_measured() -> None:
    m = Member(Paced)
    m.tell(Decided((False, True)))
    ask = m.effects[-1]
    assert isinstance(ask, Measure)
    m.tell(Acted(waits=((ask.arrows[0], 4 * DAY + 1000),)), 1000)
    assert m.snapshot.deadline == 4 * DAY + 1000
    m.tell(Due(), 5 * DAY)
    assert m.at == "done"


def test_events_that_a_member_does_not_expect_change_nothing() -> None:
    m = Member()
    before = pack(m.snapshot)
    for event in (Decided((True,)), Due()):
        assert m.tell(event, 10 * DAY) == []
        assert pack(m.snapshot) == before
    m.tell(SENT, 1000)
    waiting = pack(m.snapshot)
    for event in (SENT, Decided((True,)), Due()):
        assert m.tell(event, 2000) == []
        assert pack(m.snapshot) == waiting


def test_a_snapshot_packs_short() -> None:
    m = Member(number=123_456)
    assert len(json.dumps(pack(m.snapshot), separators=(",", ":"))) < 60
    assert isinstance(unpack(pack(m.snapshot)), Snapshot)
