"""Previews over the API: a box's message as a customer would get it, and a test mail to oneself. Neither counts."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api.auth import OPERATE, READ
from api.errors import ApiError
from api.state import Here, State
from engine import journeys
from engine.templating.templates import TemplateError, TemplateMissing
from workers.preview import Preview, Previews

__all__ = ["router"]

router = APIRouter(tags=["journeys"])

_STRICT = "default-src 'none'; img-src data: https:; style-src 'unsafe-inline'; sandbox"
_HEADERS = {
    "Content-Security-Policy": _STRICT,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}

Customer = Annotated[
    str | None, Query(max_length=200, description="Whom it would go to; without one, a trial customer")
]
Language = Annotated[str | None, Query(max_length=35, description="Instead of hers", examples=["fr"])]
Way = Annotated[
    Literal["email", "sms", "feed", "call", "letter"] | None, Query(description="Where the box sends by several")
]


class TestIn(BaseModel):
    """Who gets the test, and whom it is written for."""

    to: str = Field(max_length=320, description="An e-mail address of your own")
    customer: str | None = Field(None, max_length=200, description="Whom the mail is written for")
    language: str | None = Field(None, max_length=35)


class TestOut(BaseModel):
    """What the mail server said."""

    status: str = Field(description="sent, deferred, rejected or unknown")
    detail: str | None
    message_id: str | None


@router.get(
    "/v1/journeys/{name}/boxes/{box}/preview",
    dependencies=READ,
    response_class=Response,
    responses={200: {"content": {"text/html": {}, "text/plain": {}, "application/pdf": {}}}},
    summary="A message to look at",
)
def preview(
    here: Here, name: str, box: str, customer: Customer = None, language: Language = None, channel: Way = None
) -> Response:
    """The box's message by the newest version and the templates as they are now: HTML; a text message as text, a letter as PDF.

    Nothing is tracked in it, and nothing is marked by looking.
    """
    made = _made(here, name, box, customer, language, channel)
    if made.channel == "letter":
        return Response(made.content.pdf, media_type="application/pdf", headers=_HEADERS)
    if made.channel == "sms":
        return Response(made.text(), media_type="text/plain; charset=utf-8", headers=_HEADERS)
    return Response(made.page(), media_type="text/html; charset=utf-8", headers=_HEADERS)


@router.post(
    "/v1/journeys/{name}/boxes/{box}/test-send",
    dependencies=OPERATE,
    summary="Send a test mail",
)
async def test_send(here: Here, name: str, box: str, body: TestIn) -> TestOut:
    """Sends the box's mail to `to`, through the provider, with `[Test]` before its subject.

    It is no message of the journey: it is in no report, asks for no consent, and its links lead past our tracking.
    """
    made = await asyncio.to_thread(_made, here, name, box, body.customer, body.language, "email")
    previews = Previews(here.settings, here.templates, here.links, here.database)
    receipt = await previews.send(made, body.to)
    return TestOut(status=receipt.status, detail=receipt.detail, message_id=receipt.provider_id)


def _made(here: State, name: str, box: str, customer: str | None, language: str | None, channel: str | None) -> Preview:
    previews = Previews(here.settings, here.templates, here.links)
    with here.database.read() as conn:
        ir = journeys.load_ir(conn, journeys.get(conn, name).hash)
        try:
            return previews.make(conn, ir, box, customer, here.now(), language, channel)
        except TemplateMissing as error:
            raise ApiError(404, "template_not_found", str(error)) from error
        except TemplateError as error:
            raise ApiError(422, "template_fails", str(error)) from error
