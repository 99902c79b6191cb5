"""An operator's feeds: segment feeds with their items, feeds of others that are read, and items taken back from personal ones."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from api.auth import OPERATE, READ
from api.errors import ApiError, also
from api.state import Here, State
from engine.feeds import personal as feeds
from engine.feeds import segments as segment_feeds
from engine.feeds import sources as feed_sources
from engine.feeds.segments import Item
from engine.tables import FeedPost, FeedSource, SegmentFeed, SegmentItem

__all__ = ["router"]

router = APIRouter(tags=["feeds"])

_SEGMENT = "A predicate as the IR has it; null: everybody"


class FeedIn(BaseModel):
    """A segment feed."""

    model_config = ConfigDict(extra="forbid")

    title: str
    description: str = ""
    segment: dict[str, Any] | None = Field(None, description=_SEGMENT)


class SegmentFeedOut(BaseModel):
    """A segment feed. `url` is a secret that those who may read it share; null once it is revoked."""

    name: str
    title: str
    description: str
    segment: str | None = Field(description="The predicate as a sentence")
    url: str | None
    revoked_at: datetime | None


class ItemIn(BaseModel):
    """An item."""

    model_config = ConfigDict(extra="forbid")

    title: str
    link: str
    html: str = ""


class ItemOut(BaseModel):
    """An item as it stands; its guid never changes."""

    id: str
    guid: str
    title: str
    link: str
    html: str
    at: datetime
    updated_at: datetime
    withdrawn_at: datetime | None


class SourceIn(BaseModel):
    """A feed of somebody's."""

    model_config = ConfigDict(extra="forbid")

    url: str
    segment: dict[str, Any] | None = Field(
        None, description="Whose event a new post is: a predicate as the IR has it; null: nobody's"
    )
    minutes: int = 60


class SourceOut(BaseModel):
    """A source, and how its reading goes. `next_at` is wall-clock time."""

    name: str
    url: str
    segment: str | None
    minutes: int
    read_at: datetime | None
    next_at: datetime
    failures: int
    error: str | None


class PostOut(BaseModel):
    """A post, cleaned."""

    guid: str
    url: str
    title: str
    html: str
    text: str
    picture: str
    tags: list[str]
    published_at: datetime


@router.get("/v1/feeds", dependencies=READ, summary="List segment feeds")
def list_feeds(here: Here) -> list[SegmentFeedOut]:
    """By name."""
    with here.database.read() as conn:
        return [_feed(here, row) for row in segment_feeds.every(conn)]


@router.put("/v1/feeds/{name}", dependencies=OPERATE, summary="Make or change a segment feed")
def put_feed(here: Here, name: str, feed: FeedIn) -> SegmentFeedOut:
    """Its address stays."""
    with here.database.write() as conn:
        segment_feeds.create(
            conn, here.links, name, feed.title, here.now(), description=feed.description, segment=feed.segment
        )
        return _feed(here, segment_feeds.get(conn, name))


@router.post("/v1/feeds/{name}/rotate", dependencies=OPERATE, summary="Give a segment feed a new address")
def rotate_feed(here: Here, name: str) -> SegmentFeedOut:
    """The old one answers 410 from now on."""
    with here.database.write() as conn:
        segment_feeds.rotate(conn, here.links, name, here.now())
        return _feed(here, segment_feeds.get(conn, name))


@router.delete("/v1/feeds/{name}", dependencies=OPERATE, status_code=204, summary="Revoke a segment feed")
def revoke_feed(here: Here, name: str) -> Response:
    """Its address answers 410 from now on."""
    with here.database.write() as conn:
        segment_feeds.revoke(conn, name, here.now())
    return Response(status_code=204)


@router.get("/v1/feeds/{name}/items", dependencies=READ, summary="List a segment feed's items")
def list_items(here: Here, name: str) -> list[ItemOut]:
    """Newest first, also those withdrawn."""
    with here.database.read() as conn:
        return [_item(row) for row in segment_feeds.items(conn, name)]


@router.put("/v1/feeds/{name}/items/{item_id}", dependencies=OPERATE, responses=also(410), summary="Post an item")
def post_item(here: Here, name: str, item_id: str, item: ItemIn) -> ItemOut:
    """The same id again changes the item; its guid and its date stay. 410 for one that was withdrawn."""
    with here.database.write() as conn:
        made = Item(item_id, item.title, item.link, item.html)
        return _item(segment_feeds.post(conn, here.links, name, made, here.now()))


@router.delete("/v1/feeds/{name}/items/{item_id}", dependencies=OPERATE, status_code=204, summary="Withdraw an item")
def withdraw_item(here: Here, name: str, item_id: str) -> Response:
    """It is out of the feed at the next reading."""
    with here.database.write() as conn:
        segment_feeds.withdraw(conn, name, item_id, here.now())
    return Response(status_code=204)


@router.delete("/v1/feed-items/{key}", dependencies=OPERATE, status_code=204, summary="Withdraw a personal item")
def withdraw_personal(here: Here, key: str) -> Response:
    """An item of a customer's own feed, by its message's key. Again is no harm."""
    with here.database.write() as conn:
        if not feeds.withdraw(conn, [key], here.now()) and not feeds.has(conn, key):
            raise ApiError(404, "item_not_found", f"no feed has an item {key!r}")
    return Response(status_code=204)


@router.get("/v1/customers/{customer_id}/segment-feeds", dependencies=READ, summary="A customer's segment feeds")
def of_customer(here: Here, customer_id: str) -> list[SegmentFeedOut]:
    """The feeds whose segment she is in: the addresses that may be shown to her."""
    with here.database.read() as conn:
        return [_feed(here, row) for row in segment_feeds.for_customer(conn, customer_id, here.now())]


@router.get("/v1/feed-sources", dependencies=READ, summary="List feeds that are read")
def list_sources(here: Here) -> list[SourceOut]:
    """By name."""
    with here.database.read() as conn:
        return [_source(row) for row in feed_sources.every(conn)]


@router.put("/v1/feed-sources/{name}", dependencies=OPERATE, summary="Read a feed")
def put_source(here: Here, name: str, source: SourceIn) -> SourceOut:
    """Its posts are for templates (`feed('name')`), and new ones the event `name.posted` of each customer in the segment."""
    with here.database.write() as conn:
        row = feed_sources.put(conn, name, source.url, here.now(), segment=source.segment, minutes=source.minutes)
        return _source(row)


@router.delete("/v1/feed-sources/{name}", dependencies=OPERATE, status_code=204, summary="Read a feed no more")
def remove_source(here: Here, name: str) -> Response:
    """Its posts are forgotten."""
    with here.database.write() as conn:
        feed_sources.remove(conn, name)
    return Response(status_code=204)


@router.get("/v1/feed-sources/{name}/posts", dependencies=READ, summary="List a source's posts")
def list_posts(here: Here, name: str) -> list[PostOut]:
    """The newest fifty."""
    with here.database.read() as conn:
        return [_post(row) for row in feed_sources.posts(conn, name)]


def _feed(here: State, row: SegmentFeed) -> SegmentFeedOut:
    predicate = segment_feeds.predicate_of(row.segment)
    url = here.links.feed(here.links.segment_token(row.name, row.generation)) if row.revoked_at is None else None
    return SegmentFeedOut(
        name=row.name,
        title=row.title,
        description=row.description,
        segment=predicate.sentence() if predicate is not None else None,
        url=url,
        revoked_at=row.revoked_at,
    )


def _source(row: FeedSource) -> SourceOut:
    predicate = segment_feeds.predicate_of(row.segment)
    fields = {name: getattr(row, name) for name in SourceOut.model_fields if name != "segment"}
    return SourceOut(**fields, segment=predicate.sentence() if predicate is not None else None)


def _item(row: SegmentItem) -> ItemOut:
    return ItemOut(**{name: getattr(row, name) for name in ItemOut.model_fields})


def _post(row: FeedPost) -> PostOut:
    return PostOut(**{name: getattr(row, name) for name in PostOut.model_fields})
