"""Typesetting: letters to one PDF (PDF/A-2b), however many; the same bytes at every making.

A letter is its template, as a Typst function, applied to its data. A hundred letters in one go cost a third of a hundred
single ones, and are one valid PDF/A: nothing is merged afterwards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import segno
import typst

from engine.letters.glyphs import FONTS
from engine.templating.context import KNOWN, OFFER, suggest
from engine.templating.templates import Template, TemplateError

__all__ = ["Piece", "Typeset", "pictured", "program", "proof", "typeset"]


_MANY = 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A letter to be set: a template, and what it is given. `data["key"]` names it, no two of a run have one key."""

    template: Template
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Typeset:
    """A PDF, and for each letter in it its first page (from 1) and its number of pages."""

    pdf: bytes
    first: tuple[int, ...]
    pages: tuple[int, ...]


def typeset(pieces: Sequence[Piece], root: Path, moment: datetime, *, title: str, author: str) -> Typeset:
    """Set letters, in their order. `root`: where pictures are; `moment`: the PDF's date.

    Raises TemplateError with file and line: one letter that can't be set stops them all (set each alone to know which).
    """
    source = _Source(pieces, title, author)
    moment = moment.replace(microsecond=0)
    compiler = source.compiler(root)
    try:
        placed = json.loads(compiler.query("<placed>", field="value", one=True))
        pdf = compiler.compile(
            source.text, format="pdf", pdf_standards="a-2b", root=root, timestamp=moment, sys_inputs=source.inputs
        )
    except RuntimeError as error:  # a query's errors are plain texts: the compilation's have their places
        raise source.explained(error, root) from error
    assert isinstance(pdf, bytes)  # noqa: S101  # one PDF is one file
    if len(pieces) > _MANY:
        _forget()
    return Typeset(pdf, tuple(first for first, _ in placed), tuple(last - first + 1 for first, last in placed))


def proof(pieces: Sequence[Piece], root: Path, moment: datetime) -> None:
    """Set letters for a trial, which is all but their codes. Raises TemplateError, as `typeset`."""
    source = _Source(pieces, "proof", "", code=_qr("https://example.org"))
    try:
        moment = moment.replace(microsecond=0)
        source.compiler(root).compile(
            source.text, format="pdf", pdf_standards="a-2b", root=root, timestamp=moment, sys_inputs=source.inputs
        )
    except RuntimeError as error:
        raise source.explained(error, root) from error
    if len(pieces) > _MANY:
        _forget()


def pictured(piece: Piece, root: Path, ppi: float = 96) -> list[bytes]:
    """A letter's pages as PNG, for previews and tests. Raises TemplateError."""
    source = _Source([piece], "preview", "")
    try:
        made = source.compiler(root).compile(source.text, format="png", ppi=ppi, root=root, sys_inputs=source.inputs)
    except RuntimeError as error:
        raise source.explained(error, root) from error
    return made if isinstance(made, list) else [made or b""]


def program(piece: Piece) -> tuple[bytes, dict[str, str]]:
    """The Typst program of one letter, and its inputs: for who compiles it by himself (`benchmarks/letters.py`)."""
    source = _Source([piece], "", "")
    return source.text, source.inputs


class _Source:
    """The Typst program of some letters: each template once, as a function; then the letters."""

    def __init__(self, pieces: Sequence[Piece], title: str, author: str, code: str | None = None) -> None:
        self._templates = list({piece.template.hash: piece.template for piece in pieces}.values())
        numbers = {template.hash: number for number, template in enumerate(self._templates)}
        lines = [
            f"#set document(title: {json.dumps(title, ensure_ascii=False)}, author: {json.dumps(author, ensure_ascii=False)})"
        ]
        self._starts: list[int] = []
        for number, template in enumerate(self._templates):
            _refuse_packages(template)
            lines.append(f"#let letter-{number}(given) = [")
            self._starts.append(len(lines))
            lines += [*template.source.splitlines(), "]"]
        lines += [
            '#let pieces = json(bytes(sys.inputs.at("pieces")))',
            "#for (at, piece) in pieces.enumerate() {",
            "  if at > 0 { pagebreak(weak: true) }",
            f"  ({', '.join(f'letter-{number}' for number in range(len(self._templates)))},).at(piece.template)(piece)",
            "}",
            '#context [#metadata(pieces.map(piece => ("first-", "end-").map(at => locate(label(at + piece.key)).page())))<placed>]',
        ]
        self.text = "\n".join(lines).encode()
        given = [
            {**piece.data, "qr": code or _qr(piece.data["answer_url"]), "template": numbers[piece.template.hash]}
            for piece in pieces
        ]
        self.inputs = {"pieces": json.dumps(given, ensure_ascii=False)}

    def compiler(self, root: Path) -> typst.Compiler:
        return typst.Compiler(self.text, root=root, font_paths=_fonts(), sys_inputs=self.inputs)

    def explained(self, error: RuntimeError, root: Path) -> TemplateError:
        """The author's mistake, with the line of the author's file."""
        if not isinstance(error, typst.TypstError):
            try:
                self.compiler(root).compile(
                    self.text, format="pdf", pdf_standards="a-2b", root=root, sys_inputs=self.inputs
                )
            except typst.TypstError as again:
                return _explained(self._place, again)
            return TemplateError(f"this letter can't be set: {error}")
        return _explained(self._place, error)

    def _place(self, line: int) -> tuple[Template, int]:
        """The template, and its own line, of a line of the program."""
        number = max((n for n, start in enumerate(self._starts) if start < line), default=0)
        return self._templates[number], max(line - self._starts[number], 1)


@cache
def _fonts() -> typst.Fonts:
    """The letters' face and Typst's own, never the system's: two machines print alike."""
    return typst.Fonts(include_system_fonts=False, font_paths=[FONTS])


def _forget() -> None:
    """Let Typst drop what it remembers of the letters: it keeps each for ten compilations, half a gigabyte for runs in a row."""
    empty = typst.Compiler(font_paths=_fonts())
    for _ in range(11):
        empty.compile(b"", format="pdf")


def _refuse_packages(template: Template) -> None:
    package = re.search(r"^.*\"@\w+/", template.source, re.MULTILINE)
    if package:
        line = template.source.count("\n", 0, package.start()) + 1
        text = "a letter uses no packages: nothing is downloaded to print one"
        raise TemplateError(text, *template.at(line), code="J164", word=package[0].lstrip("# ").partition(" ")[0])


def _qr(url: str) -> str:
    out = BytesIO()
    # A mask of our own choice: trying all eight for the prettiest one is most of the work, and scanners read any.
    code = segno.make(url, error="m", micro=False, mask=3)
    code.save(out, kind="svg", border=2, dark="#000", light="#fff", xmldecl=False)
    return out.getvalue().decode()


_PLACE = re.compile(r"__typst_py_bytes__\.typ:(\d+):(\d+)")
_EACH = re.compile(r"\bfor\s+(\w+)\s+in\s+offers\b")
_CARETS = re.compile(r"│ +(\^+)")
_NAMES = (
    *KNOWN,
    "offers",
    "today",
    "code",
    "answer_url",
    "money",
    "date",
    "either",
    "answer",
    "picture",
    "catalogue",
    "feed",
)


def _explained(place: Callable[[int], tuple[Template, int]], error: typst.TypstError) -> TemplateError:
    found = [(int(at[1]), int(at[2])) for at in _PLACE.finditer("\n".join((error.diagnostic, *error.trace)))]
    places = [(*place(line), column) for line, column in found]
    # An argument that our layout can't take is the author's call, not the layout's line.
    theirs = (each for each in places if not each[0].where(each[1]).startswith("parcours/"))
    template, line, column = next(theirs, places[0] if places else (*place(1), 0))
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
    width = len(carets[1]) if carets and places[0] == (template, line, column) else 1
    span = (column, column + width) if places else None
    return TemplateError(message, *template.at(line), code=code, span=span, help=hint)
