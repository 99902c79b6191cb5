"""What she read: a message made again from the template that it was made from and what the template was given.

Template and context are kept with the send, so later edits of a template rewrite no history (behaviour S4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from engine import offers
from engine.db import table
from engine.letters.composing import letter_hash
from engine.letters.typesetting import Piece, typeset
from engine.links import Links
from engine.outgoing import Content, Recipient
from engine.sms.text import finished, picture_address
from engine.tables import Journey, Letter, Message, TemplateVersion
from engine.templating.rendering import Renderer
from engine.templating.templates import Template, Templates

__all__ = ["Again", "made_again"]

_RECIPIENT = {field.name for field in fields(Recipient)}


@dataclass(frozen=True, slots=True)
class Again:
    """A message made again; `exact` says that it is what was sent, to the byte (its hash is the one that was kept)."""

    content: Content
    exact: bool


class _Stored(Templates):
    """The templates' folder with one template in it: the version that a message was made from."""

    only: Template

    def find(self, ref: str, channel: str, language: str) -> Template:
        del ref, channel, language
        return self.only


def made_again(conn: Connection, templates: Templates, links: Links, message: Message) -> Again | None:
    """The message as it was rendered, or None: it was not rendered, or its template or context is no longer kept.

    A letter is set from its own row, so later settings (where its window is, who sends it) change nothing of it. Raises TemplateError
    if today's code can't render it any more.
    """
    context = message.context
    kept = table(TemplateVersion)
    row = conn.execute(select(kept).where(kept.c.hash == message.template_hash)).first()
    if row is None or not context or not isinstance(context.get("customer"), dict):
        return None
    if message.channel == "letter":
        return _letter(conn, templates, Template.kept(row), message)
    stored = _Stored.like(templates)
    stored.only = Template.kept(row)
    customer: dict[str, Any] = {name: value for name, value in context["customer"].items() if name in _RECIPIENT}
    recipient = Recipient(**customer)
    journey = table(Journey)
    title = conn.execute(select(journey.c.title).where(journey.c.name == message.journey)).scalar()
    facts: dict[str, Any] = {
        "feeds": {},
        "journey": {"name": message.journey, "title": title or ""},
        **_moments(context),
    }
    del facts["customer"]
    if "offers" in facts:
        shown = offers.as_shown(conn, [each["hash"] for each in facts["offers"]])
        facts["offers"] = [shown[each["hash"]] for each in facts["offers"] if each["hash"] in shown]
    content = Renderer(stored, links).render(message.channel, recipient, row.name, message.key, facts)
    if message.channel == "sms":
        picture = picture_address(content.media, row.name, links.media)
        both = [finished(content, picture, as_link=as_link) for as_link in (False, True)]
        content = next((made for made in both if made.hash == message.content_hash), both[0])
    return Again(content, content.hash == message.content_hash)


def _letter(conn: Connection, templates: Templates, template: Template, message: Message) -> Again | None:
    target = table(Letter)
    row = conn.execute(select(target).where(target.c.key == message.key)).first()
    if row is None or row.template_hash != template.hash:
        return None
    pages = row.pages
    if pages is None:
        made = typeset([Piece(template, row.data)], templates.folder, row.at, title="", author="")
        pages = made.pages[0]
    content = Content(
        title=row.data["title"],
        lines=tuple(row.lines),
        code=row.code,
        pages=pages,
        data=row.data,
        template=template.ref,
        template_hash=template.hash,
        hash=letter_hash(template, row.data),
    )
    return Again(content, content.hash == message.content_hash)


def _moments(given: Mapping[str, Any]) -> dict[str, Any]:
    """The context with its moments as such: JSON keeps them as text."""
    read: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, dict):
            read[name] = _moments(value)  # pyright: ignore[reportUnknownArgumentType]  # JSON
        elif isinstance(value, str) and (name == "now" or name.endswith("_at")):
            read[name] = datetime.fromisoformat(value)
        else:
            read[name] = value
    return read
