"""Knobs where none can stand: refused, with where they can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from dsl import Customer, Email, Knob, LanguageError, Orders, Purchase, Shop, after, days, percent

THREE = Knob(3, min=1, max=9)
WEEK: Any = Knob(days(7), min=days(1), max=days(9))
NUMBER: Any = THREE


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: percent(NUMBER),
        lambda: Orders.count() > NUMBER,
        lambda: Orders.count().is_in([NUMBER]),
        lambda: Orders.recency() > WEEK,
        lambda: Purchase.total >= NUMBER,
        lambda: Email.clicked.looking_back(WEEK),
        lambda: Shop.purchased.within(WEEK),
        lambda: Customer.created_at - NUMBER,
        lambda: Customer.created_at - days(1) - WEEK,
        lambda: Customer.created_at - WEEK - days(1),
        lambda: after(Orders.rhythm(), missing=NUMBER),
    ],
)
def test_a_knob_that_tuning_would_not_reach_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(LanguageError):
        wrong()


def test_what_a_date_is_moved_by_is_known() -> None:
    for day, way, sign in (
        (Customer.created_at + WEEK, "later", 1),
        (Customer.created_at.yearly() - WEEK, "earlier", -1),
    ):
        assert (day.offset, day.knobs) == (sign * days(7).seconds, ((way, cast("Knob[Any]", WEEK)),))
