"""Feeds of segments by the API, as a reader sees them; items that are taken back; and the command."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import feedparser  # pyright: ignore[reportMissingTypeStubs]
import httpx
import pytest
from kit.naughty import NAUGHTY
from typer.testing import CliRunner

from api.command import app as command
from dsl import Customer, text
from engine.db import Database, insert_new
from engine.feeds import personal as feeds
from engine.links import Links
from engine.settings import Settings
from engine.tables import Customer as Person
from engine.tables import FeedItem

READER: Any = feedparser
NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


class Member(Customer):
    tier = text()


GOLD = (Member.tier == "gold").to_json()
ITEM = {"title": "Harvest", "link": "https://shop.example/harvest", "html": "<p>It begins.</p>"}


async def test_K7_a_segments_feed_is_one_address_for_all_with_items_that_come_change_and_go(
    client: httpx.AsyncClient, http: httpx.AsyncClient
) -> None:
    made = (await client.put("/v1/feeds/wine", json={"title": "Wine & more", "segment": GOLD})).json()
    assert made["segment"] == "tier = gold" or "gold" in made["segment"]
    assert (await client.put("/v1/feeds/wine", json={"title": "Wine & more", "segment": GOLD})).json()["url"] == made[
        "url"
    ]
    first = (await client.put("/v1/feeds/wine/items/1", json=ITEM)).json()
    await client.put("/v1/feeds/wine/items/2", json=ITEM | {"title": "Tasting"})
    page = await http.get(made["url"])
    read = READER.parse(page.content)
    assert (read.feed.title, not read.bozo) == ("Wine & more", True)
    assert [entry.id for entry in read.entries if entry.title == "Harvest"] == [first["guid"]]
    for kind in ("xml", "atom"):
        one = await http.get(made["url"].replace(".xml", f".{kind}"))
        again = await http.get(str(one.url), headers={"If-None-Match": one.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        while "last-modified" not in one.headers:  # within the second of its last change it has none
            await asyncio.sleep(0.1)
            one = await http.get(str(one.url))
        since = {"If-Modified-Since": one.headers["last-modified"]}
        assert (await http.get(str(one.url), headers=since)).status_code == 304

    changed = (await client.put("/v1/feeds/wine/items/1", json=ITEM | {"title": "Late harvest"})).json()
    assert (changed["guid"], changed["at"]) == (first["guid"], first["at"])
    after = await http.get(made["url"], headers={"If-None-Match": page.headers["etag"]})
    assert after.status_code == 200
    assert "Late harvest" in after.text

    for _ in range(2):
        assert (await client.delete("/v1/feeds/wine/items/1")).status_code == 204
    gone = await http.get(made["url"])
    assert [entry.title for entry in READER.parse(gone.content).entries] == ["Tasting"]
    refused = await client.put("/v1/feeds/wine/items/1", json=ITEM)
    assert (refused.status_code, refused.json()["code"]) == (410, "item_withdrawn")
    assert len((await client.get("/v1/feeds/wine/items")).json()) == 2


async def test_K7_an_address_that_was_changed_or_revoked_is_gone(
    client: httpx.AsyncClient, http: httpx.AsyncClient
) -> None:
    old = (await client.put("/v1/feeds/wine", json={"title": "Wine"})).json()["url"]
    new = (await client.post("/v1/feeds/wine/rotate")).json()["url"]
    assert new != old
    assert (await http.get(old)).status_code == 410
    assert (await http.get(new)).status_code == 200
    assert (await client.delete("/v1/feeds/wine")).status_code == 204
    assert (await http.get(new)).status_code == 410
    assert (await client.get("/v1/feeds")).json()[0]["url"] is None
    assert (await client.put("/v1/feeds/wine", json={"title": "Wine"})).status_code == 409
    assert (await http.get((await client.post("/v1/feeds/wine/rotate")).json()["url"])).status_code == 200


async def test_the_feeds_that_may_be_shown_to_a_customer_are_those_of_her_segments(
    client: httpx.AsyncClient, sqlite: Database
) -> None:
    people = [("ann", "gold"), ("ben", "tin")]
    rows: list[dict[str, Any]] = [
        {"id": name, "attributes": {"tier": tier}, "created_at": NOW, "updated_at": NOW} for name, tier in people
    ]
    with sqlite.write() as conn:
        insert_new(conn, Person, rows)
    await client.put("/v1/feeds/gold", json={"title": "Gold", "segment": GOLD})
    await client.put("/v1/feeds/all", json={"title": "All"})
    shown = {
        name: [feed["name"] for feed in (await client.get(f"/v1/customers/{name}/segment-feeds")).json()]
        for name in ("ann", "ben")
    }
    assert shown == {"ann": ["all", "gold"], "ben": ["all"]}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/feeds/Wine", {"title": "Wine"}, "name"),
        ("/v1/feeds/email", {"title": "Wine"}, "name"),
        ("/v1/feeds/wine", {"title": " "}, "title"),
        ("/v1/feeds/wine", {"title": "Wine", "segment": {"nonsense": 1}}, "segment"),
        ("/v1/feed-sources/blog", {"url": "file:///etc/passwd"}, "url"),
        ("/v1/feed-sources/blog", {"url": "https://x.example/", "minutes": 1}, "minutes"),
        ("/v1/feed-sources/shop", {"url": "https://x.example/"}, "name"),
    ],
)
async def test_what_cant_be_a_feed_says_why(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], field: str
) -> None:
    response = await client.put(path, json=body)
    assert response.status_code == 422
    assert response.json()["message"].startswith(f"{field}: ")


async def test_no_text_breaks_a_feed(client: httpx.AsyncClient, http: httpx.AsyncClient) -> None:
    url = (await client.put("/v1/feeds/wine", json={"title": "Wine"})).json()["url"]
    posted = 0
    for number, naughty in enumerate(NAUGHTY):
        clean = naughty.encode("utf-8", "replace").decode()
        response = await client.put(f"/v1/feeds/wine/items/{number}", json=ITEM | {"title": clean, "html": clean})
        assert response.status_code in {200, 400, 422}
        posted += response.status_code == 200
    for address in (url, url.replace(".xml", ".atom")):
        read = READER.parse((await http.get(address)).content)
        assert not read.bozo
        assert len(read.entries) == posted > 100


async def test_K7_a_personal_item_is_taken_back(
    client: httpx.AsyncClient, http: httpx.AsyncClient, sqlite: Database
) -> None:
    item: dict[str, Any] = {
        "key": "1-1-0", "guid": feeds.guid("1-1-0"), "customer_id": "c1", "title": "A", "html": "",
        "link": "https://x.example/", "at": NOW, "withdrawn_at": None,
    }  # fmt: skip
    rows: list[dict[str, Any]] = [{"id": "c1", "attributes": {}, "created_at": NOW, "updated_at": NOW}]
    with sqlite.write() as conn:
        insert_new(conn, Person, rows)
        insert_new(conn, FeedItem, [item])
    url = (await client.post("/v1/customers/c1/feed")).json()["url"]
    page = await http.get(url)
    assert feeds.guid("1-1-0") in page.text
    for _ in range(2):
        assert (await client.delete("/v1/feed-items/1-1-0")).status_code == 204
    assert (await client.delete("/v1/feed-items/9-9-9")).status_code == 404
    after = await http.get(url, headers={"If-None-Match": page.headers["etag"]})
    assert after.status_code == 200
    assert feeds.guid("1-1-0") not in after.text


async def test_a_key_that_only_reads_changes_no_feed(app: Any, sqlite: Database) -> None:
    from engine import keys  # noqa: PLC0415

    key = keys.create(sqlite, "reader", ["read"])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", auth=(key, "")) as reader:
        assert (await reader.put("/v1/feeds/wine", json={"title": "Wine"})).status_code == 403
        assert (await reader.put("/v1/feed-sources/blog", json={"url": "https://x.example/"})).status_code == 403
        assert (await reader.get("/v1/feeds")).status_code == 200


def test_the_command_makes_posts_and_revokes(
    settings: Settings, sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del sqlite
    monkeypatch.setenv("PARCOURS_DATA", str(settings.data))
    (tmp_path / "clubs.py").write_text(
        "from dsl import Customer, text\n\nclass Member(Customer):\n    tier = text()\n\ngold = Member.tier == 'gold'\n"
    )
    run = CliRunner()
    segment = f"{tmp_path / 'clubs.py'}:gold"
    made = run.invoke(command, ["feed", "create", "wine", "--title", "Wine", "--segment", segment])
    assert made.exit_code == 0, made.output
    links = Links(settings.public_url, settings.signing_key())
    assert made.stdout.strip() == links.feed(links.segment_token("wine"))
    posted = run.invoke(command, ["feed", "post", "wine", "--id", "1", "--title", "A", "--link", "https://x.example/"])
    assert "1 is in wine as urn:uuid:" in posted.stdout
    assert "1 is out of wine" in run.invoke(command, ["feed", "withdraw", "wine", "1"]).stdout
    read = run.invoke(command, ["feed", "read", "blog", "https://x.example/feed", "--segment", segment])
    assert "blog is read every 60 minutes" in read.stdout
    listed = run.invoke(command, ["feed", "list"]).stdout
    assert "blog.posted: https://x.example/feed" in listed
    assert "wine: Wine, " in listed
    assert run.invoke(command, ["feed", "rotate", "wine"]).stdout.strip() == links.feed(links.segment_token("wine", 1))
    assert "wine is revoked" in run.invoke(command, ["feed", "revoke", "wine"]).stdout
    assert "not read any more" in run.invoke(command, ["feed", "forget", "blog"]).stdout
    wrong = run.invoke(
        command, ["feed", "create", "wine", "--title", "Wine", "--segment", f"{tmp_path / 'clubs.py'}:god"]
    )
    assert "has no condition 'god'; conditions there: gold" in str(wrong.exception)
