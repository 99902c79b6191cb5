"""Offers over the API: what customers may be offered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from api.auth import OPERATE, READ
from api.state import Here
from engine import offers

__all__ = ["router"]

router = APIRouter(tags=["offers"])


class OfferIn(BaseModel):
    """An offer, as a whole: what is left out is empty."""

    model_config = ConfigDict(extra="forbid")

    name: str
    category: str = Field(description="Of purchases: who buys there is offered this")
    margin: int = Field(strict=True, description="What a purchase by it earns, in cents")
    data: dict[str, Any] = Field(
        default_factory=dict[str, Any],
        description="What a template shows: `price` (cents), `url`, `picture`, `text`; anything else stands under `offer.data`",
    )
    valid_from: datetime | None = None
    valid_to: datetime | None = Field(None, description="From then on it is no longer offered")
    on: bool = True


class OfferOut(OfferIn):
    """An offer as it is kept."""

    id: str
    valid: bool = Field(description="Whether it is offered now")
    hash: str = Field(description="Of what a template is given of it: messages that showed it name this")


class OffersOut(BaseModel):
    """Every offer, by its id."""

    offers: list[OfferOut]


@router.get("/v1/offers", dependencies=READ, summary="List offers")
def list_offers(here: Here) -> OffersOut:
    """Every offer, also those that are off or over."""
    now = here.now()
    with here.database.read() as conn:
        return OffersOut(offers=[_out(offer, now) for offer in offers.every(conn)])


@router.get("/v1/offers/{offer_id}", dependencies=READ, summary="An offer")
def get_offer(here: Here, offer_id: str) -> OfferOut:
    """An offer by its id."""
    with here.database.read() as conn:
        return _out(offers.get(conn, offer_id), here.now())


@router.put(
    "/v1/offers/{offer_id}",
    dependencies=OPERATE,
    summary="Write an offer",
    responses={201: {"model": OfferOut, "description": "It is new"}},
)
def put_offer(here: Here, response: Response, offer_id: str, body: OfferIn) -> OfferOut:
    """Make an offer, or replace it as a whole. Messages that showed it stay as they were."""
    offer, now = offers.made(offer_id, body.model_dump()), here.now()
    with here.database.write() as conn:
        response.status_code = 201 if offers.put(conn, [offer], now) else 200
    return _out(offer, now)


@router.delete("/v1/offers/{offer_id}", dependencies=OPERATE, summary="Withdraw an offer")
def withdraw_offer(here: Here, offer_id: str) -> OfferOut:
    """Offer it to nobody from now on. It stays in the list, and messages that showed it stay as they were."""
    with here.database.write() as conn:
        offers.withdraw(conn, offer_id, here.now())
        return _out(offers.get(conn, offer_id), here.now())


def _out(offer: offers.Offer, now: datetime) -> OfferOut:
    return OfferOut(
        id=offer.id,
        name=offer.name,
        category=offer.category,
        margin=offer.margin,
        data=dict(offer.data),
        valid_from=offer.valid_from,
        valid_to=offer.valid_to,
        on=offer.on,
        valid=offer.holds(now),
        hash=offer.hash,
    )
