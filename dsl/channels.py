"""Channels: the boxes that send, and what may come back of each.

The classes that decorate (`@Email("win_back/discount")`) hold the channel's answers too (`Email.clicked`), so that an
author has one word for a channel.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import cast

from dsl import ir
from dsl.facts import Bounce
from dsl.in_words import in_words
from dsl.place import Place
from dsl.problems import LanguageError
from dsl.states import Body, Box, Purpose, Stage, State
from dsl.triggers import Answered, Clicked, NotSent, Opened, Replied

__all__ = ["Call", "Email", "Feed", "Letter", "Sending", "Sms"]


_MANY_OFFERS = 50
_TEMPLATE = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*")
_SKILL = re.compile(r"[\w.-]+(:[\w.-]+)?")


class Sending(Box):
    """A box that sends by its template, then waits for what its arrows say.

    Two of them above one method send together; `hours=between("09:00", "18:00", on=workdays)` lets a send wait for its
    time; `offers=3` gives the template the customer's three best offers; `was` is a name that the box had before.
    """

    def __init__(
        self,
        template: str,
        *,
        purpose: Purpose | None = None,
        stage: Stage | None = None,
        hours: ir.Clock | None = None,
        offers: int = 0,
        was: str | None = None,
    ) -> None:
        super().__init__(stage=stage, was=was)
        self.place = Place.caller()
        self._settle(template, purpose)
        self._schedule(hours, offers)

    def __call__(self, body: Body | State) -> State:
        if not isinstance(body, State):
            return super().__call__(body)
        if body.kind not in ir.CHANNELS:
            raise LanguageError(
                f"@{type(self).__name__}(…) stands above a box that sends nothing: only channels can be stacked"
            )
        return self._above(body)

    def _above(self, below: State) -> State:
        """Both in one box: this one first, then what stands below it."""
        for word, mine, theirs in (
            ("stage", self.stage, below.stage),
            ("hours", self.hours, below.hours),
            ("offers", self.offers or None, below.offers or None),
            ("purpose", self.purpose, below.purpose),
            ("was", self.was, below.was),
        ):
            if mine is not None and theirs is not None and mine != theirs:
                raise LanguageError(f"{word}= differs between the actions of one box: {mine!r} and {theirs!r}")
        return State(
            self.kind,
            below.body,
            template=self.template,
            queue=self.queue,
            skills=self.skills,
            priority=self.priority,
            purpose=self.purpose or below.purpose,
            also=(_action(below), *below.also),
            stage=self.stage or below.stage,
            hours=self.hours or below.hours,
            offers=self.offers or below.offers,
            was=self.was or below.was,
            doc=below.doc,
            place=self.place,
        )

    def _schedule(self, hours: object, offers: object) -> None:
        if hours is not None and not (isinstance(hours, ir.Clock) and hours.opens is not None):
            raise LanguageError(f"hours= takes a window of the day, not {in_words(hours)}", 'between("09:00", "18:00")')
        if type(offers) is not int or not 0 <= offers <= _MANY_OFFERS:
            raise LanguageError(f"offers= takes a number from 0 to {_MANY_OFFERS}, not {offers!r}")
        self.hours = hours
        self.offers = offers

    def _settle(self, template: object, purpose: object) -> None:
        name = type(self).__name__
        if not isinstance(template, str) or not _TEMPLATE.fullmatch(template):
            what = "a method" if callable(template) else in_words(template)
            rule = (
                ": letters, digits, _, - and . between its /, and no part begins with a dot"
                if isinstance(template, str)
                else ", in parentheses above the method"
            )
            raise LanguageError(
                f"@{name}(…) takes the reference of a template, not {what}",
                f'for example @{name}("win_back/discount"){rule}',
            )
        if purpose not in (None, "marketing", "transactional"):
            raise LanguageError(f"purpose= takes marketing or transactional, not {purpose!r}")
        self.template = template
        self.purpose = purpose


class Email(Sending):
    """`@Email("folder/template")`, and what may come back."""

    kind = "email"
    sent = Answered(name="email.sent")
    """Her mail's provider, or ours, took it. `delivered` says more, where it is told."""
    delivered = Answered(name="email.delivered")
    """The receiving server took it."""
    opened = Opened(name="email.opened")
    """Its picture was loaded, maybe through a provider's proxy; `.by_human()` if no proxy hides who looked. `clicked` says more."""
    clicked = Clicked(name="email.clicked")
    """One of its links was followed; `.link("name")` for one of them."""
    replied = Replied(name="email.replied")
    """She wrote back; a machine's reply is none. `.keyword("YES")`, `.matching("oui|yes")`."""
    answered = Answered(name="email.answered")
    """The code that it showed came back: typed, told on the phone, redeemed in an order, given at a till."""
    bounced = Answered(name="email.bounced", carries=Bounce)
    """It did not arrive, and won't. `.where(Bounce.kind == "hard")` if the address is dead."""
    complained = Answered(name="email.complained")
    """She called it spam."""
    not_sent = NotSent(name="email.not_sent")
    """The box's own outcome: the gate said no, or there is no address."""


class Sms(Sending):
    """`@Sms("folder/template")`, and what may come back."""

    kind = "sms"
    sent = Answered(name="sms.sent")
    """The provider took it."""
    delivered = Answered(name="sms.delivered")
    """It reached the phone."""
    undelivered = Answered(name="sms.undelivered")
    """The provider's receipt says that it did not reach the phone."""
    clicked = Clicked(name="sms.clicked")
    """Its link was followed."""
    replied = Replied(name="sms.replied")
    """She wrote back; `.keyword("YES")` for one first word."""
    answered = Answered(name="sms.answered")
    """The code that it showed came back."""
    not_sent = NotSent(name="sms.not_sent")
    """The box's own outcome: the gate said no, or there is no number."""


class Feed(Sending):
    """`@Feed("folder/template")`: an item in her personal feed, and what may come back."""

    kind = "feed"
    sent = Answered(name="feed.sent")
    """It is in her feed."""
    opened = Opened(name="feed.opened")
    """Her reader showed the item."""
    clicked = Clicked(name="feed.clicked")
    """The item's link was followed."""
    answered = Answered(name="feed.answered")
    """The code that it showed came back."""
    not_sent = NotSent(name="feed.not_sent")
    """The box's own outcome: the gate said no, or she has no feed."""


class Call(Sending):
    """`@Call("folder/template", queue="retention")`: a task for the call center, and its outcomes.

    `interested`, `refused` and `not_reached` each have an arrow that is sure to be there, or are `.ignored` (J128).
    `skills=("wine",)` is what an agent must know who takes the call, `priority=1` comes before 9. Where the queue has no room,
    the call waits for the next slot that has some; with an arrow for `Call.not_sent.because("no capacity")` that one is taken
    instead.
    """

    kind = "call"
    sent = Answered(name="call.sent")
    """The task is in its queue."""
    interested = Answered(name="call.interested")
    """She wants it."""
    refused = Answered(name="call.refused")
    """She doesn't want it."""
    not_reached = Answered(name="call.not_reached")
    """Nobody answered, or not she. `.up_to(3, every=hours(20))` tries again."""
    busy = Answered(name="call.busy")
    """The line was busy. Without an arrow of its own it is `not_reached`; one that is bounded has a second below it (J128)."""
    voicemail = Answered(name="call.voicemail")
    """A machine answered. As `busy`."""
    callback = Answered(name="call.callback")
    """She asked for another call. Without an arrow of its own the task itself comes back at her time."""
    wrong_number = Answered(name="call.wrong_number")
    """The number is someone else's."""
    do_not_call = Answered(name="call.do_not_call")
    """She wants no calls any more; the number is suppressed."""
    not_sent = NotSent(name="call.not_sent")
    """The box's own outcome: the gate said no, or there is no number."""

    def __init__(
        self,
        template: str,
        *,
        queue: str = "default",
        skills: Iterable[str] = (),
        priority: int | None = None,
        purpose: Purpose | None = None,
        stage: Stage | None = None,
        hours: ir.Clock | None = None,
        offers: int = 0,
        was: str | None = None,
    ) -> None:
        super().__init__(template, purpose=purpose, stage=stage, hours=hours, offers=offers, was=was)
        self.place = Place.caller()
        if not isinstance(queue, str) or not queue:  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
            raise LanguageError(f"queue= takes the name of a call-center queue, not {queue!r}")
        self.queue = queue
        self.skills = _skills(skills)
        if priority is not None and (type(priority) is not int or not 1 <= priority <= 9):
            raise LanguageError(f"priority= takes a number from 1 (first) to 9, not {priority!r}")
        self.priority = priority


class Letter(Sending):
    """`@Letter("folder/template")`, and what may come back."""

    kind = "letter"
    sent = Answered(name="letter.sent")
    """It went out with its print run: printed, or taken by the provider; till then it can be withdrawn."""
    delivered = Answered(name="letter.delivered")
    """The provider says that the post brought it."""
    undelivered = Answered(name="letter.undelivered")
    """The provider could not bring it."""
    answered = Answered(name="letter.answered")
    """The code or the QR on the paper came back: scanned, typed, told on the phone, redeemed, given at a till."""
    returned = Answered(name="letter.returned")
    """The post brought it back."""
    not_sent = NotSent(name="letter.not_sent")
    """The box's own outcome: the gate said no, or there is no address."""


def _action(below: State) -> ir.Action:
    channel = cast("ir.Channel", below.kind)
    return ir.Action(channel, below.template or "", below.queue, below.skills, below.priority)


def _skills(skills: object) -> tuple[str, ...]:
    found: object = (skills,) if isinstance(skills, str) else skills
    names = tuple(cast("Iterable[object]", found)) if isinstance(found, Iterable) else (found,)
    wrong = next((name for name in names if not isinstance(name, str) or not _SKILL.fullmatch(name)), None)
    if wrong is not None:
        raise LanguageError(f"skills= takes names of skills, not {wrong!r}", 'for example skills=("wine", "contracts")')
    return tuple(sorted({str(name) for name in names}))
