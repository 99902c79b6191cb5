"""Feed items and call tasks: the row is the send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from engine.db import Database, table
from engine.feeds import personal as feeds
from engine.links import Links
from engine.outgoing import Outgoing
from engine.settings import Settings
from engine.tables import CallTask, FeedItem
from engine.templating.checking import SAMPLE
from engine.templating.context import Brand
from engine.templating.templates import TemplateError, Templates
from workers.channels import CallChannel, FeedChannel

Compose = Callable[..., Outgoing]


def test_K7_an_item_is_in_her_feed_once_with_a_guid_of_its_key(
    templates: Templates, links: Links, compose: Compose, db: Database
) -> None:
    channel = FeedChannel(templates, links)
    outgoing = compose(channel, "win/item")
    with db.write() as conn:
        channel.keep(conn, [outgoing])
        channel.keep(conn, [replace(outgoing, content=replace(outgoing.content, title="Changed"))])
        (item,) = conn.execute(select(table(FeedItem))).all()
        page = feeds.document(conn, links, links.feed_token("sample"), Brand())
    assert (item.guid, item.title) == (feeds.guid("7-1-0"), "For Camille")
    assert item.link == links.click("7-1-0", 0)
    assert links.open_pixel("7-1-0") in item.html
    assert feeds.guid("7-1-0").encode() in page.body
    assert channel.address(replace(SAMPLE, email=None, phone=None)) == "sample"


def test_a_call_task_has_the_script_the_number_and_the_outcomes(
    settings: Settings, templates: Templates, links: Links, compose: Compose, db: Database
) -> None:
    channel = CallChannel(settings, templates, links)
    outgoing = compose(channel, "win/call", recipient=replace(SAMPLE, last_name="<script>alert(1)</script>"))
    with db.write() as conn:
        channel.keep(conn, [outgoing])
        channel.keep(conn, [outgoing])
        (task,) = conn.execute(select(table(CallTask))).all()
    assert (task.id, task.queue, task.status, task.phone) == ("7-1-0", "win-back", "pending", "+33612345678")
    assert task.outcomes == ["interested", "refused"]
    assert task.title == "Call Camille"
    assert task.script == "<p>Good day, &lt;script&gt;alert(1)&lt;/script&gt;</p>"
    assert task.due_at == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    assert channel.address(replace(SAMPLE, phone=None)) is None


def test_a_script_has_no_tracked_links(
    settings: Settings, templates: Templates, links: Links, compose: Compose
) -> None:
    (templates.folder / "win" / "bad.en.html").write_text("<title>x</title>\n{{ link('https://shop.example/') }}")
    with pytest.raises(TemplateError, match=r"win/bad.en.html:2: there is no name 'link'"):
        compose(CallChannel(settings, templates, links), "win/bad")
