"""Journey files that can't be imported: what went wrong, in the author's words and at the place in her file."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from dsl.place import Place
from dsl.pointing import problem
from dsl.problems import JourneyError, LanguageError, meant
from dsl.source import authored, raised_at, raised_by_us

__all__ = ["BrokenJourneyError", "explained"]


class BrokenJourneyError(ImportError):
    """A journey file can't be imported. A file that imports it fails for the same reason, which is told once."""

    def __init__(self, error: JourneyError) -> None:
        super().__init__(error.message)
        self.error = error


def explained(error: BaseException, file: Path, siblings: Sequence[str]) -> JourneyError:
    """What went wrong while a file was imported, in the author's words."""
    if isinstance(error, BrokenJourneyError):
        return error.error
    if isinstance(error, SyntaxError) and not _by_running(error):
        return _syntax(error, file)
    place = raised_at(error.__traceback__) or Place(str(file), 1)
    if isinstance(error, LanguageError):
        return problem("J150", str(error), place, help=error.help)
    if raised_by_us(error):
        return problem("J150", str(error), place)
    if isinstance(error, ImportError):
        text = re.sub(r" \(\S+\)$", "", str(error))  # the path of the module, which is ours to know
        return problem("J141", text, place, help=_import_help(error, siblings))
    hint = ""
    if isinstance(error, NameError) and error.name:
        import dsl  # noqa: PLC0415  # the whole language, known only after this module is

        hint = meant(error.name, dsl.__all__)
        if error.name in dsl.__all__:
            hint = f"write `from dsl import {error.name}`"
    elif isinstance(error, AttributeError) and error.name and error.obj is not None:
        hint = meant(error.name, [name for name in dir(error.obj) if not name.startswith("_")])
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    return problem("J142", text, place, help=hint if hint.startswith(("did", "write")) else "")


def _by_running(error: SyntaxError) -> bool:
    """Whether it was raised by what the file does (`eval` may), not by the file's own text."""
    trace = error.__traceback__
    while trace is not None:
        if authored(trace.tb_frame.f_code.co_filename):
            return True
        trace = trace.tb_next
    return False


def _syntax(error: SyntaxError, file: Path) -> JourneyError:
    column = max(1, error.offset or 1)
    end = error.end_offset or 0
    one_line = end > column and error.end_lineno == error.lineno
    return JourneyError(
        "J140",
        f"this is not Python: {error.msg}",
        file=str(file),
        line=error.lineno or 0,
        column=column,
        end_column=end if one_line else column + 1,
        source=(error.text or "").rstrip("\r\n"),
    )


def _import_help(error: ImportError, siblings: Sequence[str]) -> str:
    missing = re.match(r"cannot import name '(\w+)' from '([\w.]+)'", str(error))
    if missing is not None:
        module = sys.modules.get(missing[2])
        names = getattr(module, "__all__", None) or [n for n in dir(module) if not n.startswith("_")]
        hint = meant(missing[1], names)
        return hint if hint.startswith("did") else f"`{missing[2]}` has no `{missing[1]}`"
    hint = meant((error.name or "").split(".")[-1], siblings)
    return hint if hint.startswith("did") else "install it where the engine runs, or put it beside this file"
