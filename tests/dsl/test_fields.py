"""What a test says of a customer and of an event: by name or by the fact itself, and nothing that isn't there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from dsl import (
    Arrows,
    Choice,
    Customer,
    Email,
    Events,
    Final,
    Journey,
    Orders,
    Payload,
    Shop,
    days,
    event,
    flag,
    marketing,
    moment,
    number,
    otherwise,
    text,
    until,
    when,
)
from dsl.testing import customer, walk
from dsl.testing.paths import paths


class Guest(Customer):
    rank = text(key="guestRank")
    nights = number()
    regular = flag()
    arrival = moment()


class Stay(Guest):
    room = text()


class Stars(Payload):
    stars = number()
    by = text(key="writtenBy")


class Praise(Stars):
    words = text()


class Desk(Events):
    rated = event(Stars)
    rang = event()


class Hotel(Journey):
    enters = Desk.rang
    purpose = marketing
    parallel = Stars.by
    happy = Final()
    gone = Final()

    @Choice()
    def known(self) -> Arrows:
        yield when((Guest.rank == "gold") & (Guest.nights > 2) & (Guest.arrival.until() > days(1))) >> self.mail
        yield when(Guest.regular.is_true()) >> self.gone
        yield otherwise >> self.mail

    @Email("hotel/mail")
    def mail(self) -> Arrows:
        yield Desk.rated.where(Stars.stars >= 4).by(Stars.by) >> self.happy
        yield Desk.rated.where(Praise.words.contains("lovely")).by(Stars.by) >> self.happy
        yield Desk.rang.where(Stars.stars >= 4).by(Stars.by) >> self.happy
        yield Email.clicked >> self.happy
        yield until(Guest.arrival, past=self.gone, missing=self.gone) >> self.gone


W: Any = walk  # with what the type checker would not let through
HERS: Any = {Guest.arrival: "2026-06-01"}


def mailed() -> Any:
    return W(Hotel, customer=HERS)


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        (lambda: W(Hotel, customer={"nosuch": 3}), ValueError, "no fact of a customer is called `nosuch`: there are `"),
        (lambda: W(Hotel, customer={"nosuch": 3}), ValueError, "declared: class Member(Customer): tier = text()"),
        (lambda: W(Hotel, customer=customer(nigths=3)), ValueError, "called `nigths`: did you mean `nights`?"),
        (lambda: W(Hotel, customer={"attributes": {"nigths": 3}}), ValueError, "did you mean `nights`?"),
        (lambda: paths(Hotel, customer=customer(nigths=3)), ValueError, "did you mean `nights`?"),
        (lambda: W(Hotel, customer={"arrival": "soon"}), TypeError, "arrival= takes a moment, datetime(2026, 3, 1, tz"),
        (lambda: W(Hotel, customer={"arrival": date(2026, 3, 1)}), TypeError, "not datetime.date(2026, 3, 1)"),
        (lambda: W(Hotel, customer={"arrival": datetime(2026, 3, 1)}), TypeError, "arrival= takes a moment"),  # noqa: DTZ001  # that it has no zone
        (lambda: W(Hotel, customer={"created_at": "2026-03-01"}), TypeError, "1, tzinfo=UTC), not '2026-03-01'"),
        (lambda: customer(3), TypeError, "values are given by their names"),  # type: ignore[arg-type]  # as the others
        (lambda: W(Hotel, customer={"nights": "3"}), TypeError, "nights= takes a number, not '3'"),
        (lambda: W(Hotel, customer={"nights": Decimal(3)}), TypeError, "nights= takes a number, not Decimal('3')"),
        (lambda: W(Hotel, customer={"regular": 1}), TypeError, "regular= takes True or False, not 1"),
        (lambda: W(Hotel, customer={"country": 33}), TypeError, "country= takes a text, not 33"),
        (lambda: W(Hotel, customer={3: 3}), TypeError, "declared fact of a customer, Customer.country, not by 3"),
        (lambda: W(Hotel, customer={Stars.stars: 3}), TypeError, "declared fact of a customer"),
        (lambda: W(Hotel, customer={Orders.count(): 3}), TypeError, "declared fact of a customer"),
        (lambda: W(Hotel, customer={Guest.nights: 3, "nights": 4}), ValueError, "`nights` is said twice: 3, and 4"),
        (lambda: mailed().change(nigths=3), ValueError, "did you mean `nights`?"),
        (lambda: mailed().change({Guest.nights: "3"}), TypeError, "nights= takes a number"),
        (
            lambda: mailed().tell(Desk.rated, nosuch=3),
            ValueError,
            "Desk.rated carries no `nosuch`: there are `",
        ),
        (
            lambda: mailed().tell(Email.clicked, lnk="x"),
            ValueError,
            "Email.clicked carries no `lnk`: did you mean `link`?",
        ),
        (lambda: mailed().tell(Desk.rated, stars="five"), TypeError, "stars= takes a number, not 'five'"),
        (lambda: mailed().tell(Desk.rated, {Stars.stars: "five"}), TypeError, "stars= takes a number, not 'five'"),
        (lambda: mailed().tell(Desk.rang, stars="five"), TypeError, "stars= takes a number, not 'five'"),
        (lambda: mailed().tell(Desk.rated, {Guest.nights: 3}), TypeError, "declared fact of a payload, Purchase.total"),
        (lambda: mailed().tell(Desk.rated, {Stars.stars: 3}, stars=4), ValueError, "`stars` is said twice: 4, and 3"),
    ],
)
def test_A3_what_is_not_there_is_told(wrong: Callable[[], object], error: type[Exception], says: str) -> None:
    with pytest.raises(error) as found:
        wrong()
    assert says in str(found.value)


def test_A3_facts_are_given_by_themselves_or_by_their_names() -> None:
    hers = customer(
        {Guest.rank: "gold", Guest.nights: 3, Stay.room: "12"}, arrival=datetime(2026, 6, 1, tzinfo=UTC), city=None
    )
    w = walk(Hotel, customer=hers)
    assert w.at is Hotel.mail
    assert (w.customer["guestRank"], w.customer["nights"], w.customer["room"]) == ("gold", 3, "12")
    assert walk(Hotel, customer={Guest.regular: True, "city": "Lyon"}).at is Hotel.gone
    assert walk(Hotel, customer={"attributes": {"nights": 3}, Guest.arrival: "2026-06-01"}).at is Hotel.mail
    assert walk(Hotel, customer=hers).change({Guest.arrival: "2026-03-03"}).wait(days=2).at is Hotel.gone


def test_A3_so_are_the_fields_of_a_payload() -> None:
    w = walk(Hotel, customer=HERS, key="Zoé")
    assert w.copy().tell(Desk.rated, {Stars.stars: 4, Stars.by: "Zoé"}).at is Hotel.happy
    assert w.copy().tell(Desk.rated, {Stars.stars: 4}, writtenBy="another").at is Hotel.mail
    assert w.copy().tell(Desk.rated, {Praise.words: "a lovely stay", Stars.by: "Zoé"}).at is Hotel.happy
    assert w.copy().tell(Desk.rang, {Stars.stars: 3}, bell="gold", writtenBy="Zoé").at is Hotel.mail, (
        "it declares nothing"
    )
    assert w.copy().tell(Shop.signed_up, source="web").at is Hotel.mail
    assert w.copy().tell(Desk.rated, {Stars.stars: None}).at is Hotel.mail
