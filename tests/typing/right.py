"""What a type checker must accept, and the types that it must see."""

from __future__ import annotations

from typing import assert_type

from dsl import (
    Anywhere,
    Api,
    Arrows,
    Audience,
    Call,
    Choice,
    Consent,
    Customer,
    Duration,
    Email,
    Events,
    Final,
    Goal,
    Journey,
    Letter,
    Orders,
    Payload,
    Purchase,
    Shop,
    Sms,
    Split,
    State,
    Wait,
    after,
    always,
    days,
    event,
    everyone,
    forever,
    hours,
    marketing,
    never,
    number,
    once,
    otherwise,
    percent,
    share,
    text,
    then,
    transactional,
    weekly,
    when,
)
from dsl.testing import customer, walk
from dsl.triggers import Arrow, Clicked, Happened, Then
from dsl.waits import After


class Upgrade(Payload):
    order_id = text()
    points = number()


class Loyalty(Events):
    upgraded = event(Upgrade)
    left = event()


class Base(Journey, abstract=True):
    """Settings may be set, reset and left out."""

    again = always
    purpose = marketing
    won = Goal()
    lapsed = Final("Nothing came.")


class Care(Base, name="care_and_more"):
    enters = Loyalty.upgraded.where(Upgrade.points > 100)
    again = after(days=180)
    purpose = transactional
    goal = Shop.purchased.where(Purchase.total > 50).within(days=30)
    parallel = Upgrade.order_id

    @Choice()
    def which(self) -> Arrows:
        assert_type(self.hello, State)
        assert_type(self.won, Goal)
        yield when((Customer.country == "FR") & ~Customer.phone.is_missing()) >> self.hello
        yield otherwise >> self.offer

    @Email("care/hello", purpose=marketing)
    def hello(self) -> Arrows:
        assert_type(Email.clicked.link("shop").when(Customer.country == "FR").up_to(3), Clicked)
        arrow = Email.clicked.link("wine") >> self.won
        assert_type(arrow, Arrow)
        yield arrow
        yield Email.clicked.link("shop") >> self.won
        yield Email.clicked.any_send().when(Customer.country == "FR").up_to(3, every=hours(20)) >> self.call
        yield from self.rest(days(3))

    def rest(self, wait: Duration) -> Arrows:
        yield after(wait) >> self.lapsed

    @Split()
    def offer(self) -> Arrows:
        yield share(33.5) >> self.text
        yield share(66.5) >> self.paper

    @Sms("care/text")
    def text(self) -> Arrows:
        assert_type(Loyalty.upgraded, Happened)
        assert_type(then.up_to(2), Then)
        assert_type(after(Orders.rhythm() * 1.5, missing=days(30), at_least=days(7)), After)
        yield Sms.replied.keyword("YES") >> self.won
        yield after(Orders.rhythm() * 1.5, missing=days(30), at_least=days(7), at_most=days(60)) >> self.lapsed

    @Call("care/call")
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused.ignored
        yield Call.not_reached.ignored
        yield then.up_to(2) >> self.call
        yield forever

    @Letter("care/paper")
    def paper(self) -> Arrows:
        yield Letter.answered >> self.won
        yield after(days=14) >> self.pause

    @Wait()
    def pause(self) -> Arrows:
        for name, box in (("shop", self.won), ("blog", self.lapsed)):
            yield Email.clicked.any_send().link(name) >> box
        yield after(days=3, hours=12) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Consent.withdrawn.moves("all") >> self.lapsed


class Heir(Care):
    enters = Audience(everyone, every=once)
    parallel = None
    again = never

    @Email("heir/hello")
    def hello(self) -> Arrows:
        yield from Care.hello.arrows(self)


def made(template: str) -> type[Journey]:
    class Made(Base, name=template.replace("/", "_")):
        enters = Api()
        holdout = percent(5)

        @Email(template)
        def mail(self) -> Arrows:
            yield after(days=1) >> self.lapsed

    return Made


def test_care() -> None:
    w = walk(Care, customer={"country": "FR"}, take=Care.text, unreachable=[Sms])
    assert_type(Care.call, State)
    w.tell(Email.clicked).tell(Shop.purchased, total=30).wait(days=3).wait(days(3))
    w.tell(Loyalty.upgraded, {Upgrade.points: 3}, order_id="A").change({Customer.city: "Lyon"})
    walk(Care, customer={Customer.country: "FR", "city": "Lyon"})
    walk(Care, customer=customer({Customer.country: "FR"}))
    assert w.at is Care.call
    assert_type(w.sent, list[State])
    assert_type(w.reason, str | None)
    assert weekly("monday", at="08:00").weekday == 0
