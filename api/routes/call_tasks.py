"""Call tasks to look at: the list, one with all that an agent needs, and a file for dialers. Work on them: `call_leases`."""

from __future__ import annotations

import binascii
import csv
import io
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from api.auth import TASKS
from api.call_shapes import TaskDetail, TaskOut, detailed
from api.errors import ApiError
from api.state import Here
from engine.calls import queues as call_queues
from engine.calls import tasks as call_tasks
from engine.calls.barred import barred
from engine.db import Database
from engine.spreadsheet import inert
from engine.tables import CallTask

__all__ = ["router"]

router = APIRouter(tags=["call tasks"], dependencies=TASKS)

_MOST = 500

Status = Literal["pending", "reserved", "assigned", "wrapping", "completed", "withdrawn"]


class TaskPage(BaseModel):
    """A page of tasks."""

    tasks: list[TaskOut]
    next: str | None = Field(description="`cursor` of the next page; null: this was the last")


@router.get("/v1/call-tasks", summary="List call tasks")
def list_tasks(
    here: Here,
    queue: str | None = None,
    status: Status | None = None,
    updated_since: Annotated[datetime | None, Query(description="Changed at or after this moment; for polling")] = None,
    cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
) -> TaskPage:
    """Tasks in the order they changed, the oldest change first."""
    updated_since = None if updated_since is None else _utc("updated_since", updated_since)
    after = _read_cursor(cursor) if cursor is not None else None
    with here.database.read() as conn:
        rows = call_queues.listed(
            conn, queue=queue, status=status, updated_since=updated_since, after=after, most=limit
        )
    more = _cursor(rows[-1]) if len(rows) == limit else None
    return TaskPage(tasks=[TaskOut.of(row) for row in rows], next=more)


@router.get("/v1/call-tasks/export.csv", response_class=Response, summary="Pending tasks as a file for dialers")
def export(here: Here, queue: str | None = None) -> Response:
    """UTF-8 CSV of the pending tasks. A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    headers = {"Content-Disposition": 'attachment; filename="call-tasks.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(_csv(here.database, queue), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/v1/call-tasks/{task_id}", summary="One call task")
def get_task(here: Here, task_id: str) -> TaskDetail:
    """A task by its id, with the customer, the last ten contacts, the calling window, and the attempts."""
    with here.database.read() as conn:
        return detailed(conn, call_tasks.get(conn, task_id), here.now())


_COLUMNS = (
    "id", "queue", "priority", "value", "due_at", "customer_id", "phone", "language", "zone", "title", "journey", "state",
    "outcomes", "skills", "attempts",
)  # fmt: skip


def _csv(database: Database, queue: str | None) -> Iterator[str]:
    after: tuple[datetime, str] | None = None
    yield _line(_COLUMNS)
    while True:
        with database.read() as conn:
            rows = call_queues.listed(conn, queue=queue, status="pending", after=after, most=_MOST)
            never = barred(conn, rows)
        for row in (row for row in rows if row.id not in never):
            yield _line(tuple(_cell(getattr(row, name)) for name in _COLUMNS))
        if len(rows) < _MOST:
            return
        after = (rows[-1].updated_at, rows[-1].id)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.isoformat()
        case list():
            return " ".join(str(each) for each in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
        case _:
            return str(value)


def _line(cells: tuple[str, ...]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([inert(cell) for cell in cells])
    return out.getvalue()


def _cursor(task: CallTask) -> str:
    return urlsafe_b64encode(json.dumps([task.updated_at.isoformat(), task.id]).encode()).decode().rstrip("=")


def _utc(field: str, moment: datetime) -> datetime:
    """The moment in UTC, which one without an offset is in already."""
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ApiError(
            422, "invalid_value", f"{field}: it is outside of the calendar (got {moment.isoformat()})"
        ) from None


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        at, key = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return datetime.fromisoformat(at).astimezone(UTC), str(key)
    except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError):
        raise ApiError(422, "invalid_value", f"cursor: not the `next` of a page (got {cursor[:80]!r})") from None
