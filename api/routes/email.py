"""What e-mail providers tell: webhooks of Amazon SES, SendGrid, Mailgun and Postmark. Signed; no key is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile

from api.errors import ApiError, also
from api.intake import MAX_BODY
from api.state import Here, State
from engine.json_text import parsed
from engine.mail.desk import Desk
from engine.mail.providers import mailgun, postmark, sendgrid, ses
from engine.mail.providers.fields import Fields
from engine.mail.providers.told import BadSignature, Told

__all__ = ["router"]

router = APIRouter(prefix="/v1/email", tags=["e-mail"])


class Kept(BaseModel):
    """What became of a webhook."""

    kept: int = Field(default=0, description="Events and mails that were kept")
    repeats: int = Field(default=0, description="Those that were kept before: they change nothing")
    passed: int = Field(
        default=0, description="Those that say nothing to us, or are of no send of ours; they are counted"
    )


def _desk(request: Request) -> Desk:
    return request.app.state.email


async def _body(request: Request) -> bytes:
    return await request.body()


async def _form(request: Request) -> dict[str, str]:
    form: dict[str, str] = {}
    async with request.form(max_part_size=MAX_BODY) as given:
        for name, value in given.multi_items():
            if isinstance(value, UploadFile):
                form[name] = (await value.read()).decode("utf-8", "surrogateescape")
            else:
                form[name] = value
    return form


At = Annotated[Desk, Depends(_desk)]
Body = Annotated[bytes, Depends(_body)]
Form = Annotated[dict[str, str], Depends(_form)]


@router.post("/ses", summary="Amazon SES, through SNS")
def by_ses(here: Here, desk: At, body: Body) -> Kept:
    """Notifications, published events, and received mails of a receipt rule, of the topics in `PARCOURS_SES_TOPICS`.

    The signature is verified with SNS's certificate. A subscription of such a topic is confirmed at once.
    """
    if not desk.sns.topics:
        raise _off("PARCOURS_SES_TOPICS")
    message = Fields(_json(body))
    try:
        desk.sns.verify(message)
        if message.whole("Type") == "SubscriptionConfirmation":
            desk.sns.confirm(message)
            return Kept()
    except BadSignature as error:
        raise _forged(error) from None
    except OSError as error:
        raise ApiError(503, "amazon_unavailable", f"{error}; please come again", {"Retry-After": "30"}) from None
    if message.whole("Type") != "Notification":
        return _keep(here, desk, Told(passed=[message.text("Type")]), "ses")
    try:
        said: Any = parsed(message.whole("Message"))
    except ValueError:  # SNS's and SES's own words when something was set up
        return _keep(here, desk, Told(passed=["a message in words"]), "ses")
    return _keep(here, desk, ses.read(said, desk.names, message.text("MessageId")), "ses")


@router.post("/sendgrid", summary="SendGrid's event webhook")
def by_sendgrid(here: Here, desk: At, request: Request, body: Body) -> Kept:
    """A batch of events, signed; the verification key is in `PARCOURS_SENDGRID_KEY`."""
    if not here.settings.sendgrid_key:
        raise _off("PARCOURS_SENDGRID_KEY")
    signature = request.headers.get("x-twilio-email-event-webhook-signature", "")
    timestamp = request.headers.get("x-twilio-email-event-webhook-timestamp", "")
    try:
        sendgrid.verify(here.settings.sendgrid_key, body, signature, timestamp)
    except BadSignature as error:
        raise _forged(error) from None
    return _keep(here, desk, sendgrid.read(_json(body), desk.names), "sendgrid")


@router.post("/mailgun", responses=also(406), summary="Mailgun's webhooks")
def by_mailgun(here: Here, desk: At, body: Body) -> Kept:
    """One event, signed with the webhook signing key, `PARCOURS_MAILGUN_KEY`. A token comes once: a replay gets 406."""
    said = _json(body)
    signature = Fields(said).inner("signature")
    parts = (signature.text("timestamp"), signature.text("token"), signature.text("signature"))
    return _mailgun(here, desk, parts, lambda: mailgun.read(said, desk.names))


@router.post("/mailgun/mime", responses=also(406), summary="Mailgun's inbound mail")
def mail_by_mailgun(here: Here, desk: At, form: Form) -> Kept:
    """A mail that came in, as a route forwards it to an address that ends with `mime`."""
    parts = (form.get("timestamp", ""), form.get("token", ""), form.get("signature", ""))
    mail = mailgun.inbound(form)
    return _mailgun(here, desk, parts, lambda: Told(mails=[mail]) if mail is not None else Told(passed=["no mail"]))


@router.post("/postmark", summary="Postmark's webhooks")
def by_postmark(here: Here, desk: At, request: Request, body: Body) -> Kept:
    """One event; Basic authorization as `PARCOURS_POSTMARK_LOGIN` has it."""
    _postmark(here, request)
    return _keep(here, desk, postmark.read(_json(body), desk.names), "postmark")


@router.post("/postmark/inbound", summary="Postmark's inbound mail")
def mail_by_postmark(here: Here, desk: At, request: Request, body: Body) -> Kept:
    """A mail that came in; the server must be asked to include raw e-mail content."""
    _postmark(here, request)
    mail = postmark.inbound(_json(body))
    told = Told(mails=[mail]) if mail is not None else Told(passed=["an inbound mail without RawEmail"])
    return _keep(here, desk, told, "postmark")


def _keep(here: State, desk: Desk, told: Told, provider: str) -> Kept:
    with here.database.write() as conn:
        return Kept(**desk.keep(conn, told, provider))


def _mailgun(here: State, desk: Desk, parts: tuple[str, str, str], read: Callable[[], Told]) -> Kept:
    key = here.settings.mailgun_key.get_secret_value()
    if not key:
        raise _off("PARCOURS_MAILGUN_KEY")
    try:
        mailgun.verify(key, *parts)
    except BadSignature as error:
        raise _forged(error) from None
    with here.database.write() as conn:
        if not mailgun.first_time(conn, parts[1]):
            raise ApiError(406, "replayed", "this token was used before; a webhook comes once")
        return Kept(**desk.keep(conn, read(), "mailgun"))


def _postmark(here: State, request: Request) -> None:
    login = here.settings.postmark_login.get_secret_value()
    if not login:
        raise _off("PARCOURS_POSTMARK_LOGIN")
    try:
        postmark.verify(login, request.headers.get("authorization", ""))
    except BadSignature as error:
        raise ApiError(401, "bad_login", str(error), {"WWW-Authenticate": 'Basic realm="parcours"'}) from None


def _json(body: bytes) -> Any:
    try:
        return parsed(body)
    except ValueError as error:
        raise ApiError(400, "bad_json", f"the body is not JSON: {error}") from None


def _forged(error: BadSignature) -> ApiError:
    return ApiError(403, "bad_signature", str(error))


def _off(setting: str) -> ApiError:
    return ApiError(403, "not_set_up", f"webhooks of this provider are not taken; set {setting}")
