"""The journey that the language was designed by: every channel, a choice, a split, retries, exits from anywhere."""

from __future__ import annotations

from dsl import (
    Anywhere,
    Arrows,
    Audience,
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
    Shop,
    Sms,
    Split,
    after,
    daily,
    days,
    hours,
    marketing,
    otherwise,
    percent,
    share,
    then,
    when,
)

wine = Orders.where(Orders.category == "wine").last(days=90)
loves_wine = (wine.count() >= 2) & (wine.sum(Orders.total) > 200)


class WinBack(Journey):
    """Bring back wine lovers who have gone quiet."""

    enters = Audience(loves_wine & (Orders.recency() > days(90)), every=daily(at="09:00"))
    again = after(days=180)
    purpose = marketing
    goal = Shop.purchased.within(days=30)
    holdout = percent(10)

    won = Goal()
    refused = Final()
    lapsed = Final()
    not_eligible = Final()
    unsubscribed = Final()

    @Choice()
    def eligible(self) -> Arrows:
        yield when(Customer.country == "FR") >> self.offer
        yield otherwise >> self.not_eligible

    @Split()
    def offer(self) -> Arrows:
        yield share(50) >> self.discount
        yield share(50) >> self.story

    @Email("win_back/discount")
    def discount(self) -> Arrows:
        """Ten per cent off the bottles they know."""
        yield from self.answers_to_the_offer()

    @Email("win_back/story")
    def story(self) -> Arrows:
        """The story of the grower, no discount."""
        yield from self.answers_to_the_offer()

    def answers_to_the_offer(self) -> Arrows:
        yield Email.clicked >> self.call
        yield after(days=3) >> self.feed

    @Call("win_back/warm", queue="retention")
    def call(self) -> Arrows:
        """Phone while the interest is warm."""
        yield Call.interested >> self.won
        yield Call.refused >> self.refused
        yield Call.not_reached.up_to(3, every=hours(20)) >> self.call
        yield Call.not_reached >> self.sms
        yield after(days=7) >> self.sms

    @Feed("win_back/your_bottles")
    def feed(self) -> Arrows:
        yield then >> self.sms

    @Sms("win_back/last_chance")
    def sms(self) -> Arrows:
        yield Sms.clicked >> self.call
        yield after(days=2) >> self.letter

    @Letter("win_back/voucher")
    def letter(self) -> Arrows:
        yield Letter.answered >> self.call
        yield after(days=14) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased >> self.won
        yield Consent.withdrawn >> self.unsubscribed
