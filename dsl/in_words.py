"""In words: a value that can't be, as refusals name it: in the author's words, since Python's own tell of our insides."""

from __future__ import annotations

from typing import cast

__all__ = ["in_words"]

_LONGEST = 80  # letters
_WORDS = {"Percent": "percent", "Clock": "between", "Within": ".within", "OrderLines": "Orders.where"}
"""Whose values no name stands for, and what made them."""
_BASES = {"Payload", "Customer", "Journey"}
"""What is derived from, and never written with brackets."""


def in_words(value: object) -> str:
    """The value: `reject`, `Email.clicked`, `daily` without its brackets, the condition (…); any other as Python shows it."""
    name = cast("object", getattr(value, "__name__", None))
    if callable(value) and isinstance(name, str):
        if name == "<lambda>":
            return "a lambda"
        own = value.__module__.partition(".")[0] != "dsl" or name in _BASES
        return f"the class `{name}`" if isinstance(value, type) and own else f"`{name}` without its brackets"
    said = _own(value) if type(value).__module__.partition(".")[0] == "dsl" else repr(value)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"


def _own(value: object) -> str:  # noqa: PLR0911  # one line for each kind
    """A value of the language."""
    import dsl  # noqa: PLC0415  # the words of the language refuse values, and are known only after this module is
    from dsl.fact_kinds import Fact  # noqa: PLC0415  # as above
    from dsl.ir import Every  # noqa: PLC0415  # as above
    from dsl.knobs import Knob  # noqa: PLC0415  # as above
    from dsl.predicate import Predicate  # noqa: PLC0415  # as above
    from dsl.said import said  # noqa: PLC0415  # as above
    from dsl.states import Stage, State  # noqa: PLC0415  # as above
    from dsl.times import Duration  # noqa: PLC0415  # as above
    from dsl.triggers import Arrow, Event, Trigger  # noqa: PLC0415  # as above

    if name := next((name for name, each in vars(dsl).items() if each is value), ""):
        return f"`{name}`"
    match value:
        case Predicate():
            return f"the condition ({value.sentence()})"
        case Event(name=""):
            return "an event without a name"
        case Trigger():
            return f"`{said(value)}`"
        case State() | Stage():
            name = value.name or getattr(value.body, "__name__", "")  # its class statement isn't over yet
            return f"the {'box' if isinstance(value, State) else 'stage'} `{name}`" if name else "an end without a name"
        case Duration():
            return f"the duration {value}"
        case Fact() | Knob():
            return repr(cast("object", value))
        case Every():
            return f"`{value.kind}(…)`"
        case _:
            word = type(value).__name__
            return "an arrow" if isinstance(value, Arrow) else f"`{_WORDS.get(word, word)}(…)`"
