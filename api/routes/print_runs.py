"""Print runs and their letters, for operators and print houses: looked at, withdrawn, fetched, and what the post brought back."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Query, Request, Response, UploadFile
from pydantic import BaseModel, Field
from sqlalchemy import select

from api.auth import OPERATE, READ
from api.errors import ApiError, ErrorBody
from api.state import Here
from engine.db import table
from engine.imports import import_returns
from engine.letters import post, returns
from engine.letters import runs as print_runs
from engine.letters.lob import SAYS, verify_lob
from engine.letters.printing import Printer, templates_of
from engine.letters.returns import Returned
from engine.receipts import Told, settle_by_provider
from engine.tables import Letter, PrintRun
from engine.templating.templates import TemplateError

__all__ = ["router"]

router = APIRouter(tags=["letters"])

_MOST = 2 << 20


class LetterOut(BaseModel):
    """A letter, as operators see it."""

    key: str
    customer_id: str
    run: str
    status: str
    reason: str | None
    lines: list[str]
    country: str
    missing: str = Field(description="Characters of the customer's own that the letter can't show")
    file: str | None
    sequence: int | None
    first_page: int | None
    pages: int | None
    provider_id: str | None
    at: datetime
    settled_at: datetime | None
    answered_at: datetime | None
    returned_at: datetime | None


class PrintRunOut(BaseModel):
    """A print run: its life, its files, and how many of its letters are in which status."""

    name: str
    status: str
    cut_off_at: datetime
    closed_at: datetime | None
    handed_at: datetime | None
    letters: dict[str, int]
    pages: int
    files: list[dict[str, Any]]


class Withdrawal(BaseModel):
    """Why a letter is withdrawn."""

    reason: str = Field(default="operator", min_length=1, max_length=200)


class Returns(BaseModel):
    """What a returns file did. Rows that could not be used have their reasons."""

    read: int
    new: int
    rejected: list[dict[str, str]]


@router.get("/v1/print-runs", dependencies=READ, summary="List print runs")
def list_runs(here: Here, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[PrintRunOut]:
    """The newest first."""
    with here.database.read() as conn:
        return [_run(run, counts) for run, counts in print_runs.every(conn, limit)]


@router.get("/v1/print-runs/{name}", dependencies=READ, summary="Look at a print run")
def get_run(here: Here, name: str) -> PrintRunOut:
    """A run by its name, which is its cut-off: `2026-03-02-1600`."""
    with here.database.read() as conn:
        run = print_runs.get(conn, name)
        return _run(run, print_runs.counts(conn, [name])[name])


@router.get("/v1/print-runs/{name}/letters", dependencies=READ, summary="List a run's letters")
def run_letters(here: Here, name: str, status: str | None = None) -> list[LetterOut]:
    """In the run's order: the sender's country first, then by country and postcode."""
    with here.database.read() as conn:
        print_runs.get(conn, name)
        statuses = (status,) if status is not None else ()
        found = print_runs.letters_of(conn, name, here.settings.country, *statuses)
    return [_letter(each) for each in found]


@router.get(
    "/v1/print-runs/{name}/files/{file}",
    dependencies=READ,
    response_class=Response,
    summary="Fetch a run's file",
    responses={409: {"model": ErrorBody, "description": "Not handed over yet, or it can't be printed any more"}},
)
def run_file(here: Here, name: str, file: str) -> Response:
    """A PDF of a run, or its `manifest.csv`: printed again from the rows, the same bytes as in the outbox, or not at all."""
    with here.database.read() as conn:
        run = print_runs.get(conn, name)
        if run.status != "handed over":
            raise ApiError(409, "not_handed_over", f"run {name} is {run.status}: its files come with the cut-off")
        if file not in {each["name"] for each in run.files or ()}:
            raise ApiError(404, "file_not_found", f"run {name} has no file {file!r}")
        letters = print_runs.letters_of(conn, name, here.settings.country, "handed over", "returned")
        if file == "manifest.csv":
            return Response(_printer(here).manifest(run, letters), media_type="text/csv; charset=utf-8")
        inside = [letter for letter in letters if letter.file == file]
        templates = templates_of(conn, inside)
    with _printable():
        return Response(_printer(here).file(run, file, inside, templates), media_type="application/pdf")


@router.get("/v1/letters/{key}", dependencies=READ, summary="Look at a letter")
def get_letter(here: Here, key: str) -> LetterOut:
    """A letter by its key, which is its message's."""
    with here.database.read() as conn:
        return _letter(post.get(conn, key))


@router.get(
    "/v1/letters/{key}/pdf",
    dependencies=READ,
    response_class=Response,
    summary="Fetch a letter",
    responses={409: {"model": ErrorBody, "description": "It can't be printed"}},
)
def letter_pdf(here: Here, key: str) -> Response:
    """The letter alone, as a PDF: before the cut-off a preview of it."""
    with here.database.read() as conn:
        letter = post.get(conn, key)
        run = print_runs.get(conn, letter.run)
        templates = templates_of(conn, [letter])
    with _printable():
        return Response(_printer(here).single(letter, templates, run.cut_off_at), media_type="application/pdf")


@router.post(
    "/v1/letters/{key}/withdraw",
    dependencies=OPERATE,
    summary="Withdraw a letter",
    responses={409: {"model": ErrorBody, "description": "Its run was closed"}},
)
def withdraw_letter(here: Here, key: str, why: Withdrawal | None = None) -> LetterOut:
    """Until the cut-off of its run. Again is no harm."""
    with here.database.write() as conn:
        return _letter(post.withdraw_one(conn, key, (why or Withdrawal()).reason, here.now()))


async def _file(request: Request, file: Annotated[UploadFile | None, File()] = None) -> bytes:
    return await file.read() if file is not None else await request.body()


@router.post("/v1/letters/returns.csv", dependencies=OPERATE, summary="Letters that came back")
def returned(here: Here, content: Annotated[bytes, Depends(_file)]) -> Returns:
    """A CSV, as the body or as a form's `file`. Columns: `letter_id` or `code`; `reason`; `at`.

    Each is the event `letter.returned`, and no letter goes to that customer any more. Sending a file again changes nothing.
    """
    if len(content) > _MOST:
        raise ApiError(413, "body_too_large", f"a returns file may have {_MOST >> 20} MB; split it")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "returns.csv"
        path.write_bytes(content)
        done = import_returns(here.database, path, here.now(), here.settings.zone)
        rejected: list[dict[str, str]] = []
        if done.rejected_file is not None:
            rejected = returns.rejected(done.rejected_file)
    return Returns(read=done.read, new=done.new, rejected=rejected)


async def _body(request: Request) -> bytes:
    return await request.body()


@router.post("/hooks/letters/lob", include_in_schema=False)
def lob(here: Here, request: Request, body: Annotated[bytes, Depends(_body)]) -> Response:
    """What a Lob-shaped provider says of a letter."""
    stamp = request.headers.get("lob-signature-timestamp", "")
    signature = request.headers.get("lob-signature", "")
    if not verify_lob(body, stamp, signature, here.settings.letter_token.get_secret_value()):
        raise ApiError(403, "bad_signature", "Lob-Signature does not fit the body and its timestamp, or is old")
    try:
        said: Any = json.loads(body)
        event, letter_id = str(said["event_type"]["id"]), str(said["reference_id"])
    except (ValueError, KeyError, TypeError):
        raise ApiError(400, "bad_event", "an event has event_type.id and reference_id") from None
    if event in SAYS:
        _told(here, event, letter_id)
    return Response(status_code=204)


def _told(here: Here, event: str, letter_id: str) -> None:
    now = here.now()
    with here.database.write() as conn:
        target = table(Letter)
        key = conn.execute(select(target.c.key).where(target.c.provider_id == letter_id)).scalar()
        if key is None:
            raise ApiError(404, "letter_not_found", f"no letter was handed over as {letter_id!r}")
        if SAYS[event] == "returned":
            returns.came_back(conn, Returned(str(key), "returned to sender", now), now)
            return
        settle_by_provider(conn, Told("letter", letter_id, SAYS[event], event), now, key=str(key))


@contextmanager
def _printable() -> Generator[None]:
    try:
        yield
    except (
        TemplateError
    ) as error:  # a picture beside the template is gone, or the row was made before a stricter Parcours
        raise ApiError(409, "unprintable", f"it can't be printed: {error}") from None


def _printer(here: Here) -> Printer:
    return Printer(here.settings.journeys, here.settings.country, here.templates.brand)


def _letter(row: Letter) -> LetterOut:
    return LetterOut(**{name: getattr(row, name) for name in LetterOut.model_fields})


def _run(row: PrintRun, counts: dict[str, int]) -> PrintRunOut:
    fields = {name: getattr(row, name) for name in PrintRunOut.model_fields if name not in {"letters", "files"}}
    return PrintRunOut(**fields, letters=counts, files=row.files or [])
