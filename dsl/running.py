"""Running an author's code: it comes to an end, and doesn't end the process.

It runs in whatever thread loads it, maybe under a tracer (coverage, a debugger). So neither a signal, which only the main thread
may set, nor a trace function watches it, but a thread, which knows one thing: how late it is. When the time is up it has Python
raise `EndlessError` in the author's thread, at the line where that one is.
"""

from __future__ import annotations

import os
from threading import Event, Lock, Thread, get_ident
from types import TracebackType
from typing import Final, NoReturn

__all__ = ["ENDS", "EndlessError", "Running"]

_PATIENCE: Final = 1.0  # seconds until it is raised again, where something has swallowed it


class EndlessError(BaseException):
    """The author's code goes on without an end. No Exception, so that no `except Exception` of hers holds it up."""


class Running:
    """What an author's code runs under, `with running:`, once or often; all of it together takes at most so many seconds.

    `close()` when there is no more of it.
    """

    def __init__(self, seconds: float) -> None:
        self._lock = Lock()
        self._inside: list[int] = []
        """The author's thread, while her code runs."""
        self._closed = Event()
        self._watch = Thread(target=self._look, args=(seconds,), daemon=True)
        self._watch.start()

    def __enter__(self) -> None:
        _guard.enter()
        self._inside = [get_ident()]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside = []
        _guard.leave()

    def close(self) -> None:
        """End the watch."""
        self._closed.set()
        self._watch.join()

    def _look(self, seconds: float) -> None:
        while not self._closed.wait(seconds):
            seconds = _PATIENCE
            with self._lock:  # so that it isn't raised behind the author's code
                for thread in self._inside:
                    _raise_in(thread)


ENDS: Final = (EndlessError, SystemExit)
"""What an author's code may raise that is no Exception, and is her mistake all the same."""


class _Guard:
    """`os._exit` in an author's code raises SystemExit, as `sys.exit` does: else a check would end there, as if all were well."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._threads: list[int] = []
        self._real = os._exit

    def enter(self) -> None:
        with self._lock:
            if not self._threads:
                self._real, os._exit = os._exit, self._exit
            self._threads.append(get_ident())

    def leave(self) -> None:
        with self._lock:
            self._threads.remove(get_ident())
            if not self._threads:
                os._exit = self._real

    def _exit(self, status: int) -> NoReturn:
        if get_ident() in self._threads:
            raise SystemExit(status)
        self._real(status)  # another thread's: it means what it says


_guard: Final = _Guard()


def _raise_in(thread: int) -> None:
    import ctypes  # noqa: PLC0415  # needed by what has no end only

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(EndlessError))
