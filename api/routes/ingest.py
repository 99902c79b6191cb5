"""Events in, as Segment's and RudderStack's clients send them; and events out, for reading.

The answer is exactly 200 (RudderStack sends again on 202). A message of a batch that can't be read is set aside with the reason:
their clients drop the whole of a batch that is refused, and nobody would look for the others.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from api.auth import INGEST, READ, Ingest
from api.errors import ApiError
from api.segment import KINDS, Malformed, Read, read
from api.state import Here, State
from engine import events, rejected
from engine.json_text import parsed, suspicious, unfit
from engine.rejected import Rejected

__all__ = ["MOST", "Received", "router"]

router = APIRouter(tags=["events"])
log = logging.getLogger("parcours.api")

MOST = 5000
"""Most messages of a batch."""


class Received(BaseModel):
    """What came in is committed."""

    success: bool = True


class RejectedMessage(BaseModel):
    """A message that can't be read."""

    index: int = Field(description="Its place in the batch, from 0")
    message_id: str | None
    reason: str = Field(description="Field, what it should be, and the value")


class BatchReceived(Received):
    """The batch is committed, but for what was rejected, if anything: that is set aside, and not to be sent again."""

    rejected: list[RejectedMessage] | None = None


class RejectedEventOut(BaseModel):
    """A message that was set aside."""

    id: int
    at: datetime = Field(description="Wall-clock time")
    sender: str = Field(description="The name of the key that it came with")
    customer_id: str | None
    message_id: str | None
    reason: str
    body: str = Field(description="The message as JSON; the first 20,000 characters")


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


async def _body(request: Request) -> bytes:
    return await request.body()


def _json(raw: Annotated[bytes, Depends(_body)]) -> Any:
    try:
        return parsed(raw)
    except ValueError as error:
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


def _described(example: dict[str, Any]) -> dict[str, Any]:
    """The body's schema for OpenAPI: it is read by hand, so that an error can name index, field and value."""
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}, "example": example}},
        }
    }


@router.post(
    "/v1/batch",
    response_model_exclude_none=True,
    openapi_extra=_described(_EXAMPLE),
    summary="Take in a batch of events",
)
def batch(
    here: Here, caller: Ingest, raw: Annotated[bytes, Depends(_body)], body: Annotated[Any, Depends(_json)]
) -> BatchReceived:
    """Segment's batch call: `{"batch": [...]}` of track, identify, page, screen, group and alias messages, gzip or plain.

    A message that can't be read is set aside: `rejected` names its index, field and value, and `GET /v1/events/rejected` shows
    it; the others are kept. A message whose `messageId` was seen before is dropped.
    """
    messages: object = cast("dict[str, Any]", body).get("batch") if isinstance(body, dict) else body
    if not isinstance(messages, list):
        raise ApiError(400, "malformed_batch", 'the body must be {"batch": [...]}')
    batch = cast("list[object]", messages)
    if len(batch) > MOST:
        raise ApiError(413, "batch_too_large", f"a batch may have {MOST} messages, this one has {len(batch)}")
    now = here.now()
    sent_at = cast("dict[str, Any]", body).get("sentAt") if isinstance(body, dict) else None
    kept: list[Read] = []
    wrong: dict[int, Rejected] = {}
    closer = suspicious(raw)
    for index, message in enumerate(batch):
        bad = unfit(message) if closer else None
        if bad is not None:
            wrong[index] = Rejected(message, f"{bad[0] or 'the message'} holds {bad[1]}")
            continue
        try:
            kept.append(read(message, now, sent_at=sent_at))
        except Malformed as error:
            wrong[index] = Rejected(message, error.message)
    if wrong:
        _set_aside(here, caller.name, wrong, len(batch))
    here.keeper.keep(kept, now)
    return BatchReceived(rejected=[_told(index, each) for index, each in wrong.items()] or None)


def _set_aside(here: State, sender: str, wrong: Mapping[int, Rejected], of: int) -> None:
    first, one = next(iter(wrong.items()))
    log.warning("%d of %d messages from key %r can't be read; batch[%d].%s", len(wrong), of, sender, first, one.reason)
    with here.database.write(durable=True) as conn:
        rejected.keep(conn, list(wrong.values()), sender, here.settings.stray_days)


def _told(index: int, wrong: Rejected) -> RejectedMessage:
    return RejectedMessage(index=index, message_id=wrong.message_id, reason=wrong.reason)


def _single(kind: str) -> None:
    def take(here: Here, body: Annotated[Any, Depends(_json)]) -> Received:
        now = here.now()
        try:
            one = read(body, now, kind)
        except Malformed as error:
            raise ApiError(400, "malformed_event", error.message) from None
        here.keeper.keep([one], now)
        return Received()

    take.__doc__ = f"Segment's {kind} call: one message of a batch, without `type`."
    router.add_api_route(
        f"/v1/{kind}",
        take,
        methods=["POST"],
        name=kind,
        summary=f"Take in one {kind} message",
        dependencies=INGEST,
        openapi_extra=_described({key: value for key, value in _EXAMPLE["batch"][0].items() if key != "type"}),
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


@router.get("/v1/events/rejected", dependencies=READ, summary="What could not be read")
def read_rejected(
    here: Here,
    before: Annotated[int | None, Query(ge=0, le=2**53, description="The `id` of the last of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[RejectedEventOut]:
    """Messages of batches that were set aside, the newest first, with the reasons; forgotten after PARCOURS_STRAY_DAYS."""
    with here.database.read() as conn:
        found = rejected.listed(conn, before=before, most=limit)
    return [RejectedEventOut.model_validate(each, from_attributes=True) for each in found]
