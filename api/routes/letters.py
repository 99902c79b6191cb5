"""The page that a QR code, a typed code or its link leads to. Looking at it is no answer; the button is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from api.errors import ApiError
from api.page import page, preferred, words
from api.state import Here, State
from engine import answers, customers
from engine.errors import NotFound
from engine.links import Links

__all__ = ["router"]

router = APIRouter(tags=["letters"])


@router.head("/l", include_in_schema=False)
@router.get("/l", response_class=Response, summary="Type a letter's code")
def code_page(here: Here, request: Request) -> Response:
    """A form for the code on the paper, for those who don't scan."""
    language, texts = words(preferred(request), here.settings.language)
    return page("code.html", language=language, words=texts, wrong=False, brand=here.templates.brand.name)


@router.post("/l", response_class=Response, summary="Look up a letter's code")
def typed(here: Here, request: Request, code: Annotated[str, Form(max_length=100)]) -> Response:
    """Leads to the letter's page. Small letters, blanks and dashes are forgiven."""
    try:
        with here.database.read() as conn:
            send = answers.by_code(conn, code)
    except NotFound:
        language, texts = words(preferred(request), here.settings.language)
        return page("code.html", 404, language=language, words=texts, wrong=True, brand=here.templates.brand.name)
    return RedirectResponse(f"/l/{Links.show_code(send.code or '')}?via=code", 303)


@router.head("/l/{code}", include_in_schema=False)
@router.get("/l/{code}", response_class=Response, summary="A letter's answer page")
def letter_page(here: Here, code: str, via: str = "") -> Response:
    """A page with a button; it tells nothing about whom the letter was for."""
    with here.database.read() as conn:
        send = _send(conn, code)
        return _page(here, conn, send, via, answered=answers.answered(conn, send.key))


@router.post("/l/{code}", response_class=Response, summary="Answer a letter")
def answer(here: Here, code: str, via: Annotated[str, Form(max_length=20)] = "") -> Response:
    """Records `letter.answered` (or `email.answered` …, of whatever carried the code), once: pressing again changes nothing."""
    with here.database.write(durable=True) as conn:
        send = _send(conn, code)
        by = "code" if via == "code" else "qr" if send.channel == "letter" else "link"
        answers.record(conn, send, answers.Answer(by, id="page"), here.now())
        return _page(here, conn, send, via, answered=True)


def _send(conn: Connection, code: str) -> answers.Send:
    try:
        return answers.by_code(conn, code)
    except NotFound as error:
        raise ApiError(404, "letter_not_found", error.message) from None


def _page(here: State, conn: Connection, send: answers.Send, via: str, *, answered: bool) -> Response:
    customer = customers.get(conn, send.customer_id)
    language, texts = words(customer.language if customer is not None else None, here.settings.language)
    code = Links.show_code(send.code or "")
    brand = here.templates.brand.name
    return page("letter.html", language=language, words=texts, code=code, via=via, answered=answered, brand=brand)
