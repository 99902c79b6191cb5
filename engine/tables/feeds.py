"""Feeds: customers' own, segments', and those of others."""

from datetime import datetime
from typing import Any

from sqlmodel import Field

from engine.tables.columns import Kept, json_column, moment_column

__all__ = ["Feed", "FeedItem", "FeedPost", "FeedSource", "SegmentFeed", "SegmentItem", "SegmentToken"]


class Feed(Kept, table=True):
    """A personal feed's secret URL: the token is kept as its sha256, and can be revoked."""

    token_hash: str = Field(primary_key=True)
    customer_id: str = Field(index=True)
    created_at: datetime = moment_column()
    revoked_at: datetime | None = moment_column(null=True)


class FeedItem(Kept, table=True):
    """An item of a customer's feed. Its guid never changes."""

    key: str = Field(primary_key=True)
    """The message's key."""
    guid: str
    customer_id: str = Field(index=True)
    title: str
    html: str
    link: str
    at: datetime = moment_column()
    withdrawn_at: datetime | None = moment_column(null=True)


class SegmentFeed(Kept, table=True):
    """A feed of the operator's: one secret address for all who may read it."""

    name: str = Field(primary_key=True)
    title: str
    description: str = ""
    segment: dict[str, Any] | None = json_column(null=True)
    """The predicate that says whom it is for; null: for everybody."""
    generation: int = 0
    """How often its address was changed."""
    created_at: datetime = moment_column()
    revoked_at: datetime | None = moment_column(null=True)


class SegmentToken(Kept, table=True):
    """An address that a segment feed has or had: the token is kept as its sha256."""

    token_hash: str = Field(primary_key=True)
    feed: str = Field(index=True)
    created_at: datetime = moment_column()
    revoked_at: datetime | None = moment_column(null=True)


class SegmentItem(Kept, table=True):
    """An item of a segment feed. Its guid never changes."""

    feed: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    """The poster's own, unique in its feed."""
    guid: str
    title: str
    html: str
    link: str
    at: datetime = moment_column()
    updated_at: datetime = moment_column()
    withdrawn_at: datetime | None = moment_column(null=True)


class FeedSource(Kept, table=True):
    """A feed of somebody's that is read: its posts are for templates, and an event for whom it concerns."""

    name: str = Field(primary_key=True)
    """Also the family of its event: `blog` makes `blog.posted`."""
    url: str
    segment: dict[str, Any] | None = json_column(null=True)
    """The predicate that says whose event a new post is; null: nobody's."""
    minutes: int
    """Between two readings."""
    etag: str | None = None
    last_modified: str | None = None
    next_at: datetime = moment_column(index=True)
    """Wall-clock time, as the web's."""
    read_at: datetime | None = moment_column(null=True)
    """When it was last read without a fault; null: never, so what it holds then is not new."""
    failures: int = 0
    """In a row."""
    error: str | None = None
    created_at: datetime = moment_column()


class FeedPost(Kept, table=True):
    """A post of a feed that is read, cleaned: no script, no markup but a few plain tags."""

    source: str = Field(primary_key=True)
    guid: str = Field(primary_key=True)
    url: str
    title: str
    html: str
    text: str
    picture: str = ""
    tags: list[str] = json_column()
    published_at: datetime = moment_column()
