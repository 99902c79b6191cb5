"""A thousand-item feed, rebuilt: read from SQLite and written; and the writing alone, against feedgen's of the same items.

In milliseconds of processor time; the ratio says how many times as long feedgen takes to write.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from feedgen.feed import FeedGenerator  # pyright: ignore[reportMissingTypeStubs]

from engine.db import Database, insert_new
from engine.feeds import personal as feeds
from engine.feeds.document import FeedHead, FeedRow, Kind, written
from engine.links import Links
from engine.tables import FeedItem
from engine.templating.context import Brand

__all__ = ["measure"]

ITEMS = 1_000
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
LINKS = Links("https://journeys.example", b"a key")
KINDS: tuple[Kind, ...] = ("rss", "atom")


def rows(count: int) -> list[dict[str, Any]]:
    """Items of some hundred words of HTML."""
    words = "<p>" + " ".join(["Something new & good"] * 20) + "</p>"
    return [
        {
            "key": f"{number}-1-0", "guid": feeds.guid(f"{number}-1-0"), "customer_id": "c1", "title": f"Für dich, {number}",
            "html": words, "link": LINKS.click(f"{number}-1-0", 0), "at": NOW + timedelta(minutes=number), "withdrawn_at": None,
        }
        for number in range(count)
    ]  # fmt: skip


def ours(database: Database, token: str, kind: Kind) -> float:
    """Milliseconds of one document, from the database."""
    begun = time.process_time()
    with database.read() as conn:
        feeds.document(conn, LINKS, token, Brand("Shop", "", "https://shop.example"), kind)
    return 1000 * (time.process_time() - begun)


def writing(items: list[dict[str, Any]], kind: Kind) -> float:
    """Milliseconds of writing alone."""
    head = FeedHead("Shop", "Shop, for you", "Shop", "https://journeys.example/f/x.xml", "https://shop.example")
    begun = time.process_time()
    shown = [FeedRow(item["guid"], item["title"], item["html"], item["link"], item["at"]) for item in items]
    written(head, shown, NOW, kind)
    return 1000 * (time.process_time() - begun)


def feedgen(items: list[dict[str, Any]], kind: Kind) -> float:
    """Milliseconds of feedgen."""
    begun = time.process_time()
    feed: Any = FeedGenerator()
    feed.id("urn:x")
    feed.title("Shop")
    feed.description("Shop, for you")
    feed.link(href="https://shop.example", rel="alternate")
    feed.updated(NOW)
    for item in items:
        entry: Any = feed.add_entry(order="append")
        entry.id(item["guid"])
        entry.guid(item["guid"], permalink=False)
        entry.title(item["title"])
        entry.link(href=item["link"])
        entry.published(item["at"])
        entry.updated(item["at"])
        if kind == "rss":
            entry.description(item["html"])
        else:
            entry.content(item["html"], type="html")
    feed.rss_str() if kind == "rss" else feed.atom_str()
    return 1000 * (time.process_time() - begun)


def measure(rounds: int) -> Mapping[str, Any]:
    """Alternate the three; the best of many short rounds, for what makes one longer is the neighbours' work."""
    items = rows(ITEMS)
    found: dict[str, Any] = {"items": ITEMS}
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'feeds.db'}")
        database.migrate()
        with database.write() as conn:
            token = feeds.token_for(conn, LINKS, "c1", NOW)
            insert_new(conn, FeedItem, items)
        for kind in KINDS:
            times = [
                (ours(database, token, kind), writing(items, kind), feedgen(items, kind)) for _ in range(5 * rounds)
            ]
            whole, mine, theirs = (min(each) for each in zip(*times, strict=True))
            found[f"{kind}_ms"] = round(whole, 1)
            found[f"{kind}_writing_ms"] = round(mine, 1)
            found[f"{kind}_feedgen_ms"] = round(theirs, 1)
            found[f"{kind}_ratio"] = round(theirs / mine, 2)
        database.close()
    return found
