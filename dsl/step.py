"""The stepper: what a journey means. `step(chart, snapshot, event, now) → (snapshot, effects)`, pure.

Four drivers share it: the Temporal workflow, the authors' `walk`, the simulator and the back-test. It reads no clock, no
database and no customer: what it can't know (was it sent? does the predicate hold?) it asks for by an effect, and is told
by an event. Standard library only, since Temporal's sandbox passes it through.

Times are whole milliseconds of journey time; a member is known by the number of her enrolment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from dsl.ir import CHANNELS, ENDS, IR, After, Answer, Arrow, Otherwise, Share, Then, When

__all__ = [
    "ACTING",
    "ENDED",
    "RESTING",
    "WAITING",
    "Acted",
    "Answered",
    "Chart",
    "Decide",
    "Decided",
    "Due",
    "Effect",
    "End",
    "Event",
    "Late",
    "Measure",
    "Postponed",
    "Row",
    "Send",
    "Snapshot",
    "chart",
    "enter",
    "pack",
    "step",
    "unpack",
]

ACTING: Final = 0
"""In a batch: what she is told meanwhile waits in her inbox."""
WAITING: Final = 1
"""In a box, for an answer or a deadline."""
RESTING: Final = 2
"""Between two tries, of an arrow (`.up_to(3, every=…)`: on her way along `goto`) or of a send that was put off."""
ENDED: Final = 3

_MINUTE: Final = 60_000
_DAY: Final = 86_400_000
_PUT_OFF: Final = (30, 300, 1800, 7200, 21600)
"""Seconds before another try of a send, at least: the first, the second … the fifth and each one after."""
_SEEN: Final = 256  # event numbers remembered for each member; the dispatcher repeats only what is minutes old


# --- what the stepper is told -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answered:
    """An event arrived: number `seq` (unique), event time `at`, the answers of `ir.listens` that it matches.

    `visit` is the visit whose message it answers; None for business events.
    """

    seq: int
    at: int
    listens: tuple[int, ...]
    visit: int | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """The deadline has passed (and its grace)."""


@dataclass(frozen=True, slots=True)
class Acted:
    """The send is done, or was refused (`sent` False); `waits` are measured waits, as (arrow, seconds)."""

    sent: bool = True
    waits: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """The guards that `Decide` asked for, in its order."""

    results: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Postponed:
    """The provider can't take the send now: another try in `seconds`, or later, if this is not the first."""

    seconds: float


Event = Answered | Due | Acted | Decided | Postponed


# --- what the stepper asks for ----------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A step to be recorded: box `state` was entered as step number `seq`."""

    seq: int
    state: int
    cause: str
    event_seq: int | None
    at: int


@dataclass(frozen=True, slots=True)
class Send:
    """Perform the box's action, and measure the waits of `arrows`; answer with `Acted`."""

    state: int
    visit: int
    arrows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Measure:
    """Measure the waits of `arrows` for this customer; answer with `Acted`."""

    state: int
    arrows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Decide:
    """Evaluate the guards of `arrows` on fresh data; answer with `Decided`."""

    state: int
    visit: int
    arrows: tuple[int, ...]


class Late(NamedTuple):
    """An answer that moved nobody, to be recorded with the reason."""

    event_seq: int
    state: int
    reason: str


@dataclass(frozen=True, slots=True)
class End:
    """The enrolment has ended in `state`."""

    state: int


Effect = Row | Send | Measure | Decide | Late | End


# --- the chart: an IR, indexed for stepping ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Box:
    """A state, indexed: arrows by what fires them, as numbers into `Chart.arrows`."""

    name: str
    kind: str
    answers: dict[int, tuple[int, ...]]
    afters: tuple[tuple[int, int], ...]
    """(seconds, arrow), by seconds."""
    measured: tuple[int, ...]
    """Arrows whose wait is measured for each customer."""
    thens: tuple[int, ...]
    not_sent: tuple[int, ...]
    choices: tuple[int, ...]
    shares: tuple[tuple[float, int], ...]
    """(upper bound of the draw, arrow)."""


@dataclass(frozen=True, slots=True)
class Chart:
    """An IR, indexed once: states and arrows are numbers in their order of appearance."""

    ir: IR
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    targets: tuple[int, ...]
    """Each arrow's target, as a number."""
    anywhere: dict[int, tuple[int, ...]]


def chart(ir: IR) -> Chart:
    """Index an IR. Raises KeyError where an arrow leads to no state (the compiler refuses that before)."""
    number = {state.name: index for index, state in enumerate(ir.states)}
    heard = {answer: index for index, answer in enumerate(ir.listens)}
    arrows = [*(arrow for state in ir.states for arrow in state.arrows), *ir.anywhere]
    boxes: list[Box] = []
    first = 0
    for state in ir.states:
        own = list(enumerate(state.arrows, first))
        first += len(own)
        boxes.append(_box(state.name, state.kind, own, heard))
    rest = list(enumerate(ir.anywhere, first))
    targets = tuple(number[arrow.to] for arrow in arrows)
    return Chart(ir, tuple(boxes), tuple(arrows), targets, _by_answer(rest, heard))


def _by_answer(own: Iterable[tuple[int, Arrow]], heard: dict[Answer, int]) -> dict[int, tuple[int, ...]]:
    found: dict[int, tuple[int, ...]] = {}
    for index, arrow in own:
        if isinstance(arrow.on, Answer):
            listen = heard[arrow.on]
            found[listen] = (*found.get(listen, ()), index)
    return found


def _box(name: str, kind: str, own: Sequence[tuple[int, Arrow]], heard: dict[Answer, int]) -> Box:
    after = [(index, arrow.on) for index, arrow in own if isinstance(arrow.on, After)]
    shares: list[tuple[float, int]] = []
    bound = 0.0
    for index, arrow in own:
        if isinstance(arrow.on, Share):
            bound += arrow.on.percent / 100
            shares.append((bound, index))
    return Box(
        name,
        kind,
        _by_answer(own, heard),
        tuple(sorted((on.seconds, index) for index, on in after if on.seconds is not None)),
        tuple(index for index, on in after if on.expression is not None),
        tuple(index for index, arrow in own if isinstance(arrow.on, Then)),
        tuple(index for index, arrow in own if isinstance(arrow.on, Answer) and arrow.on.event.endswith(".not_sent")),
        tuple(index for index, arrow in own if isinstance(arrow.on, When | Otherwise)),
        tuple(shares),
    )


# --- a member ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Snapshot:
    """Where one member is. Never changed in place from outside: `step` gives a new one."""

    id: int
    state: int
    phase: int
    seq: int
    """Steps so far: the number of this visit too, since each visit is a step."""
    began: int
    """When she entered the journey."""
    entered: int
    """When she entered this box."""
    since: int = 0
    """From when this box's waits run."""
    fired: int = -1
    """Waits of this many seconds and fewer are over."""
    deadline: int | None = None
    goto: int = -1
    """The arrow on which she rests; -1: she rests before another try of this box's send."""
    waits: tuple[tuple[int, int], ...] = ()
    counts: tuple[tuple[int, int], ...] = ()
    """How often each bounded arrow was taken."""
    inbox: tuple[Answered, ...] = ()
    seen: tuple[int, ...] = ()
    asked: tuple[int, ...] = ()
    """The arrows that a decision is open on, in their order."""
    asked_for: tuple[str, int | None] = ("", None)
    """What brought the decision: cause and event number."""
    tries: int = 0
    """How often this box's send was put off."""
    owed: str = ""
    """What the box itself does next, once the inbox is heard: `then` or `not_sent`."""

    def copy(self) -> Snapshot:
        """A copy, spelt out: this is the hottest line of the simulator."""
        return Snapshot(
            self.id,
            self.state,
            self.phase,
            self.seq,
            self.began,
            self.entered,
            self.since,
            self.fired,
            self.deadline,
            self.goto,
            self.waits,
            self.counts,
            self.inbox,
            self.seen,
            self.asked,
            self.asked_for,
            self.tries,
            self.owed,
        )


_DEFAULTS: Final[tuple[Any, ...]] = (0, -1, None, -1, (), (), (), (), (), ("", None), 0, "")
"""Of the fields that have one, in their order."""
_INBOX: Final = 12
"""The place of the inbox among the fields."""


def pack(member: Snapshot) -> list[Any]:
    """A snapshot as a short JSON list: fields in order, those at the end that hold their defaults left out."""
    values: list[Any] = [getattr(member, name) for name in Snapshot.__slots__]
    first = len(values) - len(_DEFAULTS)
    while len(values) > first and values[-1] == _DEFAULTS[len(values) - 1 - first]:
        values.pop()
    if member.inbox:
        values[_INBOX] = [[a.seq, a.at, a.listens, a.visit] for a in member.inbox]
    return values


def unpack(values: Sequence[Any]) -> Snapshot:
    """Read what `pack` wrote."""
    named = dict(zip(Snapshot.__slots__, values, strict=False))
    for pairs in ("waits", "counts"):
        if pairs in named:
            named[pairs] = tuple((a, b) for a, b in named[pairs])
    if "inbox" in named:
        named["inbox"] = tuple(Answered(a, at, tuple(listens), visit) for a, at, listens, visit in named["inbox"])
    for flat in ("seen", "asked", "asked_for"):
        if flat in named:
            named[flat] = tuple(named[flat])
    return Snapshot(**named)


# --- stepping ---------------------------------------------------------------------------------------------------------


def enter(c: Chart, member: int, now: int, began: int | None = None) -> tuple[Snapshot, list[Effect]]:
    """A customer enters the journey, as enrolment number `member`; she was let in at `began`, and events count from then."""
    new = Snapshot(member, 0, ACTING, 0, now if began is None else began, now)
    effects: list[Effect] = []
    _enter(c, new, 0, "entry", None, now, effects)
    if new.seq == 1:
        new.entered = new.began
    return new, effects


def step(c: Chart, member: Snapshot, event: Event, now: int) -> tuple[Snapshot, list[Effect]]:
    """One step of one member. Pure: `member` stays as it is.

    An answer is never lost: it moves her, waits in her inbox, or comes back as a `Late` effect. An answer whose event time
    lies after the deadline finds the deadline taken first, whichever of the two arrived first.
    """
    new = member.copy()
    effects: list[Effect] = []
    match event:
        case Answered():
            if event.seq not in new.seen:
                new.seen = (*new.seen[-_SEEN:], event.seq)
                _answer(c, new, event, now, effects)
        case Due():
            _due(c, new, now, effects)
        case Acted():
            _acted(c, new, event, now, effects)
        case Decided():
            _decided(c, new, event, now, effects)
        case Postponed():
            _postponed(c, new, event, now, effects)
    return new, effects


def _enter(
    c: Chart, m: Snapshot, state: int, cause: str, event_seq: int | None, now: int, effects: list[Effect]
) -> None:
    """Enter a box: record it, then do what its kind does."""
    box = c.boxes[state]
    m.state, m.seq, m.entered, m.since, m.fired = state, m.seq + 1, now, now, -1
    m.deadline, m.goto, m.waits, m.asked, m.tries, m.owed = None, -1, (), (), 0, ""
    effects.append(Row(m.seq, state, cause, event_seq, now))
    if box.kind in ENDS:
        m.phase = ENDED
        effects.append(End(state))
        effects.extend(Late(answer.seq, state, "ended") for answer in m.inbox)
        m.inbox = ()
    elif box.kind in CHANNELS:
        m.phase = ACTING
        effects.append(Send(state, m.seq, box.measured))
    elif box.kind == "choice":
        m.phase = WAITING
        _choose(c, m, box.choices, "decided", None, now, effects)
    elif box.kind == "split":
        m.phase = WAITING
        _take(c, m, _draw(c, box, m.id), "share", None, now, effects)
    elif box.measured:
        m.phase = ACTING
        effects.append(Measure(state, box.measured))
    else:
        m.phase = WAITING
        _arrived(c, m, now, effects)


def _draw(c: Chart, box: Box, member: int) -> int:
    """The share that falls to a member: a hash of journey, box and enrolment, so the same in every driver and replay."""
    digest = blake2b(f"{c.ir.name}/{box.name}/{member}".encode(), digest_size=8).digest()
    draw = int.from_bytes(digest) / 2**64
    return next((arrow for bound, arrow in box.shares if draw < bound), box.shares[-1][1])


def _arrived(c: Chart, m: Snapshot, now: int, effects: list[Effect]) -> None:
    """The box's action is done: start its waits, and go on at once where it doesn't wait."""
    m.phase, m.since = WAITING, now
    m.owed = "then" if c.boxes[m.state].thens else ""
    _plan(c, m)
    _go_on(c, m, now, effects)


def _go_on(c: Chart, m: Snapshot, now: int, effects: list[Effect]) -> None:
    """Hear what came meanwhile; if she is still here, do what the box owes."""
    _hear_inbox(c, m, now, effects)
    if m.phase == WAITING and m.owed:
        owed, m.owed = m.owed, ""
        box = c.boxes[m.state]
        _choose(c, m, box.thens if owed == "then" else box.not_sent, owed, None, now, effects)


def _hear_inbox(c: Chart, m: Snapshot, now: int, effects: list[Effect]) -> None:
    """Apply the answers that waited, by event time (ties by number), until one of them sets her moving."""
    while m.inbox and m.phase in (WAITING, RESTING):
        first = min(m.inbox, key=lambda answer: (answer.at, answer.seq))
        m.inbox = tuple(answer for answer in m.inbox if answer is not first)
        _answer(c, m, first, now, effects)


def _acted(c: Chart, m: Snapshot, event: Acted, now: int, effects: list[Effect]) -> None:
    if m.phase != ACTING or m.asked:
        return
    m.waits, m.tries = event.waits, 0
    if event.sent or not c.boxes[m.state].not_sent:
        _arrived(c, m, now, effects)
        return
    m.phase, m.since, m.owed = WAITING, now, "not_sent"
    _plan(c, m)
    _go_on(c, m, now, effects)


def _postponed(c: Chart, m: Snapshot, event: Postponed, now: int, effects: list[Effect]) -> None:
    """Rest before another try. What counts anywhere counts meanwhile: whoever buys or says stop is not written to later."""
    if m.phase != ACTING or m.asked:
        return
    wait = max(event.seconds, _PUT_OFF[min(m.tries, len(_PUT_OFF) - 1)])
    m.phase, m.tries, m.deadline = RESTING, m.tries + 1, now + round(wait * 1000)
    _hear_inbox(c, m, now, effects)


def _plan(c: Chart, m: Snapshot) -> None:
    """Set the deadline to the next wait that is not over: up to the next second, or minute where it is days away."""
    ahead = [seconds for seconds, _ in _waits(c, m) if seconds > m.fired]
    if not ahead:
        m.deadline = None
        return
    span = min(ahead) * 1000
    grain = _MINUTE if span >= _DAY else 1000
    m.deadline = -(-(m.since + span) // grain) * grain


def _waits(c: Chart, m: Snapshot) -> list[tuple[int, int]]:
    """(seconds, arrow) of this visit, fixed and measured."""
    afters = c.boxes[m.state].afters
    return [*afters, *((seconds, arrow) for arrow, seconds in m.waits)] if m.waits else list(afters)


def _due(c: Chart, m: Snapshot, now: int, effects: list[Effect]) -> None:
    if m.deadline is None or now < m.deadline:
        return
    if m.phase == RESTING and m.goto < 0:
        m.phase, m.deadline = ACTING, None
        effects.append(Send(m.state, m.seq, c.boxes[m.state].measured))
    elif m.phase == RESTING:
        _enter(c, m, c.targets[m.goto], "retry", None, now, effects)
    elif m.phase == WAITING:
        waits = _waits(c, m)
        m.fired = min(seconds for seconds, _ in waits if seconds > m.fired)
        arrows = tuple(sorted(arrow for seconds, arrow in waits if seconds == m.fired))
        _plan(c, m)
        _choose(c, m, arrows, "timer", None, now, effects)


def _answer(c: Chart, m: Snapshot, event: Answered, now: int, effects: list[Effect]) -> None:
    if m.phase == ENDED:
        effects.append(Late(event.seq, m.state, "ended"))
        return
    while m.phase != ACTING and m.deadline is not None and event.at > m.deadline:
        _due(c, m, max(now, m.deadline), effects)
    if m.phase == ACTING:
        m.inbox = (*m.inbox, event)
        return
    if m.phase == ENDED:
        effects.append(Late(event.seq, m.state, "ended"))
        return
    arrows, reason = _heard(c, m, event)
    if arrows:
        _choose(c, m, arrows, "answer", event.seq, now, effects)
    else:
        effects.append(Late(event.seq, m.state, reason))


def _heard(c: Chart, m: Snapshot, event: Answered) -> tuple[tuple[int, ...], str]:
    """The arrows that an answer fires, the box's own first, each group in its order; or none, and why."""
    own: list[int] = []
    anywhere: list[int] = []
    reason = "not awaited here"
    here = m.phase == WAITING or m.goto < 0  # who rests before another try of the send is still in her box
    for listen in event.listens:
        answer = c.ir.listens[listen]
        if here and listen in c.boxes[m.state].answers:
            if answer.scope == "send" and event.visit != m.seq:
                reason = "earlier send"
            elif answer.scope == "customer" and event.at < m.entered:
                reason = "too old"
            else:
                own.extend(c.boxes[m.state].answers[listen])
        if listen in c.anywhere:
            if event.visit is None and event.at < m.began:
                reason = "too old"
            else:
                anywhere.extend(c.anywhere[listen])
    arrows = (*sorted(own), *sorted(anywhere))
    free = tuple(arrow for arrow in arrows if not _spent(c, m, arrow))
    return free, "limit reached" if arrows and not free else reason


def _spent(c: Chart, m: Snapshot, arrow: int) -> bool:
    limit = c.arrows[arrow].limit
    return limit is not None and dict(m.counts).get(arrow, 0) >= limit.times


def _choose(
    c: Chart, m: Snapshot, arrows: Sequence[int], cause: str, event_seq: int | None, now: int, effects: list[Effect]
) -> None:
    """Take the first of the arrows whose guard holds. Guards are asked for; an arrow without one ends the list."""
    open_arrows: list[int] = []
    for arrow in arrows:
        if _spent(c, m, arrow):
            continue
        open_arrows.append(arrow)
        if c.arrows[arrow].guard is None:
            break
    if not open_arrows:
        _stay(c, m, event_seq, now, effects)
    elif c.arrows[open_arrows[0]].guard is None:
        _take(c, m, open_arrows[0], cause, event_seq, now, effects)
    else:
        m.phase, m.asked, m.asked_for = ACTING, tuple(open_arrows), (cause, event_seq)
        guarded = tuple(arrow for arrow in open_arrows if c.arrows[arrow].guard is not None)
        effects.append(Decide(m.state, m.seq, guarded))


def _decided(c: Chart, m: Snapshot, event: Decided, now: int, effects: list[Effect]) -> None:
    if not m.asked:
        return
    asked, (cause, event_seq) = m.asked, m.asked_for
    m.asked, m.asked_for = (), ("", None)
    m.phase = RESTING if m.goto >= 0 or m.tries else WAITING
    results = iter(event.results)
    for arrow in asked:
        if c.arrows[arrow].guard is None or next(results):
            _take(c, m, arrow, cause, event_seq, now, effects)
            return
    _stay(c, m, event_seq, now, effects)


def _stay(c: Chart, m: Snapshot, event_seq: int | None, now: int, effects: list[Effect]) -> None:
    """No arrow was open to her: she goes on waiting, and hears what came meanwhile."""
    if event_seq is not None:
        effects.append(Late(event_seq, m.state, "condition not met"))
    _go_on(c, m, now, effects)


def _take(
    c: Chart, m: Snapshot, arrow: int, cause: str, event_seq: int | None, now: int, effects: list[Effect]
) -> None:
    """Take an arrow: at once, or after the rest that its limit asks for."""
    limit = c.arrows[arrow].limit
    if limit is not None:
        counts = dict(m.counts)
        counts[arrow] = counts.get(arrow, 0) + 1
        m.counts = tuple(sorted(counts.items()))
        if limit.every:
            m.phase, m.goto, m.waits, m.owed, m.deadline = RESTING, arrow, (), "", now + limit.every * 1000
            m.seq += 1
            effects.append(Row(m.seq, m.state, cause, event_seq, now))
            _hear_inbox(c, m, now, effects)
            return
    _enter(c, m, c.targets[arrow], cause, event_seq, now, effects)
