"""Misused words: ways out of Python's own complaints about what an author wrote with the language's words."""

from __future__ import annotations

import re
from inspect import signature

from dsl.problems import meant

__all__ = ["misused"]

_WAYS = (
    (
        r"'(State|Goal|Final|Stage)' object is not callable",
        "a box isn't called: lead to it, `>> self.mail`, or pass on its arrows, `yield from Journey.mail.arrows(self)`",
    ),
    (
        r"Box\.__init__\(\) takes 1 positional argument but 2 were given",
        "a decorator has its brackets, as in `@Wait()`",
    ),
    (r"(Anywhere|Stage)\.__init__\(\) takes 1 positional .*", r"a decorator has its brackets: `@\1()`"),
    (
        r"Stage\.__init__\(\) got an unexpected keyword argument 'stage'",
        'a stage stands in no other: a box says in which one it is, `@Email("…", stage=offers)`',
    ),
    (
        "'Happened' object has no attribute '(late|any_send)'",
        r"`.\1()` is for the answer to a send; an event answers none, and counts whenever it happens",
    ),
    (
        "'(Answered|Clicked|Replied|Opened|NotSent)' object has no attribute '(by|moves)'",
        r"`.\2(…)` is for a business event; an answer knows which enrolment it is for",
    ),
    (
        "'Arrow' object is not iterable",
        "an arrow is yielded: `yield Email.clicked >> self.call`; `yield from` passes on the arrows of a method",
    ),
    ("'(method|function)' object is not iterable", "a method is called: `yield from self.reminders()`"),
    (
        r"unsupported operand type\(s\) for [&|]: 'When' and 'When'",
        "one `when` asks all: `when((Orders.count() > 3) & (Orders.count() < 9))`",
    ),
    (
        r"unsupported operand type\(s\) for \|: '[A-Z]\w*ed' and '(Arrow|[A-Z]\w*ed)'",
        "each answer has an arrow of its own: two lines, `yield Email.clicked >> self.call` and `yield Email.opened >> self.call`",
    ),
    (
        r"unsupported operand type\(s\) for [&|]: '(str|int|float|bool)' and '[A-Z]\w*'",
        'each side has its brackets: `(Customer.country == "FR") & (Orders.count() > 3)`',
    ),
    (
        r"'[<>]=?' not supported between instances of 'method' and '(int|float)'",
        "what counts is called, with its brackets: `Orders.count() > 3`",
    ),
    (
        (
            r"'>' not supported between instances of '\w+' and '(State|Goal|Final)'|"
            r"unsupported operand type\(s\) for <<: '(State|Goal|Final)' and '\w+'"
        ),
        "an arrow goes from the answer to the box: `Email.clicked >> self.call`",
    ),
    ("bad operand type for unary ~: 'Flag'", "a flag is asked: `.is_false()`"),
    (
        "'(When|Then|Otherwise|Share|Learned)' object has no attribute 'up_to'",
        "what leads on at once is bounded by a count: `when(self.call.visits < 3)`",
    ),
)


def misused(said: str) -> str:
    """A way out for what Python says; empty where it is none of the usual."""
    import dsl  # noqa: PLC0415  # the whole language, known only after this module is

    for pattern, way in _WAYS:
        if found := re.fullmatch(pattern, said):
            return found.expand(way)
    unknown = re.fullmatch(r"(?:(\w+)\.__init__|(\w+))\(\) got an unexpected keyword argument '(\w+)'", said)
    word = getattr(dsl, unknown[1] or unknown[2], None) if unknown is not None else None
    if unknown is None or not callable(word):
        return ""
    takes = [name for name in signature(word).parameters if name not in ("self", "args", "kwargs")]
    return meant(unknown[3], takes)
