"""States: the boxes of a journey, each a decorated method whose body yields its arrows; and its ends.

The classes that decorate (`@Email("win_back/discount")`) hold the channel's answers too (`Email.clicked`), so that an
author has one word for a channel.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from dsl.place import Place
from dsl.predicate import Predicate
from dsl.problems import LanguageError
from dsl.triggers import Answered, Arrow

if TYPE_CHECKING:
    from dsl.ir import StateKind
    from dsl.triggers import Arrows

__all__ = [
    "Anywhere",
    "Call",
    "Choice",
    "Email",
    "Feed",
    "Final",
    "Goal",
    "Letter",
    "Purpose",
    "Sms",
    "Split",
    "State",
    "Wait",
]

Purpose = Literal["marketing", "transactional"]
Body = Callable[[Any], "Arrows"]


class State:
    """A box or an end, as authors name it: `self.call` in a body, `WinBack.call` in a test. The same object in both."""

    __slots__ = ("body", "doc", "kind", "name", "place", "purpose", "queue", "template")

    def __init__(
        self,
        kind: StateKind,
        body: Body | None = None,
        *,
        template: str | None = None,
        queue: str | None = None,
        purpose: Purpose | None = None,
        doc: str = "",
        place: Place,
    ) -> None:
        self.kind: StateKind = kind
        self.body = body
        self.template = template
        self.queue = queue
        self.purpose: Purpose | None = purpose
        self.doc = doc
        self.place = place
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    def arrows(self, journey: Any) -> Arrows:
        """The arrows of this box, for one that replaces it in an heir: `yield from Base.call.arrows(self)`."""
        return self.body(journey) if self.body is not None else iter(())

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"

    if not TYPE_CHECKING:  # a type checker shall refuse what these two explain

        def __rrshift__(self, left: object) -> None:
            raise LanguageError(
                f"`>>` stands between a trigger and a box, but on its left is {_shown(left)}",
                "`>>` binds tighter than `&`, `|` and comparisons: write `Email.clicked.when(condition) >> self.box`",
            )

        def __rshift__(self, right: object) -> None:
            self.__rrshift__(self)


def _shown(left: object) -> str:
    """What stands left of `>>`, in the author's words."""
    if isinstance(left, Predicate):
        return f"the condition ({left.sentence()})"
    return "an arrow: it leads to one box only" if isinstance(left, Arrow) else repr(left)


class Goal(State):
    """An end where the journey has reached what it is for. `doc` is for readers."""

    __slots__ = ()

    def __init__(self, doc: str = "") -> None:
        super().__init__("goal", doc=doc, place=Place.caller())


class Final(State):
    """Any other end; its name is the reason. `doc` is for readers."""

    __slots__ = ()

    def __init__(self, doc: str = "") -> None:
        super().__init__("final", doc=doc, place=Place.caller())


# --- the decorators ---------------------------------------------------------------------------------------------------


class Box:
    """A decorator that makes a method a box of its `kind`."""

    kind: ClassVar[StateKind]
    template: str | None = None
    queue: str | None = None
    purpose: Purpose | None = None

    def __init__(self) -> None:
        self.place = Place.caller()

    def __call__(self, body: Body) -> State:
        if not callable(body):  # authors without a type checker
            raise LanguageError(f"@{type(self).__name__}(…) stands above a method, not above {body!r}")
        return State(
            self.kind,
            body,
            template=self.template,
            queue=self.queue,
            purpose=self.purpose,
            doc=body.__doc__ or "",
            place=self.place,
        )


class Sending(Box):
    """A box that sends by its template, then waits for what its arrows say."""

    def __init__(self, template: str, *, purpose: Purpose | None = None) -> None:
        self.place = Place.caller()
        self._settle(template, purpose)

    def _settle(self, template: object, purpose: object) -> None:
        name = type(self).__name__
        if not isinstance(template, str) or not _TEMPLATE.fullmatch(template):
            raise LanguageError(
                f"@{name}(…) takes the reference of a template, not {template!r}",
                f'for example @{name}("win_back/discount"), in parentheses above the method',
            )
        if purpose not in (None, "marketing", "transactional"):
            raise LanguageError(f"purpose= takes marketing or transactional, not {purpose!r}")
        self.template = template
        self.purpose = purpose


_TEMPLATE = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*")


class Email(Sending):
    """`@Email("folder/template")`, and what may come back."""

    kind = "email"
    delivered = Answered(name="email.delivered")
    """The receiving server took it."""
    opened = Answered(name="email.opened")
    """Its picture was loaded. Mail programs do that by themselves, too: `clicked` says more."""
    clicked = Answered(name="email.clicked")
    """One of its links was followed; `.link("name")` for one of them."""
    replied = Answered(name="email.replied")
    """She wrote back."""
    bounced = Answered(name="email.bounced")
    """The address took no mail, for good."""
    complained = Answered(name="email.complained")
    """She called it spam."""
    not_sent = Answered(name="email.not_sent")
    """The box's own outcome: the gate said no, or there is no address."""


class Sms(Sending):
    """`@Sms("folder/template")`, and what may come back."""

    kind = "sms"
    delivered = Answered(name="sms.delivered")
    """It reached the phone."""
    clicked = Answered(name="sms.clicked")
    """Its link was followed."""
    replied = Answered(name="sms.replied")
    """She wrote back; `.keyword("YES")` for one first word."""
    not_sent = Answered(name="sms.not_sent")
    """The box's own outcome: the gate said no, or there is no number."""


class Feed(Sending):
    """`@Feed("folder/template")`: an item in her personal feed, and what may come back."""

    kind = "feed"
    opened = Answered(name="feed.opened")
    """Her reader showed the item."""
    clicked = Answered(name="feed.clicked")
    """The item's link was followed."""
    not_sent = Answered(name="feed.not_sent")
    """The box's own outcome: the gate said no, or she has no feed."""


class Call(Sending):
    """`@Call("folder/template", queue="retention")`: a task for the call center, and its outcomes.

    At least one of `interested`, `refused` and `not_reached` must have an arrow (J128).
    """

    kind = "call"
    interested = Answered(name="call.interested")
    """She wants it."""
    refused = Answered(name="call.refused")
    """She doesn't want it."""
    not_reached = Answered(name="call.not_reached")
    """Nobody answered, or not she. `.up_to(3, every=hours(20))` tries again."""
    wrong_number = Answered(name="call.wrong_number")
    """The number is someone else's."""
    do_not_call = Answered(name="call.do_not_call")
    """She wants no calls any more; the number is suppressed."""
    not_sent = Answered(name="call.not_sent")
    """The box's own outcome: the gate said no, or there is no number."""

    def __init__(self, template: str, *, queue: str = "default", purpose: Purpose | None = None) -> None:
        self.place = Place.caller()
        self._settle(template, purpose)
        if not isinstance(queue, str) or not queue:  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
            raise LanguageError(f"queue= takes the name of a call-center queue, not {queue!r}")
        self.queue = queue


class Letter(Sending):
    """`@Letter("folder/template")`, and what may come back."""

    kind = "letter"
    answered = Answered(name="letter.answered")
    """The code or the QR on the paper came back."""
    returned = Answered(name="letter.returned")
    """The post brought it back."""
    not_sent = Answered(name="letter.not_sent")
    """The box's own outcome: the gate said no, or there is no address."""


class Wait(Box):
    """`@Wait()`: a box that only waits."""

    kind = "wait"


class Choice(Box):
    """`@Choice()`: by what is known of the customer; arrows are `when(…)` and, last, `otherwise`."""

    kind = "choice"


class Split(Box):
    """`@Split()`: by lot; arrows are `share(…)` and add up to 100."""

    kind = "split"


class Anywhere:
    """`@Anywhere()`: arrows that hold in every box, after the box's own. An answer counts for any send of the journey."""

    def __init__(self) -> None:
        self.body: Body | None = None

    def __call__(self, body: Body) -> Anywhere:
        self.body = body
        return self

    def arrows(self, journey: Any) -> Arrows:
        """Its arrows, for one that replaces it in an heir: `yield from Base.exits.arrows(self)`."""
        return self.body(journey) if self.body is not None else iter(())
