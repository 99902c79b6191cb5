"""Text messages that come in, and what the gateway says of those that went out. Webhooks of Twilio's shape and signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from xml.sax.saxutils import escape

from fastapi import APIRouter, Depends, Request, Response

from api.errors import ApiError
from api.state import Here, State
from engine.mail.event import clean
from engine.receipts import Told, settle_by_provider
from engine.sms.inbound import Text, take
from engine.sms.twilio import DEAD, UNSUBSCRIBED, verify_twilio

__all__ = ["router"]

router = APIRouter(tags=["sms"])

_REPLY = '<?xml version="1.0" encoding="UTF-8"?><Response>{}</Response>'
_STATUSES = {"sent": "sent", "delivered": "delivered", "undelivered": "failed", "failed": "failed"}
_MOST_MEDIA = 10
_LONGEST = 10_000


async def _form(request: Request) -> dict[str, str]:
    async with request.form() as form:
        return {name: value for name, value in form.multi_items() if isinstance(value, str)}


def _signed(here: Here, request: Request, form: Annotated[dict[str, str], Depends(_form)]) -> dict[str, str]:
    """The form, if the gateway's signature over the public address and the form is right."""
    url = here.settings.public_url.rstrip("/") + request.url.path
    if request.url.query:
        url += f"?{request.url.query}"
    signature = request.headers.get("x-twilio-signature", "")
    if not verify_twilio(url, form, signature, here.settings.sms_token.get_secret_value()):
        raise ApiError(
            403,
            "bad_signature",
            f"X-Twilio-Signature does not fit {url} and the form; are the token and PARCOURS_PUBLIC_URL right?",
        )
    return {name: clean(value, _LONGEST) for name, value in form.items()}


Signed = Annotated[dict[str, str], Depends(_signed)]


@router.post("/v1/sms/twilio/inbound", response_class=Response, summary="A text message came in")
def inbound(here: Here, form: Signed) -> Response:
    """STOP (in many languages) withdraws consent to SMS at once, START gives it again, HELP is answered in her language.

    Anything else is `sms.replied`, an answer to the newest message between the two numbers, with `text` and `keyword`
    (the first word in capitals). The same `MessageSid` again changes nothing.
    """
    media = tuple(form[name] for number in range(_MOST_MEDIA) if (name := f"MediaUrl{number}") in form)
    came = Text(_field(form, "MessageSid"), _field(form, "From"), form.get("To", ""), form.get("Body", ""), media)
    with here.database.write(durable=True) as conn:
        reply = take(conn, came, here.now(), here.templates.brand.name, here.settings.language)
    message = f"<Message>{escape(reply)}</Message>" if reply else ""
    return Response(_REPLY.format(message), media_type="application/xml")


@router.post("/v1/sms/twilio/status", status_code=204, response_class=Response, summary="What became of a text message")
def status(here: Here, form: Signed, key: str | None = None) -> Response:
    """Twilio's status callback: the message's status and time-line, and `sms.delivered` or `sms.undelivered`.

    A message is found by the gateway's id, or by `?key=` where the callback is faster than our own record.
    """
    _settle(here, form, key)
    return Response(status_code=204)


def _settle(here: State, form: Mapping[str, str], key: str | None) -> None:
    sid, said = _field(form, "MessageSid"), _field(form, "MessageStatus")
    if said not in _STATUSES:
        return  # queued, sending, accepted …: nothing to know
    error = form.get("ErrorCode") or None
    detail = None if error is None else f"error {error}"
    told = Told("sms", sid, _STATUSES[said], detail, DEAD.get(error or ""), error == UNSUBSCRIBED)
    with here.database.write() as conn:
        if not settle_by_provider(conn, told, here.now(), key):
            raise ApiError(404, "message_not_found", f"no message has the gateway's id {sid!r}")


def _field(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "").strip()
    if not value:
        raise ApiError(422, "invalid_value", f"{name}: the form must have it")
    return value
