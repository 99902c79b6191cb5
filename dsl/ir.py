"""The intermediate representation (IR) of a journey: what a compiled journey is, and its content hash.

The IR is behaviour only, in frozen dataclasses. What an author writes for readers (docstrings, labels, source
positions) stands beside it in `Notes`, so that a reworded docstring never changes the hash, and customers under way are
never stranded by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from dsl.expression import Constant, Expression, Field
from dsl.predicate import Compare, Predicate

__all__ = [
    "CHANGED",
    "IR",
    "Action",
    "After",
    "Answer",
    "Arrow",
    "Channel",
    "Clock",
    "Entry",
    "Every",
    "Goal",
    "Json",
    "Knob",
    "Learned",
    "Limit",
    "NoDate",
    "Note",
    "Otherwise",
    "Reentry",
    "Share",
    "Stage",
    "State",
    "Then",
    "Trigger",
    "Until",
    "When",
    "changed",
]

Json = dict[str, Any]
"""A JSON object: only str, int, float, bool, None, list and dict within."""

Channel = Literal["email", "sms", "feed", "call", "letter"]
StateKind = Literal["email", "sms", "feed", "call", "letter", "wait", "choice", "split", "goal", "final"]
CHANNELS: tuple[str, ...] = ("email", "sms", "feed", "call", "letter")
ENDS: tuple[str, ...] = ("goal", "final")
Scope = Literal["send", "any_send", "customer"]
Moves = Literal["all", "oldest", "newest", "error"]
Rule = Literal["now", "skip", "exit"]
CHANGED = "customer.changed"
"""The engine's own event: a field of the customer's has changed; payload `field`. Waits for dates are planned anew."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Fires when an event arrives: a channel's answer (`email.clicked`) or a business event (`shop.purchased`).

    `scope` says what it correlates with: `send` this box's own send; `any_send` any send of this enrolment;
    `customer` any event of the customer (business events). `where` is a predicate on the event's payload, for example
    on the link that was clicked. An event of up to `look_back` seconds before the box was entered counts too.
    """

    event: str
    scope: Scope
    where: Predicate | None = None
    look_back: int | None = None
    by: str | None = None
    """The payload's field whose value is the enrolment's own key, where a journey runs in parallel."""
    moves: Moves | None = None
    """Which of the customer's enrolments in the journey it moves, where several run and no key tells."""
    first: bool = False
    """Heard before others that come in the same activation; else event time decides."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Times of the customer's own clock: at `at`, or from `opens` to before `closes` (HH:MM; overnight if it closes first).

    On `weekdays` only (0 is Monday), and not on a public holiday of her country where `holidays` is False.
    """

    at: str | None = None
    opens: str | None = None
    closes: str | None = None
    weekdays: tuple[int, ...] | None = None
    holidays: bool = True


@dataclass(frozen=True, slots=True)
class After:
    """Fires when no answer came for a while: `seconds`, or what `expression` gives for this customer, in seconds.

    An expression's value is kept between `at_least` and `at_most`; `missing` seconds stand in where it has no value. With a
    `clock`, the end moves on to the first time that fits.
    """

    seconds: int | None = None
    expression: Expression | None = None
    at_least: int | None = None
    at_most: int | None = None
    missing: int | None = None
    clock: Clock | None = None


@dataclass(frozen=True, slots=True)
class Until:
    """Fires at a date of the customer's, moved by `offset` seconds, or at its next anniversary (`yearly`).

    `past` and `missing` say what holds where the date is over, or unknown, when the wait is planned: fire `now`, `skip` the
    arrow, or `exit` by the `NoDate` arrow that points to this one.
    """

    moment: Expression
    offset: int = 0
    clock: Clock | None = None
    yearly: bool = False
    past: Rule = "skip"
    missing: Rule = "skip"


@dataclass(frozen=True, slots=True)
class NoDate:
    """The way out of a wait for a date that is `past` or `missing`; `of` is that arrow's place among the box's arrows."""

    of: int
    why: Literal["past", "missing"]


@dataclass(frozen=True, slots=True)
class When:
    """An arrow of a choice: taken if its guard holds on fresh data when the customer is at the box."""


@dataclass(frozen=True, slots=True)
class Otherwise:
    """An arrow of a choice that is taken where no other is."""


@dataclass(frozen=True, slots=True)
class Then:
    """Taken as soon as the box's action is done."""


@dataclass(frozen=True, slots=True)
class Share:
    """An arrow of a split, taken by `percent` of the customers, drawn from a hash of the enrolment."""

    percent: float


@dataclass(frozen=True, slots=True)
class Learned:
    """An arrow of a split whose share follows what has led to the goal so far."""


Trigger = Answer | After | Until | NoDate | When | Otherwise | Then | Share | Learned


@dataclass(frozen=True, slots=True)
class Limit:
    """The arrow is taken at most `times` in an enrolment; its target is entered `every` seconds after it fires."""

    times: int
    every: int = 0


@dataclass(frozen=True, slots=True)
class Arrow:
    """From a box to the state named `to`, when `on` fires and `guard` (a predicate on the customer) holds."""

    on: Trigger
    to: str
    guard: Predicate | None = None
    limit: Limit | None = None
    late: bool = False
    """Taken when the answer comes after the box's time-out was, from whatever box she waits in."""


@dataclass(frozen=True, slots=True)
class Action:
    """One more thing that a box sends, beside its first."""

    kind: Channel
    template: str
    queue: str | None = None
    skills: tuple[str, ...] = ()
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """A box. `template` and `queue` are of the kinds that send; arrows are tried in their order."""

    name: str
    kind: StateKind
    arrows: tuple[Arrow, ...] = ()
    template: str | None = None
    queue: str | None = None
    purpose: str | None = None
    """`transactional` or `marketing` where the box differs from its journey, else None."""
    also: tuple[Action, ...] = ()
    stage: str | None = None
    hours: Clock | None = None
    """When it may send; outside, the send waits."""
    offers: int = 0
    """How many of the customer's best offers its template gets."""
    skills: tuple[str, ...] = ()
    """What an agent must know who takes its calls."""
    priority: int | None = None
    """1 (first) to 9 in its queue; None is 5."""

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels by which it sends, its first action's first."""
        return (self.kind, *(action.kind for action in self.also)) if self.kind in CHANNELS else ()


@dataclass(frozen=True, slots=True)
class Stage:
    """Boxes with arrows of their own, which are fired from any box within; a wait runs from when the stage was entered."""

    name: str
    arrows: tuple[Arrow, ...] = ()


@dataclass(frozen=True, slots=True)
class Every:
    """When an audience is read: `kind` once, daily or weekly, at `at` (HH:MM), on weekday 0–6, or by a `cron` line.

    By the project's clock, or by each customer's own (`local`).
    """

    kind: Literal["once", "daily", "weekly", "cron"]
    at: str = "00:00"
    weekday: int = 0
    cron: str | None = None
    """Minute, hour, day of the month, month, day of the week, as crontab(5) has them."""
    local: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """How customers come in: by an audience (predicate), by an event, or by API call only."""

    kind: Literal["audience", "event", "api"]
    audience: Predicate | None = None
    every: Every | None = None
    event: Answer | None = None


@dataclass(frozen=True, slots=True)
class Reentry:
    """May a customer come again after her enrolment ended: `never`, `always`, or after `seconds`.

    `parallel` names the payload field whose value may run side by side with another (an order's id); without it a
    customer has one active enrolment of a journey; `active` says what becomes of a second entry: it is refused, it ends
    the first one, or it waits for its end.
    """

    rule: Literal["never", "always", "after"]
    seconds: int = 0
    parallel: str | None = None
    active: Literal["reject", "restart", "queue"] = "reject"


@dataclass(frozen=True, slots=True)
class Goal:
    """What the journey is for: `event` within `seconds` of entry."""

    event: Answer
    seconds: int


@dataclass(frozen=True, slots=True)
class Note:
    """What an author wrote for readers about one state; no behaviour, not hashed."""

    doc: str = ""
    file: str = ""
    line: int = 0
    was: str | None = None
    """The name that it had before: its series of measurements goes on."""


@dataclass(frozen=True, slots=True)
class Knob:
    """What may be tuned without a developer. Not hashed: the numbers stand where they act, at `uses`."""

    name: str
    kind: Literal["duration", "number"]
    value: float
    """Seconds for a duration."""
    min: float
    max: float
    label: str
    uses: tuple[tuple[str, int, str], ...] = ()
    """(box, stage or "" for the journey's own, place of the arrow, field)."""


@dataclass(frozen=True)
class IR:
    """A compiled journey. `name` is the journey's stable name (snake_case), `start` the first box."""

    name: str
    purpose: Literal["marketing", "transactional"]
    entry: Entry
    states: tuple[State, ...]
    anywhere: tuple[Arrow, ...] = ()
    again: Reentry = Reentry("never")
    goal: Goal | None = None
    holdout: float = 0.0
    stages: tuple[Stage, ...] = ()
    quiet: Clock | None = None
    """When marketing boxes don't send, by the customer's clock."""
    zone: str | None = None
    """The time zone of customers of whom none is known; without it the project's."""
    late: Literal["record", "ignore"] = "record"
    """Whether answers that move nobody are kept."""
    title: str = ""
    """The class name, as drawn. Not hashed."""
    doc: str = ""
    notes: Mapping[str, Note] = field(default_factory=dict[str, Note])
    """A note for each state and stage, by its name. Not hashed."""
    knobs: tuple[Knob, ...] = ()
    """Not hashed."""

    @property
    def start(self) -> State:
        """The first box: where everyone enters."""
        return self.states[0]

    @property
    def planned(self) -> bool:
        """Whether an audience enters it: a campaign, which lets others pass where there is little room."""
        return self.entry.kind == "audience"

    @cached_property
    def by_name(self) -> dict[str, State]:
        return {state.name: state for state in self.states}

    @cached_property
    def arrows(self) -> tuple[Arrow, ...]:
        """Every arrow, as the chart numbers them: of the boxes, anywhere's, of the stages."""
        return (
            *(arrow for state in self.states for arrow in state.arrows),
            *self.anywhere,
            *(arrow for stage in self.stages for arrow in stage.arrows),
        )

    @cached_property
    def listens(self) -> tuple[Answer, ...]:
        """Each distinct answer that some arrow waits for, in order of appearance: the index is what is signalled.

        The dispatcher matches an event against these (name and payload), so no payload enters a workflow. Last come the
        changes of the customer by which a wait is planned anew.
        """
        found: dict[Answer, None] = {}
        for arrow in self.arrows:
            if isinstance(arrow.on, Answer):
                found[arrow.on] = None
        for name in sorted(set(self._planned_by())):
            found[changed(name)] = None
        return tuple(found)

    def _planned_by(self) -> Iterator[str]:
        """The customer's fields that decide when a wait is over."""
        for arrow in self.arrows:
            on = arrow.on
            if isinstance(on, Until):
                yield from (leaf.name for leaf in on.moment.operands() if isinstance(leaf, Field))
            if isinstance(on, Until) or (isinstance(on, After) and on.clock is not None):
                yield "zone"
                if on.clock is not None and not on.clock.holidays:
                    yield "country"

    @cached_property
    def hash(self) -> str:
        """The sha256 (hex) of the behaviour."""
        from dsl.ir_json import ir_hash  # noqa: PLC0415  # the codec reads these classes

        return ir_hash(self)


def changed(name: str) -> Answer:
    """The event that this field of the customer's has changed."""
    return Answer(CHANGED, "customer", Compare(Field("payload", "field", "text"), "eq", Constant("text", name)))
