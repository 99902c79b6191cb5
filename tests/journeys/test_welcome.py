"""Welcome: each way through it, and that no arrow is left untried."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from dsl import Consent, Email, Feed, Shop, compile_journey
from dsl.testing import Walk, untaken, walk
from dsl.testing.goldens import Goldens
from dsl.testing.paths import paths
from journeys.welcome import Welcome

NOON = datetime(2017, 10, 2, 12, tzinfo=UTC)
OFTEN = [{"at": NOON - timedelta(days=3 * n), "total": 20} for n in range(12)]


def new(**more: Any) -> Walk:
    return walk(Welcome, at=NOON, **more)


def walks() -> list[Walk]:
    """One for each thing that can happen."""
    return [
        new().tell(Email.clicked.link("account")),
        new().wait(days=1),
        new(orders=OFTEN).wait(days=1),
        new().wait(days=1).tell(Email.clicked).wait(days=7),
        new().wait(days=1 + 3).tell(Feed.clicked),
        new().wait(days=1 + 3 + 4 + 7),
        _without_consent(),
        new().tell(Shop.purchased, total=25),
        new().tell(Consent.withdrawn, channel="email"),
    ]


def _without_consent() -> Walk:
    """The transactional mail goes out; the marketing one is refused at the gate."""
    walked = new()
    walked.unreachable.add("email")
    return walked.wait(days=1)


def test_every_arrow_is_taken() -> None:
    assert untaken(walks()) == []


def test_its_generated_paths_take_every_arrow_and_are_as_reviewed(goldens: Goldens) -> None:
    found = paths(Welcome)
    assert found.missed == ()
    goldens.paths(found)


def test_the_first_mail_is_transactional_and_no_other() -> None:
    boxes = {state.name: state.purpose for state in compile_journey(Welcome).states if state.template}
    assert boxes == {"hello": "transactional", "tour": None, "recipes": None, "gift": None}


def test_who_knows_the_shop_gets_no_tour() -> None:
    assert new(orders=OFTEN).wait(days=1).at is Welcome.recipes
    assert new().wait(days=1).at is Welcome.tour


def test_who_does_nothing_is_left_alone_after_a_fortnight() -> None:
    quiet = new().wait(days=15)
    assert quiet.sent == [Welcome.hello, Welcome.tour, Welcome.recipes, Welcome.gift]
    assert quiet.at is Welcome.settled


def test_a_first_basket_ends_it_wherever_she_is() -> None:
    for days in (0, 1, 4, 8):
        there = new().wait(days=days) if days else new()
        assert there.tell(Shop.purchased, total=24.5).ended is False
        assert there.tell(Shop.purchased, total=25).at is Welcome.at_home
