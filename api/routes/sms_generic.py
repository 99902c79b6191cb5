"""Webhooks of an SMS gateway that speaks signed JSON (docs/sms.md): texts that came in, and what became of ours."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar, cast

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field, ValidationError

from api.errors import ApiError
from api.state import Here
from engine.json_text import parsed
from engine.mail.event import clean
from engine.receipts import Told, settle_by_provider
from engine.signed_json import signed_by
from engine.sms.generic import DEAD, UNSUBSCRIBED
from engine.sms.inbound import Text, take

__all__ = ["router"]

router = APIRouter(tags=["sms"])

M = TypeVar("M", bound=BaseModel)
_LONGEST = 20_000  # characters, past what is taken of any field: what is longer is refused, and not cut
_Word = Annotated[str, Field(min_length=1, max_length=200)]


class TextIn(BaseModel):
    """A text message that came in."""

    id: _Word = Field(description="The gateway's id: the same again changes nothing")
    sender: _Word = Field(alias="from", description="Her number, in E.164")
    to: str = Field("", max_length=200, description="The number of ours that it came to")
    text: str = Field("", max_length=10_000)
    media: list[str] = Field([], max_length=10, description="Addresses of pictures that came with it")


class Said(BaseModel):
    """What the gateway is to send back to her, if anything."""

    reply: str | None = None


class StatusIn(BaseModel):
    """What became of a message of ours."""

    id: _Word = Field(description="The gateway's id of the message")
    key: str | None = Field(None, max_length=80, description="Our key of it, as it was sent")
    status: Literal["queued", "sent", "delivered", "failed"]
    code: str | None = Field(
        None,
        max_length=100,
        description="With failed: `invalid_number`, `unknown_number`, `landline`, `unsubscribed`, or the gateway's",
    )
    message: str | None = Field(None, max_length=300)


async def _body(request: Request) -> bytes:
    return await request.body()


def _verified(here: Here, request: Request, body: Annotated[bytes, Depends(_body)]) -> bytes:
    if not signed_by(here.settings.sms_token.get_secret_value(), request.headers, body):
        raise ApiError(
            403,
            "bad_signature",
            "webhook-signature does not fit webhook-id, webhook-timestamp and the body, or is older than five minutes; "
            "is the gateway's secret PARCOURS_SMS_TOKEN?",
        )
    return body


Verified = Annotated[bytes, Depends(_verified)]


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}}


@router.post("/v1/sms/generic/inbound", openapi_extra=_schema(TextIn), summary="A text message came in, as signed JSON")
def inbound(here: Here, body: Verified) -> Said:
    """As Twilio's: STOP and START at once, HELP answered, anything else `sms.replied`; signed by Standard Webhooks."""
    given = _read(TextIn, body)
    came = Text(given.id, given.sender, given.to, given.text, tuple(given.media))
    with here.database.write(durable=True) as conn:
        reply = take(conn, came, here.now(), here.templates.brand.name, here.settings.language)
    return Said(reply=reply or None)


@router.post(
    "/v1/sms/generic/status",
    status_code=204,
    response_class=Response,
    openapi_extra=_schema(StatusIn),
    summary="What became of a text message, as signed JSON",
)
def status(here: Here, body: Verified) -> Response:
    """The message's status and time-line, and `sms.delivered` or `sms.undelivered`; found by the gateway's id, or our key."""
    given = _read(StatusIn, body)
    if given.status != "queued":
        detail = " ".join(word for word in (given.code, given.message) if word) or None
        told = Told("sms", given.id, given.status, detail, DEAD.get(given.code or ""), given.code == UNSUBSCRIBED)
        with here.database.write() as conn:
            if not settle_by_provider(conn, told, here.now(), given.key):
                raise ApiError(404, "message_not_found", f"no message has the gateway's id {given.id!r}")
    return Response(status_code=204)


def _read(model: type[M], body: bytes) -> M:
    """What it says. A character that can't be kept, such as half of a cut emoji, is left out: it costs no STOP."""
    try:
        given: object = parsed(body)
    except ValueError as error:
        raise ApiError(400, "bad_json", f"the body is not JSON: {error}") from None
    try:
        return model.model_validate(_held(given))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ApiError(422, "invalid_value", f"{where}: {first['msg']}") from None


def _held(given: object) -> object:
    """The same without characters that no database can hold; deeper than what the models take, nobody looks."""
    if not isinstance(given, dict):
        return given
    return {name: _held_field(value) for name, value in cast("dict[str, object]", given).items()}


def _held_field(value: object) -> object:
    if isinstance(value, str):
        return clean(value, _LONGEST)
    if isinstance(value, list):
        return [clean(each, _LONGEST) if isinstance(each, str) else each for each in cast("list[object]", value)]
    return value
