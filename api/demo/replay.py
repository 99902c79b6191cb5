"""The shop goes on: real baskets after the opening day, and invented sign-ups, sent as events while the days pass."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from api.demo.people import SEED, chance
from api.demo.shop import OPENING, Basket
from api.demo.surface import Surface
from engine.clock import Clock

__all__ = ["Happening", "replay", "story"]

Happening = tuple[datetime, dict[str, Any]]
"""When something happens in the shop, and how it is reported."""

SIGN_UPS = 0.12
"""The share of households that open an account during the demo, an hour after a visit to the shop."""
AT_ONCE = 200


def story(baskets: Sequence[Basket], seed: str = SEED) -> list[Happening]:
    """What the shop is going to report, in order of time: every basket, and the sign-ups."""
    events = [(basket.at, _purchase(basket)) for basket in baskets]
    seen: set[str] = set()
    for basket in baskets:
        if basket.customer_id in seen or basket.at < OPENING + timedelta(days=2):
            continue
        seen.add(basket.customer_id)
        if chance(seed, basket.customer_id, "signs up") < SIGN_UPS:
            events.append((basket.at + timedelta(hours=1), _sign_up(basket)))
    return sorted(events, key=lambda event: (event[0], event[1]["messageId"]))


async def replay(surface: Surface, clock: Clock, events: Sequence[Happening], stop: asyncio.Event) -> int:
    """Send each event when its time has come, in batches, until `stop` is set. Returns how many were sent."""
    sent = 0
    while not stop.is_set():
        now = clock.now()
        due = sent
        while due < len(events) and due - sent < AT_ONCE and events[due][0] <= now:
            due += 1
        if due > sent:
            await surface.events([event for _, event in events[sent:due]])
        if due - sent < AT_ONCE:
            await asyncio.sleep(0.1)
        sent = due
    return sent


def _purchase(basket: Basket) -> dict[str, Any]:
    lines = sorted(basket.lines, key=lambda line: -line[2])
    return {
        "messageId": f"basket-{basket.id}",
        "event": "shop.purchased",
        "userId": basket.customer_id,
        "timestamp": basket.at.isoformat(),
        "properties": {
            "order_id": basket.id,
            "total": basket.total / 100,
            "category": lines[0][0],
            "categories": ", ".join(sorted(category for category, _, _ in lines)),
            "products": [
                {"category": category, "quantity": quantity, "total": cents / 100}
                for category, quantity, cents in lines
            ],
        },
    }


def _sign_up(basket: Basket) -> dict[str, Any]:
    return {
        "messageId": f"sign-up-{basket.customer_id}",
        "event": "shop.signed_up",
        "userId": basket.customer_id,
        "timestamp": (basket.at + timedelta(hours=1)).isoformat(),
        "properties": {"from": "app"},
    }
