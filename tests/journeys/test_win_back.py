"""WinBack: each way through it, and that no arrow is left untried."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dsl import Call, Consent, Email, Letter, Shop, Sms
from dsl.facts import facts
from dsl.testing import Walk, untaken, walk
from dsl.testing.goldens import Goldens
from dsl.testing.paths import paths
from journeys.win_back import WinBack, no_full_basket, regular

FRENCH = {"country": "FR"}
NOON = datetime(2017, 10, 2, 12, tzinfo=UTC)


def mailed() -> Walk:
    return walk(WinBack, customer=FRENCH, take=WinBack.discount)


def called() -> Walk:
    return mailed().tell(Email.clicked)


def texted() -> Walk:
    return mailed().wait(days=3)


def written_to() -> Walk:
    return texted().wait(days=2)


def walks() -> list[Walk]:
    """One for each thing that can happen."""
    found = [
        walk(WinBack, customer={"country": "DE"}),
        walk(WinBack, customer=FRENCH, take=WinBack.story).tell(Email.clicked),
        walk(WinBack, customer={"country": "GB"}, take=WinBack.story).wait(days=3),
        called().tell(Call.interested),
        called().tell(Call.refused),
        called().tell(Call.do_not_call),
        called().tell(Call.wrong_number),
        called().wait(days=7),
        texted().tell(Sms.clicked),
        written_to().tell(Letter.answered),
        written_to().wait(days=14),
        mailed().tell(Shop.purchased, total=54.2),
        mailed().tell(Consent.withdrawn, channel="email"),
    ]
    never_there = called()
    for _ in range(4):
        never_there.tell(Call.not_reached).wait(hours=20)
    found.append(never_there)
    twice_texted = texted().wait(days=2).tell(Letter.answered).wait(days=7 + 2)
    found.append(twice_texted)
    return found


def test_every_arrow_is_taken() -> None:
    assert untaken(walks()) == []


def test_its_generated_paths_take_every_arrow_and_are_as_reviewed(goldens: Goldens) -> None:
    found = paths(WinBack)
    assert found.missed == ()
    goldens.paths(found)


def test_only_where_we_deliver() -> None:
    assert walk(WinBack, customer={"country": "DE"}).at is WinBack.not_eligible
    assert walk(WinBack, customer={}).at is WinBack.not_eligible
    assert walk(WinBack, customer={"country": "GB"}).at in (WinBack.discount, WinBack.story)


def test_who_answers_nothing_gets_mail_item_text_and_letter_in_nineteen_days() -> None:
    quiet = mailed().wait(days=3 + 2 + 14)
    assert quiet.sent == [WinBack.discount, WinBack.feed, WinBack.sms, WinBack.letter]
    assert quiet.at is WinBack.lapsed


def test_a_small_basket_moves_nobody_and_a_full_one_wins() -> None:
    shopper = mailed().tell(Shop.purchased, total=39.99)
    assert shopper.at is WinBack.discount
    assert shopper.tell(Shop.purchased, total=40).at is WinBack.won


def test_the_phone_rings_four_times_at_most_then_a_text() -> None:
    away = called()
    for _ in range(4):
        away.tell(Call.not_reached).wait(hours=20)
    assert away.at is WinBack.sms
    assert away.sent.count(WinBack.call) == 4


def test_one_letter_is_enough() -> None:
    paper = written_to().tell(Letter.answered).wait(days=7).wait(days=2)
    assert paper.sent.count(WinBack.letter) == 1
    assert paper.at is WinBack.lapsed


def test_who_withdraws_leaves_at_once_from_anywhere() -> None:
    for there in (mailed(), called(), texted(), written_to()):
        assert there.tell(Consent.withdrawn, channel="sms").at is WinBack.unsubscribed


def test_who_enters() -> None:
    def order(days: float, total: float) -> dict[str, object]:
        return {"at": NOON - timedelta(days=days), "total": total}

    def enters(*orders: dict[str, object]) -> bool:
        return (regular & no_full_basket).evaluate(facts(orders=orders), NOON)

    weekly = [order(20, 60), order(27, 55), order(34, 71)]
    assert enters(*weekly)
    assert enters(order(2, 12), *weekly)  # she drops in
    assert not enters(order(2, 12), order(5, 28), *weekly)  # 40 in ten days is a full basket
    assert not enters(*weekly[:2])  # no regular
    assert not enters()
