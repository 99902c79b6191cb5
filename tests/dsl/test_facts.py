"""Facts as authors use them: what they compare with, what they compute in memory, and how they are declared."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dsl.facts import Customer, Orders, Payload, Purchase, Reply, facts, moment, number, text
from dsl.times import Duration, days, duration, duration_text, hours, minutes, weeks
from dsl.values import moment_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Member(Customer):
    tier = text(key="loyaltyTier")
    renews = moment()


class Upgrade(Payload):
    seats = number()


UNTYPED: dict[str, Any] = {"number": Upgrade.seats, "text": "2", "whole": 90, "date": "2026-01-01"}
"""Values that a type checker would refuse; not every author has one."""


def line(age: timedelta, **more: Any) -> dict[str, Any]:
    return {"at": NOW - age, **more}


def test_own_facts_take_the_name_of_their_attribute_or_their_key() -> None:
    assert (Member.tier == "gold").evaluate(facts({"loyaltyTier": "gold"}), NOW)
    assert (Member.tier == "gold").evaluate(facts({"attributes": {"loyaltyTier": "gold"}}), NOW)
    assert (Member.country == "FR").evaluate(facts({"country": "FR"}), NOW)
    assert (Upgrade.seats >= 3).evaluate(facts(payload={"seats": 3}), NOW)
    assert (Reply.words.contains("please")).evaluate(facts(payload={"text": "yes please"}), NOW)


def test_a_fact_is_declared_in_a_class_of_its_own_name() -> None:
    with pytest.raises(
        TypeError, match=r"declare it in the body of a class, `class Member\(Customer\): tier = text\(\)`"
    ):
        _ = text() == "x"
    with pytest.raises(TypeError, match=r"Taken\.country: every customer has a fact of this name already"):
        type("Taken", (Customer,), {"country": text()})
    with pytest.raises(TypeError, match="Customer is not made"):
        Customer()


@pytest.mark.parametrize(
    ("compare", "message"),
    [
        (lambda: Customer.country == 5, "'country' is a text, it can't be compared with 5"),
        (lambda: Customer.country == None, "missing by .is_missing()"),  # noqa: E711
        (
            lambda: Customer.country == UNTYPED["number"],
            "'country' is a text, it can't be compared with <Number seats>",
        ),
        (lambda: Customer.country.is_in("FR"), "is_in(...) takes a list of values, not one text: is_in(['FR'])"),
        (lambda: Orders.count() >= UNTYPED["text"], "'orders' is a number, it can't be compared with '2'"),
        (lambda: Orders.count() >= True, "it can't be compared with True"),
        (lambda: Orders.sum(Orders.total) > UNTYPED["text"], "an amount is a number of currency units"),
        (lambda: Orders.recency() > UNTYPED["whole"], "compare a length of time with a duration, for example days(90)"),
        (lambda: Customer.created_at > UNTYPED["date"], "compare a moment with a datetime that has a zone"),
        (lambda: Customer.created_at > datetime(2026, 1, 1), "a datetime without a zone"),  # noqa: DTZ001
        (lambda: Orders.where(Customer.country == "FR").count(), "takes facts of the order lines only, not: country"),
        (lambda: Orders.last(days=3).last(days=5), "one look-back is enough"),
        (lambda: Orders.last().count(), "must look back for some time"),
    ],
)
def test_a_wrong_comparison_says_what_is_wrong(compare: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        compare()


def test_money_is_written_in_currency_units() -> None:
    known = facts(orders=[line(days_ago(1), total=0.1), line(days_ago(1), total=0.19)])
    assert (Orders.sum(Orders.total) == 0.29).evaluate(known, NOW)
    assert (Orders.max(Orders.total) == 0.19).evaluate(known, NOW)
    assert (Orders.avg(Orders.total) == 0.145).evaluate(known, NOW)
    assert (Purchase.total == 0.29).evaluate(facts(payload={"total": 0.29}), NOW)


def days_ago(count: float) -> timedelta:
    return timedelta(days=count)


def test_count_counts_orders_not_lines() -> None:
    lines = [line(days_ago(1), order_id="1"), line(days_ago(1), order_id="1"), line(days_ago(2), order_id="2")]
    assert (Orders.count() == 2).evaluate(facts(orders=lines), NOW)
    assert (Orders.sum(Orders.quantity) == 3).evaluate(facts(orders=lines), NOW)
    assert (Orders.count() == 0).evaluate(facts(), NOW)


def test_the_look_back_begins_after_its_bound_and_ends_at_now() -> None:
    fresh = Orders.last(hours=1).count() == 1
    tick = timedelta(microseconds=1)
    assert not fresh.evaluate(facts(orders=[line(timedelta(hours=1))]), NOW)
    assert fresh.evaluate(facts(orders=[line(timedelta(hours=1) - tick)]), NOW)
    assert fresh.evaluate(facts(orders=[line(timedelta(0))]), NOW)
    assert not fresh.evaluate(facts(orders=[line(-tick)]), NOW)
    assert (Orders.count() == 0).evaluate(facts(orders=[line(-tick)]), NOW)


def test_recency_and_rhythm() -> None:
    lines = [line(days_ago(age)) for age in (30, 10.1, 10, 0)]
    known = facts(orders=lines)
    assert (Orders.recency() <= hours(0)).evaluate(known, NOW)
    assert Orders.rhythm().expression.value(known, NOW) == 15 * 86400
    assert Orders.rhythm().expression.value(facts(orders=lines[1:]), NOW) is None, "two distinct days are no rhythm"
    never = Orders.recency() > days(90)
    assert not never.evaluate(facts(), NOW)
    assert not (~never).evaluate(facts(), NOW)
    assert (never | Orders.recency().is_missing()).evaluate(facts(), NOW)


def test_moments_of_the_customer_count_to_now() -> None:
    known = facts({"renews": "2026-03-04T14:00:00+02:00"})
    assert Member.renews.until().expression.value(known, NOW) == 3 * 86400
    assert Member.renews.age().expression.value(known, NOW) == -3 * 86400
    assert (Member.renews > NOW).evaluate(known, NOW)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T09:30:00", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("2026-03-01 09:30:00.999Z", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("2026-03-01T00:30:00+02:00", datetime(2026, 2, 28, 22, 30, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
        ("2000-02-29", datetime(2000, 2, 29, tzinfo=UTC)),
        *(
            (wrong, None)
            for wrong in ("2023-02-29", "2100-02-29", "2026-04-31", "2026-13-01", "1899-01-01", "2200-01-01")
        ),
        *(
            (wrong, None)
            for wrong in ("", "2026", "20260301", "2026-03-01T09:30", "2026-03-01Z", "2026-03-01\n", "２026-03-01")
        ),
    ],
)
def test_a_moment_in_json(written: str, expected: datetime | None) -> None:
    assert moment_of(written) == expected


def test_facts_of_a_test_are_checked() -> None:
    with pytest.raises(ValueError, match=r"orders\[0\] has an unknown field 'categry'; did you mean 'category'\?"):
        facts(orders=[line(days_ago(1), categry="wine")])
    with pytest.raises(ValueError, match=r"orders\[0\] needs its moment `at`, a datetime with a zone, not None"):
        facts(orders=[{"category": "wine"}])


def test_durations() -> None:
    assert weeks(1) == days(7) == hours(168) == minutes(10080) == Duration(604_800) == duration(weeks=1)
    assert days(1) + hours(12) == days(1.5) == 3 * hours(12)
    assert [duration_text(seconds) for seconds in (0, 59, 90, 5400, 86400 * 90, 90061)] == [
        "0 s",
        "59 s",
        "1 min 30 s",
        "1 h 30 min",
        "90 d",
        "1 d 1 h",
    ]
    with pytest.raises(ValueError, match="can't be negative"):
        days(-1)
    with pytest.raises(ValueError, match="a duration is whole seconds"):
        minutes(0.001)
    with pytest.raises(TypeError, match=r"days\(...\) takes a number, not '3'"):
        days("3")  # type: ignore[arg-type]  # the mistake
