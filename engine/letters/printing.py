"""Printing: a closed run's letters as files of a hundred and a manifest, from its rows alone; the same bytes each time."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from engine.db import table
from engine.errors import Conflict
from engine.letters import ingredients
from engine.letters.post import Placed
from engine.letters.postal import LINES
from engine.letters.runs import FILE
from engine.letters.typesetting import Piece, Typeset, typeset
from engine.spreadsheet import inert
from engine.tables import Letter, PrintRun, TemplateVersion
from engine.templating.context import Brand
from engine.templating.templates import Template, TemplateError

__all__ = ["MANIFEST", "Printed", "Printer", "Unprintable", "templates_of"]

MANIFEST = (
    "sequence", "letter_id", "file", "first_page", "pages", "line_1", "line_2", "line_3", "line_4", "line_5", "line_6",
    "country", "mail_class", "sha256",
)  # fmt: skip
"""The columns of a run's manifest.csv. `sha256` is the file's that the letter is in."""


class Unprintable(Exception):
    """Letters of a run that can't be printed: `wrong` has the reason by key. The others can, without them."""

    def __init__(self, wrong: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{key}: {reason}" for key, reason in wrong.items()))
        self.wrong = wrong


@dataclass(frozen=True, slots=True)
class Printed:
    """A run on its way: its files by name, the manifest, and where each letter is."""

    files: dict[str, bytes]
    manifest: bytes
    placed: tuple[Placed, ...]
    made_of: Mapping[str, Any]
    """What else its bytes hang on, as a run's row keeps it (engine.letters.ingredients)."""

    @property
    def pages(self) -> int:
        return sum(each.pages for each in self.placed)

    def listed(self) -> list[dict[str, Any]]:
        """The files as a run's row keeps them."""
        found: list[dict[str, Any]] = []
        for name, content in self.files.items():
            inside = [each for each in self.placed if each.file == name]
            pages = sum(each.pages for each in inside)
            found.append({"name": name, "letters": len(inside), "pages": pages, "sha256": sha256(content).hexdigest()})
        found.append({"name": "manifest.csv", "letters": len(self.placed), "sha256": sha256(self.manifest).hexdigest()})
        return found


class Printer:
    """Prints letters from their rows. `home` is the sender's country, `root` the folder of templates and pictures."""

    def __init__(self, root: Path, home: str, brand: Brand) -> None:
        self._root = root
        self._home = home.upper()
        self._brand = brand

    def run(
        self, name: str, letters: Sequence[Letter], templates: Mapping[str, Template], moment: datetime,
        done: Callable[[int], None] = lambda _: None,
    ) -> Printed:  # fmt: skip
        """All files of a run, its letters in their order. Raises Unprintable; `done` is told how many letters are set."""
        files: dict[str, bytes] = {}
        placed: list[Placed] = []
        wrong: dict[str, str] = {}
        for start in range(0, len(letters), FILE):
            chunk = letters[start : start + FILE]
            file = f"letters-{start // FILE + 1:03}.pdf"
            try:
                made = self._set(name, file, chunk, templates, moment)
            except TemplateError as error:
                wrong |= self._wrong(chunk, templates, moment) or {each.key: str(error) for each in chunk}
                continue
            files[file] = made.pdf
            placed += [
                Placed(letter.key, file, start + at, made.first[at - 1], made.pages[at - 1])
                for at, letter in enumerate(chunk, start=1)
            ]
            done(start + len(chunk))
        if wrong:
            raise Unprintable(wrong)
        digests = {file: sha256(content).hexdigest() for file, content in files.items()}
        made_of = self._made_of(letters, templates)
        return Printed(files, self._manifest(letters, placed, digests), tuple(placed), made_of)

    def read(self, folder: Path, letters: Sequence[Letter], templates: Mapping[str, Template]) -> Printed:
        """A run that was printed to this folder, before a crash: the print house may have it, so it counts as it is.

        Raises Conflict: the folder is another run's.
        """
        manifest = (folder / "manifest.csv").read_bytes()
        rows = list(csv.DictReader(StringIO(manifest.decode(), newline="")))
        if {row["letter_id"] for row in rows} != {letter.key for letter in letters}:
            raise Conflict("folder_taken", f"{folder} is there, and has other letters than the run: move it away")
        files = {name: (folder / name).read_bytes() for name in dict.fromkeys(row["file"] for row in rows)}
        placed = tuple(
            Placed(row["letter_id"], row["file"], int(row["sequence"]), int(row["first_page"]), int(row["pages"]))
            for row in rows
        )
        return Printed(files, manifest, placed, self._made_of(letters, templates))

    def _made_of(self, letters: Sequence[Letter], templates: Mapping[str, Template]) -> dict[str, Any]:
        return {
            "author": self._brand.name,
            "home": self._home,
            "setter": ingredients.setter(),
            "files": ingredients.files_of(letters, templates, self._root),
        }

    def file(self, run: PrintRun, file: str, letters: Sequence[Letter], templates: Mapping[str, Template]) -> bytes:
        """One file of a run again, from the letters that are in it, in their order: the same bytes.

        Raises TemplateError (it can't be set any more), Conflict (it would have other bytes; what changed is named).
        """
        made_of = run.made_of or {}
        author = str(made_of.get("author", self._brand.name))
        try:
            pdf = self._set(run.name, file, letters, templates, run.cut_off_at, author).pdf
        except TemplateError as error:
            raise TemplateError(f"{error} ({ingredients.differs(made_of, self._root)})") from error
        if all(each["sha256"] != sha256(pdf).hexdigest() for each in run.files or () if each["name"] == file):
            why = ingredients.differs(made_of, self._root)
            raise Conflict("file_changed", f"{file} of run {run.name} would not be what was printed: {why}")
        return pdf

    def manifest(self, run: PrintRun, letters: Sequence[Letter]) -> bytes:
        """The manifest of a run that was handed over, again: where each letter is stands in its row."""
        home = str((run.made_of or {}).get("home", self._home))
        placed = [
            Placed(each.key, each.file or "", each.sequence or 0, each.first_page or 0, each.pages or 0)
            for each in letters
        ]
        return self._manifest(letters, placed, {file["name"]: file["sha256"] for file in run.files or ()}, home)

    def single(self, letter: Letter, templates: Mapping[str, Template], moment: datetime) -> bytes:
        """One letter as a PDF of its own. Raises TemplateError."""
        made = typeset(
            [_piece(letter, templates)], self._root, moment, title=str(letter.data["title"]), author=self._brand.name
        )
        return made.pdf

    def _set(
        self, name: str, file: str, letters: Sequence[Letter], templates: Mapping[str, Template], moment: datetime,
        author: str | None = None,
    ) -> Typeset:  # fmt: skip
        pieces = [_piece(each, templates) for each in letters]
        return typeset(pieces, self._root, moment, title=f"{name}, {file}", author=author or self._brand.name)

    def _wrong(self, letters: Sequence[Letter], templates: Mapping[str, Template], moment: datetime) -> dict[str, str]:
        found: dict[str, str] = {}
        for each in letters:
            try:
                self.single(each, templates, moment)
            except TemplateError as error:
                found[each.key] = str(error)
        return found

    def _manifest(
        self, letters: Sequence[Letter], placed: Sequence[Placed], digests: Mapping[str, str], home: str = ""
    ) -> bytes:
        out = StringIO()
        writer = csv.writer(out)
        writer.writerow(MANIFEST)
        for letter, place in zip(letters, placed, strict=True):
            lines = [*letter.lines, *[""] * LINES][:LINES]
            mail_class = "domestic" if letter.country == (home or self._home) else "international"
            cells = [
                str(place.sequence), letter.key, place.file, str(place.first_page), str(place.pages), *lines,
                letter.country, mail_class, digests[place.file],
            ]  # fmt: skip
            writer.writerow([inert(cell) for cell in cells])
        return out.getvalue().encode()


def _piece(letter: Letter, templates: Mapping[str, Template]) -> Piece:
    if letter.template_hash not in templates:
        raise TemplateError(f"the template of letter {letter.key} is no longer kept")
    return Piece(templates[letter.template_hash], letter.data)


def templates_of(conn: Connection, letters: Sequence[Letter]) -> dict[str, Template]:
    """The templates that letters were composed with, as they were then, by their hash."""
    rows = table(TemplateVersion)
    wanted = sorted({letter.template_hash for letter in letters})
    found = conn.execute(select(rows).where(rows.c.hash.in_(wanted)))
    return {row.hash: Template.kept(row) for row in found}
