"""A feed of somebody's, read with distrust: any feed that a reader can make sense of, with nothing in it that could do harm."""

from __future__ import annotations

from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib import import_module
from typing import Any
from urllib.parse import urljoin, urlsplit

import feedparser as _feedparser  # pyright: ignore[reportMissingTypeStubs]

from engine.templating.context import clean

__all__ = ["BadFeed", "Post", "parse", "sanitised"]

feedparser: Any = _feedparser  # they have no types
etree: Any = import_module("lxml.etree")
html: Any = import_module("lxml.html")

_MOST = 200
_TEXT, _HTML, _TITLE = 600, 20_000, 300
_KEPT = {"p", "br", "a", "b", "strong", "i", "em", "ul", "ol", "li", "blockquote", "h2", "h3", "h4", "code", "pre"}
_GONE = {"script", "style", "iframe", "object", "embed", "form", "svg", "math", "noscript", "template", "head", "title"}


class BadFeed(ValueError):
    """What was read is no feed, or none that we read; the text says why."""


@dataclass(frozen=True, slots=True)
class Post:
    """A post, cleaned: `html` has a few plain tags, `text` its first words."""

    guid: str
    url: str
    title: str
    html: str
    text: str
    picture: str
    tags: tuple[str, ...]
    published_at: datetime | None


def parse(body: bytes, address: str) -> list[Post]:
    """The posts of a feed, RSS or Atom, the newest two hundred. Raises BadFeed."""
    if b"<!ENTITY" in body.replace(b"\0", b"").upper():  # no feed needs its own entities; a bomb does
        raise BadFeed("it declares entities, which no feed needs")
    try:
        read: Any = feedparser.parse(body, response_headers={"content-location": address})
    except Exception as error:  # a parser of whatever comes: anything may be raised
        raise BadFeed(f"it can't be read: {type(error).__name__}: {error}") from error
    if not read.get("version") and not read.entries:
        raise BadFeed("this is neither RSS nor Atom")
    posts: dict[str, Post] = {}
    for entry in read.entries[:_MOST]:
        post = _post(entry, address)
        if post is not None:
            posts.setdefault(post.guid, post)
    return list(posts.values())


def sanitised(text: str, base: str) -> str:
    """HTML with nothing but plain tags, and links that lead to http and https."""
    if not text.strip():
        return ""
    try:
        root: Any = html.fragment_fromstring(text.replace("\0", ""), create_parent="div")
    except (etree.LxmlError, ValueError, AssertionError):
        return ""
    for element in list(root.iter()):
        if element is root:
            continue
        if not isinstance(element.tag, str) or element.tag in _GONE:
            element.drop_tree()
        elif element.tag not in _KEPT:
            element.drop_tag()
        else:
            target = _web(str(element.get("href") or ""), base) if element.tag == "a" else ""
            element.attrib.clear()
            if target:
                element.set("href", target)
    made: str = html.tostring(root, encoding="unicode")
    return made.removeprefix("<div>").removesuffix("</div>").strip()


def _post(entry: Any, address: str) -> Post | None:
    url = _web(str(entry.get("link") or ""), address)
    title = clean(_plain(str(entry.get("title") or "")))[:_TITLE]
    if not url and not title:
        return None
    content: Any = entry.get("content") or [{}]
    markup = str(content[0].get("value") or entry.get("summary") or "")
    body = sanitised(markup[: 5 * _HTML], url or address)
    text = " ".join(clean(_plain(body)).split())
    guid = str(entry.get("id") or url or title)
    return Post(
        guid=guid if len(guid) <= 500 else f"sha256:{sha256(guid.encode('utf-8', 'replace')).hexdigest()}",
        url=url,
        title=title or text[:80],
        html=body if len(body) <= _HTML else "",
        text=text if len(text) <= _TEXT else f"{text[: text.rfind(' ', 0, _TEXT)]} …",
        picture=_picture(entry, address),
        tags=tuple(
            dict.fromkeys(clean(str(tag.get("term") or ""))[:80] for tag in entry.get("tags") or () if tag.get("term"))
        )[:20],
        published_at=_moment(entry),
    )


def _picture(entry: Mapping[str, Any], address: str) -> str:
    for name in ("media_thumbnail", "media_content", "enclosures"):
        for each in entry.get(name) or ():
            kind = str(each.get("type") or "image/")
            url = _web(str(each.get("url") or each.get("href") or ""), address)
            if url and kind.startswith("image/"):
                return url
    return ""


def _moment(entry: Mapping[str, Any]) -> datetime | None:
    given = entry.get("published_parsed") or entry.get("updated_parsed")
    try:
        return datetime.fromtimestamp(timegm(given), UTC) if given else None
    except (ValueError, OverflowError, OSError, TypeError):
        return None


def _plain(markup: str) -> str:
    if "<" not in markup and "&" not in markup:
        return markup
    try:
        root: Any = html.fragment_fromstring(markup.replace("\0", ""), create_parent="div")
    except (etree.LxmlError, ValueError, AssertionError):
        return ""
    for element in list(root.iter()):
        if isinstance(element.tag, str) and element.tag in _GONE:
            element.drop_tree()
        elif isinstance(element.tag, str) and element.tag in {"p", "br", "li", "h2", "h3", "h4", "blockquote"}:
            element.tail = f" {element.tail or ''}"
    return str(root.text_content())


def _web(url: str, base: str) -> str:
    """An absolute http or https address, or nothing."""
    try:
        joined = urljoin(base, "".join(url.split()))
        parts = urlsplit(joined)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and len(joined) <= 2000
    except ValueError:
        return ""
    return clean(joined) if good else ""
