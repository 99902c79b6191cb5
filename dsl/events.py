"""Business events: families of what happens outside any message, ours and an author's own."""

from __future__ import annotations

import re
from typing import ClassVar

from dsl.bare import refuse_bare
from dsl.facts import ConsentWord, Purchase
from dsl.ir import CHANGED
from dsl.problems import LanguageError
from dsl.triggers import Happened, event

__all__ = ["Consent", "Events", "Shop", "snake"]

_CHANNELS = ("email", "sms", "feed", "call", "letter")


def snake(name: str) -> str:
    """`WinBack` as `win_back`, `VIPCare` as `vip_care`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


class Events:
    """A family of events: `class Loyalty(Events): upgraded = event()` declares `loyalty.upgraded`.

    The family's name is the class's in snake_case, or what `name=` says.
    """

    family: ClassVar[str] = ""

    def __init_subclass__(cls, *, name: str = "") -> None:
        super().__init_subclass__()
        cls.family = name or snake(cls.__name__)
        if not re.fullmatch(r"[a-z][a-z0-9_]*", cls.family):
            raise LanguageError(f"{cls.family!r} can't name a family of events", "snake_case: letters, digits and _")
        if cls.family in _CHANNELS:
            raise LanguageError(f"{cls.family!r} is a channel; its answers come with it", "name the family differently")
        refuse_bare(cls)
        for own, value in vars(cls).items():
            if isinstance(value, Happened) and f"{cls.family}.{own}" == CHANGED:
                raise LanguageError(
                    f"{CHANGED!r} is the engine's own event", "name the event or its family differently"
                )
            if isinstance(value, Happened) and not value.name:
                object.__setattr__(value, "name", f"{cls.family}.{own}")  # frozen for everyone but its family
                said = f"{cls.__name__}.{own}"
                if value.carries is not None and said not in value.carries.carried_by:  # the file may be loaded again
                    value.carries.carried_by += (said,)


class Shop(Events):
    """What the shop reports."""

    purchased = event(Purchase)
    """An order; payload: order_id, total (in currency units), category and more."""
    signed_up = event()
    """A new customer."""


class Consent(Events):
    """What a customer allows; payload: channel, purpose."""

    withdrawn = event(ConsentWord)
    """She took a consent back."""
    granted = event(ConsentWord)
    """She gave one."""
