"""Items of personal feeds go when what they ask for is over; and what others posted stands in messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kit.engine import Engine
from kit.printing import OPENING, Desk

from dsl import Api, Arrows, Feed, Final, Goal, Journey, Letter, Shop, after, marketing
from dsl.step import chart
from engine import endings
from engine.again import made_again
from engine.db import Database, insert_new
from engine.feeds import sources as feed_sources
from engine.links import Links
from engine.settings import Settings
from engine.tables import FeedItem, FeedPost, Message
from engine.templating.templates import Templates
from workers.registry import Registry


class Voucher(Journey):
    """An item, until she has bought."""

    enters = Api()
    purpose = marketing
    lapsed = Final()
    won = Goal()

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield Shop.purchased >> self.won
        yield Feed.clicked >> self.later
        yield after(days=14) >> self.lapsed

    @Feed("t/feed")
    def later(self) -> Arrows:
        yield after(days=14) >> self.lapsed


class News(Journey):
    """An item and a letter with what the blog says."""

    enters = Api()
    purpose = marketing
    done = Final()

    @Feed("t/news")
    @Letter("t/news")
    def news(self) -> Arrows:
        yield after(days=1) >> self.done


@pytest.fixture
def desk(tmp_path: Path, templates: Path, db: Database) -> Desk:
    registry = Registry()
    engine = Engine(Settings(data=tmp_path / "var", journeys=templates), db, None)  # type: ignore[arg-type]  # no Temporal
    ir = engine.publish(Voucher)
    registry.add(chart(ir))
    return Desk(engine.settings, engine, ir, registry)


@pytest.mark.parametrize(("what", "gone"), [("won", True), ("later", False), ("lapsed", False), ("killed", True)])
async def test_K7_an_item_goes_when_she_has_bought_or_is_ended_and_stays_otherwise(
    desk: Desk, what: str, gone: bool
) -> None:
    desk.engine.customers("ann", "ben")
    await desk.send("ann", "ben")
    if what == "killed":
        with desk.database.write() as conn:
            endings.end(conn, [desk.engine.enrolment("ann").id], "killed", OPENING + timedelta(minutes=5))
    else:
        await desk.move("ann", "timer" if what == "lapsed" else "answer", what)
    items = {item.customer_id: item.withdrawn_at for item in desk.engine.rows(FeedItem)}
    assert (items["ann"] is not None) == gone
    assert items["ben"] is None


def _posts(desk: Desk) -> None:
    at = datetime(2026, 3, 1, 8, tzinfo=UTC)
    rows: list[dict[str, Any]] = [
        {"source": "blog", "guid": str(number), "url": f"https://blog.example/{number}", "title": f"Post {number} <b>", "html": "",
         "text": "Words", "picture": "", "tags": [], "published_at": at + timedelta(minutes=number)}
        for number in range(8)
    ]  # fmt: skip
    with desk.database.write() as conn:
        feed_sources.put(conn, "blog", "https://blog.example/feed", at)
        insert_new(conn, FeedPost, rows)


async def test_a_message_has_the_newest_posts_of_a_source_and_can_be_made_again(desk: Desk, templates: Path) -> None:
    (templates / "t" / "news.en.html").write_text(
        "<title>News</title>{% for post in feed('blog', 2) %}<a href=\"{{ link(post.url, 'post') }}\">{{ post.title }}</a> "
        "{{ date(post.published_at) }}{% endfor %}"
    )
    (templates / "t" / "news.en.typ").write_text(
        '#for post in feed("blog", most: 2) [- #post.title, #date(post.published_at)\n]\n'
    )
    ir = desk.engine.publish(News)
    desk.registry.add(chart(ir))
    desk.engine.customers("ann")
    _posts(desk)
    outcome = await desk.send("ann", ir=ir)
    assert outcome.not_sent == ()
    (item,) = desk.engine.rows(FeedItem)
    assert "Post 7 &lt;b&gt;" in item.html
    assert "Post 6" in item.html
    assert "Post 5" not in item.html
    assert "1 March 2026" in item.html
    assert [post["title"] for post in desk.letter("ann").data["feeds"]["blog"]][:2] == ["Post 7 <b>", "Post 6 <b>"]
    settings = desk.settings
    links = Links(settings.public_url, settings.signing_key())
    with desk.database.read() as conn:
        for row in desk.engine.messages("ann"):
            again = made_again(conn, Templates.of(settings), links, Message(**row._mapping))
            assert again is not None
            assert again.exact, row.channel


async def test_a_source_that_nobody_declared_is_told(desk: Desk, templates: Path) -> None:
    (templates / "t" / "news.en.html").write_text("<title>News</title>{{ feed('blog') | length }}")
    (templates / "t" / "news.en.typ").write_text('#feed("blog").len()')
    ir = desk.engine.publish(News)
    desk.registry.add(chart(ir))
    desk.engine.customers("ann")
    outcome = await desk.send("ann", ir=ir)
    assert outcome.not_sent == (0,)
    for message in desk.engine.messages("ann"):
        assert message.reason == "template"
        assert "there is no feed source 'blog'" in message.detail["error"]
