"""Events in, exactly as Segment's and RudderStack's clients send them."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from kit.command import invoke
from sqlalchemy import select, update

from api.app import create_app
from api.intake import MAX_BODY, MAX_INFLATED
from api.segment import event_name
from engine import customers, keys, rejected
from engine.db import Database, table
from engine.events import StoredEvent
from engine.settings import Settings
from engine.tables import Purchase, RejectedEvent

Events = Callable[[], list[StoredEvent]]


def track(event: str = "Order Completed", **more: Any) -> dict[str, Any]:
    """A track message with every field that segment-analytics-python 2.3 puts into one."""
    return {
        "type": "track",
        "messageId": str(uuid4()),
        "anonymousId": None,
        "userId": "4711",
        "event": event,
        "properties": {"order_id": "A-1", "total": 25.5},
        "timestamp": datetime.now(UTC).isoformat(),
        "context": {"library": {"name": "analytics-python", "version": "2.3.3"}},
        "integrations": {},
        **more,
    }


def purchases(db: Database) -> list[dict[str, Any]]:
    target = table(Purchase)
    with db.read() as conn:
        return [dict(row) for row in conn.execute(select(target).order_by(target.c.id)).mappings()]


async def test_a_batch_as_segments_python_client_sends_it(http: httpx.AsyncClient, key: str, events: Events) -> None:
    """segment/analytics/request.py: Basic auth of the write key, JSON with sentAt, gzip if asked for, and 200 means done."""
    message = track()
    body = {"batch": [message], "sentAt": datetime.now(UTC).isoformat()}
    response = await http.post(
        "/v1/batch",
        content=gzip.compress(json.dumps(body).encode()),
        headers={
            "Content-Type": "application/json",
            "User-Agent": "analytics-python/2.3.3",
            "Content-Encoding": "gzip",
            "Authorization": "Basic " + b64encode(f"{key}:".encode()).decode(),
        },
    )
    assert (response.status_code, response.json()) == (200, {"success": True})
    (event,) = events()
    assert (event.name, event.customer_id, event.source) == ("shop.purchased", "4711", "track")
    assert event.id == message["messageId"]
    assert event.payload["total"] == 25.5


async def test_rudderstack_puts_traits_into_the_context(client: httpx.AsyncClient, sqlite: Database) -> None:
    """rudder_analytics/client.py: an identify's traits are in context.traits alone; originalTimestamp is its clock."""
    message = {
        "type": "identify",
        "channel": "server",
        "messageId": str(uuid4()),
        "userId": "4711",
        "anonymousId": None,
        "originalTimestamp": datetime.now(UTC).isoformat(),
        "context": {
            "library": {"name": "rudder-analytics-python", "version": "2.1.4"},
            "traits": {
                "firstName": "Zoë",
                "email": "Zoe@Example.com",
                "phone": "06 12 34 56 78",
                "address": {"street": "1 rue du Parc", "postalCode": "75001", "city": "Paris", "country": "fr"},
                "tier": "gold",
            },
            "locale": "fr-FR",
            "timezone": "Europe/Paris",
        },
        "integrations": {"All": True},
    }
    assert (await client.post("/v1/batch", json={"batch": [message]})).status_code == 200
    with sqlite.read() as conn:
        zoe = customers.get(conn, "4711")
    assert zoe is not None
    assert (zoe.first_name, zoe.email, zoe.phone, zoe.language) == ("Zoë", "Zoe@example.com", "+33612345678", "fr")
    assert (zoe.address, zoe.postcode, zoe.city, zoe.country, zoe.zone) == (
        "1 rue du Parc",
        "75001",
        "Paris",
        "FR",
        "Europe/Paris",
    )
    assert zoe.attributes == {"tier": "gold"}


async def test_identify_changes_what_it_names_and_an_old_repeat_changes_nothing(
    client: httpx.AsyncClient, sqlite: Database
) -> None:
    first = {"userId": "1", "messageId": "m1", "traits": {"city": "Paris", "language": "fr", "tier": "gold"}}
    assert (await client.post("/v1/identify", json=first)).status_code == 200
    second = {"userId": "1", "messageId": "m2", "traits": {"city": "Lyon", "points": 3}}
    assert (await client.post("/v1/identify", json=second)).status_code == 200
    assert (await client.post("/v1/identify", json=first)).status_code == 200
    with sqlite.read() as conn:
        row = customers.get(conn, "1")
    assert row is not None
    assert (row.city, row.language, row.attributes) == ("Lyon", "fr", {"tier": "gold", "points": 3})


async def test_R4_a_message_id_counts_once(client: httpx.AsyncClient, events: Events, sqlite: Database) -> None:
    message = track()
    for batch in ([message], [message, message], [track(messageId=message["messageId"], event="Signed Up")]):
        assert (await client.post("/v1/batch", json={"batch": batch})).status_code == 200
    assert [event.name for event in events()] == ["shop.purchased"]
    assert len(purchases(sqlite)) == 1


async def test_a_purchase_is_an_event_and_its_lines(
    client: httpx.AsyncClient, events: Events, sqlite: Database
) -> None:
    products = [
        {"product_id": "p1", "name": "Chablis", "category": "wine", "price": 12.25, "quantity": 2},
        {"sku": "s2", "category": "cheese", "price": "4.10"},
    ]
    message = track(properties={"order_id": "A-7", "products": products})
    assert (await client.post("/v1/batch", json={"batch": [message]})).status_code == 200
    lines = [(row["id"], row["product"], row["category"], row["quantity"], row["total"]) for row in purchases(sqlite)]
    assert lines == [("A-7:1", "Chablis", "wine", 2, 2450), ("A-7:2", "s2", "cheese", 1, 410)]
    (event,) = events()
    assert (event.payload["order_id"], event.payload["total"], event.payload["category"]) == ("A-7", 28.6, "wine")


async def test_a_name_that_is_no_text_is_left_out_and_told(
    client: httpx.AsyncClient, events: Events, sqlite: Database
) -> None:
    """The sale was made, whatever its category is called; a number is an id."""
    products = [{"product_id": 17, "category": ["wine", "red"], "price": 12}, {"name": {"fr": "Brie"}, "price": 4}]
    batch = [
        track(properties={"order_id": "A-8", "products": products}),
        track(properties={"order_id": "A-9", "total": 5, "category": True, "product": "Tea"}),
    ]
    assert (await client.post("/v1/batch", json={"batch": batch})).json() == {"success": True}
    lines = [(row["id"], row["product"], row["category"], row["total"]) for row in purchases(sqlite)]
    assert lines == [("A-8:1", "17", None, 1200), ("A-8:2", None, None, 400), ("A-9:1", "Tea", None, 500)]
    assert [event.payload["refused"] for event in events()] == [
        {
            "properties.products[0].category": """it must be text (got "['wine', 'red']")""",
            "properties.products[1].name": """it must be text (got "{'fr': 'Brie'}")""",
        },
        {"properties.category": "it must be text (got 'True')"},
    ]


async def test_a_purchase_without_products_is_one_line(client: httpx.AsyncClient, sqlite: Database) -> None:
    message = track("shop.purchased", properties={"orderId": 99, "revenue": 10, "category": "tea"})
    assert (await client.post("/v1/track", json=message)).status_code == 200
    (row,) = purchases(sqlite)
    assert (row["id"], row["order_id"], row["total"], row["category"]) == ("99:1", "99", 1000, "tea")


@pytest.mark.parametrize(
    ("given", "ours"),
    [
        ("Order Completed", "shop.purchased"),
        ("orderCompleted", "shop.purchased"),
        ("shop.purchased", "shop.purchased"),
        ("Signed Up", "shop.signed_up"),
        ("Account Created", "shop.signed_up"),
        ("loyalty.tier.upgraded", "loyalty.tier.upgraded"),
        ("Loyalty Upgraded", "loyalty.upgraded"),
        ("Product List Viewed", "product_list.viewed"),
        ("clicked", "clicked"),
        ("Café Visité!", "café.visité"),
        ("  ", ""),
        ("!!!", ""),
    ],
)
def test_names_of_events(given: str, ours: str) -> None:
    assert event_name(given) == ours


async def test_every_kind_has_its_endpoint_and_its_event(client: httpx.AsyncClient, events: Events) -> None:
    who = {"userId": "1"}
    for kind, body in {
        "track": {"event": "Loyalty Upgraded", "properties": {"tier": "gold"}},
        "identify": {"traits": {"name": "Zoé Martin"}},
        "page": {"name": "Home", "properties": {"path": "/"}},
        "screen": {"name": "Start"},
        "group": {"groupId": "g1", "traits": {"plan": "pro"}},
        "alias": {"previousId": "anon-1"},
    }.items():
        response = await client.post(f"/v1/{kind}", json={**who, **body})
        assert (response.status_code, response.json()) == (200, {"success": True}), kind
    assert [(event.name, event.payload) for event in events()] == [
        ("loyalty.upgraded", {"tier": "gold"}),
        ("customer.identified", {}),
        ("page.viewed", {"path": "/", "name": "Home"}),
        ("screen.viewed", {"name": "Start"}),
        ("group.joined", {"group_id": "g1", "traits": {"plan": "pro"}}),
        ("customer.aliased", {"previous_id": "anon-1"}),
    ]


async def test_an_anonymous_visitors_event_is_kept_without_a_customer(
    client: httpx.AsyncClient, events: Events
) -> None:
    message = track(userId=None, anonymousId="a-1")
    assert (await client.post("/v1/batch", json={"batch": [message]})).status_code == 200
    assert events()[0].customer_id is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"type": "teleport"}, "batch[1].type: it must be one of track, identify"),
        ({"event": ""}, "batch[1].event: it is required"),
        ({"event": 7}, "batch[1].event: it is required, and must be text (got 7)"),
        ({"event": "email.clicked"}, "names that begin with email are Parcours' own"),
        ({"event": "Consent Withdrawn"}, "names that begin with consent are Parcours' own"),
        ({"userId": None}, "batch[1].userId: userId or anonymousId is required"),
        ({"userId": {"id": 1}}, "batch[1].userId: a customer's id is text"),
        ({"userId": "a\nb"}, "batch[1].userId: a customer's id is text"),
        ({"messageId": "x" * 201}, "batch[1].messageId: it must be text of 1 to 200 characters"),
        ({"messageId": "parcours:call:1-1-0"}, "ids that begin with parcours: are Parcours' own"),
        ({"timestamp": "yesterday"}, "batch[1].timestamp: it must be ISO 8601"),
        ({"timestamp": 1714810000}, "batch[1].timestamp: it must be ISO 8601"),
        ({"timestamp": "1999-12-31T23:59:59Z"}, "it is before the year 2000"),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, "it is outside of the calendar"),
        ({"timestamp": "9999-12-31T00:00:00Z"}, "more than a day ahead"),
        ({"properties": []}, "batch[1].properties: it must be an object"),
        ({"properties": {"total": "much"}}, "batch[1].properties.total: it must be a number (got 'much')"),
        ({"properties": {"total": True}}, "batch[1].properties.total: it must be a number"),
        ({"properties": {"total": 1e12}}, "batch[1].properties.total: it must be a number"),
        ({"properties": {"total": 10**400}}, "batch[1].properties.total holds a number that is past"),
        (
            {"properties": {"products": [{"price": 10**400}]}},
            "properties.products[0].price holds a number that is past",
        ),
        ({"properties": {}}, "a purchase has a total, or products"),
        ({"properties": {"products": [3]}}, "batch[1].properties.products[0]: it must be an object"),
    ],
)
async def test_a_malformed_message_is_set_aside_and_costs_the_others_nothing(
    client: httpx.AsyncClient, events: Events, changes: dict[str, Any], says: str
) -> None:
    """Clients drop the whole of a batch that is refused."""
    batch = [track(), track(**changes), track()]
    response = await client.post("/v1/batch", json={"batch": batch})
    assert response.status_code == 200
    (told,) = response.json()["rejected"]
    assert (told["index"], response.json()["success"]) == (1, True)
    assert says.removeprefix("batch[1].") in told["reason"]
    assert (await client.post("/v1/batch", json={"batch": batch})).json() == response.json(), "and it is no second"
    assert [event.id for event in events()] == [batch[0]["messageId"], batch[2]["messageId"]]
    (seen,) = (await client.get("/v1/events/rejected")).json()
    assert (seen["reason"], seen["sender"], json.loads(seen["body"])) == (told["reason"], "tests", batch[1])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ('{"userId": "a\\u0000b"}', "userId holds a NUL character"),
        ('{"userId": "\\ud800"}', "userId holds half of a surrogate pair"),
        ('{"a": {"\\udfff": 1}}', "a (a name) holds half of a surrogate pair"),
        ('{"userId": "1", "properties": {"total": NaN}}', "properties.total holds a number that is none"),
        ('{"userId": "1", "properties": {"total": 1e999}}', "properties.total holds a number that is past"),
        ('{"userId": "1", "properties": {"total": -Infinity}}', "properties.total holds a number that is past"),
        pytest.param(
            f'{{"userId": "1", "properties": {{"total": -{"9" * 5000}}}}}', "properties.total holds a number", id="long"
        ),
        ("null", "message: it must be an object (got None)"),
        ('"\\u0000"', "the message holds a NUL character"),
    ],
)
async def test_what_no_database_can_hold_is_set_aside_too(
    db: Database, settings: Settings, wrong: str, says: str
) -> None:
    """Python's clients send NaN, which JSON does not know."""
    key = keys.create(db, "shop", ["ingest", "read"])
    transport = httpx.ASGITransport(create_app(settings, db))
    async with httpx.AsyncClient(transport=transport, base_url="http://x", auth=(key, "")) as shop:
        body = f'{{"batch": [{wrong}, {json.dumps(track("Note Written", properties={}))}]}}'
        response = await shop.post("/v1/batch", content=body)
        assert response.status_code == 200, response.text
        (told,) = response.json()["rejected"]
        assert told["reason"].startswith(says)
        assert [event["name"] for event in (await shop.get("/v1/events")).json()["events"]] == ["note.written"]
        (seen,) = (await shop.get("/v1/events/rejected")).json()
        assert (seen["reason"], seen["message_id"]) == (told["reason"], None)
        assert (await shop.get("/v1/events/rejected", params={"before": seen["id"]})).json() == []


def test_what_was_set_aside_is_forgotten_in_time(sqlite: Database) -> None:
    with sqlite.write() as conn:
        rejected.keep(conn, [rejected.Rejected({"userId": "1"}, "wrong")], "shop", 90)
        conn.execute(update(table(RejectedEvent)).values(at=datetime.now(UTC) - timedelta(days=91)))
        rejected.keep(conn, [rejected.Rejected({"userId": "2"}, "wrong")], "shop", 90)
        assert [each.customer_id for each in rejected.listed(conn)] == ["2"]


async def test_a_wrong_trait_costs_neither_the_others_nor_the_batch(
    client: httpx.AsyncClient, events: Events, sqlite: Database
) -> None:
    """A client drops a batch that is refused: what somebody typed into a form is no reason for that."""
    traits = {"email": "nonsense", "phone": "123", "city": "Lyon", "tier": "gold"}
    batch = [track(), track(type="identify", traits=traits), track(type="identify", userId=None, anonymousId="a")]
    assert (await client.post("/v1/batch", json={"batch": batch})).status_code == 200
    with sqlite.read() as conn:
        row = customers.get(conn, "4711")
    assert row is not None
    assert (row.email, row.phone, row.city, row.attributes) == (None, None, "Lyon", {"tier": "gold"})
    _, known, visitor = events()
    assert known.payload["refused"]["phone"].startswith("not a phone number")
    assert "(got 'nonsense')" in known.payload["refused"]["email"]
    assert (visitor.name, visitor.customer_id) == ("customer.identified", None)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b"\xff\xfe", "bad_json"),
        (b"{}", "malformed_batch"),
        (b'{"batch": {}}', "malformed_batch"),
        (b'"text"', "malformed_batch"),
        (b"\x00", "bad_json"),
    ],
)
async def test_a_body_that_is_no_batch(client: httpx.AsyncClient, events: Events, content: bytes, code: str) -> None:
    response = await client.post("/v1/batch", content=content, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (400, code)
    assert set(response.json()) == {"code", "message"}
    assert events() == []


async def test_emoji_and_every_script_come_through(client: httpx.AsyncClient, events: Events) -> None:
    text = "🍷 日本 ʤ \u202e \u2028 Ω≈ç"
    body = json.dumps({"batch": [track("Note Written", properties={"text": text})]})  # emoji as pairs of escapes
    assert "\\ud83c\\udf77" in body
    assert (await client.post("/v1/batch", content=body)).status_code == 200
    assert events()[0].payload == {"text": text}


async def test_the_events_time_is_the_senders_and_a_clock_that_is_ahead_is_held_back(
    client: httpx.AsyncClient, events: Events
) -> None:
    now = datetime.now(UTC)
    stamps = [now - timedelta(days=3), now + timedelta(hours=2)]
    batch = [track(timestamp=stamp.isoformat()) for stamp in stamps] + [track(timestamp=None)]
    batch.append(track(timestamp="2026-01-05T10:00:00.123Z"))
    assert (await client.post("/v1/batch", json={"batch": batch})).status_code == 200
    past, ahead, none, zulu = events()
    assert past.at == stamps[0]
    assert ahead.at == ahead.received_at
    assert none.at == none.received_at
    assert zulu.at == datetime(2026, 1, 5, 10, 0, 0, 123000, UTC)


@pytest.mark.parametrize("of_the_message", [True, False])
async def test_a_devices_wrong_clock_is_set_right_by_when_it_sent(
    client: httpx.AsyncClient, events: Events, of_the_message: bool
) -> None:
    """A phone that lives three years ahead: what it did two hours before it sent, it did two hours ago."""
    phone = datetime.now(UTC) + timedelta(days=1000)
    message = track(timestamp=None, originalTimestamp=(phone - timedelta(hours=2)).isoformat())
    body: dict[str, Any] = {"batch": [message]}
    (message if of_the_message else body)["sentAt"] = phone.isoformat()
    assert (await client.post("/v1/batch", json=body)).status_code == 200
    (event,) = events()
    assert event.received_at - event.at == timedelta(hours=2)
    wrong = {**track(timestamp=None, originalTimestamp="yesterday"), "sentAt": "today"}
    assert (await client.post("/v1/batch", json={"batch": [wrong]})).json()["rejected"][0]["index"] == 0


async def test_gzip_is_inflated_within_bounds(client: httpx.AsyncClient, events: Events) -> None:
    async def send(content: bytes, encoding: str = "gzip") -> tuple[int, str]:
        response = await client.post("/v1/batch", content=content, headers={"Content-Encoding": encoding})
        return response.status_code, response.json()["code"]

    bomb = gzip.compress(b" " * (MAX_INFLATED + 1))
    assert len(bomb) < 50_000
    assert await send(bomb) == (413, "body_too_large")
    assert await send(b"not gzip") == (400, "bad_gzip")
    assert await send(gzip.compress(b'{"batch": []}')[:-9]) == (400, "bad_gzip")
    assert await send(b"x", "br") == (415, "unknown_encoding")
    assert events() == []
    two = gzip.compress(b'{"bat') + gzip.compress(b'ch": []}')
    response = await client.post("/v1/batch", content=two, headers={"Content-Encoding": "gzip"})
    assert response.status_code == 200


async def test_four_megabytes_that_inflate_to_four_thousand_cost_no_memory(
    client: httpx.AsyncClient, events: Events
) -> None:
    member = gzip.compress(b" " * (64 << 20))
    bomb = member * ((4 << 20) // len(member))
    tracemalloc.start()
    try:
        for path in ("/v1/batch", "/v1/track", "/v1/events", "/v1/answers"):
            response = await client.post(path, content=bomb, headers={"Content-Encoding": "gzip"})
            assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_INFLATED
    assert events() == []


async def test_a_body_too_large_is_refused_with_and_without_its_length(
    client: httpx.AsyncClient, events: Events
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY // 65_536 + 2):
            yield b" " * 65_536

    for content in (b" " * (MAX_BODY + 1), pieces()):
        response = await client.post("/v1/batch", content=content)
        assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert events() == []


async def test_reading_events_page_by_page(client: httpx.AsyncClient) -> None:
    names = ["A Done", "B Done", "C Done"]
    await client.post("/v1/batch", json={"batch": [track(name, properties={}) for name in names]})
    first = (await client.get("/v1/events", params={"limit": 2})).json()
    assert [event["name"] for event in first["events"]] == ["a.done", "b.done"]
    rest = (await client.get("/v1/events", params={"since": first["next"]})).json()
    assert [event["name"] for event in rest["events"]] == ["c.done"]
    end = (await client.get("/v1/events", params={"since": rest["next"]})).json()
    assert end == {"events": [], "next": rest["next"]}
    assert len((await client.get("/v1/events", params={"name": "b.done"})).json()["events"]) == 1
    assert (await client.get("/v1/events", params={"since": "x"})).status_code == 422
    assert (await client.get("/v1/events", params={"since": 2**63})).status_code == 422


def test_an_operator_sees_what_was_set_aside(settings: Settings, sqlite: Database) -> None:
    env = {"PARCOURS_DATA": str(settings.data), "COLUMNS": "160"}
    assert invoke("event", "rejected", env=env).output == "nothing was rejected\n"
    with sqlite.write() as conn:
        rejected.keep(
            conn, [rejected.Rejected({"userId": "4711", "type": "[bold]x"}, "type: it must be one")], "shop", 90
        )
    shown = invoke("event", "rejected", env=env).output
    assert all(each in shown for each in ("shop", "4711", "type: it must be one", '"type": "[bold]x"'))
