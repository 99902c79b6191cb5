"""What an event carries: whose facts its payload may be asked for."""

from __future__ import annotations

import pytest

import dsl
from dsl import Click, Email, Events, Letter, Payload, Purchase, Shop, event, number, text
from dsl.predicate import Compare, Field, predicate_from_json
from dsl.problems import LanguageError
from dsl.triggers import Event


class Seats(Payload):
    seats = number()


class Free(Payload):
    seats = number()


class Upgrade(Seats):
    plan = text(key="planName")


class Loyalty(Events):
    upgraded = event(Upgrade)
    left = event()


class Basket(Purchase):
    categories = text()


def test_A1_an_event_is_asked_for_what_it_carries_and_for_what_bases_and_heirs_add() -> None:
    for asked in (
        Shop.purchased.where((Purchase.total > 3) | Basket.categories.contains("wine")),
        Loyalty.upgraded.where((Upgrade.seats > 3) & (Seats.seats < 9) & (Upgrade.plan == "gold")).by(Upgrade.plan),
        Loyalty.left.where((Seats.seats > 3) & (Purchase.total > 3)),
        Letter.answered.where(Free.seats > 3),
        Email.clicked.any_send().link("shop").where(Click.url.matches("shop")),
    ):
        assert asked.payload is not None


def test_A1_a_field_of_another_name_is_named_as_the_author_has_it() -> None:
    with pytest.raises(
        LanguageError, match=r"`plan` is a fact of Upgrade, which Shop\.purchased doesn't carry"
    ) as refused:
        Shop.purchased.by(Upgrade.plan)
    assert refused.value.code == "J151"
    assert refused.value.help.startswith("it carries Purchase: ")


def test_who_declares_a_fact_is_no_part_of_what_is_kept() -> None:
    asked = Loyalty.upgraded.where(Upgrade.plan == "gold").payload
    assert isinstance(asked, Compare)
    plain = Compare(Field("payload", "planName", "text"), "eq", asked.right)
    assert asked == plain
    assert hash(asked) == hash(plain)
    assert asked.to_json() == plain.to_json()
    assert predicate_from_json(asked.to_json()) == asked


def test_ours_say_which_events_carry_them() -> None:
    carried: dict[str, set[str]] = {}
    for family in (dsl.Email, dsl.Sms, dsl.Feed, dsl.Call, dsl.Letter, dsl.Shop, dsl.Consent):
        for name, value in vars(family).items():
            if isinstance(value, Event) and value.carries is not None:
                carried.setdefault(value.carries.__name__, set()).add(f"{family.__name__}.{name}")
    ours = (dsl.Purchase, dsl.Click, dsl.Open, dsl.Reply, dsl.Bounce, dsl.ConsentWord)
    assert {one.__name__: set(one.carried_by) for one in ours} == carried
