"""Events in, as Segment's and RudderStack's clients send them; and events out, for reading.

The answer is exactly 200 (RudderStack sends again on 202). A batch is kept whole or not at all.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from api.auth import INGEST, READ
from api.errors import ApiError
from api.segment import KINDS, Malformed, Read, read
from api.state import Here
from engine import events

__all__ = ["MOST", "Received", "router"]

router = APIRouter(tags=["events"])

MOST = 5000
"""Most messages of a batch."""


class Received(BaseModel):
    """The batch is committed."""

    success: bool = True


class EventOut(BaseModel):
    """An event as it is kept."""

    seq: int = Field(description="Counts up; give the last one as `since` to go on")
    id: str = Field(description="The sender's id: the messageId, for events that came in here")
    name: str
    customer_id: str | None
    message_key: str | None = Field(description="The send that it answers")
    at: datetime = Field(description="When it happened (journey time)")
    received_at: datetime
    payload: dict[str, Any]
    source: str
    fate: str | None = Field(description="What the dispatcher did with it; null: not yet")


class Events(BaseModel):
    """A page of events."""

    events: list[EventOut]
    next: int = Field(description="`since` of the next page")


async def _json(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad_json", f"the body is not JSON: {error}") from None


_EXAMPLE: dict[str, Any] = {
    "batch": [
        {
            "type": "track",
            "messageId": "b7d0",
            "userId": "4711",
            "event": "Order Completed",
            "timestamp": "2026-05-04T09:30:00.000Z",
            "properties": {"order_id": "A-17", "total": 59.9, "products": [{"category": "wine", "price": 59.9}]},
        }
    ]
}


def _body(example: dict[str, Any]) -> dict[str, Any]:
    """The body's schema for OpenAPI: it is read by hand, so that an error can name index, field and value."""
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}, "example": example}},
        }
    }


@router.post(
    "/v1/batch",
    dependencies=INGEST,
    openapi_extra=_body(_EXAMPLE),
    summary="Take in a batch of events",
)
def batch(here: Here, body: Annotated[Any, Depends(_json)]) -> Received:
    """Segment's batch call: `{"batch": [...]}` of track, identify, page, screen, group and alias messages, gzip or plain.

    Kept whole or not at all: a malformed message is a 400 that names its index, field and value. A message whose
    `messageId` was seen before is dropped.
    """
    messages: object = cast("dict[str, Any]", body).get("batch") if isinstance(body, dict) else body
    if not isinstance(messages, list):
        raise ApiError(400, "malformed_batch", 'the body must be {"batch": [...]}')
    batch = cast("list[object]", messages)
    if len(batch) > MOST:
        raise ApiError(413, "batch_too_large", f"a batch may have {MOST} messages, this one has {len(batch)}")
    now = here.now()
    sent_at = cast("dict[str, Any]", body).get("sentAt") if isinstance(body, dict) else None
    parsed: list[Read] = []
    for index, message in enumerate(batch):
        try:
            parsed.append(read(message, now, sent_at=sent_at))
        except Malformed as error:
            raise ApiError(
                400, "malformed_event", f"batch[{index}].{error.message}; nothing of the batch was kept"
            ) from None
    here.keeper.keep(parsed, now)
    return Received()


def _single(kind: str) -> None:
    def take(here: Here, body: Annotated[Any, Depends(_json)]) -> Received:
        now = here.now()
        try:
            parsed = read(body, now, kind)
        except Malformed as error:
            raise ApiError(400, "malformed_event", error.message) from None
        here.keeper.keep([parsed], now)
        return Received()

    take.__doc__ = f"Segment's {kind} call: one message of a batch, without `type`."
    router.add_api_route(
        f"/v1/{kind}",
        take,
        methods=["POST"],
        name=kind,
        summary=f"Take in one {kind} message",
        dependencies=INGEST,
        openapi_extra=_body({key: value for key, value in _EXAMPLE["batch"][0].items() if key != "type"}),
    )


for _kind in KINDS:
    _single(_kind)


@router.get("/v1/events", dependencies=READ, summary="Read events")
def read_events(
    here: Here,
    since: Annotated[int, Query(ge=0, le=2**53, description="The `next` of the page before; 0: from the start")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    name: Annotated[str | None, Query(description="Events of this name alone, as `shop.purchased`")] = None,
    customer_id: Annotated[str | None, Query(description="Events of this customer alone")] = None,
) -> Events:
    """Events in the order in which they were kept, after number `since`."""
    with here.database.read() as conn:
        found = events.since(conn, since, limit, name=name, customer_id=customer_id)
    rows = [EventOut.model_validate(event, from_attributes=True) for event in found]
    return Events(events=rows, next=rows[-1].seq if rows else since)
