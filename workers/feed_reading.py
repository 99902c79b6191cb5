"""Reading the feeds of others, politely and with distrust: asked for only if changed, never long, never at home.

A name is looked up once, and the address that was looked at is the one that is called: no answer of a name server leads
from a public address to a private one in between.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from engine.db import Database
from engine.feeds import sources as feed_sources
from engine.feeds.parsing import BadFeed, Post
from engine.settings import Settings
from engine.tables import FeedSource
from workers.feed_parsing import parsed
from workers.web import asked_wait, trust

__all__ = ["FeedReading", "Fetched", "Refused", "fetch"]

_log = logging.getLogger(__name__)
MOST = 5 << 20
"""Most bytes of a feed, once unpacked."""
_PATIENCE = 30.0  # seconds for all of it
_HOPS = 5
_AT_ONCE = 8
_GONE = 410
_A_DAY = 86400.0
_MOVED = (301, 308)
_REDIRECTS = (301, 302, 303, 307, 308)


class Refused(Exception):
    """A feed that is not read, and why; `wait`: when it says it may be asked again, in seconds."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came: nothing new (`body` is None), or a body with what to ask by next time; `moved` says where it is now."""

    body: bytes | None
    etag: str | None = None
    last_modified: str | None = None
    moved: str | None = None
    address: str = ""


class FeedReading:
    """Reads the sources that are due. One process does it at a time."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database

    async def round(self) -> int:
        """Read what is due; returns how many sources were looked at."""
        due = await asyncio.to_thread(self._due)
        many = asyncio.Semaphore(_AT_ONCE)

        async def one(source: FeedSource) -> None:
            async with many:
                await self._read(source)

        await asyncio.gather(*(one(source) for source in due))
        return len(due)

    async def _read(self, source: FeedSource) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                fetched = await fetch(source, self._settings)
            posts = [] if fetched.body is None else await parsed(fetched.body, fetched.address)
        except TimeoutError:
            await asyncio.to_thread(self._failed, source, f"it takes longer than {_PATIENCE:.0f} seconds", None)
        except (Refused, BadFeed, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            wait = error.wait if isinstance(error, Refused) else None
            await asyncio.to_thread(self._failed, source, str(error) or type(error).__name__, wait)
        else:
            await asyncio.to_thread(self._keep, source, fetched, posts)

    def _due(self) -> list[FeedSource]:
        with self._database.read() as conn:
            return feed_sources.due(conn, datetime.now(UTC))

    def _failed(self, source: FeedSource, why: str, wait: float | None) -> None:
        _log.warning("the feed %s (%s) can't be read: %s", source.name, source.url, why)
        with self._database.write() as conn:
            feed_sources.failed(conn, source, why, datetime.now(UTC), wait)

    def _keep(self, source: FeedSource, fetched: Fetched, posts: list[Post]) -> None:
        now, wall = self._settings.clock.now(), datetime.now(UTC)
        with self._database.write() as conn:
            if fetched.body is None:
                feed_sources.unchanged(conn, source, now, wall)
            else:
                tags = {"etag": fetched.etag, "last_modified": fetched.last_modified, "url": fetched.moved}
                feed_sources.found(conn, source, posts, now, wall, **tags)


async def fetch(source: FeedSource, settings: Settings) -> Fetched:
    """Get a feed, if it has changed. Raises Refused, httpx.HTTPError."""
    headers = {
        "User-Agent": f"Parcours (+{settings.public_url})",
        "Accept": "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1",
        "Accept-Encoding": "gzip, deflate",
        **({"If-None-Match": source.etag} if source.etag else {}),
        **({"If-Modified-Since": source.last_modified} if source.last_modified else {}),
    }
    url = httpx.URL(source.url)
    for_good = True
    async with httpx.AsyncClient(timeout=10, verify=trust(), follow_redirects=False, trust_env=False) as client:
        for _ in range(_HOPS + 1):
            request = await _request(client, url, headers, private=settings.feed_private)
            reply = await client.send(request, stream=True)
            try:
                if reply.status_code in _REDIRECTS:
                    for_good = for_good and reply.status_code in _MOVED
                    url = url.join(reply.headers.get("Location", ""))
                    continue
                moved = str(url) if for_good and str(url) != source.url else None
                return await _taken(reply, str(url), moved)
            finally:
                await reply.aclose()
    raise Refused(f"it leads from one address to the next, more than {_HOPS} times")


async def _request(
    client: httpx.AsyncClient, url: httpx.URL, headers: Mapping[str, str], *, private: bool
) -> httpx.Request:
    """The request to the address that was looked up, and looked at, under the name that was asked for."""
    if url.scheme not in {"http", "https"} or not url.host:
        raise Refused(f"{url} is no http or https address")
    port = url.port or (443 if url.scheme == "https" else 80)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused(f"there is no {url.host}: {error}") from None
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    if not private and any(_at_home(address) for address in addresses):
        raise Refused(f"{url.host} is a private address; PARCOURS_FEED_PRIVATE=true allows those")
    name = url.netloc.decode("ascii").rpartition("@")[2]
    return client.build_request(
        "GET",
        url.copy_with(host=str(addresses[0])),
        headers={**headers, "Host": name},
        extensions={"sni_hostname": url.host},
    )


def _at_home(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is not one of the public internet's, also where IPv6 wraps an IPv4 one."""
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    return not address.is_global or address.is_multicast or (inner is not None and not inner.is_global)


async def _taken(reply: httpx.Response, address: str, moved: str | None) -> Fetched:
    if reply.status_code == 304:
        return Fetched(None)
    if reply.status_code == _GONE:
        raise Refused("it is gone (410)", 7 * _A_DAY)
    if not reply.is_success:
        raise Refused(f"the server says {reply.status_code}", asked_wait(reply))
    body = bytearray()
    async for chunk in reply.aiter_bytes():
        body += chunk
        if len(body) > MOST:
            raise Refused(f"it has more than {MOST >> 20} MB", _A_DAY)
    return Fetched(bytes(body), reply.headers.get("ETag"), reply.headers.get("Last-Modified"), moved, address)
