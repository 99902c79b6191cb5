"""Journeys over the API: their versions and books, the live picture, entry and the report. The switch: `switches`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from api.auth import OPERATE, READ
from api.errors import ApiError
from api.state import Here
from dsl.ir import IR
from engine import approval, customers, journeys, reports
from engine.enrolments import Applicant, enter

__all__ = ["router"]

router = APIRouter(tags=["journeys"])


class BooksOut(BaseModel):
    """`entered = active + the sum of ended`, at every moment."""

    entered: int
    active: int
    ended: Mapping[str, int]


class JourneyOut(BaseModel):
    """A published journey."""

    name: str
    title: str
    doc: str
    on: bool
    hash: str
    version: int
    books: BooksOut


class VersionOut(BaseModel):
    """A version, and those who entered with it: customers under way stay on theirs."""

    version: int
    hash: str
    published_at: datetime
    published_by: str
    books: BooksOut
    counts: Mapping[str, int] = Field(description="Customers in each state; at an end, those who ended there")


class ToggleOut(BaseModel):
    """Who turned it on or off, and why."""

    on: bool
    at: datetime
    who: str
    why: str
    approved_by: str | None = Field(description="The second person, where one had to approve")


class RequestOut(BaseModel):
    """Somebody wants it turned on, and a second person has to approve."""

    at: datetime
    who: str
    why: str


class JourneyDetail(JourneyOut):
    """A journey with its versions, where the customers are, and the switch's history."""

    counts: Mapping[str, int] = Field(description="Customers in each state; at an end, those who ended there")
    versions: list[VersionOut]
    toggles: list[ToggleOut]
    waiting: RequestOut | None = Field(description="What waits to be approved of")
    missing_templates: list[str] = Field(
        description="Templates that it sends by, of which there is neither a file nor a kept version: their messages wait"
    )


class EnrolIn(BaseModel):
    """Who enters. The same `key` again is the same entry."""

    customer_id: str
    key: str = Field(min_length=1, max_length=200, description="Your request's own id: a repeat enrols nobody twice")
    slot: str | None = Field(
        None, max_length=200, description="With a journey that runs in parallel by a key: the key's value"
    )


class EnrolOut(BaseModel):
    """What became of it."""

    outcome: str = Field(
        description="entered, repeat (this key was used before), queued, off, active, never again or too soon"
    )


class BoxOut(BaseModel):
    """A box in numbers."""

    state: str
    kind: str
    entered: int
    here: int
    messages: Mapping[str, int] = Field(description="Its messages by status")
    not_sent: Mapping[str, int] = Field(description="Messages that never left, by the rule that said no")
    failed: Mapping[str, int] = Field(description="Messages that a provider refused, or that came back, by reason")
    answers: Mapping[str, int] = Field(description="Messages that were answered, by answer")
    cost: int = Field(description="Thousandths of a cent")


class ArmOut(BaseModel):
    """An arm and its goal, with Wilson's 95 % interval of the rate."""

    name: str
    entered: int
    reached: int
    rate: float
    low: float
    high: float


class IncrementOut(BaseModel):
    """Treated less held out, with Newcombe's 95 % interval."""

    difference: float
    low: float
    high: float


class ReportOut(BaseModel):
    """The report."""

    name: str
    version: int | None
    books: BooksOut
    boxes: list[BoxOut]
    arms: list[ArmOut]
    increment: IncrementOut | None = Field(
        description="Null without a random hold-out: nothing is called incremental then"
    )


Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="One version alone; without it, all")]


@router.get("/v1/journeys", dependencies=READ, summary="List journeys")
def list_journeys(here: Here) -> list[JourneyOut]:
    """Every published journey with its books."""
    with here.database.read() as conn:
        books = journeys.all_books(conn)
        return [
            JourneyOut(**_facts(row), books=_books(books.get(row.name, journeys.Books())))
            for row in journeys.every(conn)
        ]


@router.get("/v1/journeys/{name}", dependencies=READ, summary="A journey")
def get_journey(here: Here, name: str) -> JourneyDetail:
    """Its versions, its books, and how many customers are in each state."""
    with here.database.read() as conn:
        row, asked = journeys.get(conn, name), approval.waiting(conn, name)
        return JourneyDetail(
            **_facts(row),
            books=_books(journeys.books(conn, name)),
            counts=journeys.counts(conn, name),
            versions=[
                VersionOut(
                    version=each.version,
                    hash=each.hash,
                    published_at=each.published_at,
                    published_by=each.published_by,
                    books=_books(journeys.books(conn, name, each.hash)),
                    counts=journeys.counts(conn, name, each.hash),
                )
                for each in journeys.versions(conn, name)
            ],
            toggles=[ToggleOut.model_validate(each, from_attributes=True) for each in journeys.toggles(conn, name)],
            waiting=RequestOut.model_validate(asked, from_attributes=True) if asked is not None else None,
            missing_templates=here.templates.lacking(journeys.load_ir(conn, row.hash)),
        )


@router.get(
    "/v1/journeys/{name}/picture.svg",
    dependencies=READ,
    response_class=Response,
    responses={200: {"content": {"image/svg+xml": {}}}},
    summary="The live picture",
)
def picture(
    here: Here,
    name: str,
    version: Version = None,
    customer_id: Annotated[str | None, Query(description="Lay this customer's newest path over it")] = None,
    theme: Literal["auto", "light", "dark"] = "auto",
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The journey as drawn, with the counts of real customers. The newest version counts everybody; `version` its own."""
    from dsl.draw import svg  # noqa: PLC0415  # the layout engine: most calls draw nothing
    from engine import paths  # noqa: PLC0415  # as above
    from engine.arrivals import arrivals  # noqa: PLC0415  # as above

    with here.database.read() as conn:
        ir, digest, number = _version(conn, name, version)
        counts = journeys.counts(conn, name, digest)
        taken = arrivals(conn, ir, digest)
        way = None
        if customer_id is not None:
            enrolments = paths.path(conn, customer_id, name)
            if not enrolments:
                raise ApiError(404, "never_entered", f"customer {customer_id!r} was never in journey {name!r}")
            way = [step.state for step in enrolments[0].steps]
            counts = {}
    drawn = svg(ir, counts=counts, taken=taken, path=way, version=f"version {number}", theme=theme)
    tag = f'"{sha256(drawn.encode()).hexdigest()[:32]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; font-src data:; sandbox",
    }
    if if_none_match is not None and tag in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(drawn, media_type="image/svg+xml", headers=headers)


@router.post("/v1/journeys/{name}/enrolments", dependencies=OPERATE, summary="Enrol a customer")
def enrol(here: Here, name: str, body: EnrolIn) -> EnrolOut:
    """Lets a customer enter the newest version, by the journey's own rules; a refusal is an outcome, and is kept.

    With the same `key` again the answer is `repeat`, and nobody enters twice.
    """
    now = here.now()
    with here.database.write() as conn:
        row = journeys.get(conn, name)
        ir = journeys.load_ir(conn, row.hash)
        if customers.get(conn, body.customer_id) is None:
            raise ApiError(404, "customer_not_found", f"there is no customer {body.customer_id!r}")
        if ir.again.parallel is not None and body.slot is None:
            raise ApiError(
                422, "invalid_value", f"slot: {name} runs in parallel by {ir.again.parallel}; give its value"
            )
        applicant = Applicant(body.customer_id, f"api:{body.key}", body.slot, now)
        (outcome,) = enter(conn, ir, [applicant], now)
    return EnrolOut(outcome=outcome)


@router.get("/v1/journeys/{name}/report", dependencies=READ, summary="A journey's report")
def get_report(here: Here, name: str, version: Version = None) -> ReportOut:
    """Each box's messages, refusals and answers, the goal by arm, and the increment where there is a random hold-out."""
    with here.database.read() as conn:
        ir, digest, number = _version(conn, name, version)
        made = reports.report(conn, ir, here.now(), digest)
    return ReportOut(
        name=name,
        version=number if version is not None else None,
        books=_books(made.books),
        boxes=[BoxOut.model_validate(box, from_attributes=True) for box in made.boxes],
        arms=[ArmOut.model_validate(arm, from_attributes=True) for arm in made.arms],
        increment=None if made.increment is None else IncrementOut.model_validate(made.increment, from_attributes=True),
    )


def _version(conn: Connection, name: str, number: int | None) -> tuple[IR, str | None, int]:
    """The IR to show, the hash that counts are narrowed to, and the version's number."""
    row = journeys.get(conn, name)
    if number is None:
        return journeys.load_ir(conn, row.hash), None, row.version
    kept = journeys.version(conn, name, number)
    return journeys.load_ir(conn, kept.hash), kept.hash, number


def _facts(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("name", "title", "doc", "on", "hash", "version")}


def _books(books: journeys.Books) -> BooksOut:
    return BooksOut(entered=books.entered, active=books.active, ended=books.ended)
