"""Letters: what a letter is made of (its window, its words, its answer code), and the letter itself as PDF or pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from engine.letters.glyphs import lost, printable
from engine.letters.postal import Postal, Undeliverable, postal
from engine.letters.typesetting import Piece, pictured, typeset
from engine.links import Links
from engine.outgoing import Content, Recipient
from engine.templating.context import KNOWN, clean, facts_of
from engine.templating.templates import Template, TemplateError, Templates
from engine.templating.words import words

__all__ = ["Letters", "letter_hash"]


class Letters:
    """Composes and renders letters. Safe to share between threads.

    `layout`: `FR` or `DIN` for every letter; else the French one for mail to France, and DIN 5008 form B elsewhere.
    """

    def __init__(self, templates: Templates, links: Links, sender: Sequence[str] = (), layout: str = "country") -> None:
        self.templates = templates
        self.links = links
        self.sender = [line for line in sender if line] or [templates.brand.name]
        self._layout = layout

    def compose(self, recipient: Recipient, ref: str, key: str, facts: Mapping[str, Any]) -> Content:
        """What is printed, but not printed yet: a run sets many at once. The letter's date is `facts["now"]`.

        Raises TemplateError: no such template, or no address.
        """
        template = self.templates.find(ref, "letter", recipient.language)
        try:
            place = postal(recipient, self.templates.country)
        except Undeliverable as error:
            text = f"no letter for customer {recipient.id!r}: her postal address is missing or does not fit: {error}"
            raise TemplateError(text) from None
        now: datetime = (facts.get("now") or self.templates.now()).astimezone(UTC).replace(microsecond=0)
        data = self._data(recipient, template, key, {**facts, "now": now}, place)
        missing = "".join(
            dict.fromkeys(lost(text) for text in _texts(facts_of(recipient, facts, self.templates.brand, now)))
        )
        return Content(
            title=data["title"],
            lines=place.lines,
            code=self.links.code(key),
            template=ref,
            template_hash=template.hash,
            hash=letter_hash(template, data),
            data=data,
            country=place.country,
            postcode=place.postcode,
            missing="".join(dict.fromkeys(missing)),
        )

    def render(self, recipient: Recipient, ref: str, key: str, facts: Mapping[str, Any]) -> Content:
        """One letter, set by itself. Its date and its PDF's are `facts["now"]`. Raises TemplateError with file and line."""
        content = self.compose(recipient, ref, key, facts)
        template = self.templates.find(ref, "letter", recipient.language)
        now: datetime = (facts.get("now") or self.templates.now()).astimezone(UTC).replace(microsecond=0)
        assert content.data is not None  # noqa: S101  # compose gives it
        made = typeset(
            [Piece(template, content.data)],
            self.templates.folder,
            now,
            title=content.title,
            author=self.templates.brand.name,
        )
        return replace(content, pdf=made.pdf, pages=made.pages[0])

    def pictures(
        self, recipient: Recipient, ref: str, key: str, facts: Mapping[str, Any], ppi: float = 96
    ) -> list[bytes]:
        """The pages as PNG, for previews and tests."""
        content = self.compose(recipient, ref, key, facts)
        assert content.data is not None  # noqa: S101  # as above
        template = self.templates.find(ref, "letter", recipient.language)
        return pictured(Piece(template, content.data), self.templates.folder, ppi)

    def _data(
        self, recipient: Recipient, template: Template, key: str, facts: Mapping[str, Any], place: Postal
    ) -> dict[str, Any]:
        spoken = words(template.language)
        values = facts_of(recipient, facts, self.templates.brand, facts.get("now") or self.templates.now())
        code = self.links.code(key)
        url = self.links.letter(code)
        heading = re.search(r"^= +([^#\n]+)", template.source, re.MULTILINE)
        sign = spoken.money(0, self.templates.currency)
        for each in ("0", spoken.decimal, "\N{NO-BREAK SPACE}"):
            sign = sign.replace(each, "")
        layout = self._layout.upper()
        return {
            **{name: _text(values[name]) for name in (*KNOWN, "offers")},
            "feeds": _text(_cleaned(facts["feeds"])) if facts.get("feeds") is not None else None,
            "today": values["today"].isoformat(),
            "key": key,
            "code": self.links.show_code(code),
            "answer_url": url,
            "answer_page": re.sub(r"^https?://", "", url.rpartition("/")[0]),
            "title": heading[1].strip().rstrip(",") if heading else template.ref,
            "language": template.language.partition("-")[0],
            "lines": list(place.lines),
            "to": _text(
                {
                    "name": place.name,
                    "street": list(place.street),
                    "city": place.city,
                    "region": place.region,
                    "postcode": place.postcode,
                }
            ),
            "sender": self.sender,
            "place": "",
            "folder": f"{template.ref.rpartition('/')[0]}/".lstrip("/"),
            "layout": layout if layout in {"FR", "DIN"} else "FR" if place.country == "FR" else "DIN",
            "words": {"scan": spoken.scan, "type": spoken.type, "answer": spoken.answer},
            "money": [spoken.thousands, spoken.decimal, sign, spoken.sign_first],
            "date": [spoken.day, spoken.first, spoken.months.split()],
        }


def letter_hash(template: Template, data: Mapping[str, Any]) -> str:
    """The sha256 of all that a letter is made of."""
    said = json.dumps(data, ensure_ascii=False, sort_keys=True)
    return sha256(f"{template.hash}\0{said}".encode()).hexdigest()


def _text(value: Any) -> Any:
    """A value for Typst: JSON, of letters that the face has."""
    if isinstance(value, dict):
        return {str(name): _text(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list):
        return [_text(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, str):
        return printable(value) or ""
    return value.isoformat() if isinstance(value, datetime) else value


def _texts(value: Any) -> Iterator[str]:
    """Every text within a value."""
    if isinstance(value, Mapping):
        for each in value.values():  # pyright: ignore[reportUnknownVariableType]
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _texts(each)
    elif isinstance(value, str):
        yield value


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _cleaned(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, (list, tuple)):
        return [_cleaned(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return clean(value) if isinstance(value, str) else value
