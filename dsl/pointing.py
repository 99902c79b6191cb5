"""Pointing at a problem: a place in the author's file becomes line, column and the text above the caret."""

from __future__ import annotations

import os
from collections.abc import Sequence

from dsl.place import Place
from dsl.problems import JourneyError
from dsl.source import line_of

__all__ = ["problem", "shown"]


def problem(
    code: str,
    message: str,
    place: Place | None,
    *,
    label: str = "",
    notes: Sequence[str] = (),
    help: str = "",  # noqa: A002  # as above
) -> JourneyError:
    """A problem at a place: byte offsets become columns, and the line is kept, since the file may change."""
    if place is None:
        return JourneyError(code, message, label=label, notes=notes, help=help)
    text = line_of(place)
    raw = text.encode()
    start = place.start if place.start is not None else len(raw) - len(raw.lstrip())
    end = place.end if place.end is not None else len(raw.split(b"  #")[0].rstrip())
    column = len(raw[:start].decode(errors="replace")) + 1
    width = max(1, len(raw[start:end].decode(errors="replace")))
    return JourneyError(
        code,
        message,
        file=shown(place.file),
        line=place.line,
        column=column,
        end_column=column + width,
        source=text,
        label=label,
        notes=notes,
        help=help,
    )


def shown(file: str) -> str:
    """A path as the reader knows it: from where she stands, if the file is below."""
    here = os.getcwd() + os.sep  # noqa: PTH109  # pathlib doubles the import time of the language
    return file.removeprefix(here)
