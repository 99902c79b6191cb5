"""Making valid: what is left out of a journey made of chance, or led elsewhere, so that the compiler would accept it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from dsl.implied import implies
from dsl.ir import CHANNELS, ENDS, IR, Answer, Arrow, State, Then, When
from dsl.predicate import Predicate

__all__ = ["onward", "reached", "taken"]


def taken(arrows: Iterable[Arrow]) -> Iterator[Arrow]:
    """The arrows without those that would never be taken, since one before always is, or nobody waits."""
    given = list(arrows)
    kept: list[Arrow] = []
    at_once = any(isinstance(arrow.on, Then) and arrow.limit is None for arrow in given)
    for arrow in given:
        own = isinstance(arrow.on, Answer) and arrow.on.scope == "send" and not arrow.on.event.endswith(".not_sent")
        if at_once and own and not arrow.late:
            continue
        if not any(_covers(early, arrow) for early in kept):
            kept.append(arrow)
            yield arrow


def _covers(early: Arrow, late: Arrow) -> bool:
    if early.limit is not None or early.late != late.late or not _asks_less(early.guard, late.guard):
        return False
    one, other = early.on, late.on
    if isinstance(one, Answer) and isinstance(other, Answer):
        wide = one.scope in (other.scope, "any_send") and _asks_less(one.where, other.where)
        return one.event == other.event and wide and (one.look_back or 0) >= (other.look_back or 0)
    return isinstance(one, When) and isinstance(other, When)


def _asks_less(early: Predicate | None, late: Predicate | None) -> bool:
    return early is None or (late is not None and implies(late, early))


def reached(ir: IR) -> IR:
    """The boxes that can be reached, breadth first, as the compiler orders them; ends last."""
    found = [ir.states[0].name]

    def follow(arrows: Iterable[Arrow]) -> None:
        found.extend(dict.fromkeys(arrow.to for arrow in arrows if arrow.to not in found))

    for name in found:
        follow(_around_too(ir, ir.by_name[name]))
    if any(_rests(ir.by_name[name]) for name in found):
        follow(ir.anywhere)
        for name in found:
            follow(_around_too(ir, ir.by_name[name]))
    rested = {state.stage for state in ir.states if state.name in found and _rests(state)}
    stages = tuple(stage for stage in ir.stages if stage.name in rested)
    states = (ir.by_name[name] for name in found)
    kept = (replace(state, stage=state.stage if state.stage in rested else None) for state in states)
    ordered = sorted(kept, key=lambda state: state.kind in ENDS)
    anywhere = ir.anywhere if any(_rests(state) for state in ordered) else ()
    return replace(ir, states=tuple(ordered), stages=stages, anywhere=anywhere)


def onward(ir: IR, end: str) -> IR:
    """The journey, with a last arrow led to `end` wherever no end could be reached."""
    while True:
        leads = {state.name for state in ir.states if state.kind in ENDS}
        while more := {
            state.name
            for state in ir.states
            if state.name not in leads and any(arrow.to in leads for arrow in _all(ir, state))
        }:
            leads |= more
        trapped = next((state for state in ir.states if state.name not in leads), None)
        if trapped is None:
            return ir
        out = replace(trapped, arrows=(*trapped.arrows[:-1], replace(trapped.arrows[-1], to=end)))
        states = {**ir.by_name, out.name: out}
        states.setdefault(end, State(end, "final"))
        ir = reached(replace(ir, states=tuple(states.values())))


def _rests(state: State) -> bool:
    return state.kind in (*CHANNELS, "wait")


def _around_too(ir: IR, state: State) -> tuple[Arrow, ...]:
    """Its arrows and, where one rests in it, its stage's."""
    stage = next((stage for stage in ir.stages if stage.name == state.stage), None)
    return (*state.arrows, *stage.arrows) if stage is not None and _rests(state) else state.arrows


def _all(ir: IR, state: State) -> tuple[Arrow, ...]:
    return (*_around_too(ir, state), *(ir.anywhere if _rests(state) else ()))
