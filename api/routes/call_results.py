"""A dialer's file back in: the outcomes of the calls that it made from our export."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field

from api.auth import Tasks
from api.errors import ApiError
from api.state import Here
from engine.calls import results as call_results

__all__ = ["router"]

router = APIRouter(tags=["call tasks"])


class RejectedOut(BaseModel):
    """A row that was not applied."""

    row: int = Field(description="Its number; the header is row 1")
    id: str
    code: str = Field(description="call_task_not_found, already_completed, withdrawn, leased, invalid_value …")
    reason: str


class ResultsOut(BaseModel):
    """What became of the rows."""

    rows: int
    applied: int
    repeated: int = Field(description="Said before: nothing changed")
    rejected: list[RejectedOut]


@router.post(
    "/v1/call-tasks/results.csv",
    openapi_extra={"requestBody": {"required": True}},  # an empty one has a sentence of its own
    summary="Results as a file from dialers",
)
def results(here: Here, caller: Tasks, file: Annotated[bytes, Body(media_type="text/csv")] = b"") -> ResultsOut:
    """UTF-8 CSV with the columns `id` and `outcome`, and as wanted `worker`, `notes`, `duration_s`, `answers` (JSON).

    For the outcome `callback` also `at` and `phone`. A call that reached nobody is an attempt, known by `at` (when it was made) where
    given: the task comes back while any are left. Rows are applied one after the other; one that can't be is told with its reason
    and changes nothing. The same file again changes nothing. Tasks that an agent holds are left to her.
    """
    try:
        text = file.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ApiError(
            422, "bad_file", f"the file is not UTF-8: byte {error.start} is {file[error.start]:#x}"
        ) from None
    done = call_results.apply(here.database, text, caller.name, here.now())
    return ResultsOut(
        rows=done.rows,
        applied=done.applied,
        repeated=done.repeated,
        rejected=[RejectedOut.model_validate(each, from_attributes=True) for each in done.rejected],
    )
