"""The language: everything that an author of journeys needs, from this one place.

    from dsl import Journey, Email, Goal, Final, Shop, after, marketing

What works on journeys stands in its own module: `dsl.compile`, `dsl.loading`, `dsl.testing` (`walk`), `dsl.draw`.
"""

from typing import TYPE_CHECKING, Any

from dsl.entry import Api, Audience, always, daily, marketing, never, once, percent, transactional, weekly
from dsl.events import Consent, Events, Shop
from dsl.facts import (
    Click,
    ConsentWord,
    Customer,
    Orders,
    Payload,
    Purchase,
    Reply,
    everyone,
    flag,
    moment,
    number,
    text,
)
from dsl.journey import Journey
from dsl.problems import JourneyError, LanguageError, Problems
from dsl.states import Anywhere, Call, Choice, Email, Feed, Final, Goal, Letter, Sms, Split, State, Wait
from dsl.times import Duration, days, hours, minutes, weeks
from dsl.triggers import Arrow, Arrows, event, forever, otherwise, share, then, when
from dsl.waits import after

if TYPE_CHECKING:
    from dsl.compile import compile_journey

__all__ = [
    "Anywhere",
    "Api",
    "Arrow",
    "Arrows",
    "Audience",
    "Call",
    "Choice",
    "Click",
    "Consent",
    "ConsentWord",
    "Customer",
    "Duration",
    "Email",
    "Events",
    "Feed",
    "Final",
    "Goal",
    "Journey",
    "JourneyError",
    "LanguageError",
    "Letter",
    "Orders",
    "Payload",
    "Problems",
    "Purchase",
    "Reply",
    "Shop",
    "Sms",
    "Split",
    "State",
    "Wait",
    "after",
    "always",
    "compile_journey",
    "daily",
    "days",
    "event",
    "everyone",
    "flag",
    "forever",
    "hours",
    "marketing",
    "minutes",
    "moment",
    "never",
    "number",
    "once",
    "otherwise",
    "percent",
    "share",
    "text",
    "then",
    "transactional",
    "weekly",
    "weeks",
    "when",
]


def __getattr__(name: str) -> Any:
    """The compiler when it is asked for: to write a journey, or to step through one, it needn't be read."""
    if name == "compile_journey":
        from dsl.compile import compile_journey  # noqa: PLC0415  # the compiler is loaded when it is asked for

        return compile_journey
    raise AttributeError(f"module 'dsl' has no attribute {name!r}", name=name)
