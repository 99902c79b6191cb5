"""Knobs over the API: what may be tuned of a journey without a developer, and turning it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.auth import READ, Operate
from api.state import Here, State
from engine import knobs

__all__ = ["router"]

router = APIRouter(tags=["journeys"])


class ChangeOut(BaseModel):
    """Who turned a knob, and why. `value` null: back to what the code says."""

    knob: str
    old: float
    value: float | None
    version: int = Field(description="The version that it made, or made current again")
    at: datetime
    who: str
    why: str


class KnobOut(BaseModel):
    """A knob as it stands. Durations are in seconds; `…_words` say them as people do."""

    name: str
    label: str
    kind: Literal["duration", "number"]
    value: float
    default: float = Field(description="What the code says")
    min: float
    max: float
    value_words: str
    default_words: str
    min_words: str
    max_words: str
    turned: bool = Field(description="Whether somebody turned it away from what the code says")
    boxes: list[str] = Field(description="Where it acts")
    changed: ChangeOut | None = Field(description="Its newest change")


class KnobsOut(BaseModel):
    """A journey's knobs, and who turned them, the newest change first."""

    name: str
    knobs: list[KnobOut]
    changes: list[ChangeOut]


class TurnIn(BaseModel):
    """The new value, and why: it is kept, and shown."""

    value: float | str = Field(
        description="A number, or for a duration seconds or words", examples=["3 days", "36h", 2]
    )
    why: str = Field("", max_length=1000)


class TurnOut(BaseModel):
    """The knob as it is now, the version that customers enter with from now on, and whether this call changed it."""

    name: str
    knob: KnobOut
    version: int
    hash: str
    changed: bool


@router.get("/v1/journeys/{name}/knobs", dependencies=READ, summary="A journey's knobs")
def get_knobs(here: Here, name: str) -> KnobsOut:
    """What may be tuned, within which bounds, how it stands, what the code says, and who turned what."""
    with here.database.read() as conn:
        found, changes = knobs.listed(conn, name), knobs.history(conn, name)
    return KnobsOut(
        name=name,
        knobs=[KnobOut.model_validate(knob, from_attributes=True) for knob in found],
        changes=[ChangeOut.model_validate(change, from_attributes=True) for change in changes],
    )


@router.put("/v1/journeys/{name}/knobs/{knob}", summary="Turn a knob")
def turn_knob(here: Here, caller: Operate, name: str, knob: str, body: TurnIn) -> TurnOut:
    """Another value, within its bounds: a new version of the journey, for who enters from now on.

    Customers under way stay on theirs. The same value again changes nothing; a change is kept with who and why.
    """
    return _turn(here, name, knob, body.value, caller.name, body.why)


@router.delete("/v1/journeys/{name}/knobs/{knob}", summary="Give a knob back to the code")
def reset_knob(
    here: Here, caller: Operate, name: str, knob: str, why: Annotated[str, Query(max_length=1000)] = ""
) -> TurnOut:
    """From now on what the code says holds again, for who enters. The same again changes nothing."""
    return _turn(here, name, knob, None, caller.name, why)


def _turn(here: State, name: str, knob: str, value: float | str | None, who: str, why: str) -> TurnOut:
    with here.database.write() as conn:
        turned = knobs.turn(conn, name, knob, value, who, why, here.now())
    return TurnOut(
        name=name,
        knob=KnobOut.model_validate(turned.knob, from_attributes=True),
        version=turned.version,
        hash=turned.hash,
        changed=turned.changed,
    )
