"""Feeds of others: which are read, what was found in them, and a new post as an event for whom it concerns.

A source named `blog` makes the event `blog.posted` for every customer of its segment; a journey that enters by it declares
`class Blog(Events): posted = event()`. What a source holds when it is first read is not new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, delete, select, update

from engine import facts
from engine.db import chunked, insert_new_returning, table, upsert
from engine.errors import Invalid, NotFound
from engine.events import OWN, Incoming, accept
from engine.feeds.parsing import Post
from engine.feeds.segments import check_name, check_segment, predicate_of
from engine.tables import FeedPost, FeedSource

__all__ = [
    "LEAST", "MOST_NEW", "SHOWN", "due", "every", "failed", "found", "get", "posts", "put", "remove", "shown", "unchanged",
]  # fmt: skip

LEAST = 5
"""Fewest minutes between two readings."""
MOST_NEW = 5
"""Most posts of one reading that make events: a feed that suddenly brings a thousand is no news a thousand times."""
SHOWN = 5
"""Most posts that a template is given."""
_LONGEST = timedelta(days=1)
_CHUNK = 5000


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a reading: posts that were not there before, and events that were made."""

    new: int
    events: int


def put(
    conn: Connection,
    name: str,
    url: str,
    now: datetime,
    *,
    segment: Mapping[str, Any] | None = None,
    minutes: int = 60,
) -> FeedSource:
    """Declare a source, or change it; it is read at once. What a new address holds is not new. Raises Invalid."""
    check_name(name)
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Invalid("url", url, "it must be an http:// or https:// address")
    if not LEAST <= minutes <= 7 * 24 * 60:
        raise Invalid("minutes", minutes, f"a feed is read every {LEAST} minutes at most, and every week at least")
    check_segment(conn, segment, now)
    row = {
        "name": name,
        "url": url,
        "segment": dict(segment) if segment is not None else None,
        "minutes": minutes,
        "etag": None,
        "last_modified": None,
        "next_at": datetime.now(UTC),
        "read_at": None,
        "failures": 0,
        "error": None,
        "created_at": now,
    }
    target = table(FeedSource)
    known = conn.execute(select(target.c.url).where(target.c.name == name)).scalar()
    upsert(conn, FeedSource, [row], keep=("created_at", *(("read_at",) if known == url else ())))
    return get(conn, name)


def remove(conn: Connection, name: str) -> None:
    """Read a source no more, and forget its posts. Raises NotFound."""
    get(conn, name)
    conn.execute(delete(table(FeedPost)).where(table(FeedPost).c.source == name))
    conn.execute(delete(table(FeedSource)).where(table(FeedSource).c.name == name))


def get(conn: Connection, name: str) -> FeedSource:
    """A source by its name. Raises NotFound."""
    target = table(FeedSource)
    row = conn.execute(select(target).where(target.c.name == name)).mappings().first()
    if row is None:
        raise NotFound(
            "source_not_found", f"there is no feed source {name!r}; declare it with PUT /v1/feed-sources/{name}"
        )
    return FeedSource(**row)


def every(conn: Connection) -> list[FeedSource]:
    """All sources, by name."""
    target = table(FeedSource)
    return [FeedSource(**row) for row in conn.execute(select(target).order_by(target.c.name)).mappings()]


def due(conn: Connection, wall: datetime, limit: int = 20) -> list[FeedSource]:
    """The sources that are to be read now, the longest due first. `wall` is wall-clock time."""
    target = table(FeedSource)
    query = select(target).where(target.c.next_at <= wall).order_by(target.c.next_at).limit(limit)
    return [FeedSource(**row) for row in conn.execute(query).mappings()]


def found(
    conn: Connection,
    source: FeedSource,
    posts_: Sequence[Post],
    now: datetime,
    wall: datetime,
    *,
    etag: str | None = None,
    last_modified: str | None = None,
    url: str | None = None,
) -> Found:
    """Keep what a reading found; new posts are events, but for the first reading. `url`: where the feed has moved to."""
    rows = [_row(source.name, post, now) for post in posts_]
    new = set(insert_new_returning(conn, FeedPost, rows, "guid"))
    target = table(FeedSource)
    fresh = [post for post in posts_ if post.guid in new]
    fresh.sort(key=lambda post: post.published_at or now, reverse=True)
    made = 0
    if source.read_at is not None and source.segment is not None and fresh:
        made = _tell(conn, source, fresh[:MOST_NEW], now)
    values = {"etag": etag, "last_modified": last_modified, "read_at": now, **({"url": url} if url else {})}
    conn.execute(update(target).where(target.c.name == source.name).values(**values, **_fine(source, wall)))
    return Found(len(new), made)


def unchanged(conn: Connection, source: FeedSource, now: datetime, wall: datetime) -> None:
    """It is as it was (304)."""
    target = table(FeedSource)
    conn.execute(
        update(target).where(target.c.name == source.name).values(read_at=source.read_at or now, **_fine(source, wall))
    )


def failed(conn: Connection, source: FeedSource, error: str, wall: datetime, wait: float | None = None) -> None:
    """It could not be read: it is tried again later each time, a day later at most, or when it says (`wait`, in seconds)."""
    target = table(FeedSource)
    backing_off = min(timedelta(minutes=source.minutes) * 2 ** min(source.failures, 12), _LONGEST)
    asked = timedelta(seconds=wait) if wait is not None else timedelta()
    conn.execute(
        update(target)
        .where(target.c.name == source.name)
        .values(
            failures=source.failures + 1,
            error=error[:500],
            next_at=wall + max(min(asked, 7 * _LONGEST), backing_off),
        )
    )


def posts(conn: Connection, name: str, limit: int = 50) -> list[FeedPost]:
    """A source's posts, newest first. Raises NotFound."""
    get(conn, name)
    target = table(FeedPost)
    query = select(target).where(target.c.source == name).order_by(target.c.published_at.desc(), target.c.guid)
    return [FeedPost(**row) for row in conn.execute(query.limit(limit)).mappings()]


def shown(conn: Connection, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """What templates are given of these sources: the newest posts of each. Nothing is fetched."""
    fields = ("title", "url", "text", "picture", "tags", "published_at")
    return {
        name: [{field: getattr(post, field) for field in fields} for post in posts(conn, name, SHOWN)] for name in names
    }


def _tell(conn: Connection, source: FeedSource, fresh: Sequence[Post], now: datetime) -> int:
    predicate = predicate_of(source.segment)
    if predicate is None:
        return 0
    members = list(facts.audience(conn, predicate, now))
    made = 0
    for post in reversed(fresh):  # the oldest first, as they were written
        ident = sha256(post.guid.encode()).hexdigest()[:24]
        payload = {"url": post.url, "title": post.title, "tags": list(post.tags), "source": source.name, "id": ident}
        for piece in chunked(members, _CHUNK):
            events = [
                Incoming(
                    f"{OWN}feed:{source.name}:{ident}:{customer}",
                    f"{source.name}.posted",
                    now,
                    customer,
                    None,
                    payload,
                    "feed",
                )
                for customer in piece
            ]
            made += len(accept(conn, events, now))
    return made


def _fine(source: FeedSource, wall: datetime) -> dict[str, Any]:
    return {"failures": 0, "error": None, "next_at": wall + timedelta(minutes=source.minutes)}


def _row(source: str, post: Post, now: datetime) -> dict[str, Any]:
    return {
        "source": source,
        "guid": post.guid,
        "url": post.url,
        "title": post.title,
        "html": post.html,
        "text": post.text,
        "picture": post.picture,
        "tags": list(post.tags),
        "published_at": min(post.published_at or now, now),
    }
