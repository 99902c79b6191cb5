"""Triggers in the author's words, as problems name them."""

from __future__ import annotations

from dsl.times import Duration, duration_text
from dsl.triggers import Arrow, Conditional, Event, Learned, Limited, Otherwise, Share, Then, When
from dsl.waits import After, Until

__all__ = ["article", "bound", "event_word", "free", "said"]

_WORDS: dict[type, str] = {
    Otherwise: "otherwise",
    Then: "then",
    When: "when(…)",
    Share: "share(…)",
    Until: "until(…)",
    Learned: "learned",
}


def said(trigger: object) -> str:
    """A trigger: `Email.clicked`, `after 3 d`, `when(…)`."""
    if isinstance(trigger, Event):
        return event_word(trigger.name)
    if isinstance(trigger, After) and isinstance(trigger.wait, Duration):
        return f"after {duration_text(trigger.wait.seconds)}"
    if isinstance(trigger, After):
        return "after(…)"
    return _WORDS.get(type(trigger), type(trigger).__name__.lower())


def event_word(event: str) -> str:
    """An event by its name: `email.clicked` is `Email.clicked`."""
    family, _, name = event.partition(".")
    return f"{''.join(part.capitalize() for part in family.split('_'))}.{name}"


def article(noun: str) -> str:
    """With its article: `an email`."""
    return f"{'an' if noun[0].lower() in 'aeiou' or noun.lower() == 'sms' else 'a'} {noun}"


def free(arrow: Arrow) -> bool:
    """Whether it is taken whenever its trigger fires: neither bounded nor on a condition."""
    on = arrow.trigger
    return not (isinstance(on, Limited) and on.limit is not None) and not (
        isinstance(on, Conditional) and on.guard is not None
    )


def bound(arrow: Arrow) -> str:
    """What an arrow that isn't free holds on."""
    on = arrow.trigger
    if isinstance(on, Limited) and on.limit is not None:
        return f"{on.limit.times} times" if on.limit.times > 1 else "once"
    return "on a condition"
