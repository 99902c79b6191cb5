"""Reorder: the household's own pace, each way through it, and that no arrow is left untried."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dsl import Consent, Email, Shop
from dsl.testing import Walk, untaken, walk
from dsl.testing.goldens import Goldens
from dsl.testing.paths import paths
from journeys.reorder import Basket, Reorder, bought_coffee

NOON = datetime(2017, 10, 2, 12, tzinfo=UTC)
BASKET = "bread, coffee, milk and cream"


def packets(every: int, count: int = 4) -> list[Mapping[str, Any]]:
    return [{"at": NOON - timedelta(days=every * n), "category": "coffee", "total": 8} for n in range(count)]


def drinker(every: int = 14, **more: Any) -> Walk:
    return walk(Reorder, at=NOON, orders=packets(every), **more)


def walks() -> list[Walk]:
    """One for each thing that can happen."""
    habit = drinker()
    for _ in range(7):
        habit.tell(bought_coffee, {Basket.categories: BASKET})
    return [
        walk(Reorder, at=NOON, orders=packets(14, 2)),
        habit,
        drinker().wait(days=14).tell(Email.clicked).wait(days=3),
        drinker().wait(days=14 + 4 + 5 + 14),
        drinker(unreachable=[Email]).wait(days=14),
        drinker().tell(Consent.withdrawn, channel="email"),
    ]


def test_every_arrow_is_taken() -> None:
    assert untaken(walks()) == []


def test_its_generated_paths_take_every_arrow_and_are_as_reviewed(goldens: Goldens) -> None:
    found = paths(Reorder)
    assert found.missed == ()
    goldens.paths(found)


@pytest.mark.parametrize(("every", "waits"), [(14, 14), (2, 5), (80, 45)])
def test_the_reminder_comes_at_the_households_own_pace_within_bounds(every: int, waits: int) -> None:
    household = drinker(every).wait(days=waits - 1)
    assert household.at is Reorder.brewing
    assert household.wait(days=1).at is Reorder.reminder


def test_two_packets_make_no_rhythm() -> None:
    assert walk(Reorder, at=NOON, orders=packets(14, 2)).at is Reorder.too_new


def test_a_new_packet_starts_the_wait_anew() -> None:
    household = drinker().wait(days=14)
    assert household.at is Reorder.reminder
    assert household.tell(bought_coffee, {Basket.categories: BASKET}).at is Reorder.brewing


def test_another_basket_changes_nothing() -> None:
    household = drinker().tell(Shop.purchased, {Basket.categories: "bread, cheese"})
    assert household.at is Reorder.brewing
    assert len(household.steps) == 2


def test_six_packets_in_a_row_are_a_habit() -> None:
    household = drinker()
    for _ in range(6):
        household.tell(bought_coffee, {Basket.categories: BASKET})
    assert household.at is Reorder.brewing
    assert household.tell(bought_coffee, {Basket.categories: BASKET}).at is Reorder.habit


def test_who_buys_none_for_long_drifts_away() -> None:
    assert drinker().wait(days=14 + 4 + 5 + 14).at is Reorder.drifted
