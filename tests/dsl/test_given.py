"""What a test gives a walk and fits nowhere is told, with what would."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import pytest

from dsl import Api, Arrows, Email, Final, Journey, Purchase, Shop, after, days, marketing
from dsl.testing import bounce, consent, order, reply, walk

W: Any = walk  # with what the type checker would not let through


class Care(Journey):
    enters = Api()
    purpose = marketing
    done = Final()

    @Email("care/mail")
    def mail(self) -> Arrows:
        yield Shop.purchased >> self.done
        yield after(days=3) >> self.done


class Other(Journey):
    enters = Api()
    purpose = marketing
    done = Final()

    @Email("other/mail")
    def mail(self) -> Arrows:
        yield Shop.purchased.where(Purchase.total >= 45) >> self.done
        yield after(days=3) >> self.done


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        (lambda: W(Care, customer="zoe"), TypeError, "a customer is her facts"),
        (lambda: W(Care, orders=3), TypeError, "orders are order lines"),
        (lambda: W(Care, orders=[3]), TypeError, "orders are order lines"),
        (lambda: W(Care).change(orders="x"), TypeError, "orders are order lines"),
        (lambda: W(Care, holidays=["2026-01-01"]), TypeError, "holidays are days, date(2026, 1, 1), not '2026-01-01'"),
        (lambda: W(Care, holidays=[datetime(2026, 1, 1, tzinfo=UTC)]), TypeError, "holidays are days"),
        (
            lambda: W(Care, unreachable=["email"]),
            TypeError,
            "by a channel or a box, Email or WinBack.sms, not by 'email'",
        ),
        (lambda: W(Care).refuse(3), TypeError, "not by 3"),
        (lambda: W(Care).refuse(days), TypeError, "by a channel or a box"),
        (lambda: W(Care).buy("x"), TypeError, "total= takes a number, not 'x'"),
        (lambda: W(Care).buy(float("nan")), TypeError, "total= takes a number, not nan"),
        (lambda: W(Care).buy(1, quantity="x"), TypeError, "quantity= takes a number, not 'x'"),
        (lambda: W(Care, orders=[order(cast("Any", "x"))]), TypeError, "total= takes a number, not 'x'"),
        (lambda: W(Care).refuse("email"), TypeError, "by a channel or a box, Email or WinBack.sms, not by 'email'"),
        (lambda: W(Care).refuse(Email, 3), TypeError, "nothing is kept back because of 3; there are address missing"),
        (
            lambda: W(Care, unreachable=[Care.done]),
            ValueError,
            "`done` sends nothing, so nothing of it can be kept back",
        ),
        (lambda: W(Care, unreachable=[Other.mail]), ValueError, "`mail` is no box of Care"),
        (lambda: W(Care, key="A-1"), ValueError, "key='A-1': Care runs once for each customer"),
        (lambda: W(Care).buy(True), TypeError, "total= takes a number, not True"),
        (lambda: W(Care).tell(after(days=3)), TypeError, "for example Email.clicked, not after 3 d"),
        (lambda: W(Care).tell("clicked"), TypeError, "for example Email.clicked, not 'clicked'"),
        (lambda: reply(cast("Any", None)), TypeError, "what she wrote, not None"),
        (lambda: consent("fax"), ValueError, "channel='fax': there are email, sms, feed, call, letter"),
        (lambda: consent("sms", "fun"), ValueError, "purpose='fun': there are marketing, transactional"),
        (lambda: bounce("squishy"), ValueError, "kind='squishy': there are hard, soft, undetermined"),
    ],
)
def test_A3_what_fits_nowhere_is_told(wrong: Callable[[], object], error: type[Exception], says: str) -> None:
    with pytest.raises(error) as found:
        wrong()
    assert says in str(found.value)


def test_A3_what_fits_is_taken() -> None:
    w = walk(Care, customer={"zone": None}, unreachable=[Care.mail]).change(zone="Asia/Tokyo").buy(12)
    assert w.at is Care.done


@pytest.mark.parametrize("total", ["45", "45.5"])
def test_A3_a_decimal_is_the_number_that_a_shop_sends(total: str) -> None:
    w = W(Other).buy(Decimal(total))
    assert w.orders[0]["total"] == float(total)
    assert w.at is Other.done
