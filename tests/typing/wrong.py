# ruff: noqa: F403, F405
"""What a type checker must refuse. Each line that it refuses says by which rule."""

from __future__ import annotations

from dsl import *
from dsl.testing import walk


class Loyalty(Events):
    upgraded = event()
    left = event(Customer)  # expect-error: reportArgumentType
    seats = event(number())  # expect-error: reportArgumentType


class Care(Journey):
    enters = Api  # expect-error: reportAssignmentType
    again = 180  # expect-error: reportAssignmentType
    purpose = "adverts"  # expect-error: reportAssignmentType
    goal = Shop.purchased  # expect-error: reportAssignmentType
    holdout = 10  # expect-error: reportAssignmentType

    won = Goal()
    lapsed = Final()

    @Email("care/hello")
    def hello(self) -> Arrows:
        yield Email.clicked >> self.cal  # expect-error: reportAttributeAccessIssue
        yield Email.clickd >> self.won  # expect-error: reportAttributeAccessIssue
        yield Call.interested.upto(3) >> self.won  # expect-error: reportAttributeAccessIssue
        yield Email.clicked >> self.answers  # expect-error: reportOperatorIssue
        yield Email.clicked >> "call"  # expect-error: reportOperatorIssue
        yield self.won  # expect-error: reportReturnType
        yield after(days=3)  # expect-error: reportReturnType
        yield self.answers()  # expect-error: reportReturnType
        yield Email.clicked >> self.exits  # expect-error: reportOperatorIssue
        Email.clicked >> self.won  # expect-error: reportUnusedExpression
        yield Email.clicked & (Orders.count() > 2) >> self.won  # expect-error: reportOperatorIssue
        yield after(day=3) >> self.lapsed  # expect-error: reportCallIssue
        yield after(Orders.rhythm()) >> self.lapsed  # expect-error: reportArgumentType
        yield after("3 days") >> self.lapsed  # expect-error: reportArgumentType
        yield Shop.purchased.link("shop") >> self.won  # expect-error: reportAttributeAccessIssue
        yield Shop.purchased.any_send() >> self.won  # expect-error: reportAttributeAccessIssue
        yield then.when(Customer.country == "FR") >> self.won  # expect-error: reportAttributeAccessIssue
        yield when(Customer.county == "FR") >> self.won  # expect-error: reportAttributeAccessIssue
        yield when(Customer.country == 3) >> self.won  # expect-error: reportArgumentType
        yield Call.not_reached.up_to(3, every=20) >> self.won  # expect-error: reportArgumentType
        yield Loyalty.upgrade >> self.won  # expect-error: reportAttributeAccessIssue

    def answers(self) -> Arrows:
        yield Email.clicked >> self.won

    @Email()  # expect-error: reportCallIssue
    def no_template(self) -> Arrows:
        yield after(days=3) >> self.lapsed

    @Email("care/hello", queue="care")  # expect-error: reportCallIssue
    def wrong_keyword(self) -> Arrows:
        yield after(days=3) >> self.lapsed

    @Email("care/hello", purpose="adverts")  # expect-error: reportArgumentType
    def wrong_purpose(self) -> Arrows:
        yield after(days=3) >> self.lapsed

    @Wait()
    def no_yield(self) -> Arrows:  # expect-error: reportReturnType
        """It says nothing."""

    @Wait  # expect-error: reportCallIssue
    def no_parentheses(self) -> Arrows:
        yield after(days=3) >> self.lapsed

    @Wait()  # expect-error: reportArgumentType
    def no_arrows(self) -> int:
        return 3

    @Anywhere()
    def exits(self) -> Arrows:
        yield Consent.withdrawn >> self.lapsed


class Entry(Journey):
    enters = Audience(Customer.country == "FR", every="day")  # expect-error: reportArgumentType


class Named(Journey, nme="care"):  # expect-error: reportCallIssue, reportGeneralTypeIssues
    enters = Api()


w = walk(Care, customer={"country": "FR"})
w.tell(Email.clickd)  # expect-error: reportAttributeAccessIssue
w.tell(Email.clicked, 3)  # expect-error: reportArgumentType
w.tell("clicked")  # expect-error: reportArgumentType
w.take(Care.cal)  # expect-error: reportAttributeAccessIssue
weekly("moonday", at="09:00")  # expect-error: reportArgumentType
