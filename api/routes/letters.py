"""Answers to letters: the page that a QR code or a typed code leads to. Looking at it is no answer; the button is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection, select, update

from api.errors import ApiError
from api.page import page, words
from api.state import Here
from engine import customers, events
from engine.db import table
from engine.links import ForgedLink, Links
from engine.tables import Letter

__all__ = ["router"]

router = APIRouter(tags=["letters"])


@router.head("/l", include_in_schema=False)
@router.get("/l", response_class=Response, summary="Type a letter's code")
def code_page(request: Request) -> Response:
    """A form for the code on the paper, for those who don't scan."""
    language, texts = words(_preferred(request))
    return page("code.html", language=language, words=texts, wrong=False)


@router.post("/l", response_class=Response, summary="Look up a letter's code")
def typed(here: Here, request: Request, code: Annotated[str, Form(max_length=100)]) -> Response:
    """Leads to the letter's page. Small letters, blanks and dashes are forgiven."""
    try:
        normal = Links.read_letter(code)
        with here.database.read() as conn:
            _letter(conn, normal)
    except (ForgedLink, ApiError):
        language, texts = words(_preferred(request))
        return page("code.html", 404, language=language, words=texts, wrong=True)
    return RedirectResponse(f"/l/{Links.show_code(normal)}", 303)


@router.head("/l/{code}", include_in_schema=False)
@router.get("/l/{code}", response_class=Response, summary="A letter's answer page")
def letter_page(here: Here, code: str) -> Response:
    """A page with a button; it tells nothing about whom the letter was for."""
    with here.database.read() as conn:
        row = _letter(conn, _normal(code))
        return _page(conn, row, answered=row.answered_at is not None)


@router.post("/l/{code}", response_class=Response, summary="Answer a letter")
def answer(here: Here, code: str) -> Response:
    """Records `letter.answered`, once: pressing the button again changes nothing."""
    now = here.now()
    with here.database.write() as conn:
        row = _letter(conn, _normal(code))
        target = table(Letter)
        conn.execute(
            update(target).where(target.c.key == row.key, target.c.answered_at.is_(None)).values(answered_at=now)
        )
        sent = events.Answered(row.key, row.customer_id, "letter", [])
        events.answer(
            conn, sent, "answered", now, source="letter", payload={"code": row.code}, event_id=f"letter:{row.key}"
        )
        return _page(conn, row, answered=True)


def _normal(code: str) -> str:
    try:
        return Links.read_letter(code)
    except ForgedLink as error:
        raise ApiError(404, "letter_not_found", str(error)) from None


def _letter(conn: Connection, code: str) -> Letter:
    target = table(Letter)
    row = conn.execute(select(target).where(target.c.code == code)).mappings().first()
    if row is None:
        raise ApiError(404, "letter_not_found", "no letter has this code; is every character right?")
    return Letter(**row)


def _page(conn: Connection, row: Letter, *, answered: bool) -> Response:
    customer = customers.get(conn, row.customer_id)
    language, texts = words(customer.language if customer is not None else None)
    return page("letter.html", language=language, words=texts, code=Links.show_code(row.code), answered=answered)


def _preferred(request: Request) -> str | None:
    return request.headers.get("accept-language", "")[:2].lower() or None
