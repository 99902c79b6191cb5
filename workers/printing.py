"""Printing as a job: runs whose cut-off is over are closed and handed over, to the outbox or to a print provider.

One process does it at a time, and two would do the same: a run's bytes hang on its rows alone, and a provider is given
each letter's key. So a crash anywhere in between only makes it happen a moment later.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

from engine.db import Database
from engine.letters import post
from engine.letters import runs as print_runs
from engine.letters.printing import Printed, Printer, Unprintable, templates_of
from engine.settings import Settings
from engine.tables import Letter, PrintRun
from engine.templating.templates import Template, Templates
from workers.channels.lob import Lob

__all__ = ["Printing", "write_run"]

_log = logging.getLogger(__name__)


class Printing:
    """Hands over the runs that are due."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        templates = Templates.of(settings)
        self._printer = Printer(settings.journeys, settings.country, templates.brand)
        self._lob = None if settings.letter_provider == "outbox" else Lob(settings)
        self._not_before = 0.0

    async def round(self) -> int:
        """Hand over what is due; returns how many runs were. A run that a provider puts off is looked at again later."""
        if time.monotonic() < self._not_before:
            return 0
        done = 0
        for run in await asyncio.to_thread(self._due):
            letters, templates = await asyncio.to_thread(self._close, run)
            if self._lob is None:
                await asyncio.to_thread(self._to_outbox, run, letters, templates)
                done += 1
                continue
            wait = await self._lob.hand_over(self._database, self._printer, run, letters, templates)
            if wait is None:
                done += 1
            else:
                self._not_before = time.monotonic() + wait
        return done

    def _due(self) -> list[PrintRun]:
        with self._database.read() as conn:
            return print_runs.due(conn, self._settings.clock.now())

    def _close(self, run: PrintRun) -> tuple[list[Letter], dict[str, Template]]:
        now = self._settings.clock.now()
        if run.status == "open":
            with self._database.write() as conn:
                print_runs.close(conn, self._settings, run.name, now)
        with self._database.read() as conn:
            letters = print_runs.letters_of(conn, run.name, self._settings.country, "closed")
            return letters, templates_of(conn, letters)

    def _to_outbox(self, run: PrintRun, letters: Sequence[Letter], templates: dict[str, Template]) -> None:
        """Files and manifest first, whole; then the rows. A letter that can't be printed leaves the run, which goes on."""
        folder = self._settings.data / "outbox" / run.name
        printed = self._printer.read(folder, letters, templates) if folder.exists() else None
        while printed is None:
            try:
                printed = self._printer.run(run.name, letters, templates, run.cut_off_at)
            except Unprintable as error:
                _log.warning("run %s: %d letters can't be printed: %s", run.name, len(error.wrong), error)
                with self._database.write() as conn:
                    post.fail(conn, error.wrong, self._settings.clock.now())
                letters = [letter for letter in letters if letter.key not in error.wrong]
        if letters:
            write_run(self._settings.data / "outbox", run.name, printed)
        now = self._settings.clock.now()
        with self._database.write() as conn:
            post.hand_over(conn, run.name, printed.placed, self._settings.letter_cost, now)
            files = printed.listed() if letters else []
            print_runs.finish(conn, run.name, files, len(letters), printed.pages, now, printed.made_of)


def write_run(outbox: Path, name: str, printed: Printed) -> Path:
    """A run's folder, whole or not at all; one that is there already is what we would write."""
    folder = outbox / name
    outbox.mkdir(parents=True, exist_ok=True)
    fresh = Path(mkdtemp(prefix=f".{name}.", dir=outbox))
    for file, content in {**printed.files, "manifest.csv": printed.manifest}.items():
        _write(fresh / file, content)
    fresh.chmod(0o755)
    try:
        fresh.rename(folder)
    except OSError:
        shutil.rmtree(fresh)
        if not folder.exists():  # else it was written before a crash, or by another: the same bytes
            raise
    return folder


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
