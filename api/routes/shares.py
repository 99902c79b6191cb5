"""Learned shares over the API: what is known of each arrow of a split, and how often it is taken now."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.auth import READ
from api.state import Here
from engine import journeys, learned

__all__ = ["router"]

router = APIRouter(tags=["journeys"], dependencies=READ)


class ShareOut(BaseModel):
    """An arrow of a split."""

    to: str
    trials: float = Field(description="Treated enrolments that took it; who has time left for the goal counts in part")
    successes: int = Field(description="Of these, those who reached the goal afterwards, in its time")
    share: float = Field(description="How likely it is the best one: how often it is taken now")


class SplitOut(BaseModel):
    """A split whose shares are learned."""

    state: str
    arms: list[ShareOut]


class SharesOut(BaseModel):
    """The learned shares of a journey's newest version, from the rows of all."""

    name: str
    splits: list[SplitOut]


@router.get("/v1/journeys/{name}/shares", summary="A journey's learned shares")
def get_shares(here: Here, name: str) -> SharesOut:
    """For each split with `learned` arrows: who took each, who came to the goal, and the share that it has now."""
    with here.database.read() as conn:
        ir = journeys.load_ir(conn, journeys.get(conn, name).hash)
        found = [(box, learned.arms(conn, ir, box, here.now())) for box in learned.splits(ir)]
    return SharesOut(
        name=name,
        splits=[
            SplitOut(state=box, arms=[ShareOut.model_validate(arm, from_attributes=True) for arm in arms])
            for box, arms in found
        ],
    )
