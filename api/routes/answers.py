"""Answers that others take: an agent on the phone, a till, whoever is given a code. All of them are one event."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.auth import INGEST
from api.state import Here
from engine import answers

__all__ = ["router"]

router = APIRouter(tags=["events"])

_Text = Annotated[str | None, Field(max_length=200)]


class AnswerIn(BaseModel):
    """An answer, and the send that it is to: by `code`, by `message_key`, or the newest that went to `customer_id`."""

    via: Literal["code", "coupon", "phone", "till"]
    code: _Text = Field(None, description="As it stands on the letter; small letters, blanks and dashes are forgiven")
    message_key: _Text = None
    customer_id: Annotated[str | None, Field(max_length=255)] = None
    channel: Literal["email", "sms", "feed", "call", "letter"] | None = Field(
        None, description="With customer_id: of this channel"
    )
    journey: _Text = Field(None, description="With customer_id: of this journey")
    id: _Text = Field(None, description="Your own id of it (a receipt, a call): the same again is no second answer")
    amount: float | None = Field(None, ge=-20_000_000, le=20_000_000, description="In currency units")
    order_id: _Text = None
    by: _Text = Field(None, description="The agent, or the till")
    value: _Text = Field(None, description="What she answered; `.where(…)` of an arrow can ask for it")
    note: Annotated[str | None, Field(max_length=2000)] = None


class AnswerOut(BaseModel):
    """The answer is committed."""

    new: bool = Field(description="False: it was there already")
    event: str = Field(description="The event's name, as `letter.answered`")
    message_key: str
    customer_id: str
    channel: str
    journey: str


@router.post("/v1/answers", dependencies=INGEST, summary="Record an answer that came back off line")
def record(here: Here, given: AnswerIn) -> AnswerOut:
    """An answer by code, phone or till: the event `<channel>.answered` of the send that it is to, with `via` in its payload.

    Without an `id`, a send has one answer by each way. Orders that name a code as `coupon` need no call of their own.
    """
    with here.database.write(durable=True) as conn:
        send = answers.find(
            conn,
            code=given.code,
            key=given.message_key,
            customer_id=given.customer_id,
            channel=given.channel,
            journey=given.journey,
        )
        kept = answers.record(
            conn,
            send,
            answers.Answer(
                via=given.via,
                id=given.id or "",
                amount=given.amount,
                order_id=given.order_id,
                by=given.by,
                value=given.value,
                note=given.note,
            ),
            here.now(),
        )
    return AnswerOut(
        new=kept.new,
        event=kept.event,
        message_key=send.key,
        customer_id=send.customer_id,
        channel=send.channel,
        journey=send.journey,
    )
