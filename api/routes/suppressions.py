"""Suppressions over the API: which addresses are never written to, and taking one back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.auth import Need, Operate
from api.state import Here
from engine import suppressions
from engine.errors import Invalid

__all__ = ["router"]

router = APIRouter(tags=["customers"])

READ = [Depends(Need("read"))]


class SuppressionOut(BaseModel):
    """An address that is never written to, for any journey and purpose."""

    channel: str
    address: str = Field(
        description="As the channel has it; her id for feeds, her id and a mark of the place for letters"
    )
    reason: str
    source: str
    at: datetime


class SuppressionsOut(BaseModel):
    """A page of them, by channel and address."""

    suppressions: list[SuppressionOut]


class LiftIn(BaseModel):
    """What to take back, and why: it is kept, and shown."""

    channel: str
    address: str
    why: str = Field(min_length=1, max_length=1000)


class LiftOut(BaseModel):
    """A suppression that was taken back."""

    channel: str
    address: str
    reason: str = Field(description="Why it was suppressed")
    suppressed_at: datetime
    at: datetime
    who: str
    why: str


@router.get("/v1/suppressions", dependencies=READ, summary="List suppressions")
def list_suppressions(
    here: Here,
    channel: Annotated[str | None, Query(max_length=20)] = None,
    address: Annotated[str | None, Query(max_length=400, description="An address, or a customer's id")] = None,
    after_channel: Annotated[str | None, Query(max_length=20, description="Of the last of the page before")] = None,
    after_address: Annotated[str | None, Query(max_length=400, description="Of the last of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> SuppressionsOut:
    """Addresses that are never written to, and why: bounced, complained, do not call, returned."""
    if (after_channel is None) != (after_address is None):
        raise Invalid("after_address", after_address, "a page begins after a channel and an address: give both")
    after = None if after_channel is None or after_address is None else (after_channel, after_address)
    with here.database.read() as conn:
        rows = suppressions.listed(conn, channel=channel, address=address, after=after, most=limit)
    return SuppressionsOut(suppressions=[SuppressionOut.model_validate(row, from_attributes=True) for row in rows])


@router.post("/v1/suppressions/lift", summary="Take a suppression back")
def lift_suppression(here: Here, caller: Operate, body: LiftIn) -> LiftOut:
    """The address may be written to again, where consent says so: a bounce that was the server's fault, a mended letter-box."""
    with here.database.write() as conn:
        row = suppressions.lift(conn, body.channel, body.address, caller.name, body.why, here.now())
    return LiftOut.model_validate(row, from_attributes=True)


@router.get("/v1/suppressions/lifts", dependencies=READ, summary="What was taken back")
def list_lifts(here: Here, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> list[LiftOut]:
    """Suppressions that were taken back, the newest first, with who and why."""
    with here.database.read() as conn:
        return [LiftOut.model_validate(row, from_attributes=True) for row in suppressions.lifts(conn, limit)]
