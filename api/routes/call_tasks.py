"""The call center's API: list, claim, work on and complete tasks; queues, outcomes, and a file for dialers."""

from __future__ import annotations

import binascii
import csv
import io
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from api.auth import Need
from api.errors import ApiError, ErrorBody
from api.state import Here
from engine import call_queues, call_tasks
from engine.db import Database
from engine.tables import CallTask

__all__ = ["router"]

router = APIRouter(tags=["call tasks"], dependencies=[Depends(Need("tasks"))])

_MOST = 500
_E164 = re.compile(r"\+\d{5,15}")
_GONE: dict[int | str, dict[str, Any]] = {
    409: {"model": ErrorBody, "description": "Stale lease, or completed by somebody else"},
    410: {"model": ErrorBody, "description": "Withdrawn: the customer has left this step of the journey"},
}

Status = Literal["pending", "reserved", "assigned", "completed", "withdrawn"]


class TaskOut(BaseModel):
    """A call task."""

    id: str
    customer_id: str
    journey: str
    state: str = Field(description="The box of the journey that asks for the call")
    queue: str
    status: str = Field(
        description="pending, reserved, assigned, completed or withdrawn; a lapsed lease is pending again"
    )
    priority: int = Field(description="1 (first) to 9")
    title: str
    script: str = Field(description="HTML, rendered for this customer")
    phone: str = Field(description="E.164")
    outcomes: list[str] = Field(description="The outcomes that the journey waits for; /v1/outcomes names the others")
    created_at: datetime
    updated_at: datetime
    due_at: datetime
    worker: str | None
    lease_until: datetime | None = Field(description="Wall-clock time")
    withdrawn_at: datetime | None = Field(
        description="Set on an assigned task: the customer has left, end the call gently"
    )
    outcome: str | None
    answers: dict[str, Any] | None
    notes: str | None
    duration_s: float | None
    completed_at: datetime | None

    @classmethod
    def of(cls, task: CallTask) -> TaskOut:
        """A task as it is shown: without its lease's hash, its status as of now."""
        shown = cls.model_validate(task, from_attributes=True)
        shown.status = call_tasks.status_of(task)
        return shown


class TaskPage(BaseModel):
    """A page of tasks."""

    tasks: list[TaskOut]
    next: str | None = Field(description="`cursor` of the next page; null: this was the last")


class ClaimIn(BaseModel):
    """Who claims, from where, how many, for how long."""

    queue: str
    worker: str = Field(min_length=1, max_length=200, description="Who calls")
    max: int = Field(1, ge=1, le=call_tasks.MOST)
    lease_seconds: float = Field(120, ge=1, le=call_tasks.LONGEST_LEASE)


class ClaimedOut(TaskOut):
    """A task with its lease."""

    lease_token: str = Field(description="Opens this task; shown this once")
    expires_at: datetime = Field(description="When the lease ends, wall-clock time")


class Claims(BaseModel):
    """What was claimed; empty: nothing is due."""

    tasks: list[ClaimedOut]


class LeaseIn(BaseModel):
    """A lease, and how long it shall run from now."""

    lease_token: str = Field(max_length=200)
    lease_seconds: float = Field(120, ge=1, le=call_tasks.LONGEST_LEASE)


class RejectIn(BaseModel):
    """A lease to give back."""

    lease_token: str = Field(max_length=200)


class CompleteIn(BaseModel):
    """How the call went."""

    lease_token: str = Field(max_length=200)
    outcome: str = Field(description="One of the task's outcomes, or of /v1/outcomes", examples=["interested"])
    answers: dict[str, Any] | None = Field(None, description="What the customer answered; part of the event's payload")
    notes: str | None = Field(None, max_length=10_000, description="For the call center; not part of the event")
    duration_s: float | None = Field(None, ge=0, le=86_400)


class QueueOut(BaseModel):
    """A queue and its tasks by status."""

    name: str
    pending: int
    reserved: int
    assigned: int
    completed: int
    withdrawn: int
    oldest_due_at: datetime | None


class OutcomeOut(BaseModel):
    """An outcome code."""

    code: str
    label: str
    kind: str = Field(description="success, refused, no answer, wrong number, do not call")


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
    if updated_since is not None and updated_since.tzinfo is None:
        updated_since = updated_since.replace(tzinfo=UTC)
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
def get_task(here: Here, task_id: str) -> TaskOut:
    """A task by its id."""
    with here.database.read() as conn:
        return TaskOut.of(call_tasks.get(conn, task_id))


@router.post("/v1/call-tasks/claim", summary="Claim tasks")
def claim(here: Here, body: ClaimIn) -> Claims:
    """Leases up to `max` due tasks of a queue to a worker, atomically: never one task to two. An empty list: none is due."""
    with here.database.write() as conn:
        claimed = call_tasks.claim(conn, body.queue, body.worker, body.max, body.lease_seconds, here.now())
    return Claims(
        tasks=[
            ClaimedOut(**TaskOut.of(one.task).model_dump(), lease_token=one.lease_token, expires_at=one.expires_at)
            for one in claimed
        ]
    )


@router.post("/v1/call-tasks/{task_id}/heartbeat", responses=_GONE, summary="Extend a lease")
def heartbeat(here: Here, task_id: str, body: LeaseIn) -> TaskOut:
    """The lease runs `lease_seconds` from now. The answer's `withdrawn_at` tells that the customer has left meanwhile."""
    with here.database.write() as conn:
        return TaskOut.of(call_tasks.heartbeat(conn, task_id, body.lease_token, body.lease_seconds, here.now()))


@router.post("/v1/call-tasks/{task_id}/accept", responses=_GONE, summary="Begin the call")
def accept(here: Here, task_id: str, body: LeaseIn) -> TaskOut:
    """Reserved → assigned: from now on the task is not taken away, also if the customer leaves the step."""
    with here.database.write() as conn:
        return TaskOut.of(call_tasks.accept_task(conn, task_id, body.lease_token, body.lease_seconds, here.now()))


@router.post("/v1/call-tasks/{task_id}/reject", responses=_GONE, summary="Give a task back")
def reject(here: Here, task_id: str, body: RejectIn) -> TaskOut:
    """The task is pending again, for anybody."""
    with here.database.write() as conn:
        return TaskOut.of(call_tasks.release(conn, task_id, body.lease_token, here.now()))


@router.post("/v1/call-tasks/{task_id}/complete", responses=_GONE, summary="Complete a task")
def complete(here: Here, task_id: str, body: CompleteIn) -> TaskOut:
    """The outcome is an answer to the journey (`call.<outcome>`), committed with the task. The same again changes nothing.

    A lease that ran out is good enough while nobody else has finished. `do_not_call` suppresses the number.
    """
    with here.database.write() as conn:
        done = call_tasks.complete(
            conn,
            task_id,
            body.lease_token,
            body.outcome,
            here.now(),
            answers=body.answers,
            notes=body.notes,
            duration_s=body.duration_s,
        )
    return TaskOut.of(done)


@router.get("/v1/queues", summary="Queues")
def queues(here: Here) -> list[QueueOut]:
    """Each queue with its tasks by status, and since when the oldest has been waiting."""
    with here.database.read() as conn:
        return [QueueOut.model_validate(queue, from_attributes=True) for queue in call_queues.queues(conn)]


@router.get("/v1/outcomes", summary="Outcome codes")
def outcomes() -> list[OutcomeOut]:
    """The outcome codes that every task takes, besides those that its own box names."""
    return [OutcomeOut.model_validate(outcome, from_attributes=True) for outcome in call_tasks.OUTCOMES.values()]


_COLUMNS = ("id", "queue", "priority", "due_at", "customer_id", "phone", "title", "journey", "state", "outcomes")


def _csv(database: Database, queue: str | None) -> Iterator[str]:
    after: tuple[datetime, str] | None = None
    yield _line(_COLUMNS)
    while True:
        with database.read() as conn:
            rows = call_queues.listed(conn, queue=queue, status="pending", after=after, most=_MOST)
        for row in rows:
            cells = (
                row.id,
                row.queue,
                row.priority,
                row.due_at.isoformat(),
                row.customer_id,
                row.phone,
                row.title,
                row.journey,
                row.state,
                " ".join(row.outcomes),
            )
            yield _line(cells)
        if len(rows) < _MOST:
            return
        after = (rows[-1].updated_at, rows[-1].id)


def _line(cells: tuple[object, ...]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([_inert(str(cell)) for cell in cells])
    return out.getvalue()


def _inert(cell: str) -> str:
    """A cell that no spreadsheet runs (OWASP, CSV injection). A bare phone number stays: it computes nothing."""
    risky = cell.lstrip()[:1] in {"=", "+", "-", "@"} or cell[:1] in {"\t", "\r", "\n"}
    return f"'{cell}" if risky and _E164.fullmatch(cell) is None else cell


def _cursor(task: CallTask) -> str:
    return urlsafe_b64encode(json.dumps([task.updated_at.isoformat(), task.id]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        at, key = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return datetime.fromisoformat(at).astimezone(UTC), str(key)
    except (binascii.Error, ValueError, TypeError):
        raise ApiError(422, "invalid_value", f"cursor: not the `next` of a page (got {cursor[:80]!r})") from None
