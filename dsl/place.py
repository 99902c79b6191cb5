"""A place in an author's file, taken from the frame that was running.

Since Python 3.11 a code object knows the column of every instruction, so a caret can stand under the arrow itself and not
just beside its line.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import islice
from types import CodeType, FrameType

__all__ = ["Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """A span in a file: `line` from 1, `start` and `end` in UTF-8 bytes from 0, as Python counts them; None: not known."""

    file: str
    line: int
    start: int | None = None
    end: int | None = None

    @classmethod
    def caller(cls) -> Place:
        """What the caller of the function that asks is doing: where the author wrote it."""
        return cls.of(sys._getframe(2))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # its documented use

    @classmethod
    def of(cls, frame: FrameType) -> Place:
        """What `frame` is about to do, or is doing."""
        return cls.at(frame.f_code, frame.f_lasti, frame.f_lineno)

    @classmethod
    def at(cls, code: CodeType, instruction: int, line: int) -> Place:
        """The span of one instruction; where it covers several lines, its first line."""
        first, last, start, end = next(islice(code.co_positions(), instruction // 2, None), (None, None, None, None))
        if first is None or start is None:
            return cls(code.co_filename, line)
        return cls(code.co_filename, first, start, end if first == last else None)
