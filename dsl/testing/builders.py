"""Builders: customers, orders and payloads for tests, typed, with defaults that make sense, so that a test says only what it is about.

walk(WinBack, customer=customer(country="FR", orders=orders(3, category="wine", every=days(20))))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, get_args

from dsl.ir import CHANNELS
from dsl.replies import first_word
from dsl.states import Purpose
from dsl.testing.fields import Given, named
from dsl.testing.given import amount, one_of
from dsl.times import Duration, days

__all__ = [
    "NOON",
    "Person",
    "bounce",
    "click",
    "consent",
    "customer",
    "opening",
    "order",
    "ordered",
    "orders",
    "purchase",
    "reply",
]

NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""When a walk begins unless it says otherwise: a Monday."""


_DAY: Final = days(1)
_WEEK: Final = days(7)


class Person(dict[str, Any]):
    """A customer's facts, with her orders; made by `customer`."""

    orders: Sequence[Mapping[str, Any]] = ()


def customer(
    known: Given | None = None,
    /,
    *,
    id: str | None = "c1",  # noqa: A002  # the name of the fact
    first_name: str | None = "Zoé",
    last_name: str | None = "Lefèvre",
    email: str | None = "zoe@example.com",
    phone: str | None = "+33612345678",
    address: str | None = "3 rue des Lilas",
    postcode: str | None = "69003",
    city: str | None = "Lyon",
    country: str | None = "FR",
    language: str | None = "fr",
    zone: str | None = "Europe/Paris",
    created_at: datetime | None = datetime(2020, 1, 1, tzinfo=UTC),
    orders: Sequence[Mapping[str, Any]] = (),
    **own: Any,
) -> Person:
    """A customer of whom all is known; None says that a fact is missing. `own` are facts that the project declares itself.

    `known` are facts by themselves, `customer({Member.tier: "gold"})`: an editor renames them with the fact.
    """
    made = Person(
        id=id, first_name=first_name, last_name=last_name, email=email, phone=phone, address=address, postcode=postcode,
        city=city, country=country, language=language, zone=zone, created_at=created_at, **own,
    )  # fmt: skip
    made.update(named(known or {}, also=own))
    made.orders = tuple(orders)
    return made


def order(
    total: float = 30,
    *,
    ago: Duration = _DAY,
    category: str | None = None,
    product: str | None = None,
    quantity: float = 1,
    order_id: str | None = None,
) -> Mapping[str, Any]:
    """One order line; `ago` is how long before the walk begins."""
    line = {
        "total": amount("total", total), "ago": ago, "category": category, "product": product,
        "quantity": amount("quantity", quantity),
    }  # fmt: skip
    return line if order_id is None else {**line, "order_id": order_id}


def orders(
    count: int,
    *,
    every: Duration = _WEEK,
    ago: Duration = _DAY,
    total: float = 30,
    category: str | None = None,
    product: str | None = None,
    quantity: float = 1,
) -> list[Mapping[str, Any]]:
    """So many orders, one `every` so often, the newest so long `ago` before the walk begins."""
    ages = (ago + every * number for number in range(count))
    return [order(total, ago=age, category=category, product=product, quantity=quantity) for age in ages]


def ordered(given: Sequence[Mapping[str, Any]], at: datetime) -> list[Mapping[str, Any]]:
    """Order lines with their moment, for a walk that begins `at`."""
    lines: list[Mapping[str, Any]] = []
    for line in given:
        ago = line.get("ago")
        if isinstance(ago, Duration):
            rest = {name: value for name, value in line.items() if name != "ago"}
            lines.append({**rest, "at": at - timedelta(seconds=ago.seconds)})
        else:
            lines.append(line)
    return lines


def purchase(
    total: float = 30,
    *,
    order_id: str = "A-1",
    category: str | None = None,
    product: str | None = None,
    quantity: float = 1,
    **own: Any,
) -> dict[str, Any]:
    """The payload of `Shop.purchased`: `w.tell(Shop.purchased, **purchase(45, category="wine"))`."""
    return {
        "order_id": order_id, "total": amount("total", total), "category": category, "product": product,
        "quantity": amount("quantity", quantity), **own,
    }  # fmt: skip


def consent(channel: str = "email", purpose: str = "marketing") -> dict[str, Any]:
    """The payload of `Consent.withdrawn` and `Consent.granted`."""
    return {"channel": one_of("channel", channel, CHANNELS), "purpose": one_of("purpose", purpose, get_args(Purpose))}


def click(link: str = "shop", url: str = "https://shop.example/") -> dict[str, Any]:
    """The payload of a click on the link of this name."""
    return {"link": link, "url": url}


def opening(*, human: bool = True) -> dict[str, Any]:
    """The payload of an opened mail or feed item, by a person or by a mail program."""
    return {"human": human}


def reply(text: str) -> dict[str, Any]:
    """The payload of a reply: what was written, and its first word in capitals."""
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
        raise TypeError(f"reply(…) takes what she wrote, not {text!r}")
    return {"text": text, "keyword": first_word(text)}


def bounce(kind: str = "hard", *, code: str = "5.1.1", diagnostic: str = "550 5.1.1 no such user") -> dict[str, Any]:
    """The payload of a mail that did not arrive: `hard`, `soft` or `undetermined`."""
    return {"kind": one_of("kind", kind, ("hard", "soft", "undetermined")), "code": code, "diagnostic": diagnostic}
