"""The words that journeys made of chance are written with: each as an author writes it, and as the tree that it stands for."""

from __future__ import annotations

from typing import Any, Final, cast

import dsl
from dsl.expression import Constant, Expression, Field
from dsl.fact_kinds import Elapsed, Moment
from dsl.ir import Clock
from dsl.predicate import Compare, IsIn, Operator, Predicate

__all__ = [
    "ANSWERS",
    "CLOCKS",
    "EVENTS",
    "FACTS",
    "MEASURED",
    "MOMENTS",
    "PAYLOADS",
    "REASONS",
    "WINDOWS",
    "WRITTEN",
    "visits",
]

ANSWERS: Final = {
    "email": ("clicked", "opened", "replied", "bounced", "sent"),
    "sms": ("clicked", "replied", "delivered", "sent"),
    "feed": ("clicked", "opened", "sent"),
    "call": ("interested", "refused", "not_reached", "sent"),
    "letter": ("answered", "returned", "sent"),
}
EVENTS: Final = ("shop.purchased", "shop.signed_up", "consent.withdrawn")
REASONS: Final = ("address missing", "no consent", "suppressed")

WRITTEN: Final[dict[object, str]] = {}
"""How an author writes it."""


def _read(source: str) -> Any:
    return eval(source, {**vars(dsl)})  # noqa: S307  # our own words, written below


def _word(source: str) -> Any:
    found = _read(source)
    tree = found.expression if isinstance(found, Elapsed | Moment) else found
    WRITTEN[tree] = source
    return tree


FACTS: Final[tuple[Predicate, ...]] = tuple(
    _word(source)
    for source in (
        '(Customer.country == "FR")',
        "(Orders.count() >= 3)",
        "(Orders.last(days=90).sum(Orders.total) > 200)",
        "~(Orders.recency() > days(30))",
        'Customer.language.is_in(["de", "fr"])',
    )
)
PAYLOADS: Final[dict[str, tuple[Predicate, ...]]] = {
    "shop.purchased": (_word("(Purchase.total >= 40)"), _word('(Purchase.category == "wine")')),
    "email.clicked": (_word('(Click.link == "shop")'), _word('(Click.link == "account")')),
    "email.opened": (_word("Open.human.is_true()"),),
    "sms.replied": (_word('(Reply.keyword == "YES")'), _word('Reply.words.matches("oui|yes")')),
    "not_sent": tuple(
        IsIn(Field("payload", "reason", "text"), tuple(Constant("text", reason) for reason in reasons))
        for reasons in (REASONS[:1], REASONS[1:])
    ),
}
MEASURED: Final[tuple[Expression, ...]] = (_word("Orders.rhythm()"), _word("Orders.recency() * 1.5"))
MOMENTS: Final[tuple[Expression, ...]] = (_word("Customer.created_at"),)
CLOCKS: Final[tuple[Clock, ...]] = (
    Clock("09:00"),
    Clock("18:30", None, None, (0, 1, 2, 3, 4), False),
    Clock(None, "10:00", "17:00"),
)
WINDOWS: Final[tuple[Clock, ...]] = (Clock(None, "08:00", "20:00"), Clock(None, "21:00", "08:00"))
WRITTEN[WINDOWS[0]], WRITTEN[WINDOWS[1]] = 'between("08:00", "20:00")', 'between("21:00", "08:00")'
for _clock, _arguments in zip(
    CLOCKS, ('at="09:00"', 'at="18:30", on=workdays, holidays=False', 'during=between("10:00", "17:00")'), strict=True
):
    WRITTEN[_clock] = _arguments


def visits(box: str, times: int, op: str) -> Predicate:
    """How often she entered a box: at least so often, no more often, or just so often."""
    count = Field("journey", f"visits.{box}", "number")
    number = Constant("number", times + 1 if op == "lt" else times)  # nobody there has entered it less than once
    return IsIn(count, (number,)) if op == "in" else Compare(count, cast("Operator", op), number)
