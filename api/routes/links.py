"""What customers press: tracked links, the open pixel, unsubscribing and preferences. No key: the token is signed."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response
from sqlalchemy import Connection

from api.errors import ApiError
from api.page import PRIVATE, page, told, words
from api.state import Here, State
from dsl.ir import CHANNELS
from engine import consent, customers, events, hits, receipts
from engine.links import ForgedLink
from engine.trials import is_trial

__all__ = ["router"]

router = APIRouter(tags=["links"])

_PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


@router.head("/c/{token}", include_in_schema=False)
@router.get("/c/{token}", status_code=302, response_class=Response, summary="Follow a tracked link")
def click(here: Here, request: Request, token: str) -> Response:
    """Records the click as an answer to its message, and leads to the target in the message's row: no redirect is open.

    HEAD, and a browser's prefetch, record nothing; a link scanner's click is recorded as `email.scanned`, which is no answer.
    """
    try:
        key, index = here.links.read_click(token)
    except ForgedLink as error:
        raise _forged(error) from None
    with here.database.read() as conn:
        sent = events.sent_as(conn, key)
    if sent is None or index >= len(sent.links):
        raise ApiError(404, "link_not_found", "this link's message is no longer kept")
    link = sent.links[index]
    if urlsplit(link["url"]).scheme not in {"http", "https"}:
        raise ApiError(404, "link_not_found", "this link leads nowhere")
    if _looks(request):
        payload = {"link": link["name"], "url": link["url"]}
        with here.database.write() as conn:
            hits.record(conn, sent, "clicked", payload, _visit(here, request), _soon(here))
    return Response(status_code=302, headers={**PRIVATE, "Location": link["url"]})


@router.head("/o/{token}", include_in_schema=False)
@router.get("/o/{token}", response_class=Response, summary="The open pixel")
def opened(here: Here, request: Request, token: str) -> Response:
    """A transparent picture of one pixel, `/o/{token}.gif`; its loading records that the message was opened.

    The event's payload says whether a person did it, as far as can be told: `"human": false` where a mail provider's proxy
    loaded it. What scanners load, and mail programs by themselves, is `email.scanned`, which is no answer.
    """
    try:
        key = here.links.read_open(token)
    except ForgedLink as error:
        raise _forged(error) from None
    if _looks(request):
        with here.database.write() as conn:
            sent = events.sent_as(conn, key)
            if sent is not None:
                hits.record(conn, sent, "opened", {}, _visit(here, request), _soon(here))
    return Response(_PIXEL, media_type="image/gif", headers=dict(PRIVATE))


@router.head("/u/{token}", include_in_schema=False)
@router.get("/u/{token}", response_class=Response, summary="The preferences page")
def preferences(here: Here, request: Request, token: str) -> Response:
    """A page with a button, and every channel's consent. Looking at it changes nothing: link scanners do.

    That of a test mail says that it was a test.
    """
    if is_trial(_key(here, token)):
        return told(request, "test", here.settings.language)
    with here.database.read() as conn:
        sent = _sent(here, conn, token)
        return _page(here, conn, sent)


@router.post("/u/{token}", response_class=Response, summary="Unsubscribe")
def unsubscribe(
    here: Here,
    request: Request,
    token: str,
    action: Annotated[
        str, Form(description="`withdraw` (the default, and what RFC 8058's One-Click means) or `grant`")
    ] = "withdraw",
    channel: Annotated[str | None, Form(description="Another channel than the message's own")] = None,
) -> Response:
    """Withdraws consent to marketing on the message's channel, at once: with no login, cookie or redirect (RFC 8058).

    The page's own form may name another channel, and `grant`. The same again changes nothing. By a test mail's link nobody is
    unsubscribed, and the page says so.
    """
    if action not in {"withdraw", "grant"}:
        raise ApiError(422, "invalid_value", f"action: it must be withdraw or grant (got {action!r})")
    if is_trial(_key(here, token)):
        return told(request, "test", here.settings.language)
    with here.database.write() as conn:
        sent = _sent(here, conn, token)
        word = consent.Word(sent.customer_id, channel or sent.channel, action == "grant", message_key=sent.key)
        receipts.came_out(conn, sent.key, "its way out", here.now())
        consent.record(conn, [word], "unsubscribe link" if action == "withdraw" else "preferences page", here.now())
        return _page(here, conn, sent, "stopped" if action == "withdraw" else "started")


def _sent(here: State, conn: Connection, token: str) -> events.Answered:
    sent = events.sent_as(conn, _key(here, token))
    if sent is None:
        raise ApiError(404, "link_not_found", "this link's message is no longer kept")
    return sent


def _key(here: State, token: str) -> str:
    try:
        return here.links.read_unsubscribe(token)
    except ForgedLink as error:
        raise _forged(error) from None


def _page(here: State, conn: Connection, sent: events.Answered, said: str | None = None) -> Response:
    customer = customers.get(conn, sent.customer_id)
    language, texts = words(customer.language if customer is not None else None, here.settings.language)
    said_yes = {row.channel: row.granted for row in consent.of(conn, sent.customer_id) if row.purpose == "marketing"}
    order: Sequence[str] = sorted(CHANNELS, key=lambda name: name != sent.channel)
    granted = {name: said_yes.get(name, False) for name in order if name in said_yes or name == sent.channel}
    shown: dict[str, Any] = {"words": texts, "granted": granted, "channel": sent.channel, "said": said}
    return page("preferences.html", language=language, brand=here.templates.brand.name, **shown)


def _looks(request: Request) -> bool:
    """Whether somebody looks, rather than a browser that fetches ahead."""
    ahead = f"{request.headers.get('sec-purpose', '')} {request.headers.get('purpose', '')} {request.headers.get('x-moz', '')}"
    return request.method == "GET" and "prefetch" not in ahead and "preview" not in ahead


def _visit(here: State, request: Request) -> hits.Visit:
    address = request.client.host if request.client is not None else ""
    return hits.Visit(request.headers.get("user-agent", ""), address, here.now())


def _soon(here: State) -> timedelta:
    return timedelta(seconds=here.settings.scanner_seconds)


def _forged(error: ForgedLink) -> ApiError:
    return ApiError(404, "link_not_found", str(error))
