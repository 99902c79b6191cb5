"""The language: everything that an author of journeys needs, from this one place.

    from dsl import Journey, Email, Goal, Final, Shop, after, marketing

What works on journeys stands in its own module: `dsl.compile`, `dsl.loading`, `dsl.testing` (`walk`), `dsl.draw`.
"""

from typing import TYPE_CHECKING, Any

from dsl.channels import Call, Email, Feed, Letter, Sms
from dsl.clocks import between, workdays
from dsl.entry import (
    Api,
    Audience,
    always,
    cron,
    daily,
    ignore,
    marketing,
    never,
    once,
    percent,
    queue,
    record,
    reject,
    restart,
    transactional,
    weekly,
)
from dsl.events import Consent, Events, Shop
from dsl.facts import (
    Bounce,
    Click,
    ConsentWord,
    Customer,
    Open,
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
from dsl.knobs import Knob
from dsl.problems import JourneyError, LanguageError, Problems
from dsl.states import Anywhere, Choice, Final, Goal, Split, Stage, State, Wait
from dsl.times import Duration, days, hours, minutes, weeks
from dsl.triggers import Arrow, Arrows, event, forever, learned, otherwise, share, then, when
from dsl.waits import after, at, now, skip, until

if TYPE_CHECKING:
    from dsl.compile import compile_journey

__all__ = [
    "Anywhere",
    "Api",
    "Arrow",
    "Arrows",
    "Audience",
    "Bounce",
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
    "Knob",
    "LanguageError",
    "Letter",
    "Open",
    "Orders",
    "Payload",
    "Problems",
    "Purchase",
    "Reply",
    "Shop",
    "Sms",
    "Split",
    "Stage",
    "State",
    "Wait",
    "after",
    "always",
    "at",
    "between",
    "compile_journey",
    "cron",
    "daily",
    "days",
    "event",
    "everyone",
    "flag",
    "forever",
    "hours",
    "ignore",
    "learned",
    "marketing",
    "minutes",
    "moment",
    "never",
    "now",
    "number",
    "once",
    "otherwise",
    "percent",
    "queue",
    "record",
    "reject",
    "restart",
    "share",
    "skip",
    "text",
    "then",
    "transactional",
    "until",
    "weekly",
    "weeks",
    "when",
    "workdays",
]


def __getattr__(name: str) -> Any:
    """The compiler when it is asked for: to write a journey, or to step through one, it needn't be read."""
    if name == "compile_journey":
        from dsl.compile import compile_journey  # noqa: PLC0415  # the compiler is loaded when it is asked for

        return compile_journey
    raise AttributeError(f"module 'dsl' has no attribute {name!r}", name=name)
