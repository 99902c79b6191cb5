"""The postbox: print runs from the outbox, piece by piece, as the postman would carry them."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from pypdf import PdfReader

__all__ = ["Piece", "Postbox"]

_CODE = re.compile(r"^((?:[0-9A-Z] ?){5}- ?(?:[0-9A-Z] ?){5})$", re.MULTILINE)
"""Five and five characters on a line of their own; kerning makes some look like a space apart."""


class UnreadableLetterError(Exception):
    """A printed letter has no answer code on it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A letter of a print run: what shows in its window, and its pages in the run's PDF."""

    lines: tuple[str, ...]
    pdf: Path
    first_page: int = 1
    pages: int = 1

    def code(self) -> str:
        """The answer code, read from the print as an eye would. Raises UnreadableLetterError."""
        pages = PdfReader(self.pdf).pages[self.first_page - 1 : self.first_page - 1 + self.pages]
        text = "\n".join(page.extract_text() for page in pages)
        found = _CODE.search(text)
        if found is None:
            raise UnreadableLetterError(f"no answer code is printed in {self.pdf}, page {self.first_page}")
        return found[0].replace(" ", "")


class Postbox:
    """A folder of print runs; `new` gives the pieces of the runs that came since the last look."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: set[str] = set()
        self._read: dict[Path, int] = {}

    def new(self) -> list[Piece]:
        """The new pieces, run by run. A run's folder comes whole: with a dot before its name it is being written."""
        found: list[Piece] = []
        for manifest in sorted(self.folder.glob("[!.]*/manifest.csv")):
            changed = manifest.stat().st_mtime_ns
            if self._read.get(manifest) == changed:
                continue
            self._read[manifest] = changed
            with manifest.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    if row["letter_id"] not in self._seen:
                        self._seen.add(row["letter_id"])
                        lines = tuple(row[name] for name in row if name.startswith("line_") and row[name])
                        pages = int(row["first_page"]), int(row["pages"])
                        found.append(Piece(lines, manifest.parent / row["file"], *pages))
        return found
