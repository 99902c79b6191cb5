"""What can be wrong with a journey: each problem has a code, a place in the author's file, and a way out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

__all__ = ["CODES", "JourneyError", "LanguageError", "Problems", "meant", "render"]

CODES: Final = {
    "J101": "unknown state",
    "J102": "an exception in a body",
    "J103": "a body that yields no arrow",
    "J104": "something else than an arrow was yielded",
    "J105": "an arrow was made but not yielded",
    "J106": "an arrow that leads to no box of this journey",
    "J107": "a name that a box can't have",
    "J108": "one name for two things",
    "J109": "clock or chance in a body",
    "J110": "no entry",
    "J111": "a send without a purpose",
    "J112": "a setting with a wrong value",
    "J113": "a journey without a box",
    "J120": "a box that nothing leads to",
    "J121": "a trap: no end can be reached",
    "J122": "a wait without a time-out",
    "J123": "a loop with neither wait nor bound",
    "J124": "a shadowed arrow",
    "J125": "shares that don't add up to 100",
    "J126": "a choice without otherwise",
    "J127": "an answer of another channel",
    "J128": "no outcome of the call is handled",
    "J129": "a measured wait without its rule",
    "J130": "a trigger that this kind of box can't have",
    "J131": "an event that can't tell which of several enrolments it is for",
    "J132": "a count that can't be told apart from the rest of its condition",
    "J133": "a date wait without its rule",
    "J134": "a knob that nothing hangs on",
    "J135": "a stage without boxes, or of another journey",
    "J136": "a late answer that can't be late",
    "J137": "two sends by one channel in a box",
    "J138": "a box that could never send",
    "J139": "a name that was another's and still is",
    "J140": "not Python",
    "J141": "an import that failed",
    "J142": "an exception while the file was imported",
    "J143": "no journey in the file",
    "J144": "two journeys of one name",
    "J145": "nothing to load",
    "J150": "a word of the language with a wrong value",
    "J160": "a template that isn't there",
    "J161": "a template with a name or a field that isn't there",
    "J162": "a template that can't be read",
    "J163": "a template that lacks a language",
    "J164": "a template that includes what it can't",
    "J165": "a marketing mail without the way out",
    "J166": "a template without a title or a text",
    "J167": "a template that fails for a customer",
    "J168": "a click on a link that the template doesn't have",
}
"""Every code, stable, with what it stands for."""


class LanguageError(ValueError):
    """A word of the language was given a value that it can't have. The compiler and the loader say where (J150)."""

    def __init__(self, message: str, help: str = "") -> None:  # noqa: A002  # it is the word that the reader sees
        super().__init__(message)
        self.help = help


class JourneyError(ValueError):
    """One problem of a journey, in the author's words: `line` and `column` count from 1, in characters."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        file: str = "",
        line: int = 0,
        column: int = 0,
        end_column: int = 0,
        source: str = "",
        label: str = "",
        notes: Sequence[str] = (),
        help: str = "",  # noqa: A002  # as above
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.file = file
        self.line = line
        self.column = column
        self.end_column = end_column
        self.source = source
        self.label = label
        self.notes = tuple(notes)
        self.help = help

    def __str__(self) -> str:
        return render(self)


class Problems(ValueError):
    """Every problem that was found, in the order of the files.

    `loaded` holds what did compile (`dsl.loading.Loaded`), so that one broken journey needn't stop the others.
    """

    def __init__(self, errors: Iterable[JourneyError], loaded: Sequence[Any] = ()) -> None:
        # One mistake in a base is found anew in each heir; it is told once.
        unique: dict[tuple[object, ...], JourneyError] = {}
        for e in errors:
            unique.setdefault((e.code, e.file, e.line, e.column) if e.line else (e.code, e.file, e.message), e)
        self.errors = tuple(sorted(unique.values(), key=lambda e: (e.file, e.line, e.column, e.code)))
        self.loaded = tuple(loaded)
        super().__init__(f"{len(self.errors)} problems")

    def __iter__(self) -> Iterator[JourneyError]:
        return iter(self.errors)

    def __len__(self) -> int:
        return len(self.errors)

    def __str__(self) -> str:
        return "\n\n".join(render(error) for error in self.errors)


def render(error: JourneyError) -> str:
    """The problem as text, in the manner of rustc."""
    lines = [f"error[{error.code}]: {error.message}"]
    gutter = " " * len(str(error.line))
    if error.file:
        where = f":{error.line}:{error.column}" if error.line else ""
        lines.append(f"{gutter}--> {error.file}{where}")
    if error.source:
        # A tab stays a tab before the caret, so that the two lines keep step whatever a terminal makes of it.
        indent = "".join("\t" if c == "\t" else " " for c in error.source[: error.column - 1])
        carets = "^" * max(1, error.end_column - error.column)
        lines.append(f"{gutter} |")
        lines.append(f"{error.line} | {error.source}")
        lines.append(f"{gutter} | {indent}{carets} {error.label}".rstrip())
    if error.source and (error.notes or error.help):
        lines.append(f"{gutter} |")
    for word, text in (*(("note", note) for note in error.notes), *((("help", error.help),) if error.help else ())):
        first, *rest = text.split("\n")
        lines.append(f"{gutter} = {word}: {first}")
        lines.extend(f"{gutter}         {more}".rstrip() for more in rest)
    return "\n".join(lines)


def meant(word: str, known: Iterable[str]) -> str:
    """A way out for a mistyped name: "did you mean `call`?", or the names that there are."""
    import difflib  # noqa: PLC0415  # needed by what goes wrong only

    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return "there are " + ", ".join(f"`{name}`" for name in names) if names else ""
