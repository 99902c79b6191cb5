"""Answers that come back off line: by phone, till, coupon and page; one model, each once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from engine.events import StoredEvent
from engine.links import Links

Events = Callable[[], list[StoredEvent]]
Sent = Callable[..., dict[str, Any]]
NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


@pytest.fixture
def code(links: Links, sent: Sent) -> str:
    """The code of a letter that went out to c1, after a mail."""
    sent("1-1-0", "email", code=links.code("1-1-0"), reserved_at=NOW)
    sent("1-2-0", "letter", code=links.code("1-2-0"), address="c1", reserved_at=NOW + timedelta(days=1))
    return Links.show_code(links.code("1-2-0"))


def order(**properties: Any) -> dict[str, Any]:
    return {"userId": "c1", "event": "Order Completed", "properties": {"order_id": "A-7", "total": 59.9, **properties}}


async def test_a_till_gives_code_and_amount(client: httpx.AsyncClient, code: str, events: Events) -> None:
    given = {"via": "till", "code": code.lower(), "id": "bon 17", "amount": 59.9, "by": "till 3"}
    response = await client.post("/v1/answers", json=given)
    assert (response.status_code, response.json()) == (
        200,
        {"new": True, "event": "letter.answered", "message_key": "1-2-0", "customer_id": "c1", "channel": "letter",
         "journey": "win_back"},
    )  # fmt: skip
    assert (await client.post("/v1/answers", json=given)).json()["new"] is False
    assert (await client.post("/v1/answers", json={**given, "id": "bon 18"})).json()["new"] is True
    first, second = events()
    assert (first.name, first.message_key, first.customer_id, first.source) == (
        "letter.answered",
        "1-2-0",
        "c1",
        "till",
    )
    assert first.payload == {"via": "till", "code": code.replace("-", ""), "amount": 59.9, "by": "till 3"}
    assert second.message_key == "1-2-0"


async def test_an_agent_finds_the_send_by_customer_or_key(
    client: httpx.AsyncClient, code: str, sent: Sent, events: Events
) -> None:
    del code
    sent("1-3-0", "sms", reserved_at=NOW + timedelta(days=2), status="not_sent")  # this one never went out

    async def told(**given: Any) -> str:
        response = await client.post("/v1/answers", json={"via": "phone", "value": "yes", **given})
        return str(response.json().get("message_key", response.json().get("code")))

    assert await told(customer_id="c1") == "1-2-0"
    assert await told(customer_id="c1", channel="email") == "1-1-0"
    assert await told(customer_id="c1", journey="win_back") == "1-2-0"
    assert await told(message_key="1-1-0") == "1-1-0"
    assert await told(message_key="1-3-0") == "message_not_found"
    assert await told(customer_id="c1", channel="feed") == "message_not_found"
    assert await told(customer_id="nobody") == "message_not_found"
    assert await told(code="CDFHJ-23456") == "code_not_found"
    assert [(event.name, event.payload["value"]) for event in events()] == [
        ("letter.answered", "yes"),
        ("email.answered", "yes"),
    ]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"via": "phone"}, "name the send by one of code, message_key, customer_id"),
        ({"via": "phone", "code": "CDFHJ-23456", "customer_id": "c1"}, "name the send by one of"),
        ({"via": "pigeon", "code": "CDFHJ-23456"}, "via: Input should be 'code', 'coupon', 'phone' or 'till'"),
        ({"code": "CDFHJ-23456"}, "via: Field required"),
        ({"via": "till", "code": "x" * 201}, "code: String should have at most 200"),
        ({"via": "till", "code": "CDFHJ-23456", "amount": 1e12}, "amount: Input should be less than"),
        ({"via": "till", "code": "CDFHJ-23456", "amount": "much"}, "amount: Input should be a valid number"),
    ],
)
async def test_what_is_no_answer_is_told(
    client: httpx.AsyncClient, events: Events, given: dict[str, Any], says: str
) -> None:
    response = await client.post("/v1/answers", json=given)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_value")
    assert says in response.json()["message"]
    assert events() == []


async def test_a_coupon_in_an_order_answers_its_send_once(client: httpx.AsyncClient, code: str, events: Events) -> None:
    for message_id in ("m1", "m1", "m2"):  # the client repeats, and the shop tells the same order twice
        message = {**order(coupon=f" {code.lower()} "), "messageId": message_id}
        assert (await client.post("/v1/track", json=message)).status_code == 200
    answers = [event for event in events() if event.name == "letter.answered"]
    assert [(event.message_key, event.payload) for event in answers] == [
        ("1-2-0", {"via": "coupon", "code": code.replace("-", ""), "amount": 59.9, "order_id": "A-7"})
    ]
    assert sum(event.name == "shop.purchased" for event in events()) == 2


async def test_a_coupon_of_a_product_counts_whoever_redeems_it(
    client: httpx.AsyncClient, code: str, links: Links, events: Events
) -> None:
    """She gave it to a friend: it is her letter's answer all the same."""
    products = [
        {"price": 5, "coupon": code},
        {"price": 6, "coupon": links.code("1-1-0")},
        {"price": 7, "coupon": "TEA10"},
    ]
    message = {**order(products=products, coupon=["no text"]), "userId": "friend"}
    assert (await client.post("/v1/batch", json={"batch": [{**message, "type": "track"}]})).status_code == 200
    answers = [(event.name, event.customer_id) for event in events() if event.name.endswith(".answered")]
    assert answers == [("letter.answered", "c1"), ("email.answered", "c1")]


async def test_coupons_that_are_none_of_ours_are_the_shops_affair(
    client: httpx.AsyncClient, code: str, events: Events
) -> None:
    del code
    for coupon in ("TEA10", "CDFHJ-23456", "", None, 7, ["x"], "x" * 5000):
        message = order(coupon=coupon, order_id=f"o{coupon}"[:20])
        assert (await client.post("/v1/track", json=message)).status_code == 200
    assert {event.name for event in events()} == {"shop.purchased"}


async def test_the_page_says_how_it_was_come_to(
    http: httpx.AsyncClient, code: str, links: Links, events: Events
) -> None:
    typed = await http.post("/l", data={"code": code})
    page = await http.get(typed.headers["location"])
    assert '<input type="hidden" name="via" value="code">' in page.text
    await http.post(f"/l/{code}", data={"via": "code"})
    await http.post(f"/l/{code}")  # scanned as well: it is one answer
    await http.post(f"/l/{links.code('1-1-0')}", data={"via": "nonsense"})
    assert [(event.name, event.payload["via"]) for event in events()] == [
        ("letter.answered", "code"),
        ("email.answered", "link"),
    ]
