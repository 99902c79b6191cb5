"""Feeds of others, read from a real server: politely, once for each post, and whatever they do to us."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from kit.engine import Engine, working
from sqlalchemy import update
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from temporalio.client import Client

from dsl import Arrows, Customer, Events, Final, Journey, Sms, after, event, marketing, text
from engine.db import Database, table
from engine.errors import Invalid
from engine.feeds import sources as feed_sources
from engine.settings import Settings
from engine.tables import Enrolment, Event, FeedPost, FeedSource
from workers import feed_parsing, feed_reading
from workers.feed_reading import FeedReading
from workers.server import EmbeddedServer, free_port

Answer = Callable[[Request], Awaitable[Response]]


class Member(Customer):
    tier = text()


GOLD = (Member.tier == "gold").to_json()


def rss(*titles: str, extra: str = "") -> bytes:
    items = "".join(
        f"<item><title>{title}</title><link>/p/{number}</link><guid>g-{title}</guid><category>wine</category>"
        f"<pubDate>Mon, 02 Mar 2026 0{number % 10}:00:00 GMT</pubDate>"
        f"<description>&lt;p onclick='x()'&gt;Hello {title}&lt;script&gt;alert(1)&lt;/script&gt;&lt;/p&gt;</description></item>"
        for number, title in enumerate(titles)
    )
    return (
        f"<?xml version='1.0'?><rss version='2.0'><channel><title>Blog</title>{extra}{items}</channel></rss>".encode()
    )


@dataclass
class Site:
    """A web site on a port of its own; `say` is what it answers."""

    port: int
    asked: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    say: Answer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/feed.xml"

    def serve(self, body: bytes, **headers: str) -> None:
        async def say(request: Request) -> Response:
            if headers.get("ETag") and request.headers.get("if-none-match") == headers["ETag"]:
                return Response(status_code=304)
            return Response(body, media_type="application/rss+xml", headers=headers)

        self.say = say


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site(free_port())

    async def answer(request: Request) -> Response:
        made.asked.append(dict(request.headers) | {"path": request.url.path})
        assert made.say is not None
        return await made.say(request)

    app = Starlette(routes=[Route("/{path:path}", answer)])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=made.port, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield made
    server.should_exit = server.force_exit = True
    await serving


@dataclass
class Desk:
    """A database with customers, and the reader over it."""

    engine: Engine
    reading: FeedReading

    @property
    def database(self) -> Database:
        return self.engine.database

    def declare(self, url: str, name: str = "blog", **more: Any) -> None:
        with self.database.write() as conn:
            feed_sources.put(conn, name, url, self.engine.now(), **more)

    async def read(self) -> int:
        """Read now, whatever the plan says."""
        with self.database.write() as conn:
            conn.execute(update(table(FeedSource)).values(next_at=datetime.now(UTC)))
        return await self.reading.round()

    def source(self) -> Any:
        (row,) = self.engine.rows(FeedSource)
        return row

    def posted(self) -> list[tuple[str, str]]:
        rows = sorted(self.engine.rows(Event, name="blog.posted"), key=lambda row: row.seq)
        return [(row.customer_id, row.payload["title"]) for row in rows]


@pytest.fixture
def desk(db: Database, settings: Settings) -> Desk:
    settings = settings.model_copy(update={"feed_private": True})
    made = Desk(Engine(settings, db, None), FeedReading(settings, db))  # type: ignore[arg-type]  # no Temporal here
    made.engine.customers("ann", attributes={"tier": "gold"})
    made.engine.customers("ben", attributes={"tier": "tin"})
    return made


async def test_a_new_post_is_an_event_of_who_is_in_the_segment_once(desk: Desk, site: Site) -> None:
    desk.declare(site.url, segment=GOLD)
    site.serve(rss("one", "two"), ETag='"1"')
    assert await desk.reading.round() == 1
    assert desk.posted() == []  # what was there before we came is not new
    assert await desk.reading.round() == 0  # and it is not asked again before its time
    site.serve(rss("one", "two", "three"), ETag='"2"')
    for _ in range(2):
        await desk.read()
    assert desk.posted() == [("ann", "three")]
    (new,) = desk.engine.rows(Event, name="blog.posted")
    assert new.payload["url"] == f"http://127.0.0.1:{site.port}/p/2"
    assert (new.payload["tags"], new.payload["source"]) == (["wine"], "blog")
    assert desk.source().failures == 0


async def test_it_asks_politely(desk: Desk, site: Site) -> None:
    desk.declare(site.url, minutes=30)
    site.serve(rss("one"), **{"ETag": '"1"', "Last-Modified": "Mon, 02 Mar 2026 09:00:00 GMT"})
    await desk.read()
    await desk.read()
    first, second = site.asked
    assert first["user-agent"].startswith("Parcours (+http")
    assert "if-none-match" not in first
    assert (second["if-none-match"], second["if-modified-since"]) == ('"1"', "Mon, 02 Mar 2026 09:00:00 GMT")
    assert second["host"] == f"127.0.0.1:{site.port}"
    ahead = desk.source().next_at - datetime.now(UTC)
    assert timedelta(minutes=29) < ahead <= timedelta(minutes=30)
    with pytest.raises(Invalid, match="every 5 minutes at most"):
        desk.declare(site.url, minutes=1)


async def test_it_backs_off_and_keeps_to_retry_after(desk: Desk, site: Site) -> None:
    desk.declare(site.url)
    said: dict[str, str] = {}

    async def busy(_: Request) -> Response:
        return Response(status_code=503, headers=said)

    site.say = busy
    waits: list[float] = []
    for _ in range(4):
        await desk.read()
        waits.append((desk.source().next_at - datetime.now(UTC)) / timedelta(minutes=1))
    assert [round(wait) for wait in waits] == [60, 120, 240, 480]
    assert desk.source().error == "the server says 503"
    said["Retry-After"] = "172800"
    await desk.read()
    assert round((desk.source().next_at - datetime.now(UTC)) / timedelta(hours=1)) == 48
    site.serve(rss("one"))
    await desk.read()
    assert (desk.source().failures, desk.source().error) == (0, None)


async def test_a_feed_that_moved_for_good_is_asked_for_there(desk: Desk, site: Site) -> None:
    async def moved(request: Request) -> Response:
        if request.url.path == "/feed.xml":
            return RedirectResponse("/new.xml", 301)
        return Response(rss("one"))

    site.say = moved
    desk.declare(site.url)
    await desk.read()
    assert desk.source().url == f"http://127.0.0.1:{site.port}/new.xml"
    assert len(desk.engine.rows(FeedPost)) == 1


async def test_what_a_new_address_holds_is_not_new(desk: Desk, site: Site) -> None:
    site.serve(rss("one"))
    desk.declare(site.url, segment=GOLD)
    await desk.read()
    site.serve(rss("old", "older"))
    desk.declare(f"{site.url}?other", segment=GOLD)
    await desk.read()
    assert desk.posted() == []
    site.serve(rss("fresh", "old", "older"))
    desk.declare(f"{site.url}?other", segment=GOLD, minutes=30)  # the same address: it goes on
    await desk.read()
    assert desk.posted() == [("ann", "fresh")]


BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><rss version="2.0"><channel><item><title>&c;</title></item></channel></rss>"""


async def _body(content: bytes) -> Answer:
    async def say(_: Request) -> Response:
        return Response(content)

    return say


async def _endless(_: Request) -> Response:
    async def more() -> AsyncIterator[bytes]:
        yield b"<rss version='2.0'><channel>"
        for _ in range(60):
            yield b"<item><title>x</title></item>" * 30_000
            await asyncio.sleep(0)

    return StreamingResponse(more())


async def _gzipped(_: Request) -> Response:
    return Response(gzip.compress(b" " * (50 << 20)), headers={"Content-Encoding": "gzip"})


async def _loop(request: Request) -> Response:
    return RedirectResponse(f"/{len(request.url.path)}{request.url.path}", 302)


async def _to_file(_: Request) -> Response:
    return Response(status_code=302, headers={"Location": "file:///etc/passwd"})


async def _page(_: Request) -> Response:
    return PlainTextResponse("<html><body>no feed</body></html>")


async def _slow(_: Request) -> Response:
    async def drops() -> AsyncIterator[bytes]:
        for _ in range(600):
            yield b" "
            await asyncio.sleep(0.05)

    return StreamingResponse(drops())


@pytest.mark.parametrize(
    ("hostile", "error"),
    [
        (BOMB, "it declares entities"),
        (BOMB.decode().encode("utf-16"), "it declares entities"),
        (_endless, "it has more than 5 MB"),
        (_gzipped, "it has more than 5 MB"),
        (_loop, "it leads from one address to the next"),
        (_to_file, "etc/passwd is no http or https address"),
        (_page, "neither RSS nor Atom"),
        (b"", "neither RSS nor Atom"),
        (b"\x00\xff\xfe" * 1000, "neither RSS nor Atom"),
        (_slow, "it takes longer than"),
    ],
)
async def test_a_hostile_feed_is_survived_and_told(
    desk: Desk, site: Site, hostile: bytes | Answer, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_reading, "_PATIENCE", 1.0 if hostile is _slow else 30.0)
    site.say = await _body(hostile) if isinstance(hostile, bytes) else hostile
    desk.declare(site.url, segment=GOLD)
    began = time.monotonic()
    assert await desk.read() == 1
    assert time.monotonic() - began < 25
    assert error in desk.source().error
    assert desk.engine.rows(FeedPost) == []
    site.serve(rss("one"))  # and the next one is read as if nothing had been
    await desk.read()
    assert [post.title for post in desk.engine.rows(FeedPost)] == ["one"]


async def test_a_feed_that_costs_too_much_is_given_up(desk: Desk, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_parsing, "_CPU", 3)
    head = b"<rss version='2.0'><channel>"
    site.serve(head + b"<a>" * 400_000)  # half a minute of it
    desk.declare(site.url, segment=GOLD)
    began = time.process_time()
    await desk.read()
    assert time.process_time() - began < 2, "it is not this process that toils"
    assert "it takes more than 3 seconds of a processor" in desk.source().error
    monkeypatch.undo()
    site.serve(b"<html>" + b" " * 100_000)  # long, and told as a short one is
    await desk.read()
    assert "neither RSS nor Atom" in desk.source().error
    site.serve(rss("one", extra="<!-- " + "x" * 100_000 + " -->"))
    await desk.read()
    (post,) = desk.engine.rows(FeedPost)
    assert (post.title, post.tags, post.text) == ("one", ["wine"], "Hello one")
    assert post.published_at == datetime(2026, 3, 2, tzinfo=UTC)


async def test_a_server_that_hangs_up_or_is_not_there_is_survived(desk: Desk) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<rss>")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        desk.declare(f"http://127.0.0.1:{port}/")
        await desk.read()
    assert desk.source().failures == 1
    desk.declare(f"http://127.0.0.1:{port}/")
    await desk.read()
    assert desk.source().failures == 1
    desk.declare("http://no-such-host.invalid/")
    await desk.read()
    assert desk.source().error.startswith("there is no no-such-host.invalid")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.1.2.3", "169.254.169.254"]
)
async def test_a_private_address_is_not_asked(desk: Desk, site: Site, db: Database, host: str) -> None:
    site.serve(rss("one"))
    desk.reading = FeedReading(desk.engine.settings.model_copy(update={"feed_private": False}), db)
    desk.declare(f"http://{host}:{site.port}/feed.xml")
    await desk.read()
    assert "is a private address; PARCOURS_FEED_PRIVATE=true allows those" in desk.source().error
    assert site.asked == []


async def test_broken_xml_gives_what_can_be_read_cleaned(desk: Desk, site: Site) -> None:
    site.serve(rss("one & two", "three") + b"<oops")
    desk.declare(site.url)
    await desk.read()
    rows = {post.guid: post for post in desk.engine.rows(FeedPost)}
    assert any("three" in post.title for post in rows.values())
    for post in rows.values():
        assert "script" not in post.html
        assert "onclick" not in post.html
        assert "alert" not in post.text


async def test_a_thousand_posts_at_once_are_not_a_thousand_events(desk: Desk, site: Site) -> None:
    desk.declare(site.url, segment=GOLD)
    site.serve(rss("one"))
    await desk.read()
    site.serve(rss(*(f"n{number}" for number in range(1000))))
    await desk.read()
    assert len(desk.posted()) == feed_sources.MOST_NEW
    assert len(desk.engine.rows(FeedPost)) == 201


async def test_posts_are_for_templates(desk: Desk, site: Site, tmp_path: Path) -> None:
    site.serve(rss("one", "two"))
    desk.declare(site.url)
    await desk.read()
    with desk.database.read() as conn:
        shown = feed_sources.shown(conn, ["blog"])["blog"]
    assert [post["title"] for post in shown] == ["two", "one"]
    assert shown[0]["text"] == "Hello two"
    assert shown[0]["url"].endswith("/p/1")
    del tmp_path


class Blog(Events):
    posted = event()


class Reader(Journey):
    """A text about each new post."""

    enters = Blog.posted
    purpose = marketing
    done = Final()

    @Sms("t/sms")
    def told(self) -> Arrows:
        yield after(days=300) >> self.done


async def test_a_new_post_lets_the_sources_customers_into_a_journey(
    engine_settings: Settings, sqlite: Database, temporal: EmbeddedServer, site: Site
) -> None:
    settings = engine_settings.model_copy(update={"feed_private": True})
    async with working(settings):
        engine = Engine(settings, sqlite, await Client.connect(settings.temporal_address), temporal)
        engine.customers("ann", attributes={"tier": "gold"})
        engine.customers("ben", attributes={"tier": "tin"})
        engine.publish(Reader)
        site.serve(rss("one"))
        with sqlite.write() as conn:
            feed_sources.put(conn, "blog", site.url, engine.now(), segment=GOLD)
        await engine.until(lambda: engine.rows(FeedPost))
        site.serve(rss("one", "two"))
        with sqlite.write() as conn:
            conn.execute(update(table(FeedSource)).values(next_at=datetime.now(UTC)))
        await engine.until(lambda: engine.rows(Enrolment))
        await engine.until_at("ann", "told")
        assert [enrolment.customer_id for enrolment in engine.rows(Enrolment)] == ["ann"]
