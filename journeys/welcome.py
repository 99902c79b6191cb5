"""Welcome a new account: one mail that it must get, then a few that it may, until the first real basket."""

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
    after,
    marketing,
    otherwise,
    percent,
    transactional,
    when,
)

FIRST_BASKET = 25
"""The gift is for a basket of this size, in currency units."""


class Welcome(Journey):
    """From a new account to a first basket that deserves the name."""

    enters = Shop.signed_up
    purpose = marketing
    goal = Shop.purchased.within(days=30)
    holdout = percent(10)

    at_home = Goal("A basket from 25: she has found her way.")
    settled = Final("She knows where we are.")
    unsubscribed = Final("She wants no more of this.")

    @Email("welcome/hello", purpose=transactional)
    def hello(self) -> Arrows:
        """The account is open. Whoever opened one gets this, whatever else she wants."""
        yield Email.clicked.link("account") >> self.recipes
        yield after(days=1) >> self.acquainted

    @Choice()
    def acquainted(self) -> Arrows:
        """A tour is for those who do not know the shop yet."""
        yield when(Orders.last(days=90).count() >= 10) >> self.recipes
        yield otherwise >> self.tour

    @Email("welcome/tour")
    def tour(self) -> Arrows:
        """Three shelves to start with."""
        yield Email.clicked >> self.gift
        yield Email.not_sent >> self.recipes
        yield after(days=3) >> self.recipes

    @Feed("welcome/recipes")
    def recipes(self) -> Arrows:
        """A Sunday lunch in her personal feed."""
        yield Feed.clicked >> self.gift
        yield after(days=4) >> self.gift

    @Sms("welcome/gift")
    def gift(self) -> Arrows:
        """A loaf with the next basket."""
        yield after(days=7) >> self.settled

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased.where(Purchase.total >= FIRST_BASKET) >> self.at_home
        yield Consent.withdrawn >> self.unsubscribed
