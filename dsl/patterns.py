"""Patterns: the regular expressions that an author may look for in a reply. None takes longer than a blink, whatever she writes.

Python's `re` tries one way after another. Within a part that is repeated, two ways through the same letters double with each
repetition: `(a+)+b` on forty letters is tried a trillion times. So in a part that is repeated the next letter must tell how it goes
on. Elsewhere what may end here or there (`.*` before a letter) is counted: once is fine, twice is too much for a long text. And only
the beginning of a text is searched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, Final

from dsl.problems import LanguageError

__all__ = ["LONGEST", "check_pattern", "found"]

LONGEST: Final = 1000
"""Characters of a text that are searched."""
_MOST: Final = LONGEST * 10
"""Ways through a text from one place on that may be tried."""
_REPEATS: Final = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_LETTERS: Final = (*map(chr, range(128)), "é", "я", "\u3042", "\u0661", "\u00a0", "…")
_CATEGORIES: Final = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}

Piece = tuple[Any, Any]
"""A piece of a pattern as Python's own parser has it: what it is, and its arguments."""
Letters = frozenset[str]
_NONE: Letters = frozenset()


def found(pattern: str, text: str) -> bool:
    """Whether the pattern is somewhere in the text's first thousand characters, capitals or not."""
    return re.search(pattern, text[:LONGEST], re.IGNORECASE) is not None


@lru_cache(maxsize=256)
def check_pattern(pattern: str) -> None:
    """Raises ValueError for what is no regular expression, LanguageError for what may take for ever."""
    try:
        re.compile(pattern, re.IGNORECASE)
        pieces = import_module("re._parser").parse(pattern, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    reader = _Reader(pattern, pieces)
    reader.check(pieces, _NONE, repeated=False)
    if reader.ways(pieces, _NONE)[0] > _MOST:
        raise LanguageError(
            f"{pattern!r} may end in too many places: a long reply could take minutes to search",
            'a pattern is found anywhere in a text; for two things in any order, .matching("one").matching("other")',
        )


class _Reader:
    """Reads a pattern. Some letters stand for all: those of ASCII, some others, and those that the pattern itself names."""

    def __init__(self, pattern: str, pieces: Sequence[Piece]) -> None:
        self._pattern = pattern
        named = {case for code in _codes(pieces) for case in _cases(chr(code))}
        self._cases = {letter: _cases(letter) for letter in (*_LETTERS, *named)}
        self._all = frozenset(self._cases)

    def check(self, pieces: Sequence[Piece], after: Letters, *, repeated: bool) -> None:
        """Refuse two ways through the same letters in what is repeated, where one of the letters `after` follows."""
        for piece in reversed(pieces):
            kind, inner = _inner(piece)
            again = kind in _REPEATS and piece[1][1] > 1
            begin = self._begin(inner[0], _NONE) if kind in _REPEATS else _NONE
            varies = kind in _REPEATS and piece[1][0] != piece[1][1] and begin & after
            if repeated and (varies or kind.startswith("GROUPREF")):
                raise LanguageError(
                    f"{self._pattern!r} repeats what may end in several places, as in (a+)+, which may take for ever",
                    "repeat one letter out of several, `[a-z]+`, or let a sign stand between: `(a+,)+`",
                )
            if repeated and kind == "BRANCH" and self._alike(inner) > 1:
                raise LanguageError(
                    f"{self._pattern!r} repeats a choice whose parts may begin alike, as in (a|ab)+, which may take for ever",
                    "let each begin with another letter",
                )
            for part in inner:
                self.check(part, after | begin if again else after, repeated=repeated or again)
            after = self._begin([piece], after)

    def ways(self, pieces: Sequence[Piece], after: Letters, far: int = 1) -> tuple[int, int]:
        """How many ways there are through a text from one place on, at most, where one of the letters `after` follows.

        `far` letters are read in vain for each way by what follows, or by the pieces themselves: the second of what is given.
        """
        ways = 1
        for piece in reversed(pieces):
            kind, inner = _inner(piece)
            if kind == "BRANCH":
                parts = [self.ways(part, after, far) for part in inner]
                ways *= self._alike(inner) * max(one for one, _ in parts)
                far = max(one for _, one in parts)
            elif inner:
                within, far = self.ways(inner[0], after, far)
                ways *= within
            if kind in _REPEATS and after:
                low, high = piece[1][0], min(piece[1][1], LONGEST)
                if self._begin(inner[0], _NONE) & after:
                    ways, far = ways * (high - low + 1) * far, 1
                else:
                    far = max(far, high)
            after = self._begin([piece], after)
        return ways, far

    def _begin(self, pieces: Sequence[Piece], after: Letters) -> Letters:
        """The letters with which the pieces and what follows them may begin. What looks around may begin with any."""
        begin = after
        for piece in reversed(pieces):
            kind, inner = _inner(piece)
            if kind == "BRANCH":
                begin = _NONE.union(*(self._begin(part, begin) for part in inner))
            elif kind in _REPEATS:
                once = self._begin(inner[0], begin)
                begin = once | begin if piece[1][0] == 0 else once
            elif kind in ("SUBPATTERN", "ATOMIC_GROUP"):
                begin = self._begin(inner[0], begin)
            else:
                begin = frozenset(letter for letter, cases in self._cases.items() if _is(piece, letter, cases))
        return begin

    def _alike(self, parts: Sequence[Sequence[Piece]]) -> int:
        """How many of the alternatives may begin with one and the same letter; one that may be nothing begins with any."""
        begins = [self._begin(part, self._all) for part in parts]
        return max(sum(letter in begin for begin in begins) for letter in self._all)


def _inner(piece: Piece) -> tuple[str, Sequence[Sequence[Piece]]]:
    """What kind a piece is, and the pieces within it."""
    kind, arguments = str(piece[0]), piece[1]
    match kind:
        case "SUBPATTERN":
            return kind, [arguments[3]]
        case "BRANCH":
            return kind, arguments[1]
        case "ASSERT" | "ASSERT_NOT":
            return kind, [arguments[1]]
        case "ATOMIC_GROUP":
            return kind, [arguments]
        case "GROUPREF_EXISTS":
            return "BRANCH", [part or [] for part in arguments[1:]]
        case _:
            return kind, [arguments[2]] if kind in _REPEATS else []


def _codes(pieces: Sequence[Piece]) -> set[int]:
    """The letters that a pattern names, and the ends of its ranges."""
    codes: set[int] = set()
    for piece in pieces:
        kind, arguments = str(piece[0]), piece[1]
        if kind in ("LITERAL", "NOT_LITERAL"):
            codes.add(arguments)
        elif kind == "RANGE":
            codes.update(arguments)
        for part in [arguments] if kind == "IN" else _inner(piece)[1]:
            codes |= _codes(part)
    return codes


def _is(piece: Piece, letter: str, cases: Letters) -> bool:
    """Whether one letter fits. What isn't of letters (a place, a look ahead, a group once more) may go with any."""
    kind, argument = str(piece[0]), piece[1]
    match kind:
        case "LITERAL":
            return chr(argument) in cases
        case "NOT_LITERAL":
            return letter != chr(argument)
        case "RANGE":
            return any(argument[0] <= ord(case) <= argument[1] for case in cases)
        case "CATEGORY":
            _, *no, name = str(argument).split("_")
            return (re.match(_CATEGORIES[name], letter) is None) == bool(no)
        case "IN":
            negated = str(argument[0][0]) == "NEGATE"
            return any(_is(part, letter, cases) for part in argument[negated:]) != negated
        case _:
            return True


@cache
def _cases(letter: str) -> Letters:
    """A letter as it may be written, in capitals or not."""
    return frozenset(each for each in (letter, letter.lower(), letter.upper(), letter.casefold()) if len(each) == 1)
