"""CloudEvents in, over HTTP: structured, in batches, or binary; and the handshake of the Web Hooks specification.

The answer is 200 when everything is kept. A batch is kept whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request, Response

from api import cloudevents
from api.auth import INGEST
from api.errors import ApiError, also
from api.routes.ingest import MOST, Received
from api.segment import Malformed, Read
from api.state import Here
from engine.json_text import parsed

__all__ = ["router"]

router = APIRouter(tags=["events"])

_EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "b7d0",
    "source": "https://till.example/paris/3",
    "type": "shop.purchased",
    "subject": "4711",
    "time": "2026-05-04T09:30:00Z",
    "data": {"order_id": "A-17", "total": 59.9},
}


async def _request(request: Request) -> tuple[Mapping[str, str], bytes]:
    return request.headers, await request.body()


@router.post(
    "/v1/events",
    responses=also(415),
    dependencies=INGEST,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                cloudevents.STRUCTURED: {"schema": {"type": "object"}, "example": _EXAMPLE},
                cloudevents.BATCH: {"schema": {"type": "array"}, "example": [_EXAMPLE]},
            },
        }
    },
    summary="Take in CloudEvents",
)
def take(here: Here, given: Annotated[tuple[Mapping[str, str], bytes], Depends(_request)]) -> Received:
    """CloudEvents 1.0 in structured, batched or binary mode (attributes as `ce-` headers, data as the body).

    `type` is the event's name, `customerid` (an extension) or else `subject` the customer, `data` the payload;
    `customer.identified` writes her fields. An event whose `source` and `id` were seen before is dropped. A malformed event
    is a 400 that names the attribute and the value; then nothing is kept.
    """
    headers, body = given
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    now = here.now()
    where = ""
    kept: list[Read] = []
    try:
        if kind == cloudevents.STRUCTURED:
            kept.append(cloudevents.from_object(_json(body), now))
        elif kind == cloudevents.BATCH:
            batch = _json(body)
            if not isinstance(batch, list):
                raise ApiError(400, "malformed_batch", "a batch of CloudEvents is a JSON array")
            events = cast("list[object]", batch)
            if len(events) > MOST:
                raise ApiError(413, "batch_too_large", f"a batch may have {MOST} events, this one has {len(events)}")
            for index, event in enumerate(events):
                where = f"[{index}]."
                kept.append(cloudevents.from_object(event, now))
        elif kind.startswith("application/cloudevents"):
            known = f"{cloudevents.STRUCTURED}, {cloudevents.BATCH}, or binary mode"
            raise ApiError(415, "unknown_format", f"Content-Type {kind!r} is not read here; send {known}")
        elif "ce-specversion" not in headers:
            raise ApiError(
                400,
                "no_cloudevent",
                f"send Content-Type {cloudevents.STRUCTURED} or {cloudevents.BATCH}, or the attributes as ce- headers",
            )
        else:
            where = "ce-"
            kept.append(cloudevents.from_binary(headers, body, now))
    except Malformed as error:
        raise ApiError(400, "malformed_event", f"{where}{error.message}; nothing was kept") from None
    here.keeper.keep(kept, now)
    return Received()


@router.options("/v1/events", include_in_schema=False)
def handshake(request: Request) -> Response:
    """A sender asks whether it may send (CloudEvents' Web Hooks, section 4): it may, and its key decides."""
    origin = request.headers.get("webhook-request-origin")
    allowed = {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"} if origin else {}
    return Response(status_code=200, headers={"Allow": "GET, POST, OPTIONS", **allowed})


def _json(body: bytes) -> object:
    try:
        return parsed(body)
    except ValueError as error:
        raise ApiError(400, "bad_json", f"the body is not JSON: {error}") from None
