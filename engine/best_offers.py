"""The best offers for each customer of a batch: what each may be expected to earn, from what she bought.

Expected value = the chance that she buys in the offer's category within a month × the offer's margin. The chance is a
Gamma-Poisson estimate (P. S. Fader, B. G. S. Hardie, K. L. Lee, "RFM and CLV", 2005, take the same family for how often
customers buy): her orders in the category count as a Poisson process whose rate is drawn towards what all customers do.

- How often, how recently: an order of `a` days ago counts h / (h + a), half of one after h = 90 days; the time that she was
  watched for is weighted alike.
- How much: her orders count for more, up to double, where she spends more on one than is usual in the category, and for
  less, down to half, where she spends less.
- Few purchases say little: everybody is drawn towards the usual rate of the category, as if she had been watched for 30
  days more that held to it. So a customer of whom nothing is known gets what most people buy, by what it earns.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import nsmallest
from math import log1p
from typing import Final

from sqlalchemy import ColumnElement, Connection, Double, cast, func, literal, select

from engine import offers
from engine.clock import to_ms
from engine.db import table
from engine.facts_flavour import Flavour, flavour_of
from engine.offers import Offer
from engine.tables import Moment, Purchase

__all__ = ["HALF", "HORIZON", "Best", "BestOffers", "Usual", "chance"]

HALF: Final = 90.0
"""Days after which an order counts half."""
HORIZON: Final = 30.0
"""Days within which she may buy."""
_PRIOR: Final = 30.0
"""Days that the usual rate counts for."""
_YEAR: Final = 365.0
_DAY: Final = 86_400_000_000
_STALE: Final = timedelta(days=1)
_PAUSE: Final = 60.0

PURCHASE = table(Purchase)


@dataclass(frozen=True, slots=True)
class Best:
    """An offer for one customer: how likely she buys in its category, and what that is worth in cents."""

    offer: Offer
    chance: float
    value: float


@dataclass(frozen=True, slots=True)
class Usual:
    """What all customers do in a category: orders a customer and day, and what they spend on one, in cents."""

    rate: float = 1 / _YEAR
    spent: float = 0.0


@dataclass(frozen=True, slots=True)
class _Hers:
    """What one customer did: since when she buys (days), and by category the weight and the spending of her orders."""

    since: float = 0.0
    orders: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])


def chance(weight: float, spent: float, since: float, usual: Usual) -> float:
    """How likely she buys in a category within a month.

    `weight` is the sum over her orders there, each counting by its age; `spent` what she spends on one on average, in cents;
    `since` how long she has been buying, in days.
    """
    much = min(2.0, max(0.5, spent / usual.spent)) if usual.spent > 0 and spent > 0 else 1.0
    shape = usual.rate * _PRIOR + weight * much
    span = _PRIOR + _watched(since)
    return 1.0 - (span / (span + HORIZON)) ** shape


class BestOffers:
    """Chooses offers. One for each worker process: what is usual is read once a day, not for every batch."""

    def __init__(self) -> None:
        self._usual: dict[str, Usual] = {}
        self._none = Usual()
        self._read_at: tuple[datetime, float] | None = None
        self._turn = threading.Lock()  # batches that begin at once: one reads, the others wait for it

    def best(
        self, conn: Connection, many: int, customer_ids: Sequence[str], now: datetime, at: datetime | None = None
    ) -> dict[str, tuple[Best, ...]]:
        """The best offers for each customer, of those that are valid now, the best first; as many as there are, `many` at most.

        By what was bought up to `at` (without it, up to now): what is sent together, or again, is chosen alike. Of equals the first
        by its id.
        """
        choice = offers.valid(conn, now)
        if not choice or not customer_ids:
            return {}
        usual = self.usual(conn, at or now)
        known = _hers(conn, customer_ids, at or now)
        nothing, categories = _Hers(), {offer.category for offer in choice}
        found: dict[str, tuple[Best, ...]] = {}
        for customer in customer_ids:
            hers = known.get(customer, nothing)
            chances: dict[str, float] = {}
            for category in categories:
                weight, spent = hers.orders.get(category, (0.0, 0.0))
                chances[category] = chance(weight, spent, hers.since, usual.get(category, self._none))
            worth = ((-round(chances[offer.category] * offer.margin, 4), offer.id, offer) for offer in choice)
            found[customer] = tuple(
                Best(offer, chances[offer.category], chances[offer.category] * offer.margin)
                for _, _, offer in nsmallest(many, worth)
            )
        return found

    def usual(self, conn: Connection, now: datetime) -> Mapping[str, Usual]:
        """What is usual in each category; read anew when a day has passed, and a minute on the wall's clock."""
        with self._turn:
            read = self._read_at
            if read is None or (abs(now - read[0]) >= _STALE and time.monotonic() - read[1] >= _PAUSE):
                self._usual, self._none = _all(conn, now)
                self._read_at = (now, time.monotonic())
            return self._usual


# --- from rows --------------------------------------------------------------------------------------------------------


def _hers(conn: Connection, customer_ids: Sequence[str], now: datetime) -> dict[str, _Hers]:
    """What each of the customers bought up to now, in one query."""
    flavour = flavour_of(conn)
    order = _orders(
        now, PURCHASE.c.customer_id, within=flavour.among(PURCHASE.c.customer_id, sorted(set(customer_ids)))
    )
    age = _age(flavour, order.c.at, now)
    weight = HALF / (HALF + age)
    query = select(
        order.c.customer_id, order.c.category, func.sum(weight), func.sum(weight * order.c.spent), func.max(age)
    ).group_by(order.c.customer_id, order.c.category)
    since: dict[str, float] = {}
    orders: dict[str, dict[str, tuple[float, float]]] = {}
    for customer, category, weights, spent, oldest in conn.execute(query):
        since[customer] = max(since.get(customer, 0.0), float(oldest))
        if category is not None:
            orders.setdefault(customer, {})[category] = (float(weights), float(spent) / float(weights))
    return {customer: _Hers(days, orders.get(customer, {})) for customer, days in since.items()}


def _all(conn: Connection, now: datetime) -> tuple[dict[str, Usual], Usual]:
    """What is usual in each category, as if each had been seen once more in a customer's year; and where nothing was."""
    flavour = flavour_of(conn)
    first = _firsts(now)
    customers, mean_age = conn.execute(
        select(func.count(), func.avg(_age(flavour, first.c.at, now))).select_from(first)
    ).one()
    watched = customers * _watched(float(mean_age or 0.0)) + _YEAR
    order = _orders(now)
    weight = HALF / (HALF + _age(flavour, order.c.at, now))
    query = select(order.c.category, func.sum(weight), func.avg(cast(order.c.spent, Double))).group_by(order.c.category)
    found = {
        category: Usual((float(weights) + 1) / watched, float(spent))
        for category, weights, spent in conn.execute(query)
        if category is not None
    }
    return found, Usual(1 / watched)


def _orders(now: datetime, *by: ColumnElement[str], within: ColumnElement[bool] | None = None):  # noqa: ANN202  # a subquery
    """Orders by category: when, and what was spent there."""
    chosen = [PURCHASE.c.at <= literal(now, Moment()), *([within] if within is not None else [])]
    return (
        select(*by, PURCHASE.c.category, func.max(PURCHASE.c.at, type_=Moment()).label("at"),
               func.sum(PURCHASE.c.total).label("spent"))
        .where(*chosen)
        .group_by(*by, PURCHASE.c.category, PURCHASE.c.order_id)
        .subquery()
    )  # fmt: skip


def _firsts(now: datetime):  # noqa: ANN202  # as above
    return (
        select(func.min(PURCHASE.c.at, type_=Moment()).label("at"))
        .where(PURCHASE.c.at <= literal(now, Moment()))
        .group_by(PURCHASE.c.customer_id)
        .subquery()
    )


def _age(flavour: Flavour, at: ColumnElement[datetime], now: datetime) -> ColumnElement[float]:
    """In days."""
    return cast(to_ms(now) * 1000 - flavour.micros(at), Double) / _DAY


def _watched(since: float) -> float:
    """Of the days since her first order, each counts by its age, as orders do."""
    return HALF * log1p(max(0.0, since) / HALF)
