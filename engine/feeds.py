"""Personal feeds: the secret address of each customer's own, its life and end, and the document as RSS or Atom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from feedgen.feed import FeedGenerator  # pyright: ignore[reportMissingTypeStubs]
from sqlalchemy import Connection, func, select, update

from engine.context import Brand
from engine.db import insert_new, table
from engine.errors import Gone, NotFound
from engine.links import Links
from engine.tables import Feed, FeedItem

__all__ = ["FeedPage", "document", "ensure", "generations", "guid", "revoke", "rotate", "token_for"]

_ITEMS = 50
# What XML 1.0 has no place for (https://www.w3.org/TR/xml/#charsets): lxml refuses such a text as a whole.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class FeedPage:
    """A feed as it is answered: the body, its strong ETag (quoted) and when its newest item came."""

    body: bytes
    etag: str
    last_modified: datetime
    media_type: str

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer: for one reader alone, in no index, asked for again after a quarter of an hour."""
        return {
            "ETag": self.etag,
            "Last-Modified": format_datetime(self.last_modified, usegmt=True),
            "Cache-Control": "private, max-age=900",
            "X-Robots-Tag": "noindex, nofollow",
            "Referrer-Policy": "no-referrer",
        }

    def unchanged(self, if_none_match: str | None, if_modified_since: datetime | None = None) -> bool:
        """Whether a reader who has these has this page (RFC 9110, 13.1): answer 304."""
        if if_none_match is not None:
            tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
            return self.etag in tags or "*" in tags
        return if_modified_since is not None and self.last_modified <= if_modified_since


def guid(key: str) -> str:
    """The item's name for ever (behaviour K7): `urn:uuid:` of the message's key."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'parcours:{key}')}"


def ensure(conn: Connection, links: Links, customer_ids: Iterable[str], now: datetime) -> None:
    """Open a feed for each customer who never had one. One that was revoked stays so."""
    wanted = sorted(set(customer_ids))
    feeds = table(Feed)
    known: set[str] = set()
    for at in range(0, len(wanted), 500):
        piece = wanted[at : at + 500]
        known.update(conn.scalars(select(feeds.c.customer_id).where(feeds.c.customer_id.in_(piece))))
    insert_new(conn, Feed, [_row(links, each, 0, now) for each in wanted if each not in known])


def generations(conn: Connection, customer_ids: Sequence[str]) -> dict[str, int]:
    """Which generation of her feed's address is the newest: what rendering needs (`facts["feed_generation"]`), 0 mostly."""
    feeds = table(Feed)
    counted = select(feeds.c.customer_id, func.count()).where(feeds.c.customer_id.in_(customer_ids))
    return {customer: count - 1 for customer, count in conn.execute(counted.group_by(feeds.c.customer_id))}


def token_for(conn: Connection, links: Links, customer_id: str, now: datetime) -> str:
    """The token of a customer's feed; it is opened if she has none."""
    ensure(conn, links, [customer_id], now)
    return links.feed_token(customer_id, generations(conn, [customer_id])[customer_id])


def revoke(conn: Connection, customer_id: str, now: datetime) -> None:
    """End a customer's feed: its address answers 410 from now on."""
    feeds = table(Feed)
    conn.execute(
        update(feeds).where(feeds.c.customer_id == customer_id, feeds.c.revoked_at.is_(None)).values(revoked_at=now)
    )


def rotate(conn: Connection, links: Links, customer_id: str, now: datetime) -> str:
    """Revoke the address and give her a new one; returns its token."""
    ensure(conn, links, [customer_id], now)
    revoke(conn, customer_id, now)
    generation = generations(conn, [customer_id])[customer_id] + 1
    insert_new(conn, Feed, [_row(links, customer_id, generation, now)])
    return links.feed_token(customer_id, generation)


def document(
    conn: Connection, links: Links, token: str, brand: Brand, kind: Literal["rss", "atom"] = "rss"
) -> FeedPage:
    """The feed behind a token. Raises NotFound (404) for a token that never was, Gone (410) for a revoked one."""
    feeds, items = table(Feed), table(FeedItem)
    feed = conn.execute(select(feeds).where(feeds.c.token_hash == _hash(token))).one_or_none()
    if feed is None:
        raise NotFound("unknown_feed", "there is no such feed: was its address cut off?")
    if feed.revoked_at is not None:
        raise Gone("feed_revoked", "this feed's address was revoked: ask for a new one")
    rows = conn.execute(
        select(items)
        .where(items.c.customer_id == feed.customer_id, items.c.withdrawn_at.is_(None))
        .order_by(items.c.at.desc(), items.c.key)
        .limit(_ITEMS)
    ).all()
    newest: datetime = max((row.at for row in rows), default=feed.created_at).replace(microsecond=0)
    body = _written(rows, links.feed(token), brand, newest, kind)
    media = "application/rss+xml" if kind == "rss" else "application/atom+xml"
    return FeedPage(body, f'"{sha256(body).hexdigest()[:32]}"', newest.astimezone(UTC), f"{media}; charset=utf-8")


def _written(rows: Sequence[Any], address: str, brand: Brand, newest: datetime, kind: Literal["rss", "atom"]) -> bytes:
    feed: Any = FeedGenerator()
    feed.id(f"urn:uuid:{uuid5(NAMESPACE_URL, address)}")
    feed.title(_xml(brand.name) or "Feed")
    feed.description(_xml(f"{brand.name}, for you"))
    feed.link(href=address if kind == "rss" else address.removesuffix(".xml") + ".atom", rel="self")
    feed.link(href=brand.url or address, rel="alternate")  # RSS takes the last one for its <link>
    feed.generator("Parcours")
    feed.updated(newest)  # the default is now, and would change the ETag at each reading
    feed.lastBuildDate(newest)
    feed.author({"name": _xml(brand.name) or "Parcours"})
    for row in rows:
        entry: Any = feed.add_entry(order="append")
        entry.id(row.guid)
        entry.guid(row.guid, permalink=False)
        entry.title(_xml(row.title))
        entry.link(href=row.link)
        entry.published(row.at)
        entry.updated(row.at)
        if kind == "rss":
            entry.description(_xml(row.html))
        else:
            entry.content(_xml(row.html), type="html")
    made: bytes = feed.rss_str() if kind == "rss" else feed.atom_str()
    return made


def _xml(text: str) -> str:
    return _NOT_XML.sub("", text)


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _row(links: Links, customer_id: str, generation: int, now: datetime) -> dict[str, Any]:
    token = links.feed_token(customer_id, generation)
    return {"token_hash": _hash(token), "customer_id": customer_id, "created_at": now, "revoked_at": None}
