"""Customers over the API: their fields and consents, their path through a journey, their feed's address."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from api.auth import OPERATE, READ
from api.call_shapes import ContactOut
from api.errors import ApiError, also
from api.state import Here
from engine import consent, customers, journeys, paths
from engine.calls import contacts
from engine.feeds import personal as feeds

__all__ = ["router"]

router = APIRouter(tags=["customers"])


class CustomerIn(BaseModel):
    """What to write. A field that is left out stays as it is, null empties it; attributes are merged by name."""

    model_config = ConfigDict(extra="forbid")

    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = Field(None, description="Kept as E.164; without + it is read in the country given here")
    address: str | None = Field(None, description="Street and number, one line or more")
    postcode: str | None = None
    city: str | None = None
    country: str | None = Field(None, description="ISO 3166, two letters")
    language: str | None = Field(None, description="ISO 639-1, two letters")
    zone: str | None = Field(None, description="IANA time zone")
    attributes: dict[str, Any] | None = Field(None, description="Own facts; null removes one")


class ConsentOut(BaseModel):
    """The newest word on a channel and a purpose. Where there is none, marketing is not allowed."""

    channel: str
    purpose: str
    granted: bool
    at: datetime
    source: str


class CustomerOut(BaseModel):
    """A customer."""

    id: str
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    address: str | None
    postcode: str | None
    city: str | None
    country: str | None
    language: str | None
    zone: str | None
    attributes: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    consents: list[ConsentOut]


class ConsentIn(BaseModel):
    """A word on a channel: yes or no."""

    channel: str = Field(examples=["email"])
    granted: bool
    purpose: str = Field("marketing", description="marketing or transactional")
    source: str = Field("api", max_length=200, description="Where she said it")


class EventRef(BaseModel):
    """The event that did it."""

    seq: int
    id: str
    name: str
    at: datetime
    payload: Mapping[str, Any]


class TimelineEntry(BaseModel):
    """A status that a message came to."""

    at: datetime
    status: str
    detail: str | None


class MessageRef(BaseModel):
    """A send, or one that was not made: then `reason` is the rule that said no, `detail` the values it decided on."""

    key: str
    channel: str
    purpose: str
    status: str
    reason: str | None
    detail: Mapping[str, Any] | None
    template: str | None
    reserved_at: datetime
    settled_at: datetime | None
    timeline: list[TimelineEntry]


class StepOut(BaseModel):
    """A box that she entered, why, and what was sent there."""

    seq: int
    state: str
    cause: str = Field(description="entry, answer, timer, decided, share, then, not_sent or retry")
    event: EventRef | None
    detail: Mapping[str, Any] | None = Field(description="For a decision: each predicate, its result and its values")
    at: datetime
    messages: list[MessageRef]


class LateOut(BaseModel):
    """An answer that did not move her, and why."""

    event: EventRef
    state: str | None
    reason: str
    at: datetime


class PathOut(BaseModel):
    """One enrolment, from entry to where she is."""

    enrolment_id: int
    journey: str
    hash: str
    entry: str
    arm: str
    entered_at: datetime
    state: str | None
    state_since: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    steps: list[StepOut]
    late: list[LateOut]


class RefusalOut(BaseModel):
    """An entry that was refused, and why."""

    journey: str
    entry: str
    reason: str
    at: datetime


class PathsOut(BaseModel):
    """Every time she was in the journey, the newest first, and every time she was refused."""

    customer_id: str
    journey: str
    enrolments: list[PathOut]
    refusals: list[RefusalOut]


class PersonalFeedOut(BaseModel):
    """The address of her feed. Who has it can read the feed."""

    url: str


@router.put("/v1/customers/{customer_id}", dependencies=OPERATE, summary="Write a customer")
def put_customer(here: Here, customer_id: str, body: CustomerIn, response: Response) -> CustomerOut:
    """Writes the fields that are given; 201 if she is new. A value that can't be used is a 422 that names the field."""
    customer_id = customers.customer_id(customer_id, "customer_id")
    with here.database.write() as conn:
        new = customers.put(conn, customer_id, body.model_dump(exclude_unset=True), here.now())
        response.status_code = 201 if new else 200
        return _customer(conn, customer_id)


@router.get("/v1/customers/{customer_id}", dependencies=READ, summary="Read a customer")
def get_customer(here: Here, customer_id: str) -> CustomerOut:
    """Her fields and consents."""
    with here.database.read() as conn:
        return _customer(conn, customer_id)


@router.post("/v1/customers/{customer_id}/consents", dependencies=OPERATE, summary="Record a consent")
def post_consent(here: Here, customer_id: str, body: ConsentIn) -> list[ConsentOut]:
    """Keeps her word, and tells the journeys (`consent.withdrawn`, `consent.granted`) if it changes something."""
    with here.database.write() as conn:
        _customer(conn, customer_id)
        word = consent.Word(customer_id, body.channel, body.granted, body.purpose)
        consent.record(conn, [word], body.source, here.now())
        return _customer(conn, customer_id).consents


@router.get("/v1/customers/{customer_id}/journeys", dependencies=READ, summary="A customer's journeys")
def get_paths(here: Here, customer_id: str) -> list[PathOut]:
    """Every enrolment of hers in every journey, the newest first. 404: she is not known, and was in none."""
    with here.database.read() as conn:
        found = paths.path(conn, customer_id)
        if not found:
            _customer(conn, customer_id)
    return [_path(each) for each in found]


@router.get("/v1/customers/{customer_id}/journeys/{name}", dependencies=READ, summary="A customer's path")
def get_path(here: Here, customer_id: str, name: str) -> PathsOut:
    """Where she is and how she got there: each step with its cause, what she was sent or why not, and what came too late."""
    with here.database.read() as conn:
        journeys.get(conn, name)
        found, refused = paths.path(conn, customer_id, name), paths.refusals(conn, customer_id, name)
        if not found and not refused:
            _customer(conn, customer_id)
    return PathsOut(
        customer_id=customer_id,
        journey=name,
        enrolments=[_path(each) for each in found],
        refusals=[RefusalOut.model_validate(each, from_attributes=True) for each in refused],
    )


@router.get("/v1/customers/{customer_id}/contacts", dependencies=READ, summary="A customer's last contacts")
def get_contacts(here: Here, customer_id: str, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[ContactOut]:
    """What reached her, the newest first: messages and calls of all journeys, and imported contacts of others."""
    with here.database.read() as conn:
        _customer(conn, customer_id)
        found = contacts.contacts(conn, customer_id, most=limit)
    return [ContactOut.model_validate(each, from_attributes=True) for each in found]


@router.post("/v1/customers/{customer_id}/feed", dependencies=OPERATE, summary="Her feed's address")
def post_feed(here: Here, customer_id: str) -> PersonalFeedOut:
    """The address of her feed; a feed is opened if she has none, and a new one if the last was revoked."""
    with here.database.write() as conn:
        _customer(conn, customer_id)
        token = feeds.token_for(conn, here.links, customer_id, here.now())
        if feeds.revoked(conn, token):
            token = feeds.rotate(conn, here.links, customer_id, here.now())
    return PersonalFeedOut(url=here.links.feed(token))


@router.get(
    "/v1/customers/{customer_id}/feed",
    dependencies=READ,
    responses=also(410),
    summary="Her feed's address, if she has one",
)
def get_feed(here: Here, customer_id: str) -> PersonalFeedOut:
    """The address of her feed. 404: she has none; 410: it was revoked."""
    with here.database.read() as conn:
        _customer(conn, customer_id)
        generation = feeds.generations(conn, [customer_id]).get(customer_id)
        if generation is None:
            raise ApiError(404, "feed_not_found", f"customer {customer_id!r} has no feed yet; POST here opens one")
        token = here.links.feed_token(customer_id, generation)
        if feeds.revoked(conn, token):
            raise ApiError(410, "feed_revoked", "her feed was revoked; POST here gives her a new one")
    return PersonalFeedOut(url=here.links.feed(token))


@router.delete("/v1/customers/{customer_id}/feed", status_code=204, dependencies=OPERATE, summary="Revoke her feed")
def delete_feed(here: Here, customer_id: str) -> Response:
    """The address answers 410 from now on."""
    with here.database.write() as conn:
        _customer(conn, customer_id)
        feeds.revoke(conn, customer_id, here.now())
    return Response(status_code=204)


def _customer(conn: Connection, customer_id: str) -> CustomerOut:
    row = customers.get(conn, customer_id)
    if row is None:
        raise ApiError(404, "customer_not_found", f"there is no customer {customer_id!r}")
    words = [ConsentOut.model_validate(word, from_attributes=True) for word in consent.of(conn, customer_id)]
    return CustomerOut.model_validate({**row.model_dump(), "attributes": row.attributes or {}, "consents": words})


def _path(found: paths.Path) -> PathOut:
    return PathOut.model_validate(found, from_attributes=True)
