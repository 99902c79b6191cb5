"""One stack to a data folder: a second `parcours up` beside a first would deal out the same customers' mail from two sides.

The lock is the open file itself, and every program of the stack that is ours inherits it. So it is held until the last of them
is gone, even where `parcours up` itself was killed; the embedded Temporal, which can't tell that, is ended by whoever comes next.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import BinaryIO

from engine.errors import EngineError

try:
    import fcntl
except ImportError:  # pragma: no cover  # Windows has none: there nobody is kept away
    fcntl = None

__all__ = ["WATCHED", "OneStack", "end_with_the_stack"]

WATCHED = "PARCOURS_CHILD_OF_A_STACK"
"""Environment variable of a program whose standard input is the stack's: where that ends, the stack is gone."""


class OneStack:
    """The lock on a data folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "stack.lock"
        self._file: BinaryIO | None = None

    def take(self, wait: float = 40.0) -> int | None:
        """Take it, waiting for what an earlier stack still finishes; the file descriptor, for children to inherit.

        Raises EngineError where another stack keeps it.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a+b")
        if fcntl is None:
            return None
        until = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = self._owner()
                if time.monotonic() >= until or (owner is not None and _lives(owner)):
                    self._close()
                    who = f" (process {owner})" if owner is not None else ""
                    raise EngineError(
                        "already_up",
                        f"another `parcours up`{who} runs on {self._path.parent}; end it first, or name another"
                        " folder (PARCOURS_DATA) and another port (PARCOURS_PORT)",
                    ) from None
                time.sleep(0.2)
            else:
                break
        self._file.truncate(0)
        self._file.write(str(os.getpid()).encode())
        self._file.flush()
        return self._file.fileno()

    def release(self) -> None:
        """Give it back; children that still live keep it."""
        if self._file is not None:
            self._file.truncate(0)
        self._close()

    def _owner(self) -> int | None:
        written = self._path.read_bytes()
        return int(written) if written.isdigit() else None

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def end_with_the_stack() -> None:
    """Where this process is a stack's child: end it in order as soon as the stack is gone, whatever became of it."""
    if os.environ.pop(WATCHED, ""):
        threading.Thread(target=_watch, name="stack-watch", daemon=True).start()


def _watch() -> None:
    while os.read(0, 1):  # nobody writes: it returns when the other end is closed
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)  # what the stack itself would have waited
    os._exit(1)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
