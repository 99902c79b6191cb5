"""Walks of chance through our stepper, written down so that another interpreter can walk the same way.

A script is what the interpreter is told, in order; a trace is where our stepper went, and when. All times are whole
minutes: the stepper ends long waits on a whole minute, which an interpreter of statecharts doesn't.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

from dsl.effects import Acted, Answered, Decide, Decided, Due, Effect, Event, Measure, Postponed, Row, Send
from dsl.expression import Facts
from dsl.ir import CHANGED, IR, Answer, NoDate, Until
from dsl.predicate import Predicate
from dsl.snapshot import ENDED, RESTING, Snapshot
from dsl.step import Chart, chart, enter, step

__all__ = ["Script", "Tell", "Trace", "difference", "draw_of", "walk"]

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86_400
REASONS: Final = ("address missing", "no consent", "suppressed", "failed")
_NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tell:
    """One thing that the interpreter is told, at so many seconds. `wait` only lets time pass until then."""

    at: int
    kind: str
    """wait, guards, or the name of an event."""
    data: dict[str, Any] = field(default_factory=dict[str, Any])


Script = list[Tell]
Trace = list[tuple[int, str]]
"""(seconds, box) of each step; `rest-7` where she rests on arrow 7."""


def draw_of(ir: IR, split: str, member: int) -> float:
    """Where the lot of a member falls in a split, from 0 to below 1, as it is defined."""
    digest = blake2b(f"{ir.name}/{split}/{member}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def difference(ir: IR, script: Script, ours: Trace, theirs: Trace) -> str:
    """Where two walks part, for whoever has to find out why; empty where they don't."""
    if ours == theirs:
        return ""
    step = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    since = ours[step - 1][0] if step else 0
    until = min(trace[step][0] for trace in (ours, theirs) if len(trace) > step)
    told = [f"{tell.at}: {tell.kind} {tell.data}" for tell in script if since <= tell.at <= until + 1]
    where = f"{ir.name} {ir.hash[:12]}, step {step}, after {ours[step - 1] if step else 'the entrance'}"
    return "\n".join([where, f"ours: {ours[step : step + 2]}", f"theirs: {theirs[step : step + 2]}", *told])


def walk(ir: IR, chance: random.Random, stepped: Chart | None = None, length: int = 30) -> tuple[Script, Trace]:
    """One member's walk through the journey by our stepper, on `stepped` if that is another chart than the journey's own."""
    return _Walker(ir, chance, stepped or chart(ir)).walked(length)


class _Walker:
    def __init__(self, ir: IR, chance: random.Random, stepped: Chart) -> None:
        self.ir = ir
        self.chart = stepped
        self.chance = chance
        self.now = 0
        self.member = chance.randrange(10_000)
        self.guards: dict[int, bool] = {}
        self.script: Script = []
        self.trace: Trace = []
        self.sent: dict[int, str] = {}
        """Boxes by the visit in which they sent."""
        self.tried: dict[int, str] = {}
        """Those that were refused too."""
        self.seq = 0
        self.snapshot = Snapshot(self.member, 0, 0, 0, 0, 0)

    def walked(self, length: int) -> tuple[Script, Trace]:
        for box in self.chart.boxes:
            if box.shares:
                self._tell(f"parcours.draw.{box.name}", draw=draw_of(self.ir, box.name, self.member))
        self._redraw()
        self._tell("parcours.enter")
        self.snapshot, effects = enter(self.chart, self.member, 0)
        self._perform(effects)
        for _ in range(length):
            if self.snapshot.phase == ENDED or not self._go_on():
                break
        while self._deadline() == self.now and self._go_on():  # another interpreter wouldn't stop at such a moment
            pass
        return self.script, self.trace

    def _go_on(self) -> bool:
        """Time passes until a wait is over, or something happens. False where two interpreters may differ, or nothing can."""
        due = self._deadline()
        heard = self._event()
        if due is None and heard is None:
            return False
        at = self.now + self.chance.randint(1, 4 * DAY // MINUTE if self.chance.random() < 0.5 else 90) * MINUTE
        if due is not None and (heard is None or due <= at or self.chance.random() < 0.3):
            if self._tied(due):
                return False
            if due > self.now:
                self._redraw()
            self._wait(due)
            self._step(Due())
        elif heard is not None:
            self._redraw()
            self._wait(at)
            self._happen(heard)
        return True

    # --- what happens to her ------------------------------------------------------------------------------------------

    def _event(self) -> str | None:
        """The name of an event: mostly of one that counts where she is."""
        names = sorted({answer.event for answer in self.ir.listens if not answer.event.endswith(".not_sent")})
        box = self.chart.boxes[self.snapshot.state]
        around = self.chart.stages[box.stage].answers if box.stage >= 0 else {}
        here = sorted(
            name
            for listen in (*box.answers, *around, *self.chart.anywhere)
            if (name := self.ir.listens[listen].event) in names
        )
        return self.chance.choice([*here, *here, *here, *names]) if names else None

    def _happen(self, name: str) -> None:
        if name == CHANGED:
            changes = tuple(index for index, answer in enumerate(self.ir.listens) if answer.event == CHANGED)
            self.seq += 1
            self._step(Answered(self.seq, self.now * 1000, (self.chance.choice(changes),)))
            return
        payload = self._payload(name)
        visit = self._visit(name)
        listens = list[int]()
        data: dict[str, Any] = {"visit": visit or 0}
        for index, answer in enumerate(self.ir.listens):
            if answer.event == name:
                if answer.where is not None:
                    data[f"answer_{index}"] = _holds(answer.where, payload)
                if answer.where is None or data[f"answer_{index}"]:
                    listens.append(index)
        if not listens:
            return
        self.seq += 1
        self._tell(name, **data)
        self._step(Answered(self.seq, self.now * 1000, tuple(listens), visit))

    def _payload(self, name: str) -> dict[str, Any]:
        del name
        pick = self.chance.choice
        return {
            "total": pick((5, 40, 99)),
            "category": pick(("wine", "bread")),
            "link": pick(("shop", "account", "other")),
            "human": pick((True, False)),
            "keyword": pick(("YES", "NO")),
            "text": pick(("Oui!", "no thanks")),
        }

    def _visit(self, name: str) -> int | None:
        """Which message it answers: mostly the last one of its channel, at times one before."""
        channel = name.partition(".")[0]
        fits = [visit for visit, box in self.sent.items() if channel in self.ir.by_name[box].channels]
        if not fits:
            return None
        visit = fits[-1] if self.chance.random() < 0.7 else self.chance.choice(fits)
        # Of each box the exports know the last visit alone that was left unanswered; the stepper knows several.
        left = [seq for seq, _ in self.snapshot.left if self.tried.get(seq) == self.sent[visit]]
        return visit if visit not in left[:-1] else None

    # --- what the stepper asks for ------------------------------------------------------------------------------------

    def _step(self, event: Event, *, anew: bool = False) -> None:
        self.snapshot, effects = step(self.chart, self.snapshot, event, self.now * 1000)
        if isinstance(event, Postponed):
            self._tell("parcours.put_off", wait=self.snapshot.until // 1000 - self.now)
        if anew:
            ahead = ((arrow, due // 1000) for arrow, due in self.snapshot.waits if due > self.snapshot.fired)
            self._tell("parcours.measured", **self._delays(dict(ahead)))
        self._perform(effects)

    def _perform(self, effects: list[Effect]) -> None:
        answer: Event | None = None
        anew = False
        for effect in effects:
            match effect:
                case Row(seq, state):
                    resting = self.snapshot.phase == RESTING and self.snapshot.goto >= 0 and seq == self.snapshot.seq
                    name = f"rest-{self.snapshot.goto}" if resting else self.ir.states[state].name
                    self.trace.append((self.now, name))
                case Send():
                    answer = self._send(effect)
                case Measure():
                    waits = dict(self._measured(effect.arrows, effect.since // 1000))
                    answer = Acted(waits=tuple((arrow, due * 1000) for arrow, due in waits.items()))
                    anew = not any(isinstance(each, Row) for each in effects)
                    if not anew:
                        self._tell("parcours.measured", **self._delays(waits))
                case Decide():
                    answer = Decided(tuple(self.guards[arrow] for arrow in effect.arrows))
                case _:
                    pass
        if answer is not None:
            self._step(answer, anew=anew)

    def _send(self, effect: Send) -> Acted | Postponed:
        what = self.chance.random()
        self.tried[effect.visit] = self.ir.states[effect.state].name
        if what < 0.08:
            return Postponed(self.chance.randint(1, 600) * MINUTE)
        waits = dict(self._measured(effect.arrows, self.now))
        in_ms = tuple((arrow, due * 1000) for arrow, due in waits.items())
        if what < 0.2:
            reasons = {channel: self.chance.choice(REASONS) for channel in self.ir.states[effect.state].channels}
            told = {
                f"answer_{index}": _holds(answer.where, {"reason": reasons.get(answer.event.partition(".")[0], "")})
                for index, answer in enumerate(self.ir.listens)
                if _is_refusal(answer) and answer.where is not None
            }
            self._tell("parcours.not_sent", **told, **self._delays(waits))
            return Acted(sent=False, waits=in_ms, reasons=tuple(reasons.values()))
        self.sent[effect.visit] = self.tried[effect.visit]
        self._tell("parcours.sent", **self._delays(waits))
        return Acted(waits=in_ms)

    def _measured(self, arrows: tuple[int, ...], since: int) -> Iterator[tuple[int, int]]:
        """When waits are over for her. Never at the same moment as a fixed one: seven minutes past whole hours."""
        for arrow in arrows:
            on = self.chart.arrows[arrow].on
            hours = self.chance.randint((self.now - since) // HOUR + 1, (self.now - since) // HOUR + 24 * 9)
            due = since + hours * HOUR + 7 * MINUTE
            why = self.chance.choice(("date", "date", "past", "missing"))
            if not isinstance(on, Until) or why == "date" or (on.yearly and why == "past"):
                yield arrow, due
                continue
            rule = on.past if why == "past" else on.missing
            if rule == "exit":
                yield self._way_out(arrow, why), self.now
            elif rule == "now":
                yield arrow, self.now

    def _way_out(self, arrow: int, why: str) -> int:
        first = 0
        for state in self.ir.states:
            if arrow < first + len(state.arrows):
                ons = [each.on for each in state.arrows]
                return first + next(
                    n for n, on in enumerate(ons) if isinstance(on, NoDate) and (on.of, on.why) == (arrow - first, why)
                )
            first += len(state.arrows)
        raise KeyError(arrow)

    # --- time, and what is told ---------------------------------------------------------------------------------------

    def _deadline(self) -> int | None:
        return None if self.snapshot.deadline is None else max(self.snapshot.deadline // 1000, self.now)

    def _tied(self, due: int) -> bool:
        """Whether a wait of her stage is over at the same moment as another: what is first then, statecharts don't say."""
        box = self.chart.boxes[self.snapshot.state]
        if box.stage < 0:
            return False
        waits = (self.snapshot.staged // 1000 + seconds for seconds, _ in self.chart.stages[box.stage].afters)
        staged = [over for over in waits if over * 1000 > self.snapshot.stage_fired]
        own = [self.snapshot.since // 1000 + seconds for seconds, _ in box.afters]
        own += [at // 1000 for _, at in self.snapshot.waits]
        if self.snapshot.phase == RESTING:
            own = [self.snapshot.until // 1000]
        return due in staged and due in own

    def _redraw(self) -> None:
        """Guards hold, or don't, until time goes on."""
        guarded = (number for number, arrow in enumerate(self.chart.arrows) if arrow.guard is not None)
        learned = (number for box in self.chart.boxes for number in box.learned)
        for number in (*guarded, *learned):
            self.guards[number] = self.guards.get(number, False) != (self.chance.random() < 0.4)
        self.script.append(Tell(self.now, "guards", {str(number): holds for number, holds in self.guards.items()}))

    def _wait(self, until: int) -> None:
        self.now = until
        self.script.append(Tell(until, "wait"))

    def _tell(self, kind: str, **data: Any) -> None:
        self.script.append(Tell(self.now, kind, data))

    def _delays(self, waits: dict[int, int]) -> dict[str, int]:
        return {f"wait_{arrow}": due - self.now for arrow, due in waits.items()}


def _holds(where: Predicate, payload: dict[str, Any]) -> bool:
    return where.evaluate(Facts(payload=payload), _NOON)


def _is_refusal(answer: Answer) -> bool:
    return answer.event.endswith(".not_sent")
