"""Segment feeds: an operator's own, one secret address for all who may read it; its items are posted by the API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import Connection, func, select, update

from dsl.ir import CHANNELS
from dsl.predicate import Predicate, predicate_from_json
from engine import facts
from engine.db import insert_new, table
from engine.depth import check_depth
from engine.errors import Conflict, Gone, Invalid, NotFound
from engine.feeds.document import FeedHead, FeedPage, FeedRow, Kind, written
from engine.feeds.personal import ITEMS
from engine.keys import hashed
from engine.links import Links
from engine.tables import SegmentFeed, SegmentItem, SegmentToken
from engine.templating.context import Brand, clean

__all__ = [
    "Item", "check_name", "check_segment", "create", "document", "every", "for_customer", "get", "items", "post", "predicate_of", "revoke",
    "rotate", "withdraw",
]  # fmt: skip

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TAKEN = {*CHANNELS, "consent", "customer", "shop"}
_TITLE, _HTML = 500, 200_000


@dataclass(frozen=True, slots=True)
class Item:
    """What is posted. `id` is the poster's own: the same again changes the item, its guid stays."""

    id: str
    title: str
    link: str
    html: str = ""


def check_name(name: str) -> str:
    """A feed's or a source's name. Raises Invalid."""
    if _NAME.fullmatch(name) is None or name in _TAKEN:
        taken = ", ".join(sorted(_TAKEN))
        raise Invalid("name", name, f"small letters, digits and _, a letter first; none of {taken}")
    return name


def predicate_of(segment: Mapping[str, Any] | None) -> Predicate | None:
    """The predicate of a segment as JSON. Raises Invalid."""
    if segment is None:
        return None
    check_depth("segment", segment)
    try:
        return predicate_from_json(segment)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Invalid("segment", dict(segment), f"this is no predicate: {error}") from None


def check_segment(conn: Connection, segment: Mapping[str, Any] | None, now: datetime) -> None:
    """Raises Invalid for a segment that can't be asked of customers (it speaks of an event's payload)."""
    predicate = predicate_of(segment)
    if predicate is not None:
        try:
            facts.decide(conn, [predicate], ["nobody"], now)
        except (ValueError, TypeError) as error:
            raise Invalid("segment", predicate.sentence(), str(error)) from None


def create(
    conn: Connection,
    links: Links,
    name: str,
    title: str,
    now: datetime,
    *,
    description: str = "",
    segment: Mapping[str, Any] | None = None,
) -> str:
    """Make a feed, or change its title, description and segment; returns its token. Raises Invalid."""
    check_name(name)
    if not clean(title):
        raise Invalid("title", title, "a feed has a title")
    check_segment(conn, segment, now)
    target = table(SegmentFeed)
    fields = {
        "title": clean(title)[:_TITLE],
        "description": clean(description)[:_TITLE],
        "segment": dict(segment) if segment is not None else None,
    }
    insert_new(conn, SegmentFeed, [{"name": name, **fields, "generation": 0, "created_at": now, "revoked_at": None}])
    conn.execute(update(target).where(target.c.name == name).values(**fields))
    feed = get(conn, name)
    if feed.revoked_at is not None:
        raise Conflict("feed_revoked", f"the feed {name!r} was revoked; rotate it to give it a new address")
    insert_new(conn, SegmentToken, [_row(links, name, feed.generation, now)])
    return links.segment_token(name, feed.generation)


def get(conn: Connection, name: str) -> SegmentFeed:
    """A feed by its name. Raises NotFound."""
    target = table(SegmentFeed)
    row = conn.execute(select(target).where(target.c.name == name)).mappings().first()
    if row is None:
        raise NotFound("feed_not_found", f"there is no feed {name!r}; make it with PUT /v1/feeds/{name}")
    return SegmentFeed(**row)


def every(conn: Connection) -> list[SegmentFeed]:
    """All feeds, by name."""
    target = table(SegmentFeed)
    return [SegmentFeed(**row) for row in conn.execute(select(target).order_by(target.c.name)).mappings()]


def for_customer(conn: Connection, customer_id: str, now: datetime) -> list[SegmentFeed]:
    """The live feeds whose segment a customer is in."""
    found: list[SegmentFeed] = []
    for feed in every(conn):
        predicate = predicate_of(feed.segment)
        if feed.revoked_at is None:
            if predicate is not None:
                decision = facts.decide(conn, [predicate], [customer_id], now).get(customer_id)
                if decision is None or not decision.results[0]:
                    continue
            found.append(feed)
    return found


def revoke(conn: Connection, name: str, now: datetime) -> None:
    """Its address answers 410 from now on. Again is no harm. Raises NotFound."""
    get(conn, name)
    target, tokens = table(SegmentFeed), table(SegmentToken)
    conn.execute(update(target).where(target.c.name == name, target.c.revoked_at.is_(None)).values(revoked_at=now))
    conn.execute(update(tokens).where(tokens.c.feed == name, tokens.c.revoked_at.is_(None)).values(revoked_at=now))


def rotate(conn: Connection, links: Links, name: str, now: datetime) -> str:
    """Revoke the address and give the feed a new one; returns its token. Raises NotFound."""
    revoke(conn, name, now)
    generation = get(conn, name).generation + 1
    target = table(SegmentFeed)
    conn.execute(update(target).where(target.c.name == name).values(generation=generation, revoked_at=None))
    insert_new(conn, SegmentToken, [_row(links, name, generation, now)])
    return links.segment_token(name, generation)


def post(conn: Connection, links: Links, name: str, item: Item, now: datetime) -> SegmentItem:
    """Post an item, or change it. Raises NotFound, Invalid, Gone (it was withdrawn: a new item has a new id)."""
    get(conn, name)
    if not 0 < len(item.id) <= 200 or not clean(item.title):
        raise Invalid("id", item.id, "an item has an id (up to 200 characters) and a title")
    parts = urlsplit(item.link)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Invalid("link", item.link, "it must be an http:// or https:// address")
    if len(item.html) > _HTML:
        raise Invalid("html", f"{len(item.html)} characters", f"at most {_HTML}")
    target = table(SegmentItem)
    fields = {"title": clean(item.title)[:_TITLE], "html": item.html, "link": item.link, "updated_at": now}
    made = f"urn:uuid:{uuid5(NAMESPACE_URL, f'{links.public_url}/feeds/{name}/{item.id}')}"
    insert_new(
        conn, SegmentItem, [{"feed": name, "id": item.id, "guid": made, **fields, "at": now, "withdrawn_at": None}]
    )
    this = target.c.feed == name, target.c.id == item.id
    row = SegmentItem(**conn.execute(select(target).where(*this).with_for_update()).mappings().one())
    if row.withdrawn_at is not None:
        raise Gone("item_withdrawn", f"item {item.id!r} of the feed {name!r} was withdrawn; a new item takes a new id")
    changed = (row.title, row.html, row.link) != (fields["title"], fields["html"], fields["link"])
    if changed:
        conn.execute(update(target).where(*this).values(**fields))
    return SegmentItem(**conn.execute(select(target).where(*this)).mappings().one())


def items(conn: Connection, name: str) -> list[SegmentItem]:
    """A feed's items, newest first, also those withdrawn. Raises NotFound."""
    get(conn, name)
    target = table(SegmentItem)
    query = select(target).where(target.c.feed == name).order_by(target.c.at.desc(), target.c.id)
    return [SegmentItem(**row) for row in conn.execute(query).mappings()]


def withdraw(conn: Connection, name: str, item_id: str, now: datetime) -> None:
    """Take an item out; again is no harm. Raises NotFound."""
    target = table(SegmentItem)
    this = target.c.feed == name, target.c.id == item_id
    if conn.execute(select(target.c.id).where(*this)).first() is None:
        raise NotFound("item_not_found", f"the feed {name!r} has no item {item_id!r}")
    conn.execute(update(target).where(*this, target.c.withdrawn_at.is_(None)).values(withdrawn_at=now))


def document(conn: Connection, links: Links, token: str, brand: Brand, kind: Kind = "rss") -> FeedPage:
    """The feed behind a token. Raises NotFound for a token that never was, Gone for a revoked one."""
    tokens, rows_of = table(SegmentToken), table(SegmentItem)
    found = conn.execute(select(tokens).where(tokens.c.token_hash == hashed(token))).one_or_none()
    if found is None:
        raise NotFound("feed_not_found", "there is no such feed: was its address cut off?")
    if found.revoked_at is not None:
        raise Gone("feed_revoked", "this feed's address was revoked: ask for a new one")
    feed = get(conn, found.feed)
    c = rows_of.c
    rows = conn.execute(
        select(c.guid, c.title, c.html, c.link, c.at, c.updated_at)
        .where(c.feed == feed.name, c.withdrawn_at.is_(None))
        .order_by(c.at.desc(), c.id)
        .limit(ITEMS)
    ).all()
    latest = conn.execute(select(func.max(c.updated_at), func.max(c.withdrawn_at)).where(c.feed == feed.name)).one()
    changed: datetime = max(moment for moment in (found.created_at, *latest) if moment is not None)
    address = links.feed(token)
    head = FeedHead(feed.title, feed.description or feed.title, brand.name or feed.title, address, brand.url or address)
    return written(head, [FeedRow(*row) for row in rows], changed, kind)


def _row(links: Links, name: str, generation: int, now: datetime) -> dict[str, Any]:
    token = links.segment_token(name, generation)
    return {"token_hash": hashed(token), "feed": name, "created_at": now, "revoked_at": None}
