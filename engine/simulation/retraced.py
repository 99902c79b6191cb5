"""Retraced: one enrolment, led through an edited journey and told what the customer did then."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from random import Random
from typing import Any, Final, NamedTuple

from dsl.expression import Facts
from dsl.ir import State
from dsl.outcomes import heard_as
from dsl.planning import Place, may_send, moment_of, over
from dsl.sends import SENT, sent_awaited
from dsl.step import (
    ENDED,
    Acted,
    Answered,
    Decide,
    Decided,
    Due,
    Effect,
    Event,
    Measure,
    Postponed,
    Row,
    Send,
    Stopped,
    enter,
    step,
)
from dsl.values import Scalar
from engine.holdout import HELD_OUT
from engine.simulation.edited import Edited
from engine.simulation.kinds import actions_of, heard_in
from engine.simulation.recorded import Happened, Recorded, Sent

__all__ = ["REFUSED", "Ask", "Case", "Retraced", "Told"]

_HOUR: Final = 3_600_000
REFUSED: Final = frozenset({"not_sent", "failed"})
_OF_THE_CUSTOMER: Final = frozenset({"address missing", "no consent", "consent withdrawn", "suppressed"})
"""Reasons that hold for any message of the channel, at that time."""
_INVENTED: Final = 1 << 60
"""Numbers of answers that a model draws."""


class Ask(NamedTuple):
    """What must be known of her at a moment: whether the guards of arrows hold, or what their waits are measured by."""

    measures: bool
    arrows: tuple[int, ...]
    at: int


Told = Sequence[Any]
"""A truth value, or a measured value, for each of the arrows."""


@dataclass(frozen=True, slots=True)
class Case:
    """One enrolment: where she went, and where she would have gone."""

    enrolment: int
    customer: str
    was: str
    now: str
    path_was: tuple[str, ...]
    path_now: tuple[str, ...]
    assumed: tuple[str, ...]
    """Boxes whose message she never got: how she would have answered is not known."""


@dataclass(slots=True)
class Retraced:
    """One customer on the edited way, told what she did then."""

    edited: Edited
    of: Recorded
    place: Place
    coming: list[tuple[int, int, tuple[int, ...], int | None]] = field(
        default_factory=list[tuple[int, int, tuple[int, ...], int | None]]
    )
    """(when, number, listens, visit) of what is yet to come: a heap."""
    left: list[Sent] = field(default_factory=list[Sent])
    """Messages of then that nothing was sent as yet."""
    path: list[str] = field(default_factory=list[str])
    assumed: list[str] = field(default_factory=list[str])
    place_now: str = ""
    random: Random = field(default_factory=Random)
    drawn: int = _INVENTED

    def go(self) -> Generator[Ask, Told, None]:
        """Step her from her entry to her end, or to the end of what is recorded; asks for facts on the way."""
        chart, of, stop = self.edited.chart, self.of, self._stopped()
        self.random = Random(f"{self.edited.seed}/{of.id}")  # noqa: S311  # dice, no secrets
        self.left = list(of.messages)
        business = ((e.at, e.seq, self._listens(e, own=False), None) for e in of.events)
        self.coming = [each for each in business if each[2]]
        heapify(self.coming)
        member, effects = enter(chart, of.id, of.began)
        now = of.began
        event: Event | None = yield from self._answer(effects, now)
        while member.phase != ENDED:
            if event is None:
                at = min((self.coming[0][0] if self.coming else stop + 1), member.deadline or stop + 1)
                if at > stop:
                    break
                now = max(now, at)
                event = self._next(member.deadline)
            member, effects = step(chart, member, event, now)
            event = yield from self._answer(effects, now)
        if member.phase != ENDED and stop < self.edited.until:
            member, _ = step(chart, member, Stopped(), stop)
            self.place_now = of.end_reason or ""
        else:
            name = self.edited.ir.states[member.state].name
            self.place_now = name if member.phase == ENDED else f"in {name}"

    def _stopped(self) -> int:
        """Until when she is followed: to where she was ended from outside, if she was."""
        ends = {state.name for state in self.edited.ir.states if state.kind in {"goal", "final"}}
        outside = self.of.ended is not None and self.of.end_reason != self.of.state and self.of.end_reason not in ends
        return self.of.ended if outside and self.of.ended is not None else self.edited.until

    def _next(self, deadline: int | None) -> Event:
        if self.coming and (deadline is None or self.coming[0][0] <= deadline):
            at, number, listens, visit = heappop(self.coming)
            return Answered(number, at, listens, visit)
        return Due()

    def _listens(self, event: Happened, *, own: bool) -> tuple[int, ...]:
        """What the edited journey hears in an event; `own`: one that answers a message."""
        known = Facts(payload=event.payload)
        return tuple(
            index
            for index, answer in enumerate(self.edited.ir.listens)
            if answer.event == event.name
            and (answer.where is None or answer.where.evaluate(known, moment_of(event.at)))
            and (own or answer.by is None or str(event.payload.get(answer.by, "")) == self.of.key)
        )

    # --- what the stepper asks for ------------------------------------------------------------------------------------

    def _answer(self, effects: Sequence[Effect], now: int) -> Generator[Ask, Told, Event | None]:
        """What is told next, if the stepper asks for something; it asks for one thing, and last."""
        asked: Send | Measure | Decide | None = None
        for effect in effects:
            match effect:
                case Row(state=state, cause=cause):
                    name = self.edited.ir.states[state].name
                    if not self.path or self.path[-1] != name or cause == "retry":
                        self.path.append(name)
                case Send() | Measure() | Decide():
                    asked = effect
                case _:
                    pass
        match asked:
            case Decide():
                return Decided((yield from self._decide(asked.arrows, now)))
            case Measure():
                return Acted(waits=(yield from self._waits(asked.arrows, asked.since or now, now)))
            case Send():
                state = self.edited.ir.states[asked.state]
                moment = moment_of(now)
                later = may_send(self.edited.ir, state, moment, self.place)
                if later > moment:
                    return Postponed((later - moment).total_seconds(), held=True)
                waits = yield from self._waits(asked.arrows, now, now)
                sent, reasons = self._send(state, asked.visit, now)
                return Acted(sent, waits, reasons)
            case None:
                return None

    def _decide(self, arrows: tuple[int, ...], now: int) -> Generator[Ask, Told, tuple[bool, ...]]:
        """What was decided then, if it was asked within the hour; else what the facts of that moment say."""
        if self.edited.chart.arrows[arrows[0]].guard is None:
            return self._learned(arrows)
        known: dict[int, bool] = {}
        for arrow in arrows:
            sentence = self.edited.guard(arrow).sentence()
            near = [(abs(at - now), holds) for at, said, holds in self.of.decisions if said == sentence]
            if near and min(near)[0] <= _HOUR:
                known[arrow] = min(near)[1]
        unknown = tuple(arrow for arrow in arrows if arrow not in known)
        if unknown:
            told = yield Ask(False, unknown, now)
            known |= dict(zip(unknown, map(bool, told), strict=True))
        return tuple(known[arrow] for arrow in arrows)

    def _learned(self, arrows: tuple[int, ...]) -> tuple[bool, ...]:
        """Where shares are learned: the lot that fell to her then; if she was at none of these boxes, an even one."""
        been = {self.edited.old_names.get(box, box) for box in self.of.path}
        fell = [arrow for arrow in arrows if self.edited.ir.arrows[arrow].to in been]
        if not fell:
            fell = [Random(f"{self.of.id}/{arrows[0]}").choice(arrows)]  # noqa: S311  # dice, no secrets
        return tuple(arrow in fell for arrow in arrows)

    def _waits(
        self, arrows: tuple[int, ...], since: int, now: int
    ) -> Generator[Ask, Told, tuple[tuple[int, int], ...]]:
        if not arrows:
            return ()
        values: Sequence[Scalar | None] = yield Ask(True, arrows, now)
        pairs = list(zip(arrows, values, strict=True))
        return over(self.edited.chart, pairs, moment_of(since), moment_of(now), self.place)

    # --- messages -----------------------------------------------------------------------------------------------------

    def _send(self, state: State, visit: int, now: int) -> tuple[bool, tuple[str, ...]]:
        """Send a box's messages as they were sent then, or find that they never were."""
        if self.of.arm == HELD_OUT:
            self._went(state, visit, now, {})
            return True, ()
        reasons = list[str]()
        gone: dict[str, int] = {}
        templates = (state.template, *(action.template for action in state.also))
        for (channel, _), template in zip(actions_of(state), templates, strict=True):
            then = self._then(state, channel, template)
            if then is None:
                went, why = self._never_sent(state, channel, visit, now)
                if went:
                    gone[channel] = now
            elif then.status in REFUSED:
                went, why = False, then.reason or "failed"
            else:
                went, why = True, ""
                told = next((answer.at - then.at for answer in then.answers if answer.name in SENT), 0)
                gone[channel] = now + max(0, told)
                for answer in then.answers:
                    if answer.name in SENT:
                        continue
                    listens = self._listens(self._as_heard(answer, state), own=True)
                    if listens:
                        heappush(self.coming, (now + max(0, answer.at - then.at), answer.seq, listens, visit))
            self.edited.sent[channel] += went
            reasons.append(why)
        self._went(state, visit, now, gone)
        return bool(gone), () if gone else tuple(reasons)

    def _went(self, state: State, visit: int, now: int, gone: Mapping[str, int]) -> None:
        """Tell that messages went out, where the edited journey waits for it; of who is held out, all of them."""
        for channel in sorted(sent_awaited(self.edited.ir, state)):
            if channel in gone or self.of.arm == HELD_OUT:
                self.drawn += 1
                listens = self._listens(Happened(now, 0, f"{channel}.sent", {}), own=True)
                heappush(self.coming, (gone.get(channel, now), self.drawn, listens, visit))

    def _as_heard(self, answer: Happened, state: State) -> Happened:
        """An answer as the edited journey hears it: a call that was busy is `not_reached`, unless an arrow waits for `busy`."""
        if not answer.name.startswith("call."):
            return answer
        code = answer.payload.get("outcome", answer.name.removeprefix("call."))
        return replace(answer, name=heard_as(f"call.{code}", self.edited.ir, state))

    def _then(self, state: State, channel: str, template: str | None) -> Sent | None:
        """The message of then that this one is: of the same template, the same box's first. Each is taken once."""
        own = (state.name, *(old for old, name in self.edited.old_names.items() if name == state.name))
        fits = [
            sent
            for sent in self.left
            if sent.channel == channel
            and sent.reason != "moved on"
            and (sent.template == template or (sent.template is None and sent.state in own))
        ]
        if not fits:
            return None
        found = next((sent for sent in fits if sent.state in own), fits[0])
        self.left.remove(found)
        return found

    def _never_sent(self, state: State, channel: str, visit: int, now: int) -> tuple[bool, str]:
        """A message that she never got. Whether she could be reached may be known; how she would have answered is not."""
        refused = [m for m in self.of.messages if m.channel == channel and m.reason in _OF_THE_CUSTOMER]
        if refused:
            return False, refused[-1].reason or ""
        if any(kind.channel == channel for kind in heard_in(self.edited.ir, state)):
            self.assumed.append(state.name)
        plan = self.edited.plan
        if plan is None:
            return True, ""
        actions = plan.places[self.edited.ir.states.index(state)].actions
        action = next(each for each in actions if each.route[0] == channel)
        luck = self.random.random()
        if luck >= action.reach:
            return False, action.why(luck)
        for delay, listens in action.drawn(self.random.random):
            self.drawn += 1
            heappush(self.coming, (now + delay, self.drawn, listens, visit))
        return True, ""

    # --- the result ---------------------------------------------------------------------------------------------------

    def case(self) -> Case:
        of, names = self.of, self.edited.old_names
        path = tuple(names.get(state, state) for state in of.path)
        place = names.get(of.state, of.state)
        was = f"in {place}" if of.ended is None else place if of.end_reason in {of.state, None} else of.end_reason
        return Case(of.id, of.customer, was or "", self.place_now, path, tuple(self.path), tuple(self.assumed))
