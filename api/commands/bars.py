"""Bars: how far a long command has come, on a terminal's stderr; elsewhere nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import monotonic

__all__ = ["bar"]

Tell = Callable[[int, int, str], None]


@contextmanager
def bar(said: str, *, after: float = 0) -> Generator[Tell]:
    """A bar while the context lasts, shown once `after` seconds have gone by. It is told what is done, of how much, and words."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    shown = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, size, words: None  # noqa: ARG005  # nobody looks
        return
    bars = Progress(*shown, console=console, transient=True)
    task = bars.add_task(said, total=None)
    begun = monotonic()

    def progress(done: int, size: int, words: str) -> None:
        if monotonic() - begun >= after and not bars.live.is_started:
            bars.start()
        bars.update(task, completed=done, total=size, description=words)

    if not after:
        bars.start()
    try:
        yield progress
    finally:
        if bars.live.is_started:
            bars.stop()
