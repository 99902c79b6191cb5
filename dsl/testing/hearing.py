"""Hearing: everything that may be told to a customer where she is, with payloads that are heard, or just aren't."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dsl.expression import Facts
from dsl.predicate import Predicate
from dsl.sends import AT_ONCE
from dsl.states import State
from dsl.step import WAITING
from dsl.testing.cases import cases
from dsl.testing.moves import Move, Tell
from dsl.testing.probing import Walker
from dsl.testing.solving import payload_for, payloads

__all__ = ["Hearing"]


@dataclass(slots=True)
class Hearing:
    """What was told on the walks so far."""

    heard: set[int] = field(default_factory=set[int])
    """The answers of `ir.listens` that were told at least once."""
    awaited: set[int] = field(default_factory=set[int])
    """Those that could have been: there was something to answer."""

    def tells(self, walker: Walker, texts: Sequence[str]) -> Iterator[tuple[tuple[Move, ...], object]]:
        """Everything that she may answer, or that may happen, and is heard where she is."""
        targets: dict[tuple[str, State | None], list[int]] = {}
        for listen, to in _awaited(walker):
            listens = targets.setdefault((walker.ir.listens[listen].event, to), [])
            if listen not in listens:
                listens.append(listen)
        for (event, to), listens in targets.items():
            self.awaited.update(listens)
            answers = [walker.ir.listens[listen] for listen in listens]
            scope, wheres = answers[0].scope, [answer.where for answer in answers]
            pool = payloads(wheres, walker.now, texts)
            fresh = [
                (listen, answer.where)
                for listen, answer in zip(listens, answers, strict=True)
                if listen not in self.heard
            ]
            near = tuple(Tell(event, scope, to, missed) for missed in _near(fresh, wheres, walker.now, texts))
            for pattern, payload in pool.items():
                if any(pattern):
                    heard = {listen for listen, holds in zip(listens, pattern, strict=True) if holds}
                    first = not heard <= self.heard
                    self.heard |= heard
                    shown = near if first else ()
                    yield (*shown, Tell(event, scope, to, payload)), ("near", *sorted(heard)) if shown else None
            for listen, where in fresh:
                ways = cases(where, holds=True) if where is not None else []
                for number, case in enumerate(ways if len(ways) > 1 else ()):
                    told = payload_for(case, walker.now, texts)
                    if told is not None:
                        yield (Tell(event, scope, to, told),), (listen, number)


def _near(
    fresh: Sequence[tuple[int, Predicate | None]],
    wheres: Sequence[Predicate | None],
    now: datetime,
    texts: Sequence[str],
) -> Iterator[dict[str, Any]]:
    """Payloads that just miss what is heard for the first time: one for each part that can be missed."""
    for _, where in fresh:
        for case in cases(where, holds=False) if where is not None else ():
            told = payload_for(case, now, texts)
            if told is not None and not any(each is None or each.evaluate(Facts(payload=told), now) for each in wheres):
                yield told


def _awaited(walker: Walker) -> Iterator[tuple[int, State | None]]:
    """The answers that are heard where she is, each with the box whose message it answers, if it isn't the channel's last."""
    chart, member = walker.charted, walker.member
    box = chart.boxes[member.state]
    if member.phase == WAITING or member.goto < 0:
        for listen in box.answers:
            yield from _to(walker, listen, member.seq)
    for visit, state in reversed(member.left):
        for listen in chart.boxes[state].late:
            yield from _to(walker, listen, visit)
    around = chart.stages[box.stage].answers if box.stage >= 0 else {}
    for listen in (*around, *chart.anywhere):
        yield from _to(walker, listen, None)


def _to(walker: Walker, listen: int, visit: int | None) -> Iterator[tuple[int, State | None]]:
    answer = walker.ir.listens[listen]
    channel = answer.event.partition(".")[0]
    if answer.scope == "customer":
        yield listen, None
        return
    sent = [message for message in walker.messages if message.channel == channel]
    if answer.event.endswith(".not_sent") or answer.event in AT_ONCE or not sent:  # what the box does itself
        return
    if answer.scope == "any_send":
        yield listen, None
        return
    own = [message for message in sent if message.visit == visit]
    if own and [m for m in sent if m.state is own[-1].state][-1] is own[-1]:
        yield listen, None if sent[-1] is own[-1] else own[-1].state
