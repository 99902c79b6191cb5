"""Steps: what a batch of members did, written down; and where each member is now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from dsl.ir import ENDS, State
from dsl.step import Chart, Late, Row
from engine.calls import tasks as call_tasks
from engine.clock import from_ms
from engine.db import chunked, insert_new, table
from engine.feeds import personal as feeds
from engine.letters import post
from engine.messages import message_key, read_key
from engine.tables import CallTask, Enrolment, LateAnswer, Message, Step

__all__ = ["Moved", "Person", "explain", "people", "record"]


@dataclass(frozen=True, slots=True)
class Moved:
    """What happened to one member since it was last recorded."""

    enrolment_id: int
    rows: Sequence[Row] = ()
    late: Sequence[Late] = field(default_factory=tuple[Late, ...])


@dataclass(frozen=True, slots=True)
class Person:
    """Who a member is: only the database knows, no workflow does."""

    customer_id: str
    arm: str


def people(conn: Connection, enrolments: Sequence[int]) -> dict[int, Person]:
    """Customer and arm of each enrolment."""
    rows = table(Enrolment)
    found: dict[int, Person] = {}
    for piece in chunked(enrolments):
        for number, customer, arm in conn.execute(
            select(rows.c.id, rows.c.customer_id, rows.c.arm).where(rows.c.id.in_(piece))
        ):
            found[number] = Person(customer, arm)
    return found


def record(conn: Connection, chart: Chart, moved: Sequence[Moved], who: dict[int, Person], now_ms: int) -> None:
    """Write step rows, late answers, and where everyone is. What is there already stays: a repeat changes nothing."""
    names = [box.name for box in chart.boxes]
    goals = {box.name for box in chart.boxes if box.kind == "goal"}
    steps: list[dict[str, Any]] = []
    places: list[dict[str, Any]] = []
    ends: list[dict[str, Any]] = []
    late: list[dict[str, Any]] = []
    for member in moved:
        person = who[member.enrolment_id]
        steps.extend(
            {
                "enrolment_id": member.enrolment_id,
                "seq": row.seq,
                "state": names[row.state],
                "cause": row.cause,
                "event_seq": row.event_seq,
                "at": from_ms(row.at),
                "hash": chart.ir.hash,
                "arm": person.arm,
            }
            for row in member.rows
        )
        if member.rows:
            last = member.rows[-1]
            place = {
                "of": member.enrolment_id,
                "to": names[last.state],
                "n": last.seq,
                "at": from_ms(last.at),
                "cause": last.cause,
            }
            places.append(place)
            if chart.boxes[last.state].kind in ENDS:
                ends.append(place)
        late.extend(
            {
                "event_seq": answer.event_seq,
                "enrolment_id": member.enrolment_id,
                "state": names[answer.state] if answer.state >= 0 else None,
                "reason": answer.reason,
                "at": from_ms(now_ms),
            }
            for answer in member.late
        )
    insert_new(conn, Step, steps)
    insert_new(conn, LateAnswer, late)
    enrolment = table(Enrolment)
    if places:
        conn.execute(
            update(enrolment)
            .where(enrolment.c.id == bindparam("of"), enrolment.c.seq < bindparam("n"), enrolment.c.ended_at.is_(None))
            .values(state=bindparam("to"), state_since=bindparam("at"), seq=bindparam("n")),
            places,
        )
        if any("call" in {state.kind, *(action.kind for action in state.also)} for state in chart.ir.states):
            _withdraw_tasks(conn, places, now_ms)
        if any(action == "letter" for state in chart.ir.states for action in _kinds(state)):
            post.withdraw(conn, _answered(chart, moved), "moved on", from_ms(now_ms))
        if any(action == "feed" for state in chart.ir.states for action in _kinds(state)):
            won = [place["of"] for place in places if place["to"] in goals]
            feeds.withdraw(conn, won, from_ms(now_ms))  # what asked her to do what she has done
        # Nobody leaves a send that was put off but by an answer.
        _give_up_sends(conn, [place for place in places if place["cause"] == "answer"], now_ms)
    if ends:
        conn.execute(
            update(enrolment)
            .where(enrolment.c.id == bindparam("of"), enrolment.c.ended_at.is_(None))
            .values(ended_at=bindparam("at"), end_reason=bindparam("to")),
            ends,
        )


def _withdraw_tasks(conn: Connection, places: Sequence[dict[str, Any]], now_ms: int) -> None:
    """Whoever left the box has no open task there: the call center is not to ring for what is over."""
    task = table(CallTask)
    for piece in chunked(places):
        reached: dict[int, int] = {place["of"]: place["n"] for place in piece}
        left = conn.execute(
            select(task.c.id).where(task.c.enrolment_id.in_(reached.keys()), task.c.status.in_(call_tasks.OPEN))
        ).scalars()
        call_tasks.withdraw(conn, [key for key in left if _before(key, reached)], from_ms(now_ms))


def _answered(chart: Chart, moved: Sequence[Moved]) -> list[str | int]:
    """Whose letters are not to be printed any more: who left their box by an answer, or ended by one.

    A letter that its box sends and goes on from, or whose time-out is over, goes out all the same.
    """
    actions = max(len(_kinds(state)) for state in chart.ir.states)
    found: list[str | int] = []
    for member in moved:
        for row in member.rows:
            if row.cause == "answer":
                found += [message_key(member.enrolment_id, row.seq - 1, number) for number in range(actions)]
        last = member.rows[-1] if member.rows else None
        if last is not None and last.cause == "answer" and chart.boxes[last.state].kind in ENDS:
            found.append(member.enrolment_id)
    return found


def _kinds(state: State) -> tuple[str, ...]:
    """What the box sends."""
    return (state.kind, *(action.kind for action in state.also))


def _give_up_sends(conn: Connection, places: Sequence[dict[str, Any]], now_ms: int) -> None:
    """A send that was put off is not made any more once the customer has moved on."""
    message = table(Message)
    for piece in chunked(places):
        reached: dict[int, int] = {place["of"]: place["n"] for place in piece}
        left = conn.execute(
            select(message.c.key).where(message.c.enrolment_id.in_(reached.keys()), message.c.status == "deferred")
        ).scalars()
        over = [key for key in left if _before(key, reached)]
        moved = {"status": "not_sent", "reason": "moved on", "settled_at": from_ms(now_ms)}
        conn.execute(update(message).where(message.c.key.in_(over)).values(**moved))


def _before(key: str, reached: Mapping[int, int]) -> bool:
    """Whether a message is of an earlier visit than the one she has reached: a repeated record ends nothing newer."""
    enrolment, visit, _ = read_key(key)
    return visit < reached[enrolment]


def explain(conn: Connection, details: Sequence[tuple[int, int, dict[str, Any]]]) -> None:
    """Write on a step's row what was decided in that box, and on which values: (enrolment, step, detail)."""
    step = table(Step)
    if details:
        conn.execute(
            update(step)
            .where(step.c.enrolment_id == bindparam("of"), step.c.seq == bindparam("n"))
            .values(detail=bindparam("why")),
            [{"of": enrolment, "n": seq, "why": detail} for enrolment, seq, detail in details],
        )
