"""The language's values as they are met by themselves: what facts refuse, say and come to, and what an IR of another version is told."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dsl import (
    Anywhere,
    Api,
    Arrows,
    Customer,
    Final,
    Journey,
    Orders,
    Payload,
    Wait,
    after,
    compile_journey,
    days,
    moment,
    number,
)
from dsl.expression import Constant, Field, Since, Times
from dsl.expression import Until as TimeTo
from dsl.facts import facts
from dsl.ir import Clock
from dsl.ir_json import from_json, to_json
from dsl.localtime import fitting
from dsl.planning import Place
from dsl.predicate import Compare, IsIn, Matches
from dsl.step import Acted, Postponed, chart, enter, step

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


class Member(Customer):
    points = number()
    since = moment()


class Seats(Payload):
    count = number()


def holds(predicate: Any, *, orders: list[dict[str, Any]] | None = None, **own: Any) -> bool:
    return predicate.evaluate(facts(own, orders or []), NOW)


def test_numbers_and_moments_compare_each_way() -> None:
    assert holds(Member.points != 3, points=4)
    assert not holds(Member.points != 3, points=3)
    assert holds(Member.points * 2 == 8, points=4)
    assert holds(Member.points.is_in([3, 4]), points=4)
    assert holds(Member.since == NOW, since=NOW)
    assert holds(Member.since != NOW, since=NOW - timedelta(days=1))
    assert holds(Member.since <= NOW, since=NOW)
    assert holds((Member.since < NOW) & (Member.since > NOW - timedelta(days=2)), since=NOW - timedelta(days=1))
    assert holds(Member.since >= NOW, since=NOW)


def test_what_is_counted_over_orders() -> None:
    lines = [{"at": NOW - timedelta(days=age), "total": total} for age, total in ((1, 10), (2, 30))]
    assert holds(Orders.min(Orders.total) == 10, orders=lines)
    assert holds(Orders.max(Orders.total) == 30, orders=lines)
    assert holds(Orders.avg(Orders.total) == 20, orders=lines)
    assert holds(Orders.sum(Orders.total) * 2 == 80, orders=lines)
    assert not holds(Orders.min(Orders.total) == 0), "of nothing there is no smallest"
    assert holds(Orders.sum(Orders.total) == 0)


def test_what_can_t_be_compared_is_refused() -> None:
    country, points = Field("customer", "country", "text"), Field("attribute", "points", "number")
    refused = {
        "can't be compared with a number": lambda: Compare(country, "eq", points),
        "has no order": lambda: Compare(country, "lt", Constant("text", "FR")),
        "can't be one of 3": lambda: IsIn(country, (Constant("number", 3),)),
        "a pattern is looked for in a text of an event's payload": lambda: Matches(country, "x"),
        "is no regular expression": lambda: Matches(Field("payload", "text", "text"), "("),
        "only numbers can be multiplied": lambda: Times(country, 2),
        "a factor is between": lambda: Times(points, 1e99),
        "time can be counted from a moment only": lambda: Since(points),
    }
    for said, make in refused.items():
        with pytest.raises(ValueError, match=said):
            make()
    with pytest.raises(TypeError, match="a date is moved by a duration"):
        getattr(Customer.created_at.yearly(), "__add__")(3)  # noqa: B009  # a type checker refuses the plain way
    with pytest.raises(TypeError, match="takes a fact of the lines"):
        Orders.sum(Orders.sum(Orders.total))


def test_conditions_say_themselves() -> None:
    said = {
        (Member.points > Seats.count): "points > count",
        (Orders.avg(Orders.total) > 3): "mean amount of a line > 3",
        (Orders.sum(Orders.quantity) > 3): "quantity",
        (Customer.created_at.until() > days(3)): "created",
        (Orders.rhythm() * 2 > Orders.recency()): "2 × days between orders > days since the last order",
        (Orders.count() * 2 > 6): "2 × orders",
    }
    for predicate, words in said.items():
        assert words in predicate.sentence()
    mirrored = Compare(Constant("number", 3), "lt", Field("attribute", "points", "number"))
    assert mirrored.sentence() == (Member.points > 3).sentence()
    assert Constant("number", 3).sentence() == "3"
    assert Since(Field("customer", "created_at", "moment")).sentence() == "days since created"
    assert TimeTo(Field("customer", "created_at", "moment")).sentence() == "days until created"
    visits = Field("journey", "visits.first_call", "number")
    assert visits.sentence() == "visits of first call"
    assert Compare(Times(visits, 2), "ge", Constant("number", 4)).sources() == {"journey"}


class Heir(Journey, abstract=True):
    done = Final()

    @Wait()
    def pause(self) -> Arrows:
        yield after(days=1) >> self.done

    @Anywhere()
    def exits(self) -> Arrows:
        from dsl import Consent  # noqa: PLC0415  # as an author might

        yield Consent.withdrawn >> self.done


class Care(Heir):
    enters = Api()

    @Anywhere()
    def exits(self) -> Arrows:
        yield from Heir.exits.arrows(self)


def test_an_heir_takes_over_what_held_anywhere() -> None:
    assert [arrow.to for arrow in compile_journey(Care).anywhere] == ["done"]
    assert list(Anywhere().arrows(Care())) == []
    assert list(Care.done.arrows(Care())) == []


def test_an_ir_of_another_version_is_refused_with_what_is_not_known() -> None:
    sound = to_json(compile_journey(Care))
    assert from_json(sound) == compile_journey(Care)
    with pytest.raises(ValueError, match="has format 99"):
        from_json({**sound, "format": 99})
    with pytest.raises(ValueError, match=r"unknown IR\.mood in a journey's IR"):
        from_json({**sound, "mood": "blue"})
    state: dict[str, Any] = {**sound["states"][0], "arrows": [{"on": {"moon": {}}, "to": "done"}]}
    with pytest.raises(ValueError, match="unknown trigger 'moon'"):
        from_json({**sound, "states": [state, *sound["states"][1:]]})


def test_what_comes_when_it_isn_t_asked_for_changes_nothing() -> None:
    c = chart(compile_journey(Care))
    member, _ = enter(c, 1, 0)
    for event in (Acted(), Postponed(30)):
        again, effects = step(c, member, event, 10)
        assert effects == []
        assert again == member


def test_a_clock_s_window_is_found_on_the_day_that_it_is() -> None:
    place = Place(PARIS)
    assert not place.holiday(date(2026, 12, 25)), "a calendar without holidays"
    window = Clock(opens="09:00", closes="10:00", weekdays=(2,), holidays=False)
    found = fitting(window, NOW, place.zone, place.holiday)
    assert (found.astimezone(PARIS).date(), found.astimezone(PARIS).time()) == (date(2026, 3, 4), time(9))
