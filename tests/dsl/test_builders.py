"""Builders: customers, orders and payloads, made so that a test says only what it is about."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dsl import (
    Anywhere,
    Api,
    Arrows,
    Click,
    Consent,
    ConsentWord,
    Customer,
    Email,
    Final,
    Journey,
    Open,
    Purchase,
    Reply,
    Shop,
    Sms,
    after,
    days,
    marketing,
    text,
)
from dsl.testing import (
    NOON,
    bounce,
    click,
    consent,
    customer,
    opening,
    order,
    orders,
    purchase,
    reply,
    untaken,
    walk,
)


class Tiered(Customer):
    tier = text()


class Care(Journey):
    enters = Api()
    purpose = marketing
    read = Final()
    shop = Final()
    bought = Final()
    yes = Final()
    stop = Final()

    @Email("care/mail")
    def mail(self) -> Arrows:
        yield Email.opened.where(Open.human.is_true()) >> self.read
        yield Email.clicked.where((Click.link == "shop") & Click.url.starts_with("https://")) >> self.shop
        yield after(days=1) >> self.text

    @Sms("care/text")
    def text(self) -> Arrows:
        yield Sms.replied.where((Reply.keyword == "YES") & Reply.words.contains("please")) >> self.yes
        yield after(days=3) >> self.stop

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased.where((Purchase.total >= 45) & (Purchase.category == "wine")) >> self.bought
        yield (
            Consent.withdrawn.where((ConsentWord.channel == "email") & (ConsentWord.purpose == "marketing"))
            >> self.stop
        )


def test_A3_each_payload_is_made_by_its_builder() -> None:
    w = walk(Care)
    assert w.copy().tell(Email.opened, **opening(human=False)).at is Care.mail
    walks = [
        w.copy().tell(Email.opened, **opening()),
        w.copy().tell(Email.clicked, **click()),
        w.copy().tell(Shop.purchased, **purchase(45, category="wine")),
        w.copy().tell(Consent.withdrawn, **consent()),
        w.copy().wait(days=1).tell(Sms.replied, **reply("yes please")),
        w.copy().wait(days=4),
    ]
    assert [walked.at for walked in walks] == [Care.read, Care.shop, Care.bought, Care.stop, Care.yes, Care.stop]
    assert untaken(walks) == []
    assert untaken(walks[:1]) == [
        'mail: clicked, link is shop and url starts with "https://" → shop',
        "mail: no answer in 1 d → text",
        "text: replied, keyword is YES and text contains please → yes",
        "text: no answer in 3 d → stop",
        "anywhere: purchased, total ≥ 45 and category is wine → bought",
        "anywhere: consent withdrawn, channel is email and purpose is marketing → stop",
    ]
    assert untaken([]) == []
    assert reply("")["keyword"] == ""
    assert reply("Yes, please")["keyword"] == "YES"  # as the engine reads it
    assert bounce("soft", code="4.2.2")["kind"] == "soft"


def test_A3_a_customer_is_one_of_whom_all_is_known() -> None:
    zoe = customer(
        {Tiered.tier: "gold"},
        first_name=None,
        orders=[order(120, category="wine", order_id="A"), *orders(3, every=days(30))],
    )
    assert zoe["email"] == "zoe@example.com"
    assert zoe["first_name"] is None
    assert zoe["tier"] == "gold"
    w = walk(Care, customer=zoe, orders=[{"at": NOON - timedelta(days=9), "total": 4}])
    assert [(NOON - line["at"]).days for line in w.orders] == [1, 1, 31, 61, 9]
    assert w.orders[0]["order_id"] == "A"


def test_A3_what_she_buys_is_among_her_orders_and_can_be_changed() -> None:
    w = walk(Care)
    assert w.buy(44, category="wine").at is Care.mail
    assert [line["total"] for line in w.orders] == [44]
    assert w.copy().change(orders=orders(2)).orders != w.orders
    assert w.change(city="Paris").customer["city"] == "Paris"
    assert w.buy(45, category="wine").reason == "bought"
    assert [line["order_id"] for line in w.orders] == ["bought-1", "bought-2"]


def test_S3_a_box_can_be_refused_and_reached_again() -> None:
    w = walk(Care, unreachable={Care.mail: "suppressed"})
    assert w.sent == []
    assert walk(Care).refuse(Care.text, "no consent").wait(days=1).sent == [Care.mail]
    assert walk(Care).refuse(Sms).wait(days=1).sent == [Care.mail]
    assert walk(Care).refuse(Sms).reach(Sms).refuse(Care.text).reach(Care.text).wait(days=1).sent == [
        Care.mail,
        Care.text,
    ]


def test_A3_what_is_no_event_can_t_be_told() -> None:
    with pytest.raises(TypeError, match="takes an answer or an event"):
        walk(Care).tell("clicked")  # pyright: ignore[reportArgumentType]  # the point of the test


def test_a_bounce_says_how_bad_it_is() -> None:
    assert bounce() == {"kind": "hard", "code": "5.1.1", "diagnostic": "550 5.1.1 no such user"}
    assert bounce("soft", code="4.2.2")["kind"] == "soft"
