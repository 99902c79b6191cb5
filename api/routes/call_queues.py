"""Queues and outcomes: what is waiting, what a queue's agents can take, what had to wait for a later slot."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from api.auth import OPERATE, TASKS
from api.errors import ApiError
from api.state import Here
from dsl.clocks import Weekday
from dsl.outcomes import OUTCOMES
from engine.calls import capacity as call_capacity
from engine.calls import centre as call_centre
from engine.calls import queues as call_queues
from engine.calls import value as call_value
from engine.calls.centre import DAYS
from engine.calls.hours import Rules, every_rules, rules_of

__all__ = ["router"]

router = APIRouter(tags=["call tasks"])

_SLOTS = 16


class QueueOut(BaseModel):
    """A queue and its tasks by status."""

    name: str
    pending: int
    reserved: int
    assigned: int
    wrapping: int
    completed: int
    withdrawn: int
    oldest_due_at: datetime | None
    open: bool = Field(description="Whether one of its shifts works now")
    limited: bool = Field(description="Whether its slots take a limited number of calls")


class ShiftIn(BaseModel):
    """A window of the week, on the queue's clock, and how many agents work in it."""

    days: list[Weekday] = Field(default_factory=lambda: list(DAYS))  # pyright: ignore[reportArgumentType]  # the same seven
    opens: str = Field(examples=["09:00"])
    closes: str = Field(description="On the same day; 24:00 is its end, kept as 00:00", examples=["18:00"])
    agents: int | None = Field(None, description="Null: any number of calls")


class QueueIn(BaseModel):
    """What a queue's agents can take, and when."""

    shifts: list[ShiftIn] = Field(default_factory=list[ShiftIn], max_length=100, description="None: always open")
    zone: str | None = Field(None, description="Whose clock the shifts are on (IANA); null: the project's")
    country: str | None = Field(None, pattern="^[A-Z]{2}$", description="Whose public holidays; null: the project's")
    holidays: bool = Field(False, description="Whether it works on public holidays")
    slot_minutes: int = 30
    calls_per_agent: int = Field(3, description="In a slot")
    call_from: str = Field("08:00", description="No customer is rung before, on her own clock …")
    call_until: str = Field("20:00", description="… nor from then on; both the same: at any time")
    attempts: int = Field(3, description="Most calls for one task")
    retry_minutes: int = Field(240, description="Pause after a call that reached nobody")


class SlotOut(BaseModel):
    """A slot: how many calls it takes, and how many have their place in it."""

    start: datetime
    end: datetime
    calls: int | None
    planned: int


class QueueDetail(QueueIn):
    """A queue as it was declared, and its next slots."""

    name: str
    declared: bool = Field(description="False: nobody has; it is always open and takes any number of calls")
    open: bool
    slots: list[SlotOut] = Field(description="The next slots, where the number of agents is limited")


class DeferralOut(BaseModel):
    """A task that was moved to a later slot."""

    id: int
    task_id: str
    from_at: datetime
    to_at: datetime
    reason: str = Field(description="no capacity, or outranked by calls that count for more")
    priority: int
    value: int
    at: datetime


class PlannedOut(BaseModel):
    """What planning a queue anew has changed."""

    revalued: int = Field(description="Tasks that are expected to bring something else than before")
    moved: int = Field(description="Tasks that have another place now")


class OutcomeOut(BaseModel):
    """An outcome code."""

    code: str
    label: str
    kind: str = Field(description="success, refused, no answer, busy, voicemail, wrong number, callback, do not call")
    answer: str = Field(
        description="What the journey hears (`call.<answer>`), if the box has no arrow for the code itself"
    )


@router.get("/v1/queues", dependencies=TASKS, summary="Queues")
def queues(here: Here) -> list[QueueOut]:
    """Each queue with its tasks by status, and since when the oldest has been waiting."""
    now = here.now()
    with here.database.read() as conn:
        found: list[QueueOut] = []
        declared = {rules.name: rules for rules in every_rules(conn)}
        for queue in call_queues.queues(conn):
            rules = declared.get(queue.name, Rules(queue.name))
            counts = {name: getattr(queue, name) for name in queue.__dataclass_fields__}
            found.append(QueueOut(**counts, open=rules.open_at(now), limited=rules.limited))
    return found


@router.get("/v1/queues/{name}", dependencies=TASKS, summary="A queue")
def queue(here: Here, name: str) -> QueueDetail:
    """What was declared of it, and how full its next slots are."""
    with here.database.read() as conn:
        known = {each.name for each in call_queues.queues(conn)}
        if name not in known:
            raise ApiError(404, "queue_not_found", f"there is no queue {name!r}; known: {', '.join(sorted(known))}")
        return _detail(conn, rules_of(conn, name), here.now())


@router.put("/v1/queues/{name}", dependencies=OPERATE, summary="Declare a queue")
def declare(here: Here, name: str, body: QueueIn) -> QueueDetail:
    """When it works, with how many agents, and when customers may be rung. Pending tasks get their places anew."""
    given = body.model_dump(exclude={"shifts", "zone", "country"})
    with here.database.write() as conn:
        rules = call_centre.declare(
            conn,
            name,
            here.now(),
            zone=body.zone or here.settings.zone,
            country=body.country or here.settings.country,
            shifts=[call_centre.shift(shift.model_dump()) for shift in body.shifts],
            **given,
        )
        return _detail(conn, rules, here.now())


@router.post("/v1/queues/{name}/plan", dependencies=TASKS, summary="Plan a queue anew")
def plan(here: Here, name: str) -> PlannedOut:
    """Estimates anew what each open task is expected to bring, and gives each its place."""
    now = here.now()
    with here.database.write() as conn:
        revalued = call_value.revalue(conn, name, now, here.settings.order_value)
        return PlannedOut(revalued=revalued, moved=call_capacity.plan(conn, name, now))


@router.get("/v1/queues/{name}/deferrals", dependencies=TASKS, summary="What had to wait")
def deferrals(
    here: Here,
    name: str,
    before: Annotated[int | None, Query(ge=0, le=2**53, description="The `id` of the last of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[DeferralOut]:
    """Tasks of this queue that were moved to a later slot, the newest move first."""
    with here.database.read() as conn:
        rows = call_queues.deferrals(conn, queue=name, before=before, most=limit)
        return [DeferralOut.model_validate(row, from_attributes=True) for row in rows]


@router.get("/v1/outcomes", dependencies=TASKS, summary="Outcome codes")
def outcomes() -> list[OutcomeOut]:
    """The outcome codes that every task takes, besides those that its own box names."""
    return [OutcomeOut.model_validate(outcome, from_attributes=True) for outcome in OUTCOMES.values()]


def _detail(conn: Connection, rules: Rules, now: datetime) -> QueueDetail:
    shifts: list[dict[str, Any]] = [
        {
            "days": [DAYS[day] for day in shift.days],
            "opens": shift.opens,
            "closes": shift.closes,
            "agents": shift.agents,
        }
        for shift in rules.shifts
    ]
    names = QueueIn.model_fields.keys() - {"shifts"}
    loads = call_capacity.load(conn, rules, now, _SLOTS) if rules.limited else []
    return QueueDetail(
        **{name: getattr(rules, name) or None for name in names & {"zone", "country"}},
        **{name: getattr(rules, name) for name in names - {"zone", "country"}},
        shifts=[ShiftIn(**shift) for shift in shifts],
        name=rules.name,
        declared=rules.declared,
        open=rules.open_at(now),
        slots=[
            SlotOut(start=load.slot.start, end=load.slot.end, calls=load.slot.calls, planned=load.planned)
            for load in loads
        ],
    )
