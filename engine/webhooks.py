"""Webhooks: subscriptions, and what is on its way to them. An outbox: a delivery is a row of the transaction that it tells of.

Deliveries are signed as Standard Webhooks says (standardwebhooks.com). Times here are wall-clock time: the receiver lives on it.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import Connection, and_, func, select, update

from engine.db import insert_new, table
from engine.errors import Invalid, NotFound
from engine.tables import Webhook, WebhookDelivery, WebhookTry

__all__ = [
    "PAUSES",
    "Attempt",
    "disable",
    "due",
    "enqueue",
    "every",
    "get",
    "log",
    "send_again",
    "settle",
    "subscribe",
    "tries",
]

PAUSES = (5, 30, 120, 600, 1800, 7200, 18000, 36000, 36000)
"""Seconds before each further try: the last comes after a day and more."""
_LONGEST_WAIT = 7 * 86400  # seconds that a receiver may ask for
_SPREAD = 0.2  # of a pause: receivers that went down together aren't rung together


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of the receiver: its status, or what went wrong before there was one."""

    delivery: WebhookDelivery
    status: int | None
    error: str | None
    ms: int
    retry_after: float | None = None
    """Seconds that the receiver asked for."""


def subscribe(conn: Connection, url: str, events: Sequence[str], known: Sequence[str], queue: str | None) -> Webhook:
    """Make a subscription with a secret of its own. Raises Invalid for an address that is not http(s), or unknown events."""
    _check_url(url)
    wanted = list(dict.fromkeys(events)) or list(known)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise Invalid("events", unknown, f"there are {', '.join(known)}")
    row = {
        "id": f"wh_{secrets.token_hex(8)}",
        "url": url,
        "events": wanted,
        "queue": queue,
        "secret": f"whsec_{b64encode(secrets.token_bytes(32)).decode()}",
        "created_at": datetime.now(UTC),
    }
    insert_new(conn, Webhook, [row])
    return get(conn, str(row["id"]))


def every(conn: Connection) -> list[Webhook]:
    """Every subscription, the oldest first, also those that are disabled."""
    target = table(Webhook)
    return [
        Webhook(**row) for row in conn.execute(select(target).order_by(target.c.created_at, target.c.id)).mappings()
    ]


def get(conn: Connection, webhook_id: str) -> Webhook:
    """A subscription. Raises NotFound."""
    target = table(Webhook)
    row = conn.execute(select(target).where(target.c.id == webhook_id)).mappings().first()
    if row is None:
        raise NotFound("webhook_not_found", f"there is no webhook {webhook_id!r}")
    return Webhook(**row)


def disable(conn: Connection, webhook_id: str, why: str) -> Webhook:
    """End a subscription: nothing is sent any more, also of what was under way. The first reason stays. Raises NotFound."""
    target, deliveries = table(Webhook), table(WebhookDelivery)
    now = datetime.now(UTC)
    found = get(conn, webhook_id)
    conn.execute(
        update(target)
        .where(target.c.id == webhook_id, target.c.disabled_at.is_(None))
        .values(disabled_at=now, disabled_why=why)
    )
    conn.execute(
        update(deliveries)
        .where(deliveries.c.webhook_id == webhook_id, deliveries.c.status == "pending")
        .values(status="dropped", settled_at=now)
    )
    return get(conn, found.id)


def enqueue(conn: Connection, name: str, events: Sequence[tuple[str, Mapping[str, Any]]], at: datetime) -> None:
    """A delivery for each event, as (queue, data), and each live subscription to its name."""
    target = table(Webhook)
    live = [hook for hook in conn.execute(select(target).where(target.c.disabled_at.is_(None))) if name in hook.events]
    if not live:
        return
    now = datetime.now(UTC)
    rows = [
        {
            "webhook_id": hook.id,
            "message_id": f"msg_{uuid4().hex}",
            "type": name,
            "body": json.dumps({"type": name, "timestamp": at.isoformat(), "data": data}, ensure_ascii=False),
            "status": "pending",
            "tries": 0,
            "created_at": now,
            "due_at": now,
        }
        for queue, data in events
        for hook in live
        if hook.queue in (None, queue)
    ]
    insert_new(conn, WebhookDelivery, rows)


def due(conn: Connection, most: int, *, besides: Sequence[str] = ()) -> list[tuple[Webhook, WebhookDelivery]]:
    """Deliveries to be tried now, with their subscriptions, those of `besides` left out.

    Each subscription's oldest first, and the subscriptions in turn: a long queue of one keeps no other waiting.
    """
    hooks, target = table(Webhook), table(WebhookDelivery)
    turn = func.row_number().over(partition_by=target.c.webhook_id, order_by=(target.c.due_at, target.c.id))
    query = (
        select(target)
        .where(target.c.status == "pending", target.c.due_at <= datetime.now(UTC), target.c.webhook_id.not_in(besides))
        .order_by(turn, target.c.due_at, target.c.id)
        .limit(most)
    )
    deliveries = [WebhookDelivery(**row) for row in conn.execute(query).mappings()]
    wanted = {delivery.webhook_id for delivery in deliveries}
    found = {row["id"]: Webhook(**row) for row in conn.execute(select(hooks).where(hooks.c.id.in_(wanted))).mappings()}
    return [(found[delivery.webhook_id], delivery) for delivery in deliveries]


def settle(conn: Connection, attempts: Sequence[Attempt]) -> None:
    """Write down what came of tries: delivered, to be tried again after a pause, or given up. 410 ends the subscription."""
    target = table(WebhookDelivery)
    now = datetime.now(UTC)
    log_rows: list[dict[str, Any]] = []
    for attempt in attempts:
        delivery = attempt.delivery
        made = delivery.tries + 1
        log_rows.append(
            {"delivery_id": delivery.id, "at": now, "status": attempt.status, "error": attempt.error, "ms": attempt.ms}
        )
        values: dict[str, Any]
        if attempt.status is not None and 200 <= attempt.status < 300:
            values = {"status": "delivered", "settled_at": now}
        elif made > len(PAUSES):
            values = {"status": "failed", "settled_at": now}
        else:
            pause = max(
                PAUSES[made - 1] * (1 + _SPREAD * secrets.randbelow(1000) / 1000),
                min(attempt.retry_after or 0, _LONGEST_WAIT),
            )
            values = {"due_at": now + timedelta(seconds=min(pause, 86_400))}
        still = and_(target.c.id == delivery.id, target.c.status == "pending")
        conn.execute(update(target).where(still).values(tries=made, **values))
    insert_new(conn, WebhookTry, log_rows)
    for webhook_id in sorted({attempt.delivery.webhook_id for attempt in attempts if attempt.status == 410}):
        disable(conn, webhook_id, "the receiver answered 410 Gone")


def log(
    conn: Connection, webhook_id: str, *, status: str | None = None, before: int | None = None, most: int = 100
) -> list[WebhookDelivery]:
    """A subscription's deliveries, the newest first."""
    target = table(WebhookDelivery)
    query = select(target).where(target.c.webhook_id == webhook_id).order_by(target.c.id.desc()).limit(most)
    if status is not None:
        query = query.where(target.c.status == status)
    if before is not None:
        query = query.where(target.c.id < before)
    return [WebhookDelivery(**row) for row in conn.execute(query).mappings()]


def tries(conn: Connection, deliveries: Sequence[int]) -> dict[int, list[WebhookTry]]:
    """The tries of each of these deliveries, in their order."""
    target = table(WebhookTry)
    found: dict[int, list[WebhookTry]] = {number: [] for number in deliveries}
    for row in conn.execute(
        select(target).where(target.c.delivery_id.in_(deliveries)).order_by(target.c.id)
    ).mappings():
        found[row["delivery_id"]].append(WebhookTry(**row))
    return found


def send_again(conn: Connection, webhook_id: str, delivery_id: int) -> WebhookDelivery:
    """Try a delivery anew from now on, under the same message id. Raises NotFound, Invalid where the subscription is disabled."""
    target = table(WebhookDelivery)
    hook = get(conn, webhook_id)
    if hook.disabled_at is not None:
        raise Invalid("webhook", webhook_id, f"it is disabled: {hook.disabled_why}")
    again = (
        update(target)
        .where(target.c.id == delivery_id, target.c.webhook_id == webhook_id)
        .values(status="pending", tries=0, due_at=datetime.now(UTC), settled_at=None)
        .returning(target)
    )
    row = conn.execute(again).mappings().first()
    if row is None:
        raise NotFound("delivery_not_found", f"webhook {webhook_id} has no delivery {delivery_id}")
    return WebhookDelivery(**row)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        fits = (
            parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        )  # a port that is none raises
    except ValueError:
        fits = False
    if not fits or len(url) > 2000 or not url.isprintable() or " " in url:
        raise Invalid("url", url, "it must be an http or https address")
