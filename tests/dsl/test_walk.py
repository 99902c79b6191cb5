"""Walks: what an author's tests can see, on the engine's stepper."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dsl import (
    Anywhere,
    Api,
    Arrows,
    Call,
    Choice,
    Consent,
    Customer,
    Email,
    Feed,
    Final,
    Goal,
    Journey,
    Letter,
    Orders,
    Problems,
    Purchase,
    Shop,
    Sms,
    Split,
    Wait,
    after,
    days,
    hours,
    marketing,
    otherwise,
    share,
    then,
    when,
)
from dsl.loading import load
from dsl.testing import NOON, walk


class WinBack(Journey):
    enters = Api()
    purpose = marketing

    won = Goal()
    refused = Final()
    lapsed = Final()
    not_eligible = Final()
    unsubscribed = Final()

    @Choice()
    def eligible(self) -> Arrows:
        yield when((Customer.country == "FR") & (Orders.count() > 0)) >> self.offer
        yield otherwise >> self.not_eligible

    @Split()
    def offer(self) -> Arrows:
        yield share(50) >> self.discount
        yield share(50) >> self.story

    @Email("win_back/discount")
    def discount(self) -> Arrows:
        yield Email.clicked.link("shop") >> self.call
        yield Email.not_sent >> self.letter
        yield after(days=3) >> self.feed

    @Email("win_back/story")
    def story(self) -> Arrows:
        yield Email.clicked.when(Customer.phone.is_missing()) >> self.letter
        yield Email.clicked >> self.call
        yield after(days=3) >> self.feed

    @Call("win_back/warm", queue="retention")
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused >> self.refused
        yield Call.not_reached.up_to(2, every=hours(20)) >> self.call
        yield Call.not_reached >> self.sms
        yield after(days=7) >> self.sms

    @Feed("win_back/your_bottles")
    def feed(self) -> Arrows:
        yield then >> self.sms

    @Sms("win_back/last_chance")
    def sms(self) -> Arrows:
        yield Sms.clicked >> self.call
        yield after(Orders.rhythm(), at_least=days(1), at_most=days(20), missing=days(2)) >> self.letter

    @Letter("win_back/voucher")
    def letter(self) -> Arrows:
        yield Letter.answered >> self.call
        yield after(days=14) >> self.pause

    @Wait()
    def pause(self) -> Arrows:
        yield after(days=400) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased.where(Purchase.total > 50) >> self.won
        yield Consent.withdrawn >> self.unsubscribed


FRENCH = {"country": "FR", "phone": "+33612345678"}
ORDERS = [{"at": NOON - timedelta(days=100), "total": 30}]


def test_A3_a_click_leads_to_the_call() -> None:
    w = walk(WinBack, customer=FRENCH, orders=ORDERS, take=WinBack.discount)
    assert w.at is WinBack.discount
    w.tell(Email.clicked, link="shop")
    assert w.at is WinBack.call
    assert w.sent == [WinBack.discount, WinBack.call]
    w.tell(Call.interested)
    assert w.ended
    assert w.reason == "won"


def test_A3_what_the_trigger_asks_of_the_payload_is_told_by_itself() -> None:
    w = walk(WinBack, customer=FRENCH, orders=ORDERS, take=[WinBack.discount])
    w.tell(Email.clicked)
    assert w.at is WinBack.discount
    assert w.late == ["not awaited here"]
    w.tell(Email.clicked.link("shop"))
    assert w.at is WinBack.call


def test_A3_choices_are_made_on_the_facts() -> None:
    assert walk(WinBack).reason == "not_eligible"
    assert walk(WinBack, customer={"country": "DE"}, orders=ORDERS).reason == "not_eligible"
    assert walk(WinBack, customer=FRENCH, orders=ORDERS).at in (WinBack.discount, WinBack.story)


def test_A3_guards_see_facts_as_they_are_now() -> None:
    w = walk(WinBack, customer=FRENCH, orders=ORDERS, take=WinBack.story)
    w.customer["phone"] = None
    assert w.tell(Email.clicked).at is WinBack.letter


def test_A3_waits_pass_in_their_order() -> None:
    w = walk(WinBack, customer=FRENCH, orders=ORDERS, take=WinBack.story)
    w.wait(days=2, hours=23)
    assert w.at is WinBack.story
    w.wait(hours=1)
    assert w.at is WinBack.sms
    assert w.sent == [WinBack.story, WinBack.feed, WinBack.sms]
    w.wait(days=2)
    assert w.at is WinBack.letter, "no rhythm with one order: what missing= says"
    w.wait(days=14 + 400)
    assert w.reason == "lapsed"
    assert w.now == NOON + timedelta(days=3 + 2 + 14 + 400)
    assert [step.cause for step in w.steps[-3:]] == ["timer", "timer", "timer"]


def test_A3_a_measured_wait_is_this_customers() -> None:
    orders = [{"at": NOON - timedelta(days=90 - gap), "total": 30} for gap in (0, 10, 20)]
    w = walk(WinBack, customer=FRENCH, orders=orders, take=WinBack.story).wait(days=3)
    assert w.wait(days=9, hours=23).at is WinBack.sms
    assert w.wait(hours=1).at is WinBack.letter


def test_A3_bounded_tries_rest_between() -> None:
    w = walk(WinBack, customer=FRENCH, orders=ORDERS, take=WinBack.discount).tell(Email.clicked.link("shop"))
    for _ in range(2):
        w.tell(Call.not_reached)
        assert w.sent[-1] is WinBack.call
        before = len(w.sent)
        w.wait(hours=20)
        assert len(w.sent) == before + 1
    w.tell(Call.not_reached)
    assert w.at is WinBack.sms


def test_A3_an_answer_is_to_the_channels_last_message_or_to_the_one_named() -> None:
    w = walk(WinBack, customer=FRENCH, orders=ORDERS, take=WinBack.discount).wait(days=3)
    w.tell(Email.clicked.link("shop"))
    assert w.late == ["not awaited here"]
    w.tell(Sms.clicked)
    w.tell(Sms.clicked, to=WinBack.sms)
    assert w.at is WinBack.call


def test_A3_events_from_anywhere() -> None:
    w = walk(WinBack, customer=FRENCH, orders=ORDERS)
    w.tell(Shop.purchased, total=30)
    assert not w.ended
    w.tell(Shop.purchased, total=51)
    assert w.reason == "won"
    w.tell(Consent.withdrawn, channel="email")
    assert w.late[-1] == "ended"
    assert w.steps[-1].event == "shop.purchased"


def test_S3_a_channel_that_cant_reach_her() -> None:
    w = walk(WinBack, customer=FRENCH, orders=ORDERS, take=WinBack.discount, unreachable=[Email])
    assert w.at is WinBack.letter
    assert w.sent == [WinBack.letter]
    assert w.steps[-1].cause == "not_sent"


def test_A3_seeds_draw_both_shares() -> None:
    drawn = [walk(WinBack, customer=FRENCH, orders=ORDERS, seed=seed).at for seed in range(200)]
    assert 70 < drawn.count(WinBack.discount) < 130
    assert (
        walk(WinBack, customer=FRENCH, orders=ORDERS, seed=7).at
        is walk(WinBack, customer=FRENCH, orders=ORDERS, seed=7).at
    )


def test_A3_a_test_that_asks_the_impossible_is_told_so() -> None:
    w = walk(WinBack, customer=FRENCH, orders=ORDERS, take=WinBack.discount)
    with pytest.raises(ValueError, match="nothing was sent by sms yet"):
        w.tell(Sms.clicked)
    with pytest.raises(ValueError, match="`letter` has sent nothing by email"):
        w.tell(Email.clicked, to=WinBack.letter)
    with pytest.raises(ValueError, match="own outcome"):
        w.tell(Email.not_sent)
    with pytest.raises(ValueError, match="no share of WinBack leads to"):
        w.take(WinBack.letter)
    with pytest.raises(ValueError, match="zone"):
        walk(WinBack, at=datetime(2026, 1, 1))  # noqa: DTZ001  # the point of the test
    with pytest.raises(ValueError, match="holds"):
        w.tell(Shop.purchased.where(Purchase.total > 50), total=3)
    with pytest.raises(AttributeError, match="cal"):
        getattr(WinBack(), "cal")  # noqa: B009  # a type checker refuses the plain way


def test_A3_a_year_with_twenty_waits_takes_no_time() -> None:
    class Year(Journey):
        enters = Api()
        purpose = marketing
        over = Final()

        @Email("year/letter")
        def mail(self) -> Arrows:
            yield after(days=18).up_to(20) >> self.mail
            yield after(days=19) >> self.over

    w = walk(Year, at=datetime(2026, 1, 1, 9, 30, 12, tzinfo=UTC)).wait(days=18 * 20)
    assert len(w.sent) == 21
    assert w.wait(days=19).reason == "over"


def test_A3_walks_compile_first(tmp_path: Path) -> None:
    class Broken(Journey):
        enters = Api()

    with pytest.raises(Problems):
        walk(Broken)
    file = tmp_path / "care.py"
    file.write_text(
        "from dsl import *\n\n\nclass Care(Journey):\n    enters = Api()\n    done = Final()\n\n    @Wait()\n"
        "    def pause(self) -> Arrows:\n        yield after(days=1) >> self.done\n"
    )
    (loaded,) = load(file)
    assert walk(loaded.cls).wait(days=1).reason == "done"
