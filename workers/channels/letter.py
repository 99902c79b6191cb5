"""Letters: a message is a piece of the print run that is open; the run is printed after its cut-off (workers.printing)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from engine.letters import post
from engine.letters.composing import Letters
from engine.letters.place import mark
from engine.letters.postal import Undeliverable, postal
from engine.letters.typesetting import Piece, proof
from engine.links import Links
from engine.outgoing import Content, Outgoing, Recipient
from engine.settings import Settings
from engine.templating.templates import TemplateError, Templates

__all__ = ["LetterChannel"]

_TRIED = 100


class LetterChannel:
    """Puts letters into the print run. They can be withdrawn until it is closed."""

    name = "letter"

    def __init__(self, settings: Settings, templates: Templates, links: Links) -> None:
        self._settings = settings
        self._templates = templates
        sender = [line.strip() for line in settings.letter_sender.splitlines() if line.strip()]
        self._letters = Letters(templates, links, sender, settings.letter_layout)

    def address(self, recipient: Recipient) -> str | None:
        """What letters to this place are suppressed under; None if her postal address is missing or can't be printed."""
        if self.lacks(recipient):
            return None
        return mark(recipient.id, recipient.address, recipient.postcode, recipient.city)

    def lacks(self, recipient: Recipient) -> str:
        """Why no letter can reach her; empty if one can."""
        try:
            postal(recipient, self._settings.country)
        except Undeliverable as error:
            return str(error)
        return ""

    def speaks_of(self, template: str, name: str) -> bool:
        return self._templates.mentions(template, self.name, name)

    def render(self, recipient: Recipient, template: str, key: str, facts: Mapping[str, Any]) -> Content:
        return self._letters.compose(recipient, template, key, facts)

    def alone(self, recipient: Recipient, template: str, key: str, facts: Mapping[str, Any]) -> Content:
        """As `render`, with its PDF, outside of any run: to look at. Raises TemplateError."""
        return self._letters.render(recipient, template, key, facts)

    def proof(self, messages: Sequence[Outgoing]) -> dict[str, str]:
        """Set the letters once, so that what can't be printed is known now, and not when the run is due."""
        wrong: dict[str, str] = {}
        for start in range(0, len(messages), _TRIED):
            wrong |= self._tried(messages[start : start + _TRIED])
        return wrong

    def _tried(self, messages: Sequence[Outgoing]) -> dict[str, str]:
        pieces = [self._piece(message) for message in messages]
        try:
            proof(pieces, self._templates.folder, messages[0].at)
        except TemplateError as error:
            if len(messages) == 1:
                return {messages[0].key: str(error)}
            half = len(messages) // 2
            return self._tried(messages[:half]) | self._tried(messages[half:])
        return {}

    def _piece(self, message: Outgoing) -> Piece:
        template = self._templates.find(message.content.template, self.name, message.recipient.language)
        return Piece(template, message.content.data or {})

    def keep(self, conn: Connection, messages: Sequence[Outgoing]) -> None:
        """Insert the letters' rows, into the run that is open."""
        if messages:
            self._templates.keep(conn, (message.content.template_hash for message in messages))
            post.keep(conn, self._settings, [_row(message) for message in messages], messages[0].at)


def _row(message: Outgoing) -> dict[str, Any]:
    content = message.content
    return {
        "key": message.key,
        "code": content.code,
        "customer_id": message.recipient.id,
        "enrolment_id": message.enrolment_id,
        "template_hash": content.template_hash,
        "data": content.data,
        "lines": list(content.lines),
        "country": content.country,
        "postcode": content.postcode,
        "missing": content.missing,
        "at": message.at,
    }
