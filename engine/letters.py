"""Letters: the address lines, the answer panel with its QR code, and the PDF (PDF/A-2b, the same bytes at every making)."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import segno
import typst

from engine.context import KNOWN, OFFER, clean, facts_of, suggest
from engine.glyphs import FONTS, printable
from engine.links import Links
from engine.outgoing import Content, Recipient
from engine.templates import Template, TemplateError, Templates
from engine.words import words

__all__ = ["Letters", "address_lines", "letter_pages"]

_WIDTH = 38
"""Most characters in an address line: the French norm NF Z10-011, and what a window shows."""
_LINES = 6
_CITY_FIRST = {"AU", "CA", "GB", "IE", "IN", "NZ", "US"}
_COUNTRIES = {
    "AT": "AUSTRIA", "AU": "AUSTRALIA", "BE": "BELGIUM", "BR": "BRAZIL", "CA": "CANADA", "CH": "SWITZERLAND", "CN": "CHINA",
    "CZ": "CZECHIA", "DE": "GERMANY", "DK": "DENMARK", "ES": "SPAIN", "FI": "FINLAND", "FR": "FRANCE", "GB": "UNITED KINGDOM",
    "GR": "GREECE", "HU": "HUNGARY", "IE": "IRELAND", "IN": "INDIA", "IT": "ITALY", "JP": "JAPAN", "LU": "LUXEMBOURG",
    "NL": "NETHERLANDS", "NO": "NORWAY", "NZ": "NEW ZEALAND", "PL": "POLAND", "PT": "PORTUGAL", "RO": "ROMANIA", "SE": "SWEDEN",
    "US": "UNITED STATES",
}  # fmt: skip
_local = threading.local()


def address_lines(recipient: Recipient, home: str) -> tuple[str, ...] | None:
    """The lines in the window, at most six of 38 characters; None if she can't be reached by post.

    `home` is the sender's country: mail within it names no country. Long lines are broken between words; an address
    that does not fit then, or in a script that we have no letters for, is unusable rather than cut.
    """
    name = clean(f"{recipient.first_name or ''} {recipient.last_name or ''}")
    street = [part for line in (recipient.address or "").splitlines() if (part := clean(line))]
    postcode, city = clean(recipient.postcode or ""), clean(recipient.city or "")
    country = (recipient.country or home).upper()
    if not (name and street and postcode and city):
        return None
    if country == "GB":
        towns = [city.upper(), postcode.upper()]
    elif country in _CITY_FIRST:
        towns = [f"{city} {postcode}"]
    else:
        towns = [f"{postcode} {city.upper() if country == 'FR' else city}"]
    abroad = [] if country == home.upper() else [_COUNTRIES.get(country, country)]
    printed = [printable(line) for line in (name, *street, *towns, *abroad)]
    if None in printed:
        return None
    lines = [part for line in printed for part in _broken(line or "")]
    if len(lines) > _LINES or any(len(line) > _WIDTH for line in lines):
        return None
    return tuple(lines)


def _broken(line: str) -> list[str]:
    parts: list[str] = []
    for word in line.split():
        if parts and len(parts[-1]) + 1 + len(word) <= _WIDTH:
            parts[-1] += f" {word}"
        else:
            parts.append(word)
    return parts


class Letters:
    """Renders letters. Safe to share between threads: each has its own compiler."""

    def __init__(self, templates: Templates, links: Links, sender: Sequence[str] = ()) -> None:
        self.templates = templates
        self.links = links
        self.sender = [line for line in sender if line] or [templates.brand.name]

    def render(self, recipient: Recipient, ref: str, key: str, facts: Mapping[str, Any]) -> Content:
        """One letter. Its date and its PDF's are `facts["now"]`. Raises TemplateError with file and line."""
        lines = address_lines(recipient, self.templates.country)
        if lines is None:
            raise TemplateError(
                f"no letter for customer {recipient.id!r}: her postal address is missing or does not fit"
            )
        template = self.templates.find(ref, "letter", recipient.language)
        now: datetime = (facts.get("now") or self.templates.now()).astimezone(UTC).replace(microsecond=0)
        data = self._data(recipient, template, key, {**facts, "now": now}, lines)
        pdf = _compile(template, data, now, self.templates.folder)
        return Content(
            title=data["title"],
            pdf=pdf,
            pages=letter_pages(pdf),
            lines=lines,
            code=self.links.code(key),
            template=ref,
            template_hash=template.hash,
            hash=sha256(pdf).hexdigest(),
        )

    def pictures(
        self, recipient: Recipient, ref: str, key: str, facts: Mapping[str, Any], ppi: float = 96
    ) -> list[bytes]:
        """The pages as PNG, for previews and tests."""
        template = self.templates.find(ref, "letter", recipient.language)
        lines = address_lines(recipient, self.templates.country) or ()
        data = self._data(recipient, template, key, facts, lines)
        made = _compiler().compile(
            template.source.encode(), format="png", ppi=ppi, sys_inputs={"data": json.dumps(data)}
        )
        return made if isinstance(made, list) else [made or b""]

    def _data(
        self, recipient: Recipient, template: Template, key: str, facts: Mapping[str, Any], lines: tuple[str, ...]
    ) -> dict[str, Any]:
        spoken = words(template.language)
        values = facts_of(recipient, facts, self.templates.brand, facts.get("now") or self.templates.now())
        code = self.links.code(key)
        url = self.links.letter(code)
        heading = re.search(r"^= +([^#\n]+)", template.source, re.MULTILINE)
        country = (recipient.country or self.templates.country).upper()
        sign = spoken.money(0, self.templates.currency)
        for each in ("0", spoken.decimal, "\N{NO-BREAK SPACE}"):
            sign = sign.replace(each, "")
        return {
            **{name: _text(values[name]) for name in (*KNOWN, "offers")},
            "today": values["today"].isoformat(),
            "code": self.links.show_code(code),
            "answer_url": url,
            "answer_page": re.sub(r"^https?://", "", url.rpartition("/")[0]),
            "qr": _qr(url),
            "title": heading[1].strip().rstrip(",") if heading else template.ref,
            "language": template.language.partition("-")[0],
            "lines": list(lines),
            "sender": self.sender,
            "place": "",
            "layout": "FR" if country == "FR" else "DIN",
            "words": {"scan": spoken.scan, "type": spoken.type, "answer": spoken.answer},
            "money": [spoken.thousands, spoken.decimal, sign, spoken.sign_first],
            "date": [spoken.day, spoken.first, spoken.months.split()],
        }


def _text(value: Any) -> Any:
    """A value for Typst: JSON, of letters that the face has."""
    if isinstance(value, dict):
        return {str(name): _text(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list):
        return [_text(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, str):
        return printable(value) or ""
    return value.isoformat() if isinstance(value, datetime) else value


def _qr(url: str) -> str:
    out = BytesIO()
    segno.make(url, error="m", micro=False).save(out, kind="svg", border=2, dark="#000", light="#fff", xmldecl=False)
    return out.getvalue().decode()


def letter_pages(pdf: bytes) -> int:
    """The number of pages of a PDF of ours."""
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def _compiler() -> typst.Compiler:
    compiler: typst.Compiler | None = getattr(_local, "compiler", None)
    if compiler is None:
        compiler = _local.compiler = typst.Compiler(font_paths=[FONTS], ignore_system_fonts=True)
    return compiler


def _compile(template: Template, data: Mapping[str, Any], moment: datetime, root: Path) -> bytes:
    package = re.search(r"^.*\"@\w+/", template.source, re.MULTILINE)
    if package:
        line = template.source.count("\n", 0, package.start()) + 1
        text = "a letter uses no packages: nothing is downloaded to print one"
        raise TemplateError(text, *template.at(line), code="J164", word=package[0].lstrip("# ").partition(" ")[0])
    try:
        pdf = _compiler().compile(
            template.source.encode(),
            format="pdf",
            sys_inputs={"data": json.dumps(data)},
            pdf_standards="a-2b",
            root=root,
            timestamp=moment,
        )
    except typst.TypstError as error:
        raise _explained(template, error) from error
    assert isinstance(pdf, bytes)  # noqa: S101  # one PDF is one file
    return pdf


_PLACE = re.compile(r"__typst_py_bytes__\.typ:(\d+):(\d+)")
_EACH = re.compile(r"\bfor\s+(\w+)\s+in\s+offers\b")
_CARETS = re.compile(r"│ +(\^+)")
_NAMES = (*KNOWN, "offers", "today", "code", "answer_url", "money", "date", "either", "answer")


def _explained(template: Template, error: typst.TypstError) -> TemplateError:
    places = [(int(at[1]), int(at[2])) for at in _PLACE.finditer("\n".join((error.diagnostic, *error.trace)))]
    # An argument that our layout can't take is the author's call, not the layout's line.
    theirs = (at for at in places if not template.where(at[0]).startswith("parcours/"))
    line, column = next(theirs, places[0] if places else (1, 0))
    message, code, hint = error.message, "J162", "; ".join(error.hints)
    if key := re.search(r'dictionary does not contain key "(.*?)"', message):
        text = template.source.splitlines()[line - 1]
        owner = next((name for name in KNOWN if f"{name}.{key[1]}" in text), None)
        if owner:
            message, code, hint = f"{owner} has no field {key[1]!r}", "J161", suggest(key[1], KNOWN[owner])
        elif any(f"{name}.{key[1]}" in text for name in _EACH.findall(template.source)):
            message, code, hint = f"offer has no field {key[1]!r}", "J161", suggest(key[1], OFFER)
    elif name := re.match(r"unknown variable: (\S+)", message):
        message, code, hint = f"there is no name {name[1]!r}", "J161", suggest(name[1], _NAMES)
    carets = _CARETS.search(error.diagnostic)
    width = len(carets[1]) if carets and places[0] == (line, column) else 1
    span = (column, column + width) if places else None
    return TemplateError(message, *template.at(line), code=code, span=span, help=hint)
