"""The stream of what happens to call tasks, as server-sent events (WHATWG HTML, 9.2): resumed where it broke off."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from api.auth import TASKS
from api.errors import ApiError
from api.state import Here, State
from engine.calls import events as call_events
from engine.calls.events import Cursor, Told

__all__ = ["router"]

router = APIRouter(tags=["call tasks"], dependencies=TASKS)

_TICK = 0.25
_KEEP_ALIVE = 15.0
_MOST = 500
_LONGEST = 1800.0  # seconds; then the client comes again, where it broke off: a revoked key doesn't listen for ever


@router.get(
    "/v1/call-tasks/stream",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}}},
    summary="What happens to call tasks, as it happens",
)
async def stream(
    here: Here,
    queue: Annotated[str | None, Query(description="Only this queue's")] = None,
    last_event_id: Annotated[str | None, Header(description="Where to go on; browsers send it by themselves")] = None,
) -> Response:
    """Server-sent events: `created`, `reserved`, `completed`, `withdrawn`, `expired`, each with its task's ids, status and times.

    It begins now, or after `Last-Event-ID`; nothing is passed over between. A comment every 15 seconds keeps the line open.
    """
    if last_event_id:
        cursor = _read(last_event_id)
    else:
        cursor = await asyncio.to_thread(_head, here)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(here, cursor, queue), media_type="text/event-stream", headers=headers)


async def _events(here: State, cursor: Cursor, queue: str | None) -> AsyncGenerator[str]:
    began = told = time.monotonic()
    yield "retry: 2000\n: what happens to call tasks\n\n"
    while time.monotonic() - began < _LONGEST:
        found = await asyncio.to_thread(_since, here, cursor, queue)
        if found:
            yield "".join(_line(each) for each in found)
            cursor, told = found[-1].cursor, time.monotonic()
        elif time.monotonic() - told > _KEEP_ALIVE:
            yield ": still here\n\n"
            told = time.monotonic()
        if len(found) < _MOST:
            await asyncio.sleep(_TICK)


def _head(here: State) -> Cursor:
    with here.database.read() as conn:
        return call_events.head(conn)


def _since(here: State, cursor: Cursor, queue: str | None) -> list[Told]:
    with here.database.read() as conn:
        return call_events.since(conn, cursor, _MOST, queue)


def _line(told: Told) -> str:
    data = json.dumps({"type": told.type, "timestamp": told.at.isoformat(), "data": told.data}, ensure_ascii=False)
    return f"id: {told.cursor[0]}-{told.cursor[1]}\nevent: {told.type}\ndata: {data}\n\n"


def _read(text: str) -> Cursor:
    found = re.fullmatch(r"(\d{1,18})-(\d{1,18})", text, re.ASCII)
    if found is None:
        raise ApiError(422, "invalid_value", f"Last-Event-ID: not an id of this stream (got {text[:80]!r})")
    return int(found[1]), int(found[2])
