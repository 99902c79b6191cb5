"""Feeds as documents: RSS 2.0 and Atom (RFC 4287), and when a reader has what there is.

Written as text, every value escaped: building a tree first takes twice as long for a thousand items (`benchmarks/feeds.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from typing import Literal
from uuid import NAMESPACE_URL, uuid5
from xml.sax.saxutils import escape

__all__ = ["FeedHead", "FeedPage", "FeedRow", "Kind", "written"]

Kind = Literal["rss", "atom"]

# What XML 1.0 has no place for (https://www.w3.org/TR/xml/#charsets).
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
_QUOTES = {'"': "&quot;", "\r": "&#13;"}
_MEDIA = {"rss": "application/rss+xml", "atom": "application/atom+xml"}


@dataclass(frozen=True, slots=True)
class FeedHead:
    """What a feed says of itself. `address` is its own, ending in `.xml`; `site` is where it belongs."""

    title: str
    description: str
    author: str
    address: str
    site: str


@dataclass(frozen=True, slots=True)
class FeedRow:
    """An item as it is shown."""

    guid: str
    title: str
    html: str
    link: str
    at: datetime
    updated: datetime | None = None


@dataclass(frozen=True, slots=True)
class FeedPage:
    """A feed as it is answered: the body, its strong ETag (quoted) and when it last changed."""

    body: bytes
    etag: str
    last_modified: datetime
    media_type: str
    private: bool = True

    def headers(self, now: datetime) -> dict[str, str]:
        """Headers of the answer: in no index, asked for again after a quarter of an hour; private, for one reader alone.

        Within the second of its last change the feed may change once more, so that second says nothing yet of what a reader has.
        """
        dated = {"Last-Modified": format_datetime(self.last_modified, usegmt=True)}
        return {
            "ETag": self.etag,
            **(dated if now >= self.last_modified + timedelta(seconds=1) else {}),
            "Cache-Control": f"{'private' if self.private else 'public'}, max-age=900",
            "X-Robots-Tag": "noindex, nofollow",
            "Referrer-Policy": "no-referrer",
        }

    def unchanged(self, if_none_match: str | None, if_modified_since: datetime | None = None) -> bool:
        """Whether a reader who has these has this page (RFC 9110, 13.1): answer 304."""
        if if_none_match is not None:
            tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
            return self.etag in tags or "*" in tags
        return if_modified_since is not None and self.last_modified <= if_modified_since


def written(
    head: FeedHead, rows: Sequence[FeedRow], changed: datetime, kind: Kind, *, private: bool = True
) -> FeedPage:
    """The document. `changed`: when an item last came or went."""
    changed = changed.replace(microsecond=0).astimezone(UTC)
    text = _rss(head, rows, changed) if kind == "rss" else _atom(head, rows, changed)
    body = text.encode()
    etag = f'"{sha256(body).hexdigest()[:32]}"'
    return FeedPage(body, etag, changed, f"{_MEDIA[kind]}; charset=utf-8", private)


def _rss(head: FeedHead, rows: Sequence[FeedRow], changed: datetime) -> str:
    start = (
        f'{_XML}<rss xmlns:atom="http://www.w3.org/2005/Atom" version="2.0"><channel><title>{_x(head.title)}</title>'
        f"<link>{_x(head.site)}</link><description>{_x(head.description)}</description>"
        f'<atom:link href="{_x(head.address)}" rel="self" type="{_MEDIA["rss"]}"/><generator>Parcours</generator>'
        f"<lastBuildDate>{_mail(changed)}</lastBuildDate>"
    )
    items = [
        f"<item><title>{_x(row.title)}</title><link>{_x(row.link)}</link><description>{_x(row.html)}</description>"
        f'<guid isPermaLink="false">{_x(row.guid)}</guid><pubDate>{_mail(row.at)}</pubDate></item>'
        for row in rows
    ]
    return "".join([start, *items, "</channel></rss>"])


def _atom(head: FeedHead, rows: Sequence[FeedRow], changed: datetime) -> str:
    own = head.address.removesuffix(".xml") + ".atom"
    start = (
        f'{_XML}<feed xmlns="http://www.w3.org/2005/Atom"><id>urn:uuid:{uuid5(NAMESPACE_URL, head.address)}</id>'
        f"<title>{_x(head.title)}</title><subtitle>{_x(head.description)}</subtitle><updated>{_iso(changed)}</updated>"
        f'<author><name>{_x(head.author)}</name></author><link href="{_x(own)}" rel="self" type="{_MEDIA["atom"]}"/>'
        f'<link href="{_x(head.site)}" rel="alternate"/><generator>Parcours</generator>'
    )
    entries = [
        f'<entry><id>{_x(row.guid)}</id><title>{_x(row.title)}</title><link href="{_x(row.link)}" rel="alternate"/>'
        f"<published>{_iso(row.at)}</published><updated>{_iso(row.updated or row.at)}</updated>"
        f'<content type="html">{_x(row.html)}</content></entry>'
        for row in rows
    ]
    return "".join([start, *entries, "</feed>"])


def _mail(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()


def _x(text: str) -> str:
    """A text as XML has it, between tags or quotes; what XML has no place for is left out."""
    return escape(_NOT_XML.sub("", text), _QUOTES)
