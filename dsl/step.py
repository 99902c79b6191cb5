"""The stepper: what a journey means. `step(chart, snapshot, event, now) → (snapshot, effects)`, pure.

Four drivers share it: the Temporal workflow, the authors' `walk`, the simulator and the back-test. It reads no clock, no
database and no customer: what it can't know (was it sent? does the predicate hold?) it asks for by an effect, and is told
by an event. Standard library only, since Temporal's sandbox passes it through.

Times are whole milliseconds of journey time; a member is known by the number of her enrolment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

from dsl.chart import Box, Chart, chart, is_measured
from dsl.effects import (
    Acted,
    Answered,
    Decide,
    Decided,
    Due,
    Effect,
    End,
    Event,
    Late,
    Measure,
    Postponed,
    Row,
    Send,
    Stopped,
)
from dsl.expression import Facts
from dsl.ir import CHANNELS, ENDS, Answer
from dsl.refusals import in_one, open_to, reasons_of
from dsl.snapshot import ACTING, ENDED, RESTING, WAITING, Snapshot, pack, unpack

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
    "Stopped",
    "chart",
    "enter",
    "is_measured",
    "pack",
    "rank",
    "step",
    "unpack",
]

_MINUTE: Final = 60_000
_DAY: Final = 86_400_000
_PUT_OFF: Final = (30, 300, 1800, 7200, 21600)
"""Seconds before another try of a send, at least: the first, the second … the fifth and each one after."""
_REPLAN: Final = "replan "
_NOT_SENT: Final = "not_sent"
_THEN: Final = "then"
_AT_ONCE: Final = ("choice", "split")
"""Boxes that are only passed through."""
_UNANSWERED: Final = ("timer", _THEN)
"""Causes of leaving a box after which its answers are late."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)  # counts don't hang on the time
_LEFT: Final = 15  # visits of which late answers still count
_KEPT: Final = 31  # events that later boxes may look back on
_SEEN: Final = 256  # event numbers remembered for each member; the dispatcher repeats only what is minutes old


def enter(c: Chart, member: int, now: int, began: int | None = None) -> tuple[Snapshot, list[Effect]]:
    """A customer enters the journey, as enrolment number `member`; she was let in at `began`, and events count from then."""
    new = Snapshot(member, 0, ACTING, 0, now if began is None else began, now)
    effects: list[Effect] = []
    _enter(c, new, 0, "entry", None, now, effects)
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
        case Stopped():
            _stopped(c, new, effects)
    return new, effects


def _enter(
    c: Chart,
    m: Snapshot,
    state: int,
    cause: str,
    event_seq: int | None,
    now: int,
    effects: list[Effect],
    arrow: int = -1,
) -> None:
    """Enter a box: record it, then do what it is there for."""
    left, box = c.boxes[m.state], c.boxes[state]
    if m.seq == 0:
        m.entered = m.began
    elif left.kind not in _AT_ONCE:  # who only passed through was in no box: what happened meanwhile counts in the next
        m.entered = now
    if box.stage >= 0 and (m.seq == 0 or box.stage != left.stage):
        m.staged, m.stage_fired = now, -1
    if box.counted:
        m.visits = _more(m.visits, state)
    m.state, m.seq, m.since, m.fired = state, m.seq + 1, now, -1
    m.deadline, m.goto, m.waits, m.asked, m.tries, m.owed = None, -1, (), (), 0, ""
    effects.append(Row(m.seq, state, cause, event_seq, now, arrow))
    _begin(c, m, box, now, effects)


def _begin(c: Chart, m: Snapshot, box: Box, now: int, effects: list[Effect]) -> None:
    """Do what the box is there for."""
    state = m.state
    if box.kind in ENDS:
        m.phase = ENDED
        effects.append(End(state))
        _ended(c, m, effects)
    elif box.kind in CHANNELS:
        m.phase = ACTING
        effects.append(Send(state, m.seq, box.measured))
    elif box.kind == "choice":
        m.phase = WAITING
        _choose(c, m, box.choices, "decided", None, now, effects)
    elif box.learned:
        m.phase, m.asked, m.asked_for = ACTING, box.learned, ("share", None)
        effects.append(Decide(m.state, m.seq, box.learned))
    elif box.kind == "split":
        m.phase = WAITING
        _take(c, m, _draw(c, box, m.id), "share", None, now, effects)
    elif box.measured:
        m.phase = ACTING
        effects.append(Measure(state, box.measured, now))
    else:
        m.phase = WAITING
        _arrived(c, m, now, effects)


def _stopped(c: Chart, m: Snapshot, effects: list[Effect]) -> None:
    if m.phase != ENDED:
        m.phase, m.deadline = ENDED, None
        _ended(c, m, effects)


def _ended(c: Chart, m: Snapshot, effects: list[Effect]) -> None:
    """What came too late to be heard is told."""
    if c.ir.late == "record":
        effects.extend(Late(answer.seq, m.state, "ended") for answer in m.inbox)
    m.inbox = ()


def _draw(c: Chart, box: Box, member: int) -> int:
    """The share that falls to a member: a hash of journey, box and enrolment, so the same in every driver and replay."""
    digest = blake2b(f"{c.ir.name}/{box.name}/{member}".encode(), digest_size=8).digest()
    draw = int.from_bytes(digest) / 2**64
    return next((arrow for bound, arrow in box.shares if draw < bound), box.shares[-1][1])


def _arrived(c: Chart, m: Snapshot, now: int, effects: list[Effect], refused: str | None = None) -> None:
    """The box's action is done, or was `refused`: start its waits, and go on at once where it doesn't wait."""
    box = c.boxes[m.state]
    m.phase, m.since = WAITING, now
    m.owed = f"{_NOT_SENT}: {refused}" if refused is not None else _THEN if box.thens else ""
    if box.looks_back and m.kept:
        _look_back(c, m)
    _plan(c, m)
    _go_on(c, m, now, effects)


def _look_back(c: Chart, m: Snapshot) -> None:
    """Of the events that came before this box: hear those again for which it looks back far enough."""
    found = tuple(
        event
        for event in m.kept
        if any(
            listen in c.boxes[m.state].answers and event.at >= m.entered - (c.ir.listens[listen].look_back or 0) * 1000
            for listen in event.listens
            if c.ir.listens[listen].look_back is not None
        )
    )
    m.inbox = (*found, *m.inbox)
    m.kept = tuple(event for event in m.kept if event not in found)


def _go_on(c: Chart, m: Snapshot, now: int, effects: list[Effect]) -> None:
    """Hear what came meanwhile; if she is still here, do what the box owes."""
    _hear_inbox(c, m, now, effects)
    if m.phase == WAITING and m.owed:
        owed, m.owed = m.owed, ""
        box = c.boxes[m.state]
        cause, _, why = owed.partition(": ")
        if cause == _NOT_SENT and box.thens:
            m.owed = _THEN  # where no arrow for the refusal is open to her
        arrows = box.thens if cause == _THEN else open_to(c, m.state, reasons_of(why))
        _choose(c, m, arrows, cause, None, now, effects)


def _hear_inbox(c: Chart, m: Snapshot, now: int, effects: list[Effect]) -> None:
    """Apply the answers that waited, by event time (ties by number), until one of them sets her moving."""
    while m.inbox and m.phase in (WAITING, RESTING):
        first = min(m.inbox, key=lambda answer: rank(c, m, answer))
        m.inbox = tuple(answer for answer in m.inbox if answer is not first)
        _answer(c, m, first, now, effects)


def rank(c: Chart, m: Snapshot | None, answer: Answered) -> tuple[bool, bool, int, int]:
    """The order in which answers of one activation are heard (behaviour R5).

    First those of before her deadline; of them those for which an arrow asks to be heard `.first()`; then by event time, ties
    by number.
    """
    over = m is not None and m.deadline is not None and answer.at > m.deadline
    return over, not any(c.ir.listens[listen].first for listen in answer.listens), answer.at, answer.seq


def _acted(c: Chart, m: Snapshot, event: Acted, now: int, effects: list[Effect]) -> None:
    if m.phase != ACTING or m.asked:
        return
    if m.owed.startswith(_REPLAN):
        m.phase, m.waits, m.owed = WAITING, _anew(c, m, event.waits, now), m.owed.removeprefix(_REPLAN)
        _plan(c, m)
        _go_on(c, m, now, effects)
        return
    m.waits, m.tries = event.waits, 0
    refused = not event.sent and bool(open_to(c, m.state, event.reasons))
    _arrived(c, m, now, effects, in_one(event.reasons) if refused else None)


def _anew(c: Chart, m: Snapshot, waits: tuple[tuple[int, int], ...], now: int) -> tuple[tuple[int, int], ...]:
    """Waits that were planned anew, but for a date that has come already: that it is past by now is no news."""
    come = {c.dates.get(arrow, arrow): (arrow, over) for arrow, over in m.waits if over <= m.fired}
    return tuple(
        come.get(c.dates.get(arrow, arrow), (arrow, over)) if over <= now else (arrow, over) for arrow, over in waits
    )


def _postponed(c: Chart, m: Snapshot, event: Postponed, now: int, effects: list[Effect]) -> None:
    """Rest before another try. What counts anywhere counts meanwhile: whoever buys or says stop is not written to later."""
    if m.phase != ACTING or m.asked:
        return
    wait = event.seconds if event.held else max(event.seconds, _PUT_OFF[min(m.tries, len(_PUT_OFF) - 1)])
    m.phase, m.until = RESTING, now + round(wait * 1000)
    m.tries += 0 if event.held and m.tries else 1
    _plan(c, m)
    _hear_inbox(c, m, now, effects)


def _plan(c: Chart, m: Snapshot) -> None:
    """Set the deadline to the next wait that is not over: the box's own, her rest, or her stage's."""
    own = [m.until] if m.phase == RESTING else [due for due, _ in _waits(c, m) if due > m.fired]
    stage = c.boxes[m.state].stage
    ahead = own if stage < 0 else [*own, *(due for due, _ in _stage_waits(c, m, stage) if due > m.stage_fired)]
    m.deadline = min(ahead, default=None)


def _waits(c: Chart, m: Snapshot) -> list[tuple[int, int]]:
    """(when it is over, arrow) of this visit's waits, fixed and measured."""
    fixed = [(_over(m.since, seconds), arrow) for seconds, arrow in c.boxes[m.state].afters]
    return [*fixed, *((due, arrow) for arrow, due in m.waits)] if m.waits else fixed


def _stage_waits(c: Chart, m: Snapshot, stage: int) -> list[tuple[int, int]]:
    return [(_over(m.staged, seconds), arrow) for seconds, arrow in c.stages[stage].afters]


def _over(since: int, seconds: int) -> int:
    """When a wait is over: on the next whole second, or minute where it takes days, so that many end together."""
    grain = _MINUTE if seconds * 1000 >= _DAY else 1000
    return -(-(since + seconds * 1000) // grain) * grain


def _due(c: Chart, m: Snapshot, now: int, effects: list[Effect]) -> None:
    if m.phase == ACTING or m.deadline is None or now < m.deadline:
        return
    due, stage = m.deadline, c.boxes[m.state].stage
    if m.phase == RESTING and m.until == due:
        if m.goto >= 0:
            _enter(c, m, c.targets[m.goto], "retry", None, now, effects)
        else:
            m.phase, m.deadline = ACTING, None
            effects.append(Send(m.state, m.seq, c.boxes[m.state].measured))
        return
    arrows = () if m.phase == RESTING else tuple(sorted(arrow for over, arrow in _waits(c, m) if over == due))
    if arrows:
        m.fired = due
    if stage >= 0:
        late = tuple(sorted(arrow for over, arrow in _stage_waits(c, m, stage) if m.stage_fired < over <= due))
        m.stage_fired = due if late else m.stage_fired
        arrows = (*arrows, *late)
    _plan(c, m)
    _choose(c, m, arrows, "timer", None, now, effects)


def _answer(c: Chart, m: Snapshot, event: Answered, now: int, effects: list[Effect]) -> None:
    if m.phase == ENDED:
        _unheard(c, m, event, "ended", now, effects)
        return
    while m.phase != ACTING and m.deadline is not None and event.at > m.deadline:
        _due(c, m, max(now, m.deadline), effects)
    if m.phase == ACTING:
        m.inbox = (*m.inbox, event)
        return
    if m.phase == ENDED:
        _unheard(c, m, event, "ended", now, effects)
        return
    if c.changes and not c.changes.isdisjoint(event.listens):
        _replan(c, m, now, effects)
        return
    arrows, reason = _heard(c, m, event)
    if not arrows:
        _unheard(c, m, event, reason, now, effects)
        return
    _keep(c, m, event, now)
    _choose(c, m, arrows, "answer", event.seq, now, effects)


def _replan(c: Chart, m: Snapshot, now: int, effects: list[Effect]) -> None:
    """Something that a wait hangs on has changed: measure it anew. Only who is waiting is; the others measure later.

    A change that is heard when the wait is over, within its grace, comes too late to move it.
    """
    box = c.boxes[m.state]
    if m.phase == WAITING and box.dated and (m.deadline is None or now < m.deadline):
        m.phase, m.owed = ACTING, _REPLAN + m.owed
        effects.append(Measure(m.state, box.measured, m.since))


def _unheard(c: Chart, m: Snapshot, event: Answered, reason: str, now: int, effects: list[Effect]) -> None:
    """An answer that moves her nowhere: it is recorded, and kept while a later box may look back on it."""
    if c.ir.late == "record":
        effects.append(Late(event.seq, m.state, reason))
    _keep(c, m, event, now)


def _keep(c: Chart, m: Snapshot, event: Answered, now: int) -> None:
    """Keep an event on which a later box may look back; if it moves her after all, `_take` lets it go."""
    if c.kept_for and m.phase != ENDED:
        fresh = tuple(old for old in m.kept if old.at >= now - c.kept_for)
        if event.at >= now - c.kept_for and any(c.ir.listens[listen].look_back is not None for listen in event.listens):
            fresh = (*fresh[-_KEPT:], event)
        m.kept = fresh


def _heard(c: Chart, m: Snapshot, event: Answered) -> tuple[tuple[int, ...], str]:
    """The arrows that an answer fires: the box's own, late ones of boxes before, the stage's, anywhere's; or none, and why."""
    own: list[int] = []
    late: list[int] = []
    around: list[int] = []
    anywhere: list[int] = []
    reason = "not awaited here"
    box = c.boxes[m.state]
    here = m.phase == WAITING or m.goto < 0  # who rests before another try of the send is still in her box
    for listen in event.listens:
        answer = c.ir.listens[listen]
        if here and listen in box.answers:
            reason = _too_early(m, event, answer)
            own.extend(() if reason else box.answers[listen])
        if m.left and answer.scope == "send":
            for visit, state in m.left:
                if visit == event.visit:
                    late.extend(c.boxes[state].late.get(listen, ()))
        if box.stage >= 0 and listen in c.stages[box.stage].answers:
            if _counts(event, min(m.staged, m.entered)):
                around.extend(c.stages[box.stage].answers[listen])
            else:
                reason = "too old"
        if listen in c.anywhere:
            if _counts(event, m.began):
                anywhere.extend(c.anywhere[listen])
            else:
                reason = "too old"
    arrows = (*sorted(own), *sorted(late), *sorted(around), *sorted(anywhere))
    free = tuple(arrow for arrow in arrows if not _spent(c, m, arrow))
    return free, "limit reached" if arrows and not free else reason or "not awaited here"


def _too_early(m: Snapshot, event: Answered, answer: Answer) -> str:
    """Why an answer to an earlier send, or of an earlier time, doesn't count for this box; empty where it does."""
    if answer.scope == "send":
        return "" if event.visit == m.seq else "earlier send"
    if answer.look_back is not None:
        return "too old" if event.at < max(m.entered - answer.look_back * 1000, m.began) else ""
    return "too old" if answer.scope == "customer" and event.at < m.entered else ""


def _counts(event: Answered, entered: int) -> bool:
    """Whether an event counts in a journey or a stage that was entered then: what came before doesn't."""
    return event.visit is not None or event.at >= entered


def _spent(c: Chart, m: Snapshot, arrow: int) -> bool:
    limit = c.arrows[arrow].limit
    return limit is not None and dict(m.counts).get(arrow, 0) >= limit.times


def _shut(c: Chart, m: Snapshot, arrow: int) -> bool:
    """Whether a count that the arrow asks for doesn't hold."""
    guard = c.counts.get(arrow)
    if guard is None:
        return False
    visits = dict(m.visits)
    counted = {f"visits.{box.name}": visits.get(index, 0) for index, box in enumerate(c.boxes) if box.counted}
    return not guard.evaluate(Facts(journey=counted), _EPOCH)


def _choose(
    c: Chart, m: Snapshot, arrows: Sequence[int], cause: str, event_seq: int | None, now: int, effects: list[Effect]
) -> None:
    """Take the first of the arrows whose guard holds. Guards are asked for; an arrow without one ends the list."""
    open_arrows: list[int] = []
    for arrow in arrows:
        if _spent(c, m, arrow) or (c.counts and _shut(c, m, arrow)):
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
    learned = c.boxes[m.state].learned
    results = iter(event.results)
    for arrow in asked:
        if (c.arrows[arrow].guard is None and not learned) or next(results):
            _take(c, m, arrow, cause, event_seq, now, effects)
            return
    if learned:  # a driver that says no to all of them: she isn't to be lost
        _take(c, m, asked[0], cause, event_seq, now, effects)
        return
    _stay(c, m, event_seq, now, effects)


def _stay(c: Chart, m: Snapshot, event_seq: int | None, now: int, effects: list[Effect]) -> None:
    """No arrow was open to her: she goes on waiting, and hears what came meanwhile."""
    if event_seq is not None and c.ir.late == "record":
        effects.append(Late(event_seq, m.state, "condition not met"))
    _go_on(c, m, now, effects)


def _take(
    c: Chart, m: Snapshot, arrow: int, cause: str, event_seq: int | None, now: int, effects: list[Effect]
) -> None:
    """Take an arrow: at once, or after the rest that its limit asks for."""
    limit, box = c.arrows[arrow].limit, c.boxes[m.state]
    if event_seq is not None:
        m.kept = tuple(event for event in m.kept if event.seq != event_seq)
    if c.arrows[arrow].late and event_seq is not None:
        effects.append(Late(event_seq, m.state, "late arrow"))
        m.left = tuple(
            (visit, state) for visit, state in m.left if not any(arrow in late for late in c.boxes[state].late.values())
        )
    if box.late and m.goto < 0 and cause in _UNANSWERED:
        m.left = (*m.left[-_LEFT:], (m.seq, m.state))
    if limit is not None:
        m.counts = _more(m.counts, arrow)
        if limit.every:
            m.phase, m.goto, m.waits, m.owed, m.until = RESTING, arrow, (), "", now + limit.every * 1000
            m.seq += 1
            effects.append(Row(m.seq, m.state, cause, event_seq, now, arrow))
            _plan(c, m)
            _hear_inbox(c, m, now, effects)
            return
    _enter(c, m, c.targets[arrow], cause, event_seq, now, effects, arrow)


def _more(counts: tuple[tuple[int, int], ...], one: int) -> tuple[tuple[int, int], ...]:
    found = dict(counts)
    found[one] = found.get(one, 0) + 1
    return tuple(sorted(found.items()))
