"""The personal feed: a message is an item in our own database, nobody outside is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from engine.db import insert_new
from engine.feeds import personal as feeds
from engine.links import Links
from engine.outgoing import Content, Outgoing, Recipient
from engine.tables import FeedItem
from engine.templating.rendering import Renderer
from engine.templating.templates import Templates

__all__ = ["FeedChannel"]


class FeedChannel:
    """Puts items into customers' feeds. Everybody can be reached; whether she reads it is another matter."""

    name = "feed"

    def __init__(self, templates: Templates, links: Links) -> None:
        self._links = links
        self._templates = templates
        self._renderer = Renderer(templates, links)

    def address(self, recipient: Recipient) -> str | None:
        """Her id: a feed has no other address that is hers."""
        return recipient.id

    def speaks_of(self, template: str, name: str) -> bool:
        return self._templates.mentions(template, self.name, name)

    def render(self, recipient: Recipient, template: str, key: str, facts: Mapping[str, Any]) -> Content:
        return self._renderer.render(self.name, recipient, template, key, facts)

    def keep(self, conn: Connection, messages: Sequence[Outgoing]) -> None:
        """Insert the items, and open the feeds of those who have none."""
        if not messages:
            return
        self._templates.keep(conn, (message.content.template_hash for message in messages))
        feeds.ensure(conn, self._links, (m.recipient.id for m in messages), messages[0].at)
        insert_new(conn, FeedItem, [self._item(message) for message in messages])

    def _item(self, message: Outgoing) -> dict[str, Any]:
        content = message.content
        return {
            "key": message.key,
            "guid": feeds.guid(message.key),
            "customer_id": message.recipient.id,
            "title": content.title,
            "html": content.html,
            "link": self._links.click(message.key, 0) if content.links else self._templates.brand.url,
            "at": message.at,
            "withdrawn_at": None,
        }
