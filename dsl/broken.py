"""Journey files that can't be imported: what went wrong, in the author's words and at the place in her file."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

from dsl.below import below
from dsl.misused import misused
from dsl.place import Place
from dsl.pointing import problem, shown
from dsl.problems import JourneyError, LanguageError, meant
from dsl.running import EndlessError
from dsl.source import raised_at, raised_by_us

__all__ = ["PACKAGE", "BrokenJourneyError", "explained", "said_of", "strayed", "way_out"]

PACKAGE = "_journeys_"
"""Under this name the files of a folder stand in `sys.modules` while they are imported; no author is to meet it."""


_WAYS_OUT: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (
        RecursionError,
        "a method whose arrows come from itself has no end; a condition of that many parts is written as `.is_in([…])`",
    ),
    (
        EndlessError,
        "a body gives its arrows once, and ends: to wait is `after(…)`, to repeat is an arrow that leads back",
    ),
    (SystemExit, "a journey file says what a journey is, no more: delete this line"),
)


class BrokenJourneyError(ImportError):
    """A journey file can't be imported. A file that imports it fails for the same reason, which is told once."""

    def __init__(self, error: JourneyError) -> None:
        super().__init__(error.message)
        self.error = error


def explained(error: BaseException, file: Path, siblings: Sequence[str], under_way: Sequence[str] = ()) -> JourneyError:
    """What went wrong while a file was imported, in the author's words.

    `under_way` are the files whose import had begun, the outermost first: what imports one of them again finds it half done.
    """
    if isinstance(error, BrokenJourneyError):
        return error.error
    if isinstance(error, SyntaxError | MemoryError | RecursionError) and not _by_running(error):
        return _syntax(error, file)
    place = raised_at(error.__traceback__) or Place(str(file), 1)
    if isinstance(error, LanguageError) or raised_by_us(error):
        return problem(getattr(error, "code", "J150"), str(error), place, help=getattr(error, "help", ""))
    half_done = _half_done(error)
    if half_done in under_way:
        ring = " → ".join(f"{stem}.py" for stem in (*under_way[under_way.index(half_done) :], half_done))
        hint = "put what both need into a file of its own, `_shared.py`, or import it inside a body"
        wanted = re.match(r"cannot import name '(\w+)'", str(error))
        name = wanted[1] if wanted is not None else getattr(error, "name", "")
        return problem("J141", f"these files import each other, so `{name}` isn't there yet: {ring}", place, help=hint)
    if isinstance(error, ImportError):
        text = re.sub(r" \(\S+\)$", "", str(error)).replace(f"{PACKAGE}.", "")  # ours to know: the module's path
        return problem("J141", text, place, help=_import_help(error, siblings))
    return problem("J142", said_of(error), place, help=way_out(error))


def said_of(error: BaseException) -> str:
    """An exception of the author's code in a line: what it is, and what it says."""
    if isinstance(error, EndlessError):
        return "this goes on without an end"
    if isinstance(error, SystemExit):
        return "SystemExit: this would end the program, not only the check"
    try:
        said = str(error)
    except Exception:  # noqa: BLE001  # an author's exception may not be able to say itself
        said = ""
    return f"{type(error).__name__}: {said}".removesuffix(": ")


def way_out(error: BaseException) -> str:
    """A way out: of a mistyped or forgotten name, of what has no end or would be one."""
    match error:
        case NameError(name=str(name)):
            return _of_name(error, name)
        case AttributeError(name=str(name)) if error.obj is not None:
            return _of_attribute(error, name)
        case TypeError():
            return misused(str(error))
        case UnicodeEncodeError(reason="surrogates not allowed"):
            return "half of a character is no text: write the character itself"
        case _:
            return next((way for kind, way in _WAYS_OUT if isinstance(error, kind)), "")


def _of_name(error: NameError, name: str) -> str:
    import dsl  # noqa: PLC0415  # the whole language, known only after this module is

    if name in dsl.__all__:
        return f"write `from dsl import {name}`"
    if name == "parallel":
        return "it is a setting of its own: `parallel = Purchase.order_id`"
    if elsewhere := below(error, name):
        return elsewhere
    hint = meant(name, dsl.__all__)
    return hint if hint.startswith("did") else ""


def _of_attribute(error: AttributeError, name: str) -> str:
    if way := misused(str(error)):
        return way
    hint = meant(name, [each for each in dir(error.obj) if not each.startswith("_")])
    if getattr(error.obj, "__name__", "") == "Customer":
        own = f"declare what else you know of her: `class Member(Customer): {name} = text()`"
        return f"{hint} Or {own}" if hint.startswith("did") else own
    return hint if hint.startswith("did") else ""


def strayed(error: BaseException) -> JourneyError:
    """An exception of the author's code that got past the compiler: out of a `__repr__`, or none that one should catch.

    Raises it again where it isn't the author's.
    """
    place = raised_at(error.__traceback__)
    if place is None or isinstance(error, KeyboardInterrupt):
        raise error
    return problem("J102", said_of(error), place)


def _half_done(error: BaseException) -> str:
    """The file of which a name was asked that isn't there."""
    module = ""
    if isinstance(error, ImportError):
        module = error.name or ""
    elif isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        module = error.obj.__name__
    return module.removeprefix(f"{PACKAGE}.") if module.startswith(f"{PACKAGE}.") else ""


def _by_running(error: BaseException) -> bool:
    """Whether it was raised by what the file does (`eval` may), not by the file's own text."""
    return raised_at(error.__traceback__) is not None


def _syntax(error: BaseException, file: Path) -> JourneyError:
    """A file that can't be read as Python. The interpreter names no line for bytes that no source can have."""
    if not isinstance(error, SyntaxError):
        return problem("J140", "this is not Python: it is nested too deeply", Place(str(file), 1))
    if error.lineno is None or not error.text:
        before = file.read_bytes().partition(b"\0")[0]
        line = error.lineno or (before.count(b"\n") + 1 if len(before) < file.stat().st_size else 1)
        return problem("J140", f"this is not Python: {error.msg}", Place(str(file), line))
    column = max(1, error.offset or 1)
    end = error.end_offset or 0
    one_line = end > column and error.end_lineno == error.lineno
    return JourneyError(
        "J140",
        f"this is not Python: {error.msg}",
        file=shown(str(file)),
        line=error.lineno,
        column=column,
        end_column=end if one_line else column + 1,
        source=error.text.rstrip("\r\n"),
    )


def _import_help(error: ImportError, siblings: Sequence[str]) -> str:
    missing = re.match(r"cannot import name '(\w+)' from '([\w.]+)'", str(error))
    if missing is not None:
        module = sys.modules.get(missing[2])
        names = getattr(module, "__all__", None) or [n for n in dir(module) if not n.startswith("_")]
        hint = meant(missing[1], names)
        return hint if hint.startswith("did") else f"`{missing[2].removeprefix(f'{PACKAGE}.')}` has no `{missing[1]}`"
    hint = meant((error.name or "").split(".")[-1], siblings)
    return hint if hint.startswith("did") else "install it where the engine runs, or put it beside this file"
