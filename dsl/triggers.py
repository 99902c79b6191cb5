"""Triggers: what can set a customer moving, and the arrows that they become with `>>`.

`>>` is defined on triggers only: it binds tighter than `&`, `|` and comparisons, so conditions go into `.when(…)`.
Triggers are values. Each method gives a new one, and each says itself in the IR.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, Self, cast, get_args

from dsl import ir
from dsl.carried import check_carried
from dsl.expression import Constant, Field
from dsl.fact_kinds import Fact
from dsl.facts import Click, Open, Payload, Reply
from dsl.in_words import in_words
from dsl.knobs import Knob, turned
from dsl.place import Place
from dsl.predicate import IsIn, Predicate
from dsl.problems import LanguageError
from dsl.replies import first_word
from dsl.spans import AT_ONCE, is_duration, span_of
from dsl.times import Duration, duration

if TYPE_CHECKING:
    from dsl.states import State

__all__ = [
    "Answered",
    "Arrow",
    "Arrows",
    "Conditional",
    "Happened",
    "Learned",
    "Limited",
    "NoDate",
    "NotSent",
    "Otherwise",
    "Share",
    "Then",
    "Trigger",
    "When",
    "Within",
    "event",
    "fitting",
    "forever",
    "learned",
    "made",
    "otherwise",
    "payload_field",
    "share",
    "then",
    "when",
]


@dataclass(frozen=True, slots=True, eq=False)
class Arrow:
    """A trigger with the box that it leads to (None: to none, it is ignored). Made by `>>`; a body yields it."""

    trigger: Trigger
    target: State | None
    place: Place


Reason = Literal[
    "address missing",
    "no consent",
    "consent withdrawn",
    "suppressed",
    "journey off",
    "template",
    "no capacity",
    "failed",
]
"""Why a box sends nothing, as its message's row has it."""

Arrows = Iterator[Arrow]
"""What the body of a box gives: `def call(self) -> Arrows`."""

made: Final[ContextVar[list[Arrow] | None]] = ContextVar("made", default=None)
"""While a body runs: every arrow that was made, so that one which is never yielded is noticed."""


_MANY: Final = 1000  # times that an arrow may be taken: more bounds nothing


class Trigger:
    """What can set a customer moving."""

    __slots__ = ()

    def __rshift__(self, target: State) -> Arrow:
        if target is None:  # pyright: ignore[reportUnnecessaryComparison]  # authors without pyright
            raise LanguageError("an arrow leads to a box, not to None", "name the box: `>> self.call`")
        return _noted(Arrow(self, target, Place.caller()))

    def __bool__(self) -> NoReturn:
        raise LanguageError(
            "a trigger has no truth value: it is true when something happens, not now",
            "write one arrow for each trigger; conditions on the customer go into .when(…)",
        )


# --- what may follow a trigger ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Limited(Trigger):
    """A trigger whose arrow can be bounded."""

    limit: ir.Limit | None = None
    knobs: tuple[tuple[str, Knob[Any]], ...] = ()
    """(field of the IR, knob) of what can be tuned."""

    def up_to(self, times: int | Knob[int], *, every: Duration | Knob[Duration] = AT_ONCE) -> Self:
        """At most `times` in an enrolment; with `every`, the box is entered that long after. Then the arrow is not there."""
        number, pause = turned(times), turned(every)
        if type(number) is not int or not 1 <= number <= _MANY:
            raise LanguageError(f"up_to(…) takes a whole number of times from 1 to {_MANY}, not {number!r}")
        is_duration("every", pause)
        knobs = tuple((name, knob) for name, knob in (("times", times), ("every", every)) if isinstance(knob, Knob))
        return replace(self, limit=ir.Limit(number, pause.seconds), knobs=(*self.knobs, *knobs))


@dataclass(frozen=True, slots=True, eq=False)
class Conditional(Limited):
    """A trigger which can ask for a condition on the customer, on top of what happened."""

    guard: Predicate | None = None

    def when(self, condition: Predicate) -> Self:
        """Only if `condition` holds for the customer when it fires; a second `.when` adds to the first."""
        return replace(self, guard=_both(self.guard, _predicate("when", condition)))


# --- events -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Event(Conditional):
    """Something arrives from outside: what answers and business events share."""

    name: str = ""
    payload: Predicate | None = None
    scope: ir.Scope = "customer"
    look_back: int | None = None
    key: str | None = None
    among: ir.Moves | None = None
    ranked: bool = False
    carries: type[Payload] | None = None
    """Whose facts its payload has; None where none is declared."""

    def where(self, condition: Predicate) -> Self:
        """Only if `condition` holds for the event's payload (`Purchase.total > 50`); a second `.where` adds to the first."""
        _predicate("where", condition)
        wrong = next((leaf for leaf in condition.operands() if getattr(leaf, "source", "") != "payload"), None)
        if wrong is not None:
            raise LanguageError(
                f"where(…) asks about the event's payload, not about {wrong.sentence()!r}",
                "a condition on the customer or her orders goes into .when(…)",
            )
        check_carried(self.name, self.carries, condition.operands())
        return replace(self, payload=_both(self.payload, condition))

    def looking_back(
        self,
        span: Duration | None = None,
        /,
        *,
        weeks: float = 0,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
    ) -> Self:
        """It counts too if it happened up to so long before the box was entered, and moved her nowhere then.

        Never before she entered the journey: what was then is a fact of hers (`Orders.recency()`).
        """
        given = duration(weeks=weeks, days=days, hours=hours, minutes=minutes)
        if self.scope == "send":
            raise LanguageError(
                "an answer to this box's own send can't come before it", "widen it first: `.any_send().looking_back(…)`"
            )
        return replace(self, look_back=span_of("looking_back", span, given).seconds)

    def first(self) -> Self:
        """Heard before others that came in the same activation; without it event time decides."""
        return replace(self, ranked=True)

    def within(self, span: Duration | None = None, /, *, weeks: float = 0, days: float = 0, hours: float = 0) -> Within:
        """As a journey's goal: it counts when it happens this long after entry, or sooner."""
        return Within(self, span_of("within", span, duration(weeks=weeks, days=days, hours=hours)))

    @property
    def answer(self) -> ir.Answer:
        """As the IR has it."""
        return ir.Answer(self.name, self.scope, self.payload, self.look_back, self.key, self.among, self.ranked)


@dataclass(frozen=True, slots=True, eq=False)
class Answered(Event):
    """A channel's answer. It counts for this box's own send unless widened by `.any_send()`."""

    scope: ir.Scope = "send"
    is_late: bool = False

    def late(self) -> Self:
        """After the box's time-out was taken: the arrow leads on from whatever box she waits in by then."""
        if self.scope != "send" or self.name.endswith(".not_sent"):
            raise LanguageError(f"{self.name} can't be late: only an answer to this box's own send can")
        return replace(self, is_late=True)

    def any_send(self) -> Self:
        """To any message of this enrolment, not only to this box's own."""
        if self.name.endswith(".not_sent"):
            raise LanguageError(f"{self.name} is the box's own outcome, it can't answer another send")
        return replace(self, scope="any_send")

    @property
    def ignored(self) -> Arrow:
        """Of a call's outcome, in place of an arrow: `yield Call.refused.ignored`. It moves nobody, and the box waits on."""
        return _noted(Arrow(self, None, Place.caller()))


@dataclass(frozen=True, slots=True, eq=False)
class Clicked(Answered):
    """A link was followed."""

    carries: type[Payload] | None = Click

    def link(self, name: str) -> Self:
        """Only through the link of this name, as the template calls it: `link(url, "shop")`."""
        if not name:
            raise LanguageError("link(…) takes a link's name, not an empty text", 'for example `.link("shop")`')
        return self.where(Click.link == name)


@dataclass(frozen=True, slots=True, eq=False)
class Replied(Answered):
    """She wrote back."""

    carries: type[Payload] | None = Reply

    def keyword(self, word: str) -> Self:
        """Only if the reply's first word is this, in capitals or not: `Sms.replied.keyword("YES")`."""
        if not isinstance(word, str) or not word or first_word(word) != word.upper():  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
            raise LanguageError(
                f"keyword(…) takes one word, not {word!r}: it is compared with the first word of a reply",
                'for more than one word, `.matching("yes please")`',
            )
        return self.where(Reply.keyword == first_word(word))

    def matching(self, pattern: str) -> Self:
        """Only if the reply has the pattern somewhere in it: `Sms.replied.matching("oui|yes")`, capitals or not.

        A regular expression of Python's `re`.
        """
        return self.where(Reply.words.matches(pattern))


@dataclass(frozen=True, slots=True, eq=False)
class Opened(Answered):
    """A mail or an item was shown."""

    carries: type[Payload] | None = Open

    def by_human(self) -> Self:
        """Only if a person did it, as far as can be told: no mail program's or scanner's own doing (`Email.opened`)."""
        return self.where(Open.human.is_true())


@dataclass(frozen=True, slots=True, eq=False)
class NotSent(Answered):
    """A box's own outcome: nothing of it was sent."""

    def because(self, *reasons: Reason) -> NotSent:
        """Only for one of these reasons: `Email.not_sent.because("address missing", "no consent")`."""
        wrong = next((reason for reason in reasons if reason not in get_args(Reason)), None)
        if wrong is not None or not reasons:
            raise LanguageError(f"because(…) takes reasons, not {wrong!r}", f"there are {', '.join(get_args(Reason))}")
        if "no capacity" in reasons and self.name != "call.not_sent":
            raise LanguageError(
                "only a call waits for capacity: what is sent by another channel has no such reason",
                'write it of the call: Call.not_sent.because("no capacity")',
            )
        texts = tuple(Constant("text", reason) for reason in reasons)
        return replace(self, payload=_both(self.payload, IsIn(Field("payload", "reason", "text"), texts)))


@dataclass(frozen=True, slots=True, eq=False)
class Happened(Event):
    """A business event of the customer, whatever was sent to her."""

    def by(self, field: Fact) -> Happened:
        """In a journey that runs in parallel: it moves only the enrolment whose key is this field of its payload."""
        key = payload_field("by", field)
        if self.among is not None:
            raise _both_rules()
        check_carried(self.name, self.carries, [field.expression])
        return replace(self, key=key)

    def moves(self, which: ir.Moves) -> Happened:
        """Where the customer is in the journey more than once: whom of her enrolments it moves.

        `all` of them, the `oldest`, the `newest`, or none (`error`: a row tells that nobody knew which).
        """
        if which not in get_args(ir.Moves):
            raise LanguageError(f"moves(…) takes {', '.join(get_args(ir.Moves))}, not {which!r}")
        if self.key is not None:
            raise _both_rules()
        return replace(self, among=which)


def event(carries: type[Payload] | None = None) -> Happened:
    """Declare an event of an own family; see `Events`. `event(Upgrade)` says whose facts its payload has."""
    given = cast("object", carries)
    if given is not None and not (isinstance(given, type) and issubclass(given, Payload) and given is not Payload):
        raise LanguageError(
            f"event(…) takes a class of facts that derives from Payload, not {in_words(carries)}",
            "class Upgrade(Payload): seats = number()",
        )
    return Happened(carries=carries)


@dataclass(frozen=True, slots=True, eq=False)
class Within:
    """What a journey is for: an event, at most `span` after entry."""

    event: Event
    span: Duration


# --- choice --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class When(Trigger):
    """An arrow of a choice, taken if its condition holds."""

    guard: Predicate


@dataclass(frozen=True, slots=True, eq=False)
class Otherwise(Trigger):
    """The arrow of a choice that is taken where no other is."""


@dataclass(frozen=True, slots=True, eq=False)
class Then(Limited):
    """As soon as the box has done its work."""


@dataclass(frozen=True, slots=True, eq=False)
class Share(Trigger):
    """An arrow of a split, taken by so many per cent."""

    percent: float
    knobs: tuple[tuple[str, Knob[Any]], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Learned(Trigger):
    """An arrow of a split whose share adapts to what has led to the goal."""


@dataclass(frozen=True, slots=True, eq=False)
class NoDate(Trigger):
    """The way out of a wait for a date that is past or missing; made of `until(…, past=self.box)`."""

    of: Trigger
    why: Literal["past", "missing"]


def when(condition: Predicate) -> When:
    """In a choice: if `condition` holds for the customer. The first arrow that does is taken."""
    return When(_predicate("when", condition))


def share(percent: float | Knob[float] | Knob[int]) -> Share:
    """In a split: for so many per cent of the customers."""
    if isinstance(percent, Knob):
        return replace(share(percent.value), knobs=(("percent", percent),))
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0 < percent <= 100:  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
        raise LanguageError(f"share(…) takes per cent above 0 and up to 100, not {percent!r}")
    return Share(float(percent))


otherwise: Final = Otherwise()
"""In a choice, last: where no other arrow is taken."""

learned: Final = Learned()
"""In a split: by a share that is learned from who came to the journey's goal, so that the better way is taken more often."""

then: Final = Then()
"""As soon as the box has done its work; it doesn't wait for an answer."""

forever: Final = Arrow(Then(), None, Place("", 0))
"""In place of a time-out, `yield forever`: this box may wait without an end."""


def _predicate(word: str, value: object) -> Predicate:
    if not isinstance(value, Predicate):
        flag = isinstance(value, bool) or getattr(value, "kind", "") == "flag"
        hint = (
            "a flag is asked: `.is_true()` or `.is_false()`"
            if flag
            else 'for example Customer.country == "FR"; combine with & | ~'
        )
        raise LanguageError(f"{word}(…) takes a condition, not {_many(value)}", hint)
    return fitting(word, value) if word == "when" else value


def _both_rules() -> LanguageError:
    return LanguageError(
        "`.by(…)` names one enrolment, `.moves(…)` is for where nobody knows which",
        "keep one of the two; for what comes without the key, write an arrow of its own",
    )


def _many(value: object) -> str:
    """What was given for a condition; conditions in a row have no short form of their own."""
    if isinstance(value, tuple | list):
        return f"a {'tuple' if isinstance(value, tuple) else 'list'} of them"
    return in_words(value)


def fitting(word: str, condition: Predicate) -> Predicate:
    """The condition of `when` or Audience, if it asks about a customer: her fields, her own facts, her orders together."""
    known = {"customer", "attribute", "orders", *(("journey",) if word == "when" else ())}
    strange = condition.sources() - known
    if not strange:
        return condition
    hint = (
        "one order's line is asked inside Orders.where(…); count or sum the lines, as in Orders.where(…).count() >= 2"
    )
    if "payload" in strange:
        hint = "the payload is the event's: ask it in .where(…) of the event"
    raise LanguageError(f"{word}(…) can't ask this: {condition.sentence()}", hint)


def payload_field(word: str, field: object) -> str:
    """The name of a payload's field, as an author has it: `Purchase.order_id`."""
    found = field.expression if isinstance(field, Fact) else None
    if not isinstance(found, Field) or found.source != "payload":
        raise LanguageError(
            f"{word}(…) takes a field of a payload, not {in_words(field)}", "for example Purchase.order_id"
        )
    return found.name


def _noted(arrow: Arrow) -> Arrow:
    """The arrow, noted where a body is running: one that it doesn't yield is an error."""
    open_list = made.get()
    if open_list is not None:
        open_list.append(arrow)
    return arrow


def _both(first: Predicate | None, second: Predicate) -> Predicate:
    return second if first is None else first & second
