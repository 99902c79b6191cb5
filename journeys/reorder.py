"""Remind a household of its coffee when its own rhythm says that the tin runs low."""

from __future__ import annotations

from dsl import (
    Anywhere,
    Arrows,
    Choice,
    Consent,
    Email,
    Feed,
    Final,
    Goal,
    Journey,
    Orders,
    Purchase,
    Shop,
    Sms,
    Wait,
    after,
    always,
    days,
    marketing,
    otherwise,
    percent,
    text,
    when,
)


class Basket(Purchase):
    """What the shop's tills report besides."""

    categories = text()
    """Everything in the basket: `bread, coffee, milk and cream`."""


coffee = Orders.where(Orders.category == "coffee")
bought_coffee = Shop.purchased.where(Basket.categories.contains("coffee"))


class Reorder(Journey):
    """Before the coffee runs out: a word at the household's own pace."""

    enters = bought_coffee
    again = always
    purpose = marketing
    goal = bought_coffee.within(days=60)
    holdout = percent(10)

    habit = Goal("Six packets in a row: no reminder needed.")
    too_new = Final("Not enough packets yet to know a rhythm.")
    drifted = Final("She gets her coffee elsewhere now.")
    unsubscribed = Final("She wants no more of this.")

    @Choice()
    def known(self) -> Arrows:
        """Three packets make a rhythm."""
        yield when(coffee.count() >= 3) >> self.brewing
        yield otherwise >> self.too_new

    @Wait()
    def brewing(self) -> Arrows:
        """As long as a packet lasts in this household."""
        yield after(coffee.rhythm(), at_least=days(5), at_most=days(45), missing=days(21)) >> self.reminder

    @Email("reorder/running_low")
    def reminder(self) -> Arrows:
        """Going by your packets, the tin runs low."""
        yield Email.clicked >> self.in_the_basket
        yield Email.not_sent >> self.nudge
        yield after(days=4) >> self.nudge

    @Wait()
    def in_the_basket(self) -> Arrows:
        """She clicked: leave her in peace for a moment."""
        yield after(days=3) >> self.nudge

    @Sms("reorder/tin")
    def nudge(self) -> Arrows:
        """One text, no offer."""
        yield after(days=5) >> self.roasts

    @Feed("reorder/roasts")
    def roasts(self) -> Arrows:
        """What was roasted this week, in her personal feed."""
        yield after(days=14) >> self.drifted

    @Anywhere()
    def exits(self) -> Arrows:
        """Coffee bought, wherever she is: count anew."""
        yield bought_coffee.up_to(6) >> self.brewing
        yield bought_coffee >> self.habit
        yield Consent.withdrawn >> self.unsubscribed
