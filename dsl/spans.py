"""Lengths of time as the language's words take them: by position or by keywords, and above zero."""

from __future__ import annotations

from typing import Final, cast

from dsl.in_words import in_words
from dsl.knobs import WHERE, Knob
from dsl.problems import LanguageError
from dsl.times import Duration

__all__ = ["AT_ONCE", "is_duration", "span_of"]

AT_ONCE: Final = Duration(0)


def is_duration(word: str, value: object) -> None:
    """Refuse what is no duration. Authors without a type checker meet this."""
    if not isinstance(value, Duration):
        raise LanguageError(f"{word}= takes a duration, not {in_words(value)}", "for example days(3) or hours(20)")


def span_of(word: str, span: object, named: Duration) -> Duration:
    """The one length of time that was given, by position or by keywords."""
    if isinstance(span, Knob):
        if word != "after":  # it would be read once, and no change of it be heard
            raise LanguageError(f"{word}(…) takes no knob: tuning would not reach it", WHERE)
        span = cast("Knob[Duration]", span).value
    if span is not None and not isinstance(span, Duration):
        raise LanguageError(f"{word}(…) takes a length of time, not {in_words(span)}", f"for example {word}(days=3)")
    if (span is None) == (named.seconds == 0):
        raise LanguageError(f"{word}(…) takes one length of time above zero", f"for example {word}(days=3)")
    found = span if isinstance(span, Duration) else named
    if found.seconds <= 0:
        raise LanguageError(f"{word}(…) takes a length of time above zero", "an arrow without a wait is `then`")
    return found
