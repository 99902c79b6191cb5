"""Letters' answer pages, and personal feeds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import feedparser  # pyright: ignore[reportMissingTypeStubs]
import httpx
import pytest

from engine.db import Database, insert_new
from engine.events import StoredEvent
from engine.feeds import personal as feeds
from engine.links import Links
from engine.tables import Customer, FeedItem, Letter

Events = Callable[[], list[StoredEvent]]
NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
READER: Any = feedparser  # it has no types


@pytest.fixture
def code(sqlite: Database, links: Links, sent: Callable[..., dict[str, Any]]) -> str:
    sent("1-1-0", "letter", code=links.code("1-1-0"), address="c1", reserved_at=NOW)
    row: dict[str, Any] = {
        "key": "1-1-0",
        "code": links.code("1-1-0"),
        "customer_id": "c1",
        "enrolment_id": 1,
        "run": "2026-05-04-1600",
        "status": "handed over",
        "template_hash": "0",
        "data": {},
        "lines": ["Zoë Martin"],
        "country": "FR",
        "postcode": "75011",
        "missing": "",
        "at": NOW,
    }
    person: dict[str, Any] = {
        "id": "c1",
        "first_name": "Zoë",
        "language": "fr",
        "attributes": {},
        "created_at": NOW,
        "updated_at": NOW,
    }
    with sqlite.write() as conn:
        insert_new(conn, Letter, [row])
        insert_new(conn, Customer, [person])
    return str(row["code"])


async def test_looking_at_the_page_is_no_answer_and_the_button_is_one(
    http: httpx.AsyncClient, code: str, events: Events
) -> None:
    shown = f"/l/{Links.show_code(code)}"
    page = await http.get(shown)
    assert page.status_code == 200
    assert "Envoyer ma réponse" in page.text
    assert "Zoë" not in page.text
    assert (await http.head(shown)).status_code == 200
    assert events() == []
    for _ in range(2):
        assert "bien arrivée" in (await http.post(shown, data={"code": code})).text
    assert [(event.name, event.message_key, event.customer_id) for event in events()] == [
        ("letter.answered", "1-1-0", "c1")
    ]
    assert "<form" not in (await http.get(shown)).text


async def test_a_code_typed_from_the_paper(http: httpx.AsyncClient, code: str, events: Events) -> None:
    assert 'name="code"' in (await http.get("/l")).text
    response = await http.post("/l", data={"code": f" {code[:5].lower()} – {code[5:].lower()} "})
    assert (response.status_code, response.headers["location"]) == (303, f"/l/{Links.show_code(code)}?via=code")
    for wrong in ("CDFHJ-23456", "short", "🍷", "x" * 100):
        response = await http.post("/l", data={"code": wrong})
        assert response.status_code == 404
        assert 'role="alert"' in response.text
    for wrong in ("CDFHJ-23456", "short"):
        assert (await http.get(f"/l/{wrong}")).json()["code"] == "letter_not_found"
        assert (await http.post(f"/l/{wrong}")).status_code == 404
    assert events() == []


async def test_K7_a_feed_by_its_secret_address(
    client: httpx.AsyncClient, http: httpx.AsyncClient, code: str, sqlite: Database
) -> None:
    del code
    assert (await client.get("/v1/customers/c1/feed")).status_code == 404
    url = (await client.post("/v1/customers/c1/feed")).json()["url"]
    assert (await client.post("/v1/customers/c1/feed")).json()["url"] == url
    assert (await client.get("/v1/customers/c1/feed")).json()["url"] == url
    item = {
        "key": "1-1-0",
        "guid": feeds.guid("1-1-0"),
        "customer_id": "c1",
        "title": "Your bottles",
        "html": "<p>New</p>",
        "link": "https://shop.example/",
        "at": NOW,
    }
    with sqlite.write() as conn:
        insert_new(conn, FeedItem, [item])
    page = await http.get(url)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("application/rss+xml")
    assert feeds.guid("1-1-0") in page.text
    assert (await http.head(url)).status_code == 200
    assert (await http.get(url.replace(".xml", ".atom"))).headers["content-type"].startswith("application/atom+xml")
    again = await http.get(url, headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    while "last-modified" not in page.headers:  # within the second of its last change it has none
        await asyncio.sleep(0.1)
        page = await http.get(url)
    since = await http.get(url, headers={"If-Modified-Since": page.headers["last-modified"]})
    assert since.status_code == 304
    assert (await http.get(url, headers={"If-Modified-Since": "nonsense"})).status_code == 200

    assert (await client.delete("/v1/customers/c1/feed")).status_code == 204
    gone = await http.get(url)
    assert (gone.status_code, gone.json()["code"]) == (410, "feed_revoked")
    assert (await client.get("/v1/customers/c1/feed")).status_code == 410
    new = (await client.post("/v1/customers/c1/feed")).json()["url"]
    assert new != url
    assert (await http.get(new)).status_code == 200


@pytest.mark.parametrize("path", ["/f/short.xml", f"/f/{'A' * 43}.xml", f"/f/{'A' * 43}.atom"])
async def test_a_feed_that_never_was(http: httpx.AsyncClient, path: str) -> None:
    response = await http.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "feed_not_found")


async def test_K7_a_click_in_her_reader_is_an_answer_of_its_item_alone(
    client: httpx.AsyncClient,
    http: httpx.AsyncClient,
    links: Links,
    sqlite: Database,
    sent: Callable[..., Any],
    events: Events,
) -> None:
    """By the link as her reader has it, which names neither her nor where it leads."""
    person: dict[str, Any] = {"id": "c1", "attributes": {}, "created_at": NOW, "updated_at": NOW}
    with sqlite.write() as conn:
        insert_new(conn, Customer, [person])
    for key in ("1-1-0", "2-1-0"):
        sent(key, channel="feed")
        item = {"key": key, "guid": feeds.guid(key), "customer_id": "c1", "title": f"Item {key}", "html": "<p>New</p>"}
        with sqlite.write() as conn:
            insert_new(conn, FeedItem, [{**item, "link": links.click(key, 0), "at": NOW}])
    page = READER.parse((await http.get((await client.post("/v1/customers/c1/feed")).json()["url"])).content)
    (link,) = (entry.link for entry in page.entries if entry.title == "Item 2-1-0")
    assert "shop.example" not in link
    answer = await http.get(link)
    assert (answer.status_code, answer.headers["location"]) == (302, "https://shop.example/?a=1&b=2")
    assert [(event.name, event.message_key, event.customer_id) for event in events()] == [
        ("feed.clicked", "2-1-0", "c1")
    ]
