"""Letters: PDFs and a manifest in the outbox folder, one folder a print run, from where a print shop fetches them."""

from __future__ import annotations

import asyncio
import csv
import fcntl
import os
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from engine.db import insert_new
from engine.letters import Letters, address_lines
from engine.links import Links
from engine.outgoing import Content, Outgoing, Receipt, Recipient, Send
from engine.settings import Settings
from engine.tables import Letter
from engine.templates import Templates

__all__ = ["MANIFEST", "LetterChannel", "Run"]

MANIFEST = (
    "sequence", "letter_id", "file", "pages", "line_1", "line_2", "line_3", "line_4", "line_5", "line_6", "country",
    "mail_class", "sha256",
)  # fmt: skip
"""The columns of a print run's manifest.csv."""

_LINES = 6
_run: ContextVar[str] = ContextVar("print_run", default="")


class LetterChannel:
    """Prints letters into the outbox. A repeat writes nothing twice: the manifest has each key once."""

    name = "letter"
    outside = True
    repeats = True
    at_once = 4

    def __init__(self, settings: Settings, templates: Templates, links: Links) -> None:
        self._outbox = settings.data / "outbox"
        self._country = settings.country
        self._cost = settings.letter_cost
        self._templates = templates
        sender = [line.strip() for line in settings.letter_sender.splitlines() if line.strip()]
        self._letters = Letters(templates, links, sender)

    def address(self, recipient: Recipient) -> str | None:
        """Her id, under which letters are suppressed; None if her postal address is missing or can't be printed."""
        return recipient.id if address_lines(recipient, self._country) else None

    def speaks_of(self, template: str, name: str) -> bool:
        return self._templates.mentions(template, self.name, name)

    def render(self, recipient: Recipient, template: str, key: str, facts: Mapping[str, Any]) -> Content:
        return self._letters.render(recipient, template, key, facts)

    def keep(self, conn: Connection, messages: Sequence[Outgoing]) -> None:
        """Insert the letters' rows, under the print run of the batch that this is called in."""
        self._templates.keep(conn, (message.content.template_hash for message in messages))
        insert_new(conn, Letter, [self._row(message) for message in messages])

    def _row(self, message: Outgoing) -> dict[str, Any]:
        content = message.content
        return {
            "key": message.key,
            "code": content.code,
            "customer_id": message.recipient.id,
            "run": _run.get(),
            "file": _file(message),
            "pages": content.pages,
            "sha256": sha256(content.pdf).hexdigest(),
            "lines": list(content.lines),
            "country": (message.recipient.country or self._country).upper(),
            "at": message.at,
        }

    @asynccontextmanager
    async def batch(self, run: str) -> AsyncGenerator[Send]:
        """A print run's folder."""
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", run).strip(".") or "run"
        folder = Run(self._outbox / name, self._country)
        before = _run.set(name)

        async def send(message: Outgoing) -> Receipt:
            try:
                await asyncio.to_thread(folder.add, message)
            except OSError as error:  # a full disk, a folder without rights: an operator's, and the letter waits
                return Receipt("deferred", detail=f"{type(error).__name__}: {error}"[:300], retry_after=60.0)
            return Receipt("sent", provider_id=f"{name}/{_file(message)}", cost=self._cost)

        try:
            yield send
        finally:
            _run.reset(before)


class Run:
    """A print run's folder: the PDFs and manifest.csv. Several processes may write to one."""

    def __init__(self, folder: Path, home: str) -> None:
        self.folder = folder
        self._home = home.upper()
        self._keys: set[str] = set()
        self._size = -1

    def add(self, message: Outgoing) -> None:
        """Write the PDF, then its row: a row's file is always there, and whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            manifest = self.folder / "manifest.csv"
            self._read(manifest)
            if message.key in self._keys:
                return
            _write(self.folder / _file(message), message.content.pdf)
            out = StringIO()
            csv.writer(out).writerow(self._row(len(self._keys) + 1, message))
            with manifest.open("ab") as file:
                file.write(out.getvalue().encode())
                file.flush()
                os.fsync(file.fileno())
                self._size = file.tell()
            self._keys.add(message.key)

    def _read(self, manifest: Path) -> None:
        """Know the rows, also those of another process; a last row that a crash tore is taken off."""
        if not manifest.exists():
            out = StringIO()
            csv.writer(out).writerow(MANIFEST)
            _write(manifest, out.getvalue().encode())
        if manifest.stat().st_size == self._size:
            return
        content = manifest.read_bytes()
        whole = content[: content.rfind(b"\r\n") + 2]
        if whole != content:
            _write(manifest, whole)
        rows = list(csv.reader(StringIO(whole.decode(), newline="")))
        self._keys = {row[1] for row in rows[1:]}
        self._size = len(whole)

    def _row(self, sequence: int, message: Outgoing) -> list[str]:
        content = message.content
        lines = [*content.lines, *[""] * _LINES][:_LINES]
        country = (message.recipient.country or self._home).upper()
        mail_class = "domestic" if country == self._home else "international"
        digest = sha256(content.pdf).hexdigest()
        cells = [str(sequence), message.key, _file(message), str(content.pages), *lines, country, mail_class, digest]
        return [_inert(cell) for cell in cells]


def _file(message: Outgoing) -> str:
    return f"{message.key}.pdf"


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, also in a power cut."""
    fresh = path.with_name(f".{path.name}.part")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _inert(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell
