"""Personal feeds, read back by a feed reader."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import feedparser  # pyright: ignore[reportMissingTypeStubs]
import pytest
from kit.naughty import NAUGHTY
from sqlalchemy import select

from engine.db import Database, insert_new, table
from engine.errors import Gone, NotFound
from engine.feeds import personal as feeds
from engine.links import Links
from engine.tables import Feed, FeedItem
from engine.templating.context import Brand

LINKS = Links("https://journeys.example", b"a key")
BRAND = Brand("Marchand & Filles", "12 rue des Halles, Lyon", "https://shop.example")
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
etree: Any = import_module("lxml.etree")
READER: Any = feedparser  # it has no types


def item(key: str, minutes: int, title: str = "Hello", customer: str = "c1") -> dict[str, Any]:
    return {
        "key": key, "guid": feeds.guid(key), "customer_id": customer, "title": title, "html": f"<p>{key} \x0b &amp;</p>",
        "link": LINKS.click(key, 0), "at": NOW + timedelta(minutes=minutes), "withdrawn_at": None,
    }  # fmt: skip


def test_K7_a_readers_view_is_newest_first_with_guids_that_stay(db: Database) -> None:
    with db.write() as conn:
        token = feeds.token_for(conn, LINKS, "c1", NOW)
        insert_new(
            conn,
            FeedItem,
            [item("1-1-0", 1, "A <b> & \x01\ufffe 🦊"), item("2-1-0", 2), item("3-1-0", 3, customer="c2")],
        )
    with db.read() as conn:
        rss, atom = (feeds.document(conn, LINKS, token, BRAND, kind) for kind in ("rss", "atom"))
    for page in (rss, atom):
        read = READER.parse(page.body)
        assert not read.bozo
        assert read.feed.title == "Marchand & Filles"
        assert read.feed.link == "https://shop.example"
        assert [entry.id for entry in read.entries] == [feeds.guid("2-1-0"), feeds.guid("1-1-0")]
        assert read.entries[1].title == "A <b> & 🦊" or "🦊" in read.entries[1].title
        assert read.entries[0].link == LINKS.click("2-1-0", 0)
        assert read.entries[0].published_parsed[:5] == (2026, 3, 1, 9, 2)
        assert "2-1-0" in str(read.entries[0])
        assert "c1" not in page.body.decode()
    assert rss.last_modified == NOW + timedelta(minutes=2)
    assert rss.headers(NOW)["X-Robots-Tag"].startswith("noindex")
    assert "private" in rss.headers(NOW)["Cache-Control"]


def test_an_unchanged_feed_has_the_same_etag_and_a_withdrawn_item_goes(db: Database) -> None:
    with db.write() as conn:
        token = feeds.token_for(conn, LINKS, "c1", NOW)
        insert_new(conn, FeedItem, [item("1-1-0", 1), item("2-1-0", 2)])
    with db.read() as conn:
        first, again = (feeds.document(conn, LINKS, token, BRAND) for _ in range(2))
    assert first.etag == again.etag
    assert first.unchanged(f'"other", W/{first.etag}')
    assert not first.unchanged('"other"', first.last_modified)
    assert first.unchanged(None, first.last_modified)
    assert not first.unchanged(None, first.last_modified - timedelta(seconds=1))
    second = timedelta(seconds=1)  # within which another item may come: then its date would say that the reader has it
    assert "Last-Modified" not in first.headers(first.last_modified + second - timedelta(milliseconds=1))
    assert first.headers(first.last_modified + second)["Last-Modified"] == "Sun, 01 Mar 2026 09:02:00 GMT"
    with db.write() as conn:
        later = NOW + timedelta(hours=1)
        assert feeds.withdraw(conn, ["2-1-0", "9-9-9"], later) == ["2-1-0"]
        assert feeds.withdraw(conn, ["2-1-0"], later) == []
        changed = feeds.document(conn, LINKS, token, BRAND)
    assert changed.etag != first.etag
    assert not changed.unchanged(None, first.last_modified)  # who goes by the date learns of it too
    assert [entry.id for entry in READER.parse(changed.body).entries] == [feeds.guid("1-1-0")]


def test_K7_a_revoked_address_is_gone_and_a_new_one_has_the_items(db: Database) -> None:
    with db.write() as conn:
        old = feeds.token_for(conn, LINKS, "c1", NOW)
        insert_new(conn, FeedItem, [item("1-1-0", 1)])
        new = feeds.rotate(conn, LINKS, "c1", NOW)
        assert new == feeds.token_for(conn, LINKS, "c1", NOW) == LINKS.feed_token("c1", 1) != old
        assert feeds.token_for(conn, LINKS, "c1", NOW) == new
        with pytest.raises(Gone):
            feeds.document(conn, LINKS, old, BRAND)
        assert len(READER.parse(feeds.document(conn, LINKS, new, BRAND).body).entries) == 1
        feeds.revoke(conn, "c1", NOW)
        feeds.ensure(conn, LINKS, ["c1"], NOW)  # a later message opens no revoked feed again
        with pytest.raises(Gone):
            feeds.document(conn, LINKS, new, BRAND)


def test_the_token_itself_is_not_kept_and_a_guess_is_not_found(db: Database) -> None:
    with db.write() as conn:
        feeds.ensure(conn, LINKS, ["c1", "c2", "c1"], NOW)
        feeds.ensure(conn, LINKS, ["c2", "c3"], NOW)
        kept = conn.execute(select(table(Feed))).all()
        assert sorted(row.customer_id for row in kept) == ["c1", "c2", "c3"]
        assert not {LINKS.feed_token(row.customer_id) for row in kept} & {row.token_hash for row in kept}
        with pytest.raises(NotFound):
            feeds.document(conn, LINKS, "x" * 43, BRAND)


def test_an_empty_feed_is_a_feed(sqlite: Database) -> None:
    with sqlite.write() as conn:
        page = feeds.document(conn, LINKS, feeds.token_for(conn, LINKS, "c1", NOW), Brand())
    assert not READER.parse(page.body).bozo
    assert page.last_modified == NOW


def test_a_text_is_whole_or_left_out_as_xml_can_have_it(sqlite: Database) -> None:
    with sqlite.write() as conn:
        token = feeds.token_for(conn, LINKS, "c1", NOW)
        naughty = [text.encode("utf-8", "ignore").decode() for text in NAUGHTY]
        insert_new(conn, FeedItem, [item(f"{at}-1-0", at, text) | {"html": text} for at, text in enumerate(naughty)])
    with sqlite.read() as conn:
        for kind in ("rss", "atom"):
            page = feeds.document(conn, LINKS, token, Brand("A & <b>", "", 'https://shop.example/?a=1&b="2"'), kind)
            root: Any = etree.fromstring(page.body)  # strict: it must be well-formed
            titles = [each.text or "" for each in root.iter("{*}title")][1:]
            shown = [
                "".join(c for c in text if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff")) for text in naughty
            ]
            assert titles == list(reversed(shown))


async def test_a_thousand_items_are_a_feed_and_a_thousand_and_first_is_not(sqlite: Database) -> None:
    with sqlite.write() as conn:
        token = feeds.token_for(conn, LINKS, "c1", NOW)
        insert_new(conn, FeedItem, [item(f"{at}-1-0", at) for at in range(1001)])
    with sqlite.read() as conn:
        read = READER.parse(feeds.document(conn, LINKS, token, BRAND).body)
    assert len(read.entries) == 1000
    assert read.entries[-1].id == feeds.guid("1-1-0")
