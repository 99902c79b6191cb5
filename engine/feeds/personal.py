"""Personal feeds: the secret address of each customer's own, its items, and their end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import Connection, func, select, update

from engine.db import chunked, insert_new, table
from engine.errors import Gone, NotFound
from engine.feeds.document import FeedHead, FeedPage, FeedRow, Kind, written
from engine.keys import hashed
from engine.links import Links
from engine.tables import Customer, Feed, FeedItem, Message, MessageEvent
from engine.templating.context import Brand
from engine.templating.words import LANGUAGES, words

__all__ = [
    "ITEMS",
    "document",
    "ensure",
    "generations",
    "guid",
    "has",
    "revoke",
    "revoked",
    "rotate",
    "token_for",
    "withdraw",
]

_CHUNK = 500
ITEMS = 1000
"""Most items in a feed; older ones are out of it."""


def guid(key: str) -> str:
    """The item's name for ever (behaviour K7): `urn:uuid:` of the message's key."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'parcours:{key}')}"


def ensure(conn: Connection, links: Links, customer_ids: Iterable[str], now: datetime) -> None:
    """Open a feed for each customer who never had one. One that was revoked stays so."""
    wanted = sorted(set(customer_ids))
    feeds = table(Feed)
    known: set[str] = set()
    for piece in chunked(wanted):
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


def revoked(conn: Connection, token: str) -> bool:
    """Whether a feed's address was taken back."""
    feeds = table(Feed)
    return conn.execute(select(feeds.c.revoked_at).where(feeds.c.token_hash == hashed(token))).scalar() is not None


def withdraw(conn: Connection, of: Sequence[str | int], now: datetime) -> list[str]:
    """Take items out of their feeds, by message keys (text) and enrolments (numbers); returns the keys of those that were there.

    Their guids never come again (behaviour K7).
    """
    items, message = table(FeedItem), table(Message)
    gone: list[str] = []
    for piece in chunked(of, _CHUNK):
        named = items.c.key.in_([each for each in piece if isinstance(each, str)])
        enrolments = [each for each in piece if not isinstance(each, str)]
        theirs = items.c.key.in_(
            select(message.c.key).where(message.c.enrolment_id.in_(enrolments), message.c.channel == "feed")
        )
        statement = (
            update(items)
            .where(named | theirs, items.c.withdrawn_at.is_(None))
            .values(withdrawn_at=now)
            .returning(items.c.key)
        )
        gone.extend(conn.execute(statement).scalars())
    insert_new(conn, MessageEvent, [{"key": key, "status": "withdrawn", "detail": None, "at": now} for key in gone])
    return gone


def has(conn: Connection, key: str) -> bool:
    """Whether there is or was an item of this message's key."""
    items = table(FeedItem)
    return conn.execute(select(items.c.key).where(items.c.key == key)).first() is not None


def document(
    conn: Connection, links: Links, token: str, brand: Brand, kind: Kind = "rss", language: str = "en"
) -> FeedPage:
    """The feed behind a token; `language`: where she has none.

    Raises NotFound (404) for a token that never was, Gone (410) for a revoked one.
    """
    feeds, items = table(Feed), table(FeedItem)
    feed = conn.execute(select(feeds).where(feeds.c.token_hash == hashed(token))).one_or_none()
    if feed is None:
        raise NotFound("feed_not_found", "there is no such feed: was its address cut off?")
    if feed.revoked_at is not None:
        raise Gone("feed_revoked", "this feed's address was revoked: ask for a new one")
    hers = items.c.customer_id == feed.customer_id
    rows = conn.execute(
        select(items.c.guid, items.c.title, items.c.html, items.c.link, items.c.at)
        .where(hers, items.c.withdrawn_at.is_(None))
        .order_by(items.c.at.desc(), items.c.key)
        .limit(ITEMS)
    ).all()
    # What went changes a feed as much as what came: a reader who goes by the date must learn of it.
    went: datetime | None = conn.execute(select(func.max(items.c.withdrawn_at)).where(hers)).scalar()
    newest: datetime | None = rows[0].at if rows else None
    changed = max(moment for moment in (feed.created_at, newest, went) if moment is not None)
    address = links.feed(token)
    customers = table(Customer)
    spoken = conn.execute(select(customers.c.language).where(customers.c.id == feed.customer_id)).scalar()
    description = words(str(spoken) if spoken in LANGUAGES else language).feed.format(brand=brand.name)
    head = FeedHead(brand.name or "Feed", description, brand.name or "Parcours", address, brand.url or address)
    return written(head, [FeedRow(*row) for row in rows], changed, kind)


def _row(links: Links, customer_id: str, generation: int, now: datetime) -> dict[str, Any]:
    token = links.feed_token(customer_id, generation)
    return {"token_hash": hashed(token), "customer_id": customer_id, "created_at": now, "revoked_at": None}
