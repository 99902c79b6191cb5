"""Messages over the API: what she got, what became of it, and what she answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import Connection, select

from api.auth import READ
from api.errors import ApiError
from api.routes.customers import TimelineEntry
from api.state import Here, State
from engine.again import made_again
from engine.db import table
from engine.tables import Event, Message, MessageEvent
from engine.templating.templates import TemplateError

__all__ = ["router"]

router = APIRouter(tags=["messages"], dependencies=READ)


class ContentOut(BaseModel):
    """The message, made again from its template and what the template was given."""

    exact: bool = Field(description="Whether this is what was sent, to the byte")
    title: str
    html: str
    text: str
    lines: list[str] = Field(description="A letter's address lines")
    code: str = Field(description="A letter's answer code")
    pages: int


class MessageAnswerOut(BaseModel):
    """An answer to the message."""

    name: str
    at: datetime
    payload: dict[str, Any]


class MessageOut(BaseModel):
    """A send, or one that was not made."""

    key: str
    customer_id: str
    enrolment_id: int
    journey: str
    hash: str
    state: str
    visit: int
    arm: str
    channel: str
    purpose: str
    status: str
    reason: str | None
    detail: dict[str, Any] | None
    address: str | None
    template: str | None
    template_hash: str | None
    content_hash: str | None
    context: dict[str, Any] | None = Field(description="What the template was given")
    links: list[dict[str, str]] | None
    provider_id: str | None
    cost: int = Field(description="Thousandths of a cent")
    reserved_at: datetime
    settled_at: datetime | None
    timeline: list[TimelineEntry]
    answers: list[MessageAnswerOut]
    content: ContentOut | None = Field(description="Null: it was never rendered, or can't be made again")


@router.get("/v1/messages/{key}", summary="What she got")
def get_message(here: Here, key: str) -> MessageOut:
    """A message by its key `<enrolment>-<visit>-<action>`: its content made again, its time-line and its answers."""
    message, changed, event = table(Message), table(MessageEvent), table(Event)
    with here.database.read() as conn:
        found = conn.execute(select(message).where(message.c.key == key)).mappings().first()
        if found is None:
            raise ApiError(404, "message_not_found", f"there is no message {key!r}")
        row = Message(**found)
        timeline = conn.execute(select(changed).where(changed.c.key == key).order_by(changed.c.id)).all()
        answers = conn.execute(select(event).where(event.c.message_key == key).order_by(event.c.seq)).all()
        content = _content(here, conn, row)
    return MessageOut(
        **row.model_dump(),
        timeline=[TimelineEntry(at=line.at, status=line.status, detail=line.detail) for line in timeline],
        answers=[MessageAnswerOut(name=line.name, at=line.at, payload=line.payload) for line in answers],
        content=content,
    )


def _content(here: State, conn: Connection, row: Message) -> ContentOut | None:
    try:
        again = made_again(conn, here.templates, here.links, row)
    except TemplateError:
        return None
    if again is None:
        return None
    made = again.content
    return ContentOut(
        exact=again.exact,
        title=made.title,
        html=made.html,
        text=made.text,
        lines=list(made.lines),
        code=made.code,
        pages=made.pages,
    )
