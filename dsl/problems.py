"""What can be wrong with a journey: each problem has a code, a place in the author's file, and a way out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from dsl.plurals import counted

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
    "J109": "clock, chance or files in a body",
    "J110": "no entry",
    "J111": "a send without a purpose",
    "J112": "a setting with a wrong value",
    "J113": "a journey without a box",
    "J114": "a text that can't be kept",
    "J115": "a trigger that leads nowhere",
    "J120": "a box that nothing leads to",
    "J121": "a trap: no end can be reached",
    "J122": "a wait without a time-out",
    "J123": "a loop with neither wait nor bound",
    "J124": "a shadowed arrow",
    "J125": "shares that don't add up to 100",
    "J126": "a choice without otherwise",
    "J127": "an answer of another channel",
    "J128": "an outcome of the call that nothing awaits",
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
    "J151": "a payload's field asked of another event",
    "J160": "a template that isn't there",
    "J161": "a template with a name or a field that isn't there",
    "J162": "a template that can't be read",
    "J163": "a template that lacks a language",
    "J164": "a template that includes what it can't",
    "J165": "a marketing mail without the way out",
    "J166": "a template without a title or a text",
    "J167": "a template that fails for a customer",
    "J168": "a click on a link that the template doesn't have",
    "J169": "a file that a mail is to carry and can't",
    "J170": "a marketing mail that doesn't say who sends it",
    "J171": "a mail that is cut off",
    "J172": "offers in the template of a box that asks for none",
}
"""Every code, stable, with what it stands for."""
_TEMPLATES: Final = "J160"
"""From here on the codes are of templates."""


class LanguageError(ValueError):
    """A word of the language was given a value that it can't have. The compiler and the loader say where."""

    def __init__(self, message: str, help: str = "", *, code: str = "J150") -> None:  # noqa: A002  # it is the word that the reader sees
        super().__init__(message)
        self.help = help
        self.code = code


class JourneyError(ValueError):
    """One problem of a journey, in the author's words: `line` and `column` count from 1, in characters.

    Without a code it is a warning, which refuses nothing.
    """

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
            # A box with several sends may lack a template of each, all of them asked for at one place.
            message = e.message if not e.line or e.code >= _TEMPLATES else ""
            unique.setdefault((e.code, e.file, e.line, e.column, message), e)
        self.errors = tuple(sorted(unique.values(), key=lambda e: (e.file, e.line, e.column, e.code)))
        self.loaded = tuple(loaded)
        super().__init__(counted(len(self.errors), "problem"))

    def __iter__(self) -> Iterator[JourneyError]:
        return iter(self.errors)

    def __len__(self) -> int:
        return len(self.errors)

    def __str__(self) -> str:
        return "\n\n".join(render(error) for error in self.errors)


def render(error: JourneyError) -> str:
    """The problem as text, in the manner of rustc. What a terminal would obey or hide is escaped, what is endless is cut."""
    gutter = " " * len(str(error.line))
    lines = _told(f"error[{error.code}]" if error.code else "warning", error.message, gutter)
    if error.file:
        where = f":{error.line}:{error.column}" if error.line else ""
        lines.append(f"{gutter}--> {_visible(error.file)}{where}")
    if error.source:
        source, indent, carets = _pointed(error)
        lines.append(f"{gutter} |")
        lines.append(f"{error.line} | {source}")
        lines.append(f"{gutter} | {indent}{carets} {error.label}".rstrip())
    if error.source and (error.notes or error.help):
        lines.append(f"{gutter} |")
    for word, text in (*(("note", note) for note in error.notes), *((("help", error.help),) if error.help else ())):
        lines += _told(f"{gutter} = {word}", text, gutter)
    return "\n".join(lines)


_LONG: Final = 1000
_WIDE: Final = 160
_JOINERS: Final = "\u200c\u200d"
"""They hold emoji and some scripts together, and are seen by that."""


def _told(word: str, text: str, gutter: str) -> list[str]:
    """A sentence; what stands on further lines is indented, what is endless is cut."""
    brief = text if len(text) <= _LONG else f"{text[: _LONG // 2]} … {text[-_LONG // 4 :]}"
    first, *rest = _visible(brief).split("\n")
    return [f"{word}: {first}", *(f"{gutter}         {more}".rstrip() for more in rest)]


def _pointed(error: JourneyError) -> tuple[str, str, str]:
    """The line, what stands before the carets, and the carets; of a long line the part around them."""
    start, end = error.column - 1, max(error.end_column - 1, error.column)
    before, marked, after = error.source[:start], error.source[start:end], error.source[end:]
    if len(error.source) > _WIDE:
        before = f"…{before[-_WIDE // 4 :]}" if len(before) > _WIDE // 4 else before
        marked = f"{marked[: _WIDE // 2]}…" if len(marked) > _WIDE // 2 else marked
        after = f"{after[: _WIDE // 4]}…" if len(after) > _WIDE // 4 else after
    before, marked = _visible(before), _visible(marked)
    # A tab stays a tab before the caret, so that the two lines keep step whatever a terminal makes of it.
    indent = "".join(c if c == "\t" else " " * _width(c) for c in before)
    return before + marked + _visible(after), indent, "^" * max(1, sum(_width(c) for c in marked))


def _visible(text: str) -> str:
    """Text with escapes for what a terminal would obey, can't print or doesn't show: control, direction, lone surrogates."""
    if text.isascii() and text.isprintable():
        return text
    import unicodedata  # noqa: PLC0415  # needed by what goes wrong only

    hidden = ("Cc", "Cf", "Cs", "Zl", "Zp", "Cn")
    kept = f"\t\n{_JOINERS}"
    return "".join(c if c in kept or unicodedata.category(c) not in hidden else ascii(c)[1:-1] for c in text)


def _width(c: str) -> int:
    """The columns of a terminal that a character takes."""
    if c.isascii():
        return 1
    import unicodedata  # noqa: PLC0415  # as above

    if unicodedata.combining(c) or c in _JOINERS:
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1


def meant(word: str, known: Iterable[str]) -> str:
    """A way out for a mistyped name: "did you mean `call`?", or the names that there are."""
    import difflib  # noqa: PLC0415  # needed by what goes wrong only

    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return "there are " + ", ".join(f"`{name}`" for name in names) if names else ""
