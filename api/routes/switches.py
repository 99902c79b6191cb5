"""The switch of a journey, and the second person who approves where the project wants one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.auth import Approve, Operate
from api.errors import ErrorBody
from api.state import Here
from engine import approval, journeys

__all__ = ["router"]

router = APIRouter(tags=["journeys"])

_REFUSED: dict[int | str, dict[str, Any]] = {
    409: {"model": ErrorBody, "description": "Nobody has asked, you asked yourself, or a newer version was published"}
}


class SwitchIn(BaseModel):
    """Why: it is kept, and shown."""

    why: str = Field("", max_length=1000)


class SwitchOut(BaseModel):
    """How it is now, and whether this call changed it."""

    name: str
    on: bool
    changed: bool
    waiting: bool | None = Field(default=None, description="It is asked for, and somebody else has to approve")


@router.put(
    "/v1/journeys/{name}/on",
    response_model_exclude_none=True,
    responses={202: {"model": SwitchOut, "description": "A second person has to approve"}},
    summary="Turn a journey on",
)
def turn_on(here: Here, caller: Operate, name: str, response: Response, body: SwitchIn | None = None) -> SwitchOut:
    """From now on customers enter. The same again changes nothing; a change is kept with who and why.

    With PARCOURS_SECOND_PERSON it is asked for, 202, and done when another person has approved.
    """
    why = body.why if body is not None else ""
    with here.database.write() as conn:
        if here.settings.second_person:
            asked = approval.ask(conn, name, caller.name, why, here.now())
            response.status_code = 202 if asked else 200
            return SwitchOut(name=name, on=not asked, changed=False, waiting=asked or None)
        return SwitchOut(name=name, on=True, changed=journeys.switch(conn, name, True, caller.name, why, here.now()))


@router.put("/v1/journeys/{name}/off", response_model_exclude_none=True, summary="Turn a journey off")
def turn_off(here: Here, caller: Operate, name: str, body: SwitchIn | None = None) -> SwitchOut:
    """From now on nobody enters and nothing is sent. The same again changes nothing; a change is kept with who and why."""
    why = body.why if body is not None else ""
    with here.database.write() as conn:
        return SwitchOut(name=name, on=False, changed=journeys.switch(conn, name, False, caller.name, why, here.now()))


@router.post(
    "/v1/journeys/{name}/approve",
    response_model_exclude_none=True,
    responses=_REFUSED,
    summary="Approve that a journey is turned on",
)
def approve(here: Here, caller: Approve, name: str) -> SwitchOut:
    """Turns on what somebody else has asked for, of the version that was there then. Both names are kept."""
    with here.database.write() as conn:
        approval.approve(conn, name, caller.name, here.now())
    return SwitchOut(name=name, on=True, changed=True)
