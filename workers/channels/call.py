"""Calls: a message is a task of the call center, in our own database, with the script rendered for this customer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Connection

from engine.db import insert_new
from engine.links import Links
from engine.outgoing import Content, Outgoing, Receipt, Recipient, Send
from engine.rendering import Renderer
from engine.settings import Settings
from engine.tables import CallTask
from engine.templates import Templates
from workers.channels.phones import e164

__all__ = ["CallChannel"]

_PRIORITY = 5


class CallChannel:
    """Makes call tasks. An agent's system claims them by the API."""

    name = "call"
    outside = False
    repeats = True
    at_once = 1

    def __init__(self, settings: Settings, templates: Templates, links: Links) -> None:
        self._country = settings.country
        self._templates = templates
        self._renderer = Renderer(templates, links)

    def address(self, recipient: Recipient) -> str | None:
        """Her number as E.164, read as her country's, else the project's."""
        return e164(recipient.phone, recipient.country or self._country) if recipient.phone else None

    def speaks_of(self, template: str, name: str) -> bool:
        return self._templates.mentions(template, self.name, name)

    def render(self, recipient: Recipient, template: str, key: str, facts: Mapping[str, Any]) -> Content:
        return self._renderer.render(self.name, recipient, template, key, facts)

    def keep(self, conn: Connection, messages: Sequence[Outgoing]) -> None:
        """Insert the tasks."""
        self._templates.keep(conn, (message.content.template_hash for message in messages))
        insert_new(conn, CallTask, [_task(message) for message in messages])

    @asynccontextmanager
    async def batch(self, run: str) -> AsyncGenerator[Send]:
        """`keep` was the send."""
        del run
        yield _kept


def _task(message: Outgoing) -> dict[str, Any]:
    return {
        "id": message.key,
        "customer_id": message.recipient.id,
        "enrolment_id": message.enrolment_id,
        "journey": message.journey,
        "state": message.state,
        "queue": message.queue or "default",
        "status": "pending",
        "priority": _PRIORITY,
        "script": message.content.html,
        "title": message.content.title,
        "phone": message.address,
        "outcomes": list(message.outcomes),
        "created_at": message.at,
        "updated_at": message.at,
        "due_at": message.at,
    }


async def _kept(message: Outgoing) -> Receipt:
    return Receipt("sent", provider_id=message.key)
