"""Generated paths of a wide journey: what lies behind many turns is come upon early, or it is said where to look further."""

from __future__ import annotations

from dsl import (
    Anywhere,
    Api,
    Arrows,
    Bounce,
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
    Stage,
    Wait,
    after,
    hours,
    marketing,
    otherwise,
    when,
)
from dsl.testing.aiming import Waiting
from dsl.testing.driver import chart_of
from dsl.testing.paths import paths


class Long(Journey):
    """Every channel, retries, a stage, conditions."""

    enters = Api()
    purpose = marketing
    won = Goal()
    refused = Final()
    lapsed = Final()
    left = Final()

    @Stage()
    def contact(self) -> Arrows:
        yield Email.complained >> self.left
        yield after(days=12) >> self.lapsed

    @Choice()
    def first(self) -> Arrows:
        yield when(Customer.country == "FR") >> self.mail
        yield when(Orders.count() >= 2) >> self.text
        yield otherwise >> self.lapsed

    @Email("t/mail", stage=contact)
    def mail(self) -> Arrows:
        yield Email.clicked.link("shop") >> self.call
        yield Email.clicked.when(Orders.count() >= 3).up_to(2) >> self.mail
        yield Email.replied.keyword("YES") >> self.call
        yield Email.replied.matching("stop|non") >> self.left
        yield Email.bounced.where(Bounce.kind == "hard") >> self.letter
        yield Email.opened.by_human().up_to(2) >> self.feed
        yield Email.not_sent.because("address missing") >> self.text
        yield Email.not_sent >> self.letter
        yield after(days=3) >> self.feed

    @Feed("t/feed", stage=contact)
    def feed(self) -> Arrows:
        yield Feed.clicked >> self.call
        yield Feed.opened.up_to(2, every=hours(5)) >> self.mail
        yield after(days=2) >> self.text

    @Sms("t/sms", stage=contact)
    def text(self) -> Arrows:
        yield Sms.clicked >> self.call
        yield Sms.replied.keyword("YES") >> self.call
        yield Sms.replied.keyword("LATER").up_to(2) >> self.pause
        yield Sms.undelivered >> self.letter
        yield Sms.not_sent >> self.letter
        yield after(days=2) >> self.letter

    @Wait(stage=contact)
    def pause(self) -> Arrows:
        yield after(days=5) >> self.text

    @Letter("t/letter")
    def letter(self) -> Arrows:
        yield Letter.answered >> self.call
        yield Letter.returned >> self.lapsed
        yield Letter.not_sent >> self.lapsed
        yield after(days=14) >> self.last

    @Call("t/call", queue="q")
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused >> self.refused
        yield Call.busy.up_to(3, every=hours(2)) >> self.call
        yield Call.voicemail.up_to(2, every=hours(20)) >> self.call
        yield Call.busy.ignored
        yield Call.voicemail.ignored
        yield Call.not_reached.up_to(3, every=hours(20)) >> self.call
        yield Call.not_reached >> self.text2
        yield Call.not_sent.because("no capacity") >> self.text2
        yield after(days=7) >> self.text2

    @Sms("t/sms")
    def text2(self) -> Arrows:
        yield Sms.clicked >> self.call
        yield after(days=2) >> self.last

    @Email("t/mail")
    def last(self) -> Arrows:
        yield Email.clicked.when(self.mail.visits >= 2) >> self.mail
        yield Email.clicked >> self.call
        yield after(days=5) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased.where(Purchase.total >= 40) >> self.won
        yield Consent.withdrawn >> self.left


def test_A3_what_lies_behind_four_calls_is_come_upon_by_default() -> None:
    found = paths(Long)
    assert found.missed == ()
    assert found.tried < 2_500


def test_A3_what_a_short_search_has_not_come_upon_says_how_to_look_further() -> None:
    missed = {each.said: each.why for each in paths(Long, limit=40).missed}
    assert all(why.endswith(" in 40 moves; a larger limit= looks further") for why in missed.values())
    assert missed["last: no answer in 5 d → lapsed"].startswith("no walk comes to `last`")
    assert missed["call: not reached → text2"].startswith("nothing was sent by then")
    assert missed["contact: after 12 d → lapsed"].startswith("it was not come upon")


def test_walks_come_in_their_order_and_every_other_one_nearest_to_what_is_missing() -> None:
    ir = chart_of(Long).ir
    boxes = {state.name: number for number, state in enumerate(ir.states)}
    arrows = {(state.name, arrow.to): None for state in ir.states for arrow in state.arrows}
    assert ("call", "text2") in arrows
    call = next(n for n, arrow in enumerate(ir.arrows) if arrow.to == "text2")
    again = call - 1  # the same, while it may be tried again
    waiting: Waiting[str] = Waiting(ir)
    assert not waiting
    for box, counts, walk in (
        ("mail", (), "a"),
        ("letter", (), "b"),
        ("call", ((again, 2),), "c"),
        ("call", ((again, 1),), "d"),
        ("call", ((again, 1),), "e"),
    ):
        waiting.add(boxes[box], counts, walk)
    assert waiting.next({call}, aim=False) == "a"
    assert [waiting.next({call}, aim=True) for _ in range(4)] == ["c", "b", "e", "d"]
    assert not waiting
    waiting.add(boxes["won"], (), "f")
    assert waiting.next({call}, aim=True) == "f", "nothing leads from there"
