"""Calls: a message is a task of the call center, in our own database, with the script rendered for this customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from dsl.localtime import zone_of
from engine.calls import capacity as call_capacity
from engine.calls import hours as call_hours
from engine.calls import tasks as call_tasks
from engine.calls import value as call_value
from engine.gate import No
from engine.links import Links
from engine.outgoing import Content, Outgoing, Recipient
from engine.settings import Settings
from engine.templating.rendering import Renderer
from engine.templating.templates import Templates
from workers.channels.phones import e164

__all__ = ["CallChannel"]

PRIORITY = 5
_QUEUE = "default"


class CallChannel:
    """Makes call tasks. An agent's system claims them by the API."""

    name = "call"

    def __init__(self, settings: Settings, templates: Templates, links: Links) -> None:
        self._country = settings.country
        self._clock = settings.clock
        self._order_value = settings.order_value
        self._templates = templates
        self._renderer = Renderer(templates, links)

    def address(self, recipient: Recipient) -> str | None:
        """Her number as E.164, read as her country's, else the project's."""
        return e164(recipient.phone, recipient.country or self._country) if recipient.phone else None

    def speaks_of(self, template: str, name: str) -> bool:
        return self._templates.mentions(template, self.name, name)

    def render(self, recipient: Recipient, template: str, key: str, facts: Mapping[str, Any]) -> Content:
        return self._renderer.render(self.name, recipient, template, key, facts)

    def full(self, conn: Connection, messages: Sequence[Outgoing]) -> dict[str, No]:
        """Calls that nobody can make, since the queue never works at an hour when she may be rung.

        And where their box has a substitute: those whose queue has no room for them in the slot that suits (behaviour K3).
        """
        refused: dict[str, No] = {}
        by_queue: dict[str, list[Outgoing]] = {}
        for message in messages:
            by_queue.setdefault(message.queue or _QUEUE, []).append(message)
        for queue, wanted in by_queue.items():
            now = self._clock.now()
            substituted = any(message.substitute for message in wanted)
            rules = call_hours.rules_of(conn, queue, lock=substituted)
            for message in wanted:
                zone = zone_of(message.recipient.zone)
                if rules.ring_time(now, zone) is None:
                    detail = {"queue": queue, "zone": zone.key, "hours": "none in common"}
                    refused[message.key] = No("not_sent", "no capacity", detail)
            if not rules.limited or not substituted:
                continue
            wanted = [message for message in wanted if message.key not in refused]  # noqa: PLW2901  # who can be rung at all
            worth = self._worth(conn, wanted)
            wishes = [self._wish(message, worth[_wanted(message)]) for message in wanted]
            for key, wish in call_capacity.crowded_out(conn, rules, wishes, now).items():
                slot = wish.suits
                detail = {"queue": queue, "priority": wish.priority, "value": wish.value}
                detail |= {} if slot is None else {"slot": slot.start.isoformat(), "calls": slot.calls}
                refused[key] = No("not_sent", "no capacity", detail)
        return refused

    def keep(self, conn: Connection, messages: Sequence[Outgoing]) -> None:
        """Insert the tasks, each with what it is worth and its place in the queue."""
        self._templates.keep(conn, (message.content.template_hash for message in messages))
        worth = self._worth(conn, messages)
        by_queue: dict[str, list[Outgoing]] = {}
        for message in messages:
            by_queue.setdefault(message.queue or _QUEUE, []).append(message)
        for queue, wanted in by_queue.items():
            rules = call_hours.rules_of(conn, queue)
            rows = [_task(message, queue, worth[_wanted(message)], rules) for message in wanted]
            call_tasks.create(conn, rows, self._clock.now())

    def _worth(self, conn: Connection, messages: Sequence[Outgoing]) -> dict[call_value.Wanted, int]:
        return call_value.expected(
            conn, [_wanted(message) for message in messages], self._clock.now(), self._order_value
        )

    @staticmethod
    def _wish(message: Outgoing, value: int) -> call_capacity.Wish:
        zone = zone_of(message.recipient.zone)
        priority = message.priority or PRIORITY
        return call_capacity.Wish(message.key, priority, value, message.at, zone, picky=message.substitute)


def _wanted(message: Outgoing) -> call_value.Wanted:
    return message.recipient.id, message.journey, message.state


def _task(message: Outgoing, queue: str, value: int, rules: call_hours.Rules) -> dict[str, Any]:
    recipient = message.recipient
    return {
        "id": message.key,
        "customer_id": recipient.id,
        "enrolment_id": message.enrolment_id,
        "journey": message.journey,
        "state": message.state,
        "queue": queue,
        "status": "pending",
        "priority": message.priority or PRIORITY,
        "value": value,
        "skills": [*message.skills, f"language:{recipient.language}"],
        "zone": recipient.zone,
        "country": recipient.country,
        "language": recipient.language,
        "script": message.content.html,
        "title": message.content.title,
        "phone": message.address,
        "outcomes": list(message.outcomes),
        "created_at": message.at,
        "updated_at": message.at,
        "due_at": rules.next_ring(message.at, zone_of(recipient.zone)),
    }
