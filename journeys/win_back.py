"""Bring the weekly shop back: regulars whose full baskets have stopped, over all five channels."""

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
    Purchase,
    Shop,
    Sms,
    Split,
    after,
    daily,
    hours,
    marketing,
    otherwise,
    percent,
    share,
    then,
    when,
)

FULL_BASKET = 40
"""What a weekly shop comes to, in currency units; the offer is for a basket of this size."""

regular = Orders.last(days=180).count() >= 3
no_full_basket = Orders.last(days=10).sum(Orders.total) < FULL_BASKET
full_basket = Shop.purchased.where(Purchase.total >= FULL_BASKET)


class WinBack(Journey):
    """Win the weekly shop back from regulars who only drop in, or stay away.

    A small basket on the way home moves nobody: only a full one is what this journey is for.
    """

    enters = Audience(regular & no_full_basket, every=daily(at="09:00"))
    again = after(days=180)
    purpose = marketing
    goal = full_basket.within(days=30)
    holdout = percent(10)

    won = Goal("A full basket, or a yes on the phone.")
    refused = Final("She said no, and was thanked for it.")
    lapsed = Final("Every channel was tried, and nothing came.")
    not_eligible = Final("We don't deliver there.")
    unsubscribed = Final("She wants no more of this.")

    @Choice()
    def eligible(self) -> Arrows:
        """The offer includes delivery: France and Great Britain."""
        yield when(Customer.country.is_in(["FR", "GB"])) >> self.offer
        yield otherwise >> self.not_eligible

    @Split()
    def offer(self) -> Arrows:
        """A discount against a good story: which brings back more."""
        yield share(50) >> self.discount
        yield share(50) >> self.story

    @Email("win_back/discount")
    def discount(self) -> Arrows:
        """Ten per cent off a full basket."""
        yield from self.answers_to_the_offer()

    @Email("win_back/story")
    def story(self) -> Arrows:
        """The baker's night, no discount."""
        yield from self.answers_to_the_offer()

    def answers_to_the_offer(self) -> Arrows:
        yield Email.clicked >> self.call
        yield after(days=3) >> self.feed

    @Call("win_back/warm", queue="retention")
    def call(self) -> Arrows:
        """Phone while the interest is warm."""
        yield Call.interested >> self.won
        yield Call.refused >> self.refused
        yield Call.do_not_call >> self.unsubscribed
        yield Call.wrong_number >> self.lapsed
        yield Call.not_reached.up_to(3, every=hours(20)) >> self.call
        yield Call.not_reached >> self.sms
        yield after(days=7) >> self.sms

    @Feed("win_back/for_your_basket")
    def feed(self) -> Arrows:
        """Three suppers in her personal feed; it costs nothing and disturbs nobody."""
        yield then >> self.sms

    @Sms("win_back/last_chance")
    def sms(self) -> Arrows:
        """One text, a week's grace. Paper follows once, however she came here."""
        yield Sms.clicked.up_to(1) >> self.call
        yield after(days=2).up_to(1) >> self.letter
        yield after(days=2) >> self.lapsed

    @Letter("win_back/voucher")
    def letter(self) -> Arrows:
        """A voucher on paper, with a code to answer by."""
        yield Letter.answered.up_to(1) >> self.call
        yield after(days=14) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield full_basket >> self.won
        yield Consent.withdrawn >> self.unsubscribed
