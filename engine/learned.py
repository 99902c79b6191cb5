"""Learned shares: which arrow of a split falls to whom, so that what leads to the goal is taken more often.

Thompson sampling: what is known of each arrow is a Beta distribution over the share of its customers who reach the journey's
goal; for each customer one value of each is drawn, and the arrow with the highest is hers. So an arrow is taken as often as it
is likely to be the best: shares are even while nothing is known, and move as rows come in.

W. R. Thompson, "On the likelihood that one unknown probability exceeds another", Biometrika 25 (1933); O. Chapelle and L. Li,
"An empirical evaluation of Thompson sampling", NeurIPS 2011, who find that it bears answers which come late and in batches.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from random import Random
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, case, func, literal, select

from dsl.expression import Facts
from dsl.ir import IR, Learned
from engine.db import chunked, table
from engine.holdout import TREATED
from engine.tables import Enrolment, Event, Moment, Step

__all__ = ["Arm", "Decision", "Known", "arms", "decide", "recorded", "splits"]

_AGES: Final = 20
"""Parts of the goal's time that enrolments are told apart by, while it runs."""
_DRAWS: Final = 2000
"""From which an arrow's share is read: to about a per cent."""
_FRESH: Final = 1000
"""What is known is read anew when this part of the goal's time has passed: three quarters of an hour, for a month."""


@dataclass(frozen=True, slots=True)
class Arm:
    """An arrow of a learned split, and what is known of it."""

    to: str
    trials: float = 0.0
    """Treated enrolments that took it; one with time left counts in part: the share of all who come that come so soon."""
    successes: int = 0
    """Of these, those that reached the goal afterwards, within its time after entry."""
    share: float = 0.0
    """How likely it is the best: the share of customers that it gets."""

    @property
    def posterior(self) -> tuple[float, float]:
        """Alpha and beta of the Beta distribution; (1, 1), where every share is as likely, while nothing is known."""
        return 1.0 + self.successes, 1.0 + max(0.0, self.trials - self.successes)


@dataclass(frozen=True, slots=True)
class Decision:
    """What fell to one enrolment: the box, and what it was drawn on."""

    to: str
    detail: dict[str, Any]
    """As the step's row keeps it."""


class Known:
    """What is known of learned splits, kept for a moment: a mass entry reads it once, not once for each of its batches."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[datetime, list[Arm]]] = {}
        self._turn = threading.Lock()  # batches that begin at once: one reads, the others wait for it

    def arms(self, conn: Connection, ir: IR, box: str, now: datetime) -> list[Arm]:
        """`arms` of this module, as of at most a thousandth of the goal's time ago."""
        seconds = ir.goal.seconds if ir.goal is not None else 0
        with self._turn:
            kept = self._kept.get((ir.hash, box))
            if kept is None or not timedelta(0) <= now - kept[0] < timedelta(seconds=seconds) / _FRESH:
                kept = self._kept[ir.hash, box] = (now, arms(conn, ir, box, now))
            return kept[1]


def splits(ir: IR) -> list[str]:
    """The boxes of a journey whose shares are learned."""
    return [state.name for state in ir.states if any(isinstance(arrow.on, Learned) for arrow in state.arrows)]


def arms(conn: Connection, ir: IR, box: str, now: datetime) -> list[Arm]:
    """What the rows say of a split's arrows, in the order of the code: two queries, however many customers there are.

    Rows of every version count: a box and a target are known by their names, and by those that they had before (`was=`). Held-out
    customers never count, for nothing was sent to them.
    """
    targets = list(dict.fromkeys(arrow.to for arrow in ir.by_name[box].arrows))
    if ir.goal is None:
        return _shared(ir, box, [Arm(to) for to in targets])
    span = timedelta(seconds=ir.goal.seconds)
    taken = _taken(ir, box, targets)
    reached = _reached(conn, ir, taken, span, now)
    whole = sorted(delay for _, age, delay in reached if age == _AGES)
    trials = dict.fromkeys(targets, 0.0)
    for to, age, count in _entered(conn, taken, span, now):
        trials[to] += count * _come_by(age / _AGES, whole)
    successes = dict.fromkeys(targets, 0)
    for to, _, _ in reached:
        successes[to] += 1
    return _shared(ir, box, [Arm(to, max(trials[to], successes[to]), successes[to]) for to in targets])


def decide(ir: IR, box: str, known: Sequence[Arm], enrolment: int) -> Decision:
    """The arrow that falls to an enrolment. The same rows give the same: chance is a hash of journey, box and enrolment."""
    chance = _chance(f"{ir.name}/{box}/{enrolment}")
    drawn = [chance.betavariate(*arm.posterior) for arm in known]
    best = max(range(len(known)), key=lambda place: drawn[place])
    told = [
        {
            "to": arm.to,
            "trials": round(arm.trials, 1),
            "successes": arm.successes,
            "drawn": round(value, 4),
            "share": round(arm.share, 3),
        }
        for arm, value in zip(known, drawn, strict=True)
    ]
    return Decision(known[best].to, {"learned": {"to": known[best].to, "arms": told}})


def recorded(conn: Connection, steps: Sequence[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """What fell to these (enrolment, step) before: a repeat of a batch gives everyone the same, though more is known by now."""
    step = table(Step)
    found: dict[tuple[int, int], str] = {}
    for piece in chunked(steps):
        asked = dict.fromkeys(piece)
        query = select(step.c.enrolment_id, step.c.seq, step.c.detail).where(
            step.c.enrolment_id.in_([enrolment for enrolment, _ in piece]), step.c.detail.is_not(None)
        )
        for enrolment, seq, detail in conn.execute(query):
            if (enrolment, seq) in asked and "learned" in detail:
                found[enrolment, seq] = detail["learned"]["to"]
    return found


# --- from rows --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Taken:
    """Steps of treated enrolments that took one of a split's arrows: the step that entered its target, and which it is."""

    source: Any
    where: tuple[ColumnElement[bool], ...]
    names: Mapping[str, str]
    """Each target's name, now or before, to its name now."""


_ENROLMENT = table(Enrolment)
_SPLIT, _NEXT = table(Step).alias("at_the_split"), table(Step).alias("after_it")


def _taken(ir: IR, box: str, targets: Sequence[str]) -> _Taken:
    names = {name: to for to in targets for name in _known_as(ir, to)}
    source = _ENROLMENT.join(_SPLIT, _SPLIT.c.enrolment_id == _ENROLMENT.c.id).join(
        _NEXT, (_NEXT.c.enrolment_id == _SPLIT.c.enrolment_id) & (_NEXT.c.seq == _SPLIT.c.seq + 1)
    )
    where = (
        _ENROLMENT.c.journey == ir.name,
        _ENROLMENT.c.arm == TREATED,
        _SPLIT.c.state.in_(_known_as(ir, box)),
        _NEXT.c.cause == "share",
        _NEXT.c.state.in_(names),
    )
    return _Taken(source, where, names)


def _known_as(ir: IR, name: str) -> list[str]:
    """A box's name, and the one that it had before."""
    note = ir.notes.get(name)
    return [name, note.was] if note is not None and note.was is not None else [name]


def _entered(conn: Connection, taken: _Taken, span: timedelta, now: datetime) -> list[tuple[str, int, int]]:
    """(target, age, enrolments): how many took it, by how much of the goal's time is over for them; `_AGES`: all of it."""
    age = _age(span, now)
    query = (
        select(_NEXT.c.state, age, func.count(_ENROLMENT.c.id.distinct()))
        .select_from(taken.source)
        .where(*taken.where)
        .group_by(_NEXT.c.state, age)
    )
    return [(taken.names[state], parts, count) for state, parts, count in conn.execute(query)]


def _age(span: timedelta, now: datetime) -> ColumnElement[int]:
    """How many twentieths of the goal's time are over; the last is never over too soon."""
    ages = (
        (_ENROLMENT.c.entered_at <= literal(now - span * part / _AGES, Moment()), part) for part in range(_AGES, 0, -1)
    )
    return case(*ages, else_=0)


def _reached(conn: Connection, ir: IR, taken: _Taken, span: timedelta, now: datetime) -> list[tuple[str, int, float]]:
    """(target, age, delay): who reached the goal after she took it and in time; the delay since her entry as a part of that time."""
    assert ir.goal is not None  # noqa: S101  # the caller has looked
    event, where = table(Event), ir.goal.event.where
    query = (
        select(
            _ENROLMENT.c.id, _NEXT.c.state, _age(span, now), _ENROLMENT.c.entered_at,
            event.c.at, event.c.payload,
        )
        .select_from(taken.source.join(event, event.c.customer_id == _ENROLMENT.c.customer_id))
        .where(*taken.where, event.c.name == ir.goal.event.event, event.c.at >= _NEXT.c.at)
        .order_by(event.c.at)
    )  # fmt: skip
    found: dict[tuple[int, str], tuple[str, int, float]] = {}
    for enrolment, state, age, entered, at, payload in conn.execute(query):
        to = taken.names[state]
        if (enrolment, to) in found or at - entered > span:
            continue
        if where is None or where.evaluate(Facts(payload=payload or {}), now):
            found[enrolment, to] = (to, age, (at - entered) / span)
    return list(found.values())


def _come_by(part: float, delays: Sequence[float]) -> float:
    """Of all who come to the goal, the share that has come when this part of its time is over.

    By the delays of those whose time is over, and as if one more had been seen that came at any moment as likely.
    """
    return (bisect_right(delays, part) + part) / (len(delays) + 1)


# --- chance -----------------------------------------------------------------------------------------------------------


def _shared(ir: IR, box: str, known: Sequence[Arm]) -> list[Arm]:
    """The arms with their shares: how often each is the best of many draws."""
    chance = _chance(f"{ir.name}/{box}")
    posteriors = [arm.posterior for arm in known]
    best = [0] * len(known)
    for _ in range(_DRAWS):
        drawn = [chance.betavariate(*posterior) for posterior in posteriors]
        best[drawn.index(max(drawn))] += 1
    return [Arm(arm.to, arm.trials, arm.successes, won / _DRAWS) for arm, won in zip(known, best, strict=True)]


def _chance(seed: str) -> Random:
    return Random(int.from_bytes(blake2b(seed.encode(), digest_size=8).digest()))  # noqa: S311  # dice, no secrets
