"""Webhooks: subscribe to what happens to call tasks, and read what was delivered. Signed as Standard Webhooks says."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from api.auth import OPERATE, TASKS
from api.state import Here
from engine import webhooks
from engine.calls.events import EVENTS
from engine.tables import Webhook, WebhookDelivery, WebhookTry

__all__ = ["router"]

router = APIRouter(tags=["webhooks"])

_NAMES = [f"call_task.{kind}" for kind in EVENTS]


class WebhookIn(BaseModel):
    """Where to tell what."""

    url: str = Field(
        max_length=2000,
        description="http or https; redirects are not followed",
        examples=["https://dialer.example/hook"],
    )
    events: list[str] = Field(
        default_factory=list[str], max_length=20, description=f"Of {', '.join(_NAMES)}; none named: all"
    )
    queue: str | None = Field(None, description="Only this queue's tasks")


class WebhookOut(BaseModel):
    """A subscription."""

    id: str
    url: str
    events: list[str]
    queue: str | None
    created_at: datetime
    disabled_at: datetime | None
    disabled_why: str | None


class WebhookMade(WebhookOut):
    """A subscription with its secret."""

    secret: str = Field(description="Verifies what comes (`whsec_…`); shown this once")


class TryOut(BaseModel):
    """One call of the address."""

    at: datetime
    status: int | None = Field(description="HTTP status; null: no answer came")
    error: str | None
    ms: int


class DeliveryOut(BaseModel):
    """An event on its way, or there."""

    id: int
    message_id: str = Field(description="The header `webhook-id`: the same in every try")
    type: str
    status: str = Field(description="pending, delivered, failed (given up) or dropped (the subscription has ended)")
    created_at: datetime
    due_at: datetime = Field(description="With `pending`: when it is tried next")
    settled_at: datetime | None
    body: str
    tries: list[TryOut]


@router.post("/v1/webhooks", dependencies=OPERATE, status_code=201, summary="Subscribe")
def subscribe(here: Here, body: WebhookIn) -> WebhookMade:
    """Every event from now on is sent to this address, at least once. The secret is shown this once."""
    with here.database.write() as conn:
        made = webhooks.subscribe(conn, body.url, body.events, _NAMES, body.queue)
    return WebhookMade.model_validate(made, from_attributes=True)


@router.get("/v1/webhooks", dependencies=TASKS, summary="List webhooks")
def list_webhooks(here: Here) -> list[WebhookOut]:
    """Every subscription, also those that have ended."""
    with here.database.read() as conn:
        return [_shown(each) for each in webhooks.every(conn)]


@router.delete("/v1/webhooks/{webhook_id}", dependencies=OPERATE, summary="End a subscription")
def end(here: Here, webhook_id: str) -> WebhookOut:
    """Nothing is sent any more. Its log stays. The same again changes nothing."""
    with here.database.write() as conn:
        return _shown(webhooks.disable(conn, webhook_id, "ended by an operator"))


@router.get("/v1/webhooks/{webhook_id}/deliveries", dependencies=TASKS, summary="A webhook's log")
def deliveries(
    here: Here,
    webhook_id: str,
    status: Literal["pending", "delivered", "failed", "dropped"] | None = None,
    before: Annotated[int | None, Query(ge=0, le=2**53, description="The `id` of the last of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[DeliveryOut]:
    """What was sent, or is to be, the newest first, with every try and what the receiver answered."""
    with here.database.read() as conn:
        webhooks.get(conn, webhook_id)
        rows = webhooks.log(conn, webhook_id, status=status, before=before, most=limit)
        tries = webhooks.tries(conn, [row.id or 0 for row in rows])
    return [_delivery(row, tries[row.id or 0]) for row in rows]


@router.post("/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/retry", dependencies=OPERATE, summary="Send it again")
def retry(here: Here, webhook_id: str, delivery_id: Annotated[int, Path(ge=0, le=2**53)]) -> DeliveryOut:
    """Tries a delivery anew, from now on, under the same `webhook-id`."""
    with here.database.write() as conn:
        row = webhooks.send_again(conn, webhook_id, delivery_id)
        return _delivery(row, webhooks.tries(conn, [delivery_id])[delivery_id])


def _shown(hook: Webhook) -> WebhookOut:
    return WebhookOut.model_validate(hook, from_attributes=True)


def _delivery(row: WebhookDelivery, made: list[WebhookTry]) -> DeliveryOut:
    fields = {name: getattr(row, name) for name in DeliveryOut.model_fields if name != "tries"}
    return DeliveryOut(**fields, tries=[TryOut.model_validate(each, from_attributes=True) for each in made])
