"""The clients of Segment and RudderStack, as they are, against our API on a real socket."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from kit.serving import Served, serving
from sqlalchemy import select

from api.app import create_app
from engine import customers, keys, rejected
from engine.db import Database, table
from engine.events import StoredEvent, since
from engine.settings import Settings
from engine.tables import Purchase

Make = Callable[..., Any]
AT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
ROUTES = {"segment": "segment.analytics.client", "rudderstack": "rudderstack.analytics.client"}


@pytest.fixture
def served(settings: Settings, sqlite: Database) -> Iterator[Served]:
    with serving(create_app(settings, sqlite)) as server:
        yield server


@pytest.fixture
def key(sqlite: Database) -> str:
    return keys.create(sqlite, "shop", ["ingest"])


@pytest.fixture(params=ROUTES)
def make(request: pytest.FixtureRequest, served: Served, key: str) -> Iterator[Make]:
    """Make a client of the one or the other; it is ended with the test."""
    client: Any = import_module(ROUTES[request.param]).Client
    made: list[Any] = []

    def make(**options: Any) -> Any:
        made.append(client(**{"write_key": key, "host": served.url, "upload_interval": 0.05, **options}))
        return made[-1]

    yield make
    for each in made:
        each.join()


def kept(db: Database) -> list[StoredEvent]:
    with db.read() as conn:
        return since(conn, 0, 1000)


@pytest.mark.parametrize("gzip", [True, False], ids=["gzip", "plain"])
def test_everything_that_a_client_says_comes_in(make: Make, served: Served, sqlite: Database, gzip: bool) -> None:
    client = make(gzip=gzip)
    client.identify("4711", {"firstName": "Zoë", "email": "Zoe@Example.com", "tier": "gold", "since": AT})
    order = {"order_id": "A-7", "products": [{"name": "Chablis", "category": "wine", "price": 12.25, "quantity": 2}]}
    client.track("4711", "Order Completed", order, timestamp=AT)
    client.page("4711", "Docs", "Home", {"path": "/"})
    client.screen("4711", name="Start")
    client.group("4711", "g1", {"plan": "pro"})
    client.alias("anon-1", "4711")
    client.track(anonymous_id="anon-2", event="Signed Up")
    client.flush()
    assert set(served.answers) == {("/v1/batch", 200)}
    assert [(event.name, event.customer_id) for event in kept(sqlite)] == [
        ("customer.identified", "4711"),
        ("shop.purchased", "4711"),
        ("page.viewed", "4711"),
        ("screen.viewed", "4711"),
        ("group.joined", "4711"),
        ("customer.aliased", "4711"),
        ("shop.signed_up", None),
    ]
    assert kept(sqlite)[1].at == AT
    target = table(Purchase)
    with sqlite.read() as conn:
        zoe = customers.get(conn, "4711")
        line = conn.execute(select(target)).one()
    assert zoe is not None
    assert (zoe.first_name, zoe.email) == ("Zoë", "Zoe@example.com")
    assert zoe.attributes == {"tier": "gold", "since": AT.isoformat()}
    assert (line.id, line.product, line.total, line.at) == ("A-7:1", "Chablis", 2450, AT)


def test_a_thousand_events_come_in_batches_and_none_twice(make: Make, served: Served, sqlite: Database) -> None:
    client = make(gzip=True, upload_size=100)
    for number in range(1000):
        client.track(f"c{number}", "Product Viewed", {"number": number})
    client.flush()
    assert sorted(event.payload["number"] for event in kept(sqlite)) == list(range(1000))
    assert 10 <= len(served.answers) < 100
    assert {status for _, status in served.answers} == {200}


@pytest.mark.slow
def test_R4_what_we_could_not_keep_is_sent_again_and_kept_once(
    make: Make, served: Served, sqlite: Database, tmp_path: Path
) -> None:
    """The database is away: 503, and both clients try again by themselves until it is back."""
    file = sqlite3.connect(tmp_path / "var" / "parcours.db", isolation_level=None, timeout=60)
    file.execute("ALTER TABLE event RENAME TO event_away")
    client = make(gzip=True)
    for number in range(3):
        client.track("1", "Product Viewed", {"number": number}, message_id=f"m{number}")
    served.until(503)
    file.execute("ALTER TABLE event_away RENAME TO event")
    file.close()
    client.flush()
    assert [event.id for event in kept(sqlite)] == ["m0", "m1", "m2"]


def test_a_malformed_message_costs_the_clients_batch_nothing(make: Make, served: Served, sqlite: Database) -> None:
    """Both drop the whole of a batch that is refused, and read nothing of an answer of 200."""
    told: list[Any] = []

    def failed(error: Any, batch: list[Any]) -> None:
        told.append((error, batch))

    client = make(on_error=failed)
    client.track("1", "email.clicked", message_id="m0")
    client.track("1", "Tea Tasted", {"grams": float("nan")}, message_id="m1")
    client.track("1", "Tea Tasted", {"grams": 3.5}, message_id="m2")
    client.flush()
    assert (set(served.answers), told) == ({("/v1/batch", 200)}, [])
    assert [event.id for event in kept(sqlite)] == ["m2"]
    with sqlite.read() as conn:
        assert {each.message_id for each in rejected.listed(conn)} == {"m0", "m1"}


def test_a_wrong_key_is_told_to_the_client_at_once(make: Make, served: Served) -> None:
    told: list[Any] = []

    def failed(error: Any, batch: list[Any]) -> None:
        told.append((error, batch))

    client = make(write_key="wrong", on_error=failed)
    client.track("1", "Product Viewed")
    client.flush()
    assert [(error.status, error.code) for error, _ in told] == [(401, "bad_key")]
    assert served.answers == [("/v1/batch", 401)]
