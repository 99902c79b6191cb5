"""Bare: a fact or an event that is declared without its brackets, `tier = text`: it would be none, and nobody would notice."""

from __future__ import annotations

from dsl.fact_kinds import Flag, Moment, Number, Text
from dsl.problems import LanguageError

__all__ = ["refuse_bare"]

_KINDS = (Text, Number, Flag, Moment)
_WORDS = (*(kind.kind for kind in _KINDS), "event")
_MODULES = ("dsl.facts", "dsl.triggers")


def refuse_bare(cls: type) -> None:
    """Raises LanguageError for the first of a class's facts (of a family's events) that isn't called."""
    for name, value in vars(cls).items():
        kind = next((each for each in _KINDS if each is value), None)
        word = kind.kind if kind is not None else getattr(value, "__name__", "")
        if word in _WORDS and (kind is not None or getattr(value, "__module__", "") in _MODULES):
            raise LanguageError(f"{cls.__name__}.{name} is `{word}` without its brackets", f"write `{name} = {word}()`")
