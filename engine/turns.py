"""Turns: writers of one SQLite file queue up for it, across threads and processes, instead of polling for its lock.

SQLite lets a writer that finds the file locked sleep and look again, up to a tenth of a second at a time; beside a busy writer
a small one then waits long. A queue of our own, on a lock file beside the database, wakes the next one at once. It is a
courtesy, not a guard: SQLite's own lock still decides.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

try:
    import fcntl
except ImportError:  # pragma: no cover  # Windows has none: there SQLite's polling serves
    fcntl = None

__all__ = ["Turns"]


class Turns:
    """The queue for one database file."""

    def __init__(self, database: Path) -> None:
        self._file = database.with_name(f"{database.name}-turn")
        self._here = Lock()

    @contextmanager
    def turn(self) -> Generator[None]:
        """Wait for the turn, and hold it while the block lasts."""
        with self._here:
            if fcntl is None:
                yield
                return
            with self._file.open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                try:
                    yield
                finally:
                    with suppress(OSError):
                        fcntl.flock(lock, fcntl.LOCK_UN)
