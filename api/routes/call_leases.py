"""Work on call tasks: claim, keep, ring, write up, and say how it went."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.auth import TASKS
from api.call_shapes import ClaimedOut, LeaseIn, TaskOut, TokenIn, claimed
from api.errors import ErrorBody
from api.state import Here
from engine.calls import again as call_again
from engine.calls import leases as call_leases
from engine.calls import tasks as call_tasks
from engine.errors import Conflict, Gone

__all__ = ["router"]

router = APIRouter(tags=["call tasks"], dependencies=TASKS)

_GONE: dict[int | str, dict[str, Any]] = {
    409: {"model": ErrorBody, "description": "Stale lease, or completed by somebody else"},
    410: {"model": ErrorBody, "description": "Withdrawn: the customer has left this step of the journey"},
}


class ClaimIn(BaseModel):
    """Who claims, from where, how many, for how long."""

    queue: str
    worker: str = Field(min_length=1, max_length=200, description="Who calls")
    skills: list[str] | None = Field(
        None, max_length=100, description="All that the worker knows, as `language:fr`; null: takes any task"
    )
    max: int = Field(1, ge=1, le=call_leases.MOST)
    lease_seconds: float = Field(120, ge=1, le=call_leases.LONGEST_LEASE)


class Claims(BaseModel):
    """What was claimed; empty: nothing is due."""

    tasks: list[ClaimedOut]


class CompleteIn(TokenIn):
    """How the call went."""

    outcome: str = Field(description="One of the task's `choices`", examples=["interested"])
    answers: dict[str, Any] | None = Field(None, description="What the customer answered; part of the event's payload")
    notes: str | None = Field(None, max_length=10_000, description="For the call center; not part of the event")
    duration_s: float | None = Field(None, ge=0, le=86_400)


class AttemptIn(TokenIn):
    """A call that reached nobody."""

    outcome: str = Field(description="not_reached, busy or voicemail", examples=["busy"])
    notes: str | None = Field(None, max_length=10_000)


class CallbackIn(TokenIn):
    """When she wants to be called."""

    at: str = Field(
        max_length=40,
        description="`15:00`: the next on her clock; `2026-03-02T15:00`: on her clock; with an offset: that moment",
        examples=["15:00"],
    )
    phone: str | None = Field(None, max_length=40, description="At this number from now on")
    notes: str | None = Field(None, max_length=10_000)


@router.post("/v1/call-tasks/claim", summary="Claim tasks")
def claim(here: Here, body: ClaimIn) -> Claims:
    """Leases up to `max` due tasks of a queue to a worker, atomically: never one task to two. An empty list: none is due.

    The first are those of the highest priority, of these the ones that are expected to bring most. With `skills`, tasks that need
    others are left alone.
    """
    now = here.now()
    with here.database.write() as conn:
        leases = call_leases.claim(conn, body.queue, body.worker, body.max, body.lease_seconds, now, skills=body.skills)
    with here.database.read() as conn:
        return Claims(tasks=claimed(conn, leases, now) if leases else [])


@router.post("/v1/call-tasks/{task_id}/heartbeat", responses=_GONE, summary="Extend a lease")
def heartbeat(here: Here, task_id: str, body: LeaseIn) -> TaskOut:
    """The lease runs `lease_seconds` from now. The answer's `withdrawn_at` tells that the customer has left meanwhile."""
    with here.database.write() as conn:
        return TaskOut.of(call_leases.heartbeat(conn, task_id, body.lease_token, body.lease_seconds, here.now()))


@router.post("/v1/call-tasks/{task_id}/accept", responses=_GONE, summary="Begin the call")
def accept(here: Here, task_id: str, body: LeaseIn) -> TaskOut:
    """Reserved → assigned: from now on the task is not taken away, also if the customer leaves the step."""
    with here.database.write() as conn:
        return TaskOut.of(call_leases.accept_task(conn, task_id, body.lease_token, body.lease_seconds, here.now()))


@router.post("/v1/call-tasks/{task_id}/wrap", responses=_GONE, summary="The call is over, write it up")
def wrap(here: Here, task_id: str, body: LeaseIn) -> TaskOut:
    """Assigned → wrapping: the line is free, the agent is not yet."""
    with here.database.write() as conn:
        return TaskOut.of(call_leases.wrap(conn, task_id, body.lease_token, body.lease_seconds, here.now()))


@router.post("/v1/call-tasks/{task_id}/reject", responses=_GONE, summary="Give a task back")
def reject(here: Here, task_id: str, body: TokenIn) -> TaskOut:
    """The task is pending again, for anybody."""
    with here.database.write() as conn:
        return TaskOut.of(call_leases.release(conn, task_id, body.lease_token, here.now()))


@router.post("/v1/call-tasks/{task_id}/complete", responses=_GONE, summary="Complete a task")
def complete(here: Here, task_id: str, body: CompleteIn) -> TaskOut:
    """The outcome is an answer to the journey (`call.<outcome>`), committed with the task. The same again changes nothing.

    A lease that ran out is good enough while nobody else has finished. `do_not_call` suppresses the number, also where the task
    was withdrawn or completed meanwhile.
    """
    now = here.now()
    try:
        with here.database.write() as conn:
            done = call_tasks.complete(
                conn,
                task_id,
                body.lease_token,
                body.outcome,
                now,
                answers=body.answers,
                notes=body.notes,
                duration_s=body.duration_s,
            )
    except (Conflict, Gone):
        with here.database.write() as conn:
            call_tasks.never_again(conn, task_id, body.outcome, now, lease_token=body.lease_token)
        raise
    return TaskOut.of(done)


@router.post("/v1/call-tasks/{task_id}/attempts", responses=_GONE, summary="Nobody was reached")
def attempts(here: Here, task_id: str, body: AttemptIn) -> TaskOut:
    """The task comes back after the queue's pause, when the customer may be rung. The last attempt completes it.

    The same report again changes nothing.
    """
    with here.database.write() as conn:
        return TaskOut.of(
            call_again.attempt(conn, task_id, body.lease_token, body.outcome, here.now(), notes=body.notes)
        )


@router.post("/v1/call-tasks/{task_id}/callback", responses=_GONE, summary="Call back at her time")
def callback(here: Here, task_id: str, body: CallbackIn) -> TaskOut:
    """The task is due at the time she asked for, or when the queue is open next and she may be rung.

    It counts as an attempt. The same report again changes nothing, one with another time is a 409 `already_reported`;
    409 `no_attempts_left`: complete the task instead.
    """
    with here.database.write() as conn:
        return TaskOut.of(
            call_again.callback(
                conn, task_id, body.lease_token, body.at, here.now(), phone=body.phone, notes=body.notes
            )
        )
