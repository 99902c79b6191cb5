"""Facts: what an author can ask about a customer, her orders and an event's payload, by typed names.

    Customer.country == "FR"
    Orders.where(Orders.category == "wine").last(days=90).count() >= 2
    Orders.recency() > days(90)
    Shop.purchased.where(Purchase.total > 50)

Own facts are declared once, and kept in the customer's `attributes`; own payloads likewise:

    class Member(Customer):
        tier = text()

    class Upgrade(Payload):
        seats = number()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any, ClassVar, Final, NoReturn, TypeVar

from dsl.bare import refuse_bare
from dsl.expression import Aggregate, Facts, Field, Function, Source
from dsl.fact_kinds import Elapsed, Fact, Flag, Moment, Money, Number, Text, cents
from dsl.predicate import And, Predicate
from dsl.times import duration

__all__ = [
    "Bounce",
    "Click",
    "ConsentWord",
    "Customer",
    "Open",
    "OrderLines",
    "Orders",
    "Payload",
    "Purchase",
    "Reply",
    "everyone",
    "facts",
    "flag",
    "moment",
    "number",
    "text",
]

everyone: Final[Predicate] = And(())
"""The condition that always holds: `Audience(everyone, every=once)`."""


def text(*, key: str | None = None) -> Text:
    """Declare an own fact that is a text. `key` where the data has another name for it (`key="loyaltyTier"`)."""
    return Text(key=key)


def number(*, key: str | None = None) -> Number:
    """Declare an own fact that is a number (a JSON number; a text of digits counts as missing)."""
    return Number(key=key)


def flag(*, key: str | None = None) -> Flag:
    """Declare an own fact that is true or false."""
    return Flag(key=key)


def moment(*, key: str | None = None) -> Moment:
    """Declare an own fact that is a date or a moment: ISO 8601, UTC where no zone is given, precise to the second."""
    return Moment(key=key)


class _Namespace:
    """A class that is only its attributes."""

    def __init__(self) -> NoReturn:
        name = type(self).__name__
        raise TypeError(f"{name} is not made: its facts are read from the class, for example {name}.some_fact")


class Customer(_Namespace):
    """Facts of every customer. A subclass declares own ones. Missing: null in the table, or of another type."""

    source_of_own_facts: ClassVar[Source] = "attribute"

    id = Text(Field("customer", "id", "text"))
    first_name = Text(Field("customer", "first_name", "text"))
    last_name = Text(Field("customer", "last_name", "text"))
    email = Text(Field("customer", "email", "text"))
    phone = Text(Field("customer", "phone", "text"))
    address = Text(Field("customer", "address", "text"))
    postcode = Text(Field("customer", "postcode", "text"))
    city = Text(Field("customer", "city", "text"))
    country = Text(Field("customer", "country", "text"))
    """ISO 3166 alpha-2, in capitals."""
    language = Text(Field("customer", "language", "text"))
    """ISO 639-1, in small letters."""
    zone = Text(Field("customer", "zone", "text"))
    """IANA time zone."""
    created_at = Moment(Field("customer", "created_at", "moment"))

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        _refuse_overrides(cls, Customer)
        refuse_bare(cls)


class Payload(_Namespace):
    """Facts of an event's payload: an author declares a subclass for each kind of event of his own.

    `upgraded = event(Upgrade)` says that an event carries it; then that one is asked for no others' facts.
    """

    source_of_own_facts: ClassVar[Source] = "payload"
    carried_by: ClassVar[tuple[str, ...]] = ()
    """The events that carry it, as an author names them; empty where none is declared to."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        refuse_bare(cls)


class Purchase(Payload):
    """The payload of `Shop.purchased`."""

    order_id = text()
    total = number()
    """In currency units, as the shop sent it."""
    category = text()
    product = text()
    quantity = number()


class Click(Payload):
    """The payload of `Email.clicked`, `Sms.clicked` and `Feed.clicked`."""

    carried_by = ("Email.clicked", "Sms.clicked", "Feed.clicked")
    link = text()
    """The link's name in the template."""
    url = text()


class Open(Payload):
    """The payload of `Email.opened` and `Feed.opened`."""

    carried_by = ("Email.opened", "Feed.opened")
    human = flag()
    """Whether a person opened it, as far as can be told: not through a mail provider's proxy, which hides who looks."""


class Reply(Payload):
    """The payload of `Email.replied` and `Sms.replied`."""

    carried_by = ("Email.replied", "Sms.replied")
    keyword = text()
    """The first word, in capitals."""
    words = text(key="text")
    """All that was written; of a mail, without what it quotes and its signature."""


class Bounce(Payload):
    """The payload of `Email.bounced`."""

    carried_by = ("Email.bounced",)
    kind = text()
    """`hard`: the address is dead; `soft`: it took no mail for now; `undetermined`: not its doing, as a policy."""
    code = text()
    """The enhanced status code (RFC 3463), `5.1.1`; empty where none was given."""
    diagnostic = text()
    """The receiving server's words."""


class ConsentWord(Payload):
    """The payload of `Consent.withdrawn` and `Consent.granted`."""

    channel = text()
    purpose = text()


N = TypeVar("N", Number, Money)


@dataclass(frozen=True, slots=True)
class OrderLines:
    """A customer's order lines up to now, all of them or a selection: `Orders.where(...).last(days=90)`.

    A row is a line of an order (one product): facts of it are `category`, `product`, `quantity`, `total`, `at`, `order_id`.
    """

    category: ClassVar[Text] = Text(Field("order", "category", "text"))
    product: ClassVar[Text] = Text(Field("order", "product", "text"))
    quantity: ClassVar[Number] = Number(Field("order", "quantity", "number"))
    total: ClassVar[Money] = Money(Field("order", "total", "money"))
    """What was paid for the line, in currency units."""
    at: ClassVar[Moment] = Moment(Field("order", "at", "moment"))
    order_id: ClassVar[Text] = Text(Field("order", "order_id", "text"))

    condition: Predicate | None = None
    seconds: int | None = None

    def where(self, condition: Predicate) -> OrderLines:
        """Only the lines that meet the condition, which is on the lines alone. A second `where` narrows further."""
        return replace(self, condition=condition if self.condition is None else self.condition & condition)

    def last(self, *, weeks: float = 0, days: float = 0, hours: float = 0) -> OrderLines:
        """Only the newest: `last(days=90)` takes what is less than 90 times 24 hours old."""
        if self.seconds is not None:
            raise ValueError("Orders.last(...) was said already; one look-back is enough")
        return replace(self, seconds=duration(weeks=weeks, days=days, hours=hours).seconds)

    def count(self) -> Number:
        """How many distinct orders have such a line (not: how many lines). 0 without any."""
        return Number(self._aggregate("count"))

    def sum(self, fact: N) -> N:
        """The total of `Orders.total` or `Orders.quantity` over the lines. 0 without any."""
        return type(fact)(self._aggregate("sum", fact))

    def max(self, fact: N) -> N:
        """The largest of a line. Missing without any."""
        return type(fact)(self._aggregate("max", fact))

    def min(self, fact: N) -> N:
        """The smallest of a line. Missing without any."""
        return type(fact)(self._aggregate("min", fact))

    def avg(self, fact: N) -> N:
        """The mean of a line (not: of an order). Missing without any."""
        return type(fact)(self._aggregate("avg", fact))

    def recency(self) -> Elapsed:
        """Time since the newest order. Missing without any: neither `> days(90)` nor its opposite holds then."""
        return Elapsed(self._aggregate("recency"))

    def rhythm(self) -> Elapsed:
        """Mean time between two days (UTC) with an order. Missing with fewer than three such days."""
        return Elapsed(self._aggregate("rhythm"))

    def _aggregate(self, function: Function, fact: Fact | None = None) -> Aggregate:
        field = fact.expression if fact is not None else None
        if field is not None and not isinstance(field, Field):
            raise TypeError(
                f"Orders.{function}(...) takes a fact of the lines: Orders.total or Orders.quantity, not {fact!r}"
            )
        return Aggregate(function, field, self.condition, self.seconds)


Orders: Final = OrderLines()
"""Every order line of the customer up to now."""

_LINE: dict[str, Any] = {"order_id": None, "at": None, "category": None, "product": None, "quantity": 1, "total": 0}


def facts(
    customer: Mapping[str, Any] | None = None,
    orders: Sequence[Mapping[str, Any]] = (),
    payload: Mapping[str, Any] | None = None,
) -> Facts:
    """Facts as an author writes them in a test: totals in currency units, own facts beside the customer's fields.

    An order line needs `at`; without `order_id` each line is an order of its own. Raises ValueError for a line that has
    an unknown field or no moment.
    """
    lines: list[Mapping[str, Any]] = []
    for index, order in enumerate(orders):
        for name in order:
            if name not in _LINE:
                near = get_close_matches(name, _LINE, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(_LINE)}"
                raise ValueError(f"orders[{index}] has an unknown field {name!r}{hint}")
        line: dict[str, Any] = {**_LINE, "order_id": f"order-{index}", **order}
        at = line["at"]
        if not isinstance(at, datetime) or at.tzinfo is None:
            raise ValueError(f"orders[{index}] needs its moment `at`, a datetime with a zone, not {at!r}")
        lines.append({**line, "total": round(cents(line["total"]))})
    given = dict(customer or {})
    own: dict[str, Any] = {
        **given.pop("attributes", {}),
        **{name: given[name] for name in given if not hasattr(Customer, name)},
    }
    return Facts(customer={**given, "attributes": own}, orders=tuple(lines), payload=dict(payload or {}))


def _refuse_overrides(cls: type, base: type) -> None:
    for name, value in vars(cls).items():
        if isinstance(value, Fact) and hasattr(base, name):
            raise TypeError(
                f"{cls.__name__}.{name}: every customer has a fact of this name already; use Customer.{name}, or another name"
            )
