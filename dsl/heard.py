"""Heard: which arrows an answer fires where a member is, in which order answers are heard, and which are kept for later boxes."""

from __future__ import annotations

from typing import Final

from dsl.chart import Chart
from dsl.counts import spent
from dsl.effects import Answered
from dsl.ir import Answer
from dsl.snapshot import ENDED, WAITING, Snapshot

__all__ = ["heard", "keep", "look_back", "rank"]

_KEPT: Final = 31  # events that later boxes may look back on


def rank(c: Chart, m: Snapshot | None, answer: Answered) -> tuple[bool, bool, int, int]:
    """The order in which answers of one activation are heard (behaviour R5).

    First those of before her deadline; of them those for which an arrow asks to be heard `.first()`; then by event time, ties
    by number.
    """
    over = m is not None and m.deadline is not None and answer.at > m.deadline
    return over, not any(c.ir.listens[listen].first for listen in answer.listens), answer.at, answer.seq


def heard(c: Chart, m: Snapshot, event: Answered) -> tuple[tuple[int, ...], str]:
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
    free = tuple(arrow for arrow in arrows if not spent(c, m, arrow))
    return free, "limit reached" if arrows and not free else reason or "not awaited here"


def keep(c: Chart, m: Snapshot, event: Answered, now: int) -> None:
    """Keep an event on which a later box may look back; if it moves her after all, `_take` lets it go."""
    if c.kept_for and m.phase != ENDED:
        fresh = tuple(old for old in m.kept if old.at >= now - c.kept_for)
        if event.at >= now - c.kept_for and any(c.ir.listens[listen].look_back is not None for listen in event.listens):
            fresh = (*fresh[-_KEPT:], event)
        m.kept = fresh


def look_back(c: Chart, m: Snapshot) -> None:
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
