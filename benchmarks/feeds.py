"""A thousand-item feed, rebuilt: read from SQLite and written; and the writing alone, against feedgen.

`python -m benchmarks.feeds` prints milliseconds of processor time (wanted: the whole under 50), and how many times as long
feedgen takes to write the same items; alternating in one run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
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


def main() -> None:
    """Print the best of the rounds, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    items = rows(given.items)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'feeds.db'}")
        database.migrate()
        with database.write() as conn:
            token = feeds.token_for(conn, LINKS, "c1", NOW)
            insert_new(conn, FeedItem, items)
        for kind in KINDS:
            rounds = [
                (ours(database, token, kind), writing(items, kind), feedgen(items, kind)) for _ in range(given.rounds)
            ]
            whole, mine, theirs = (min(each) for each in zip(*rounds, strict=True))  # the rest is the neighbours' noise
            print(f"{kind}: {given.items} items in {whole:.1f} ms (wanted: under 50);", end=" ")
            print(f"writing alone {mine:.1f} ms, feedgen {theirs:.1f} ms: {theirs / mine:.1f}×")
        database.close()


if __name__ == "__main__":
    main()
