"""Feeds as documents: RSS 2.0 and Atom (RFC 4287), and when a reader has what there is.

Written with lxml directly: feedgen takes twice as long for a thousand items (`benchmarks/feeds.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256
from importlib import import_module
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

__all__ = ["FeedHead", "FeedPage", "FeedRow", "Kind", "written"]

Kind = Literal["rss", "atom"]

etree: Any = import_module("lxml.etree")  # it has no types

# What XML 1.0 has no place for (https://www.w3.org/TR/xml/#charsets): lxml refuses such a text as a whole.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATOM = "http://www.w3.org/2005/Atom"
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

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer: in no index, asked for again after a quarter of an hour; private, for one reader alone."""
        return {
            "ETag": self.etag,
            "Last-Modified": format_datetime(self.last_modified, usegmt=True),
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
    root = _rss(head, rows, changed) if kind == "rss" else _atom(head, rows, changed)
    body = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    etag = f'"{sha256(body).hexdigest()[:32]}"'
    return FeedPage(body, etag, changed, f"{_MEDIA[kind]}; charset=utf-8", private)


def _rss(head: FeedHead, rows: Sequence[FeedRow], changed: datetime) -> Any:
    root: Any = etree.Element("rss", {"version": "2.0"}, {"atom": _ATOM})
    channel = etree.SubElement(root, "channel")
    for name, value in (("title", head.title), ("link", head.site), ("description", head.description)):
        _add(channel, name, value)
    etree.SubElement(channel, f"{{{_ATOM}}}link", {"href": head.address, "rel": "self", "type": _MEDIA["rss"]})
    _add(channel, "generator", "Parcours")
    _add(channel, "lastBuildDate", format_datetime(changed, usegmt=True))
    for row in rows:
        item = etree.SubElement(channel, "item")
        _add(item, "title", row.title)
        _add(item, "link", row.link)
        _add(item, "description", row.html)
        etree.SubElement(item, "guid", {"isPermaLink": "false"}).text = row.guid
        _add(item, "pubDate", format_datetime(row.at.astimezone(UTC), usegmt=True))
    return root


def _atom(head: FeedHead, rows: Sequence[FeedRow], changed: datetime) -> Any:
    root: Any = etree.Element("feed", None, {None: _ATOM})
    _add(root, "id", f"urn:uuid:{uuid5(NAMESPACE_URL, head.address)}")
    _add(root, "title", head.title)
    _add(root, "subtitle", head.description)
    _add(root, "updated", _iso(changed))
    _add(etree.SubElement(root, "author"), "name", head.author)
    own = head.address.removesuffix(".xml") + ".atom"
    etree.SubElement(root, "link", {"href": own, "rel": "self", "type": _MEDIA["atom"]})
    etree.SubElement(root, "link", {"href": head.site, "rel": "alternate"})
    _add(root, "generator", "Parcours")
    for row in rows:
        entry = etree.SubElement(root, "entry")
        _add(entry, "id", row.guid)
        _add(entry, "title", row.title)
        etree.SubElement(entry, "link", {"href": _xml(row.link), "rel": "alternate"})
        _add(entry, "published", _iso(row.at))
        _add(entry, "updated", _iso(row.updated or row.at))
        etree.SubElement(entry, "content", {"type": "html"}).text = _xml(row.html)
    return root


def _add(parent: Any, name: str, text: str) -> None:
    etree.SubElement(parent, name).text = _xml(text)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()


def _xml(text: str) -> str:
    return text if text.isascii() and text.isprintable() else _NOT_XML.sub("", text)
