"""Edits of journeys, as an author makes them between two versions: each by chance, and each makes another journey."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from dsl import Customer
from dsl.ir import ENDS, IR, After, Answer, Arrow, Clock, Limit, Reentry, State

__all__ = ["EDITS", "edited"]

Edit = Callable[[IR, random.Random], IR]


def edited(ir: IR, seed: int, times: int = 1) -> IR:
    """The journey after so many edits."""
    chance = random.Random(seed)  # noqa: S311  # repeatable on purpose
    for _ in range(times):
        ir = chance.choice(EDITS)(ir, chance)
    return ir


def _some(ir: IR, chance: random.Random) -> State:
    return chance.choice([state for state in ir.states if state.kind not in ENDS])


def _with(ir: IR, state: State, name: str | None = None) -> IR:
    return replace(ir, states=tuple(state if each.name == (name or state.name) else each for each in ir.states))


def _add_box(ir: IR, chance: random.Random) -> IR:
    source = _some(ir, chance)
    name = f"new_{chance.randint(0, 99)}_{len(ir.states)}"
    made = State(name, "email", source.arrows[-1:], f"t/{name}")
    led = replace(source, arrows=(*source.arrows[:-1], replace(source.arrows[-1], to=name)))
    at = ir.states.index(source)
    return replace(ir, states=(*ir.states[:at], led, made, *ir.states[at + 1 :]))


def _remove_box(ir: IR, chance: random.Random) -> IR:
    gone = _some(ir, chance)
    onward = next((arrow.to for arrow in gone.arrows if arrow.to != gone.name), None)
    if onward is None or sum(state.kind not in ENDS for state in ir.states) < 2:
        return _change_wait(ir, chance)

    def led(arrow: Arrow) -> Arrow:
        return replace(arrow, to=onward) if arrow.to == gone.name else arrow

    return replace(
        ir,
        states=tuple(
            replace(state, arrows=tuple(map(led, state.arrows))) for state in ir.states if state.name != gone.name
        ),
        anywhere=tuple(map(led, ir.anywhere)),
    )


def _rename(ir: IR, chance: random.Random) -> IR:
    old = _some(ir, chance)
    new = f"{old.name}_anew"

    def led(arrow: Arrow) -> Arrow:
        return replace(arrow, to=new) if arrow.to == old.name else arrow

    states = tuple(
        replace(state, name=new if state.name == old.name else state.name, arrows=tuple(map(led, state.arrows)))
        for state in ir.states
    )
    return replace(ir, states=states, anywhere=tuple(map(led, ir.anywhere)))


def _change_wait(ir: IR, chance: random.Random) -> IR:
    state = _some(ir, chance)
    at = len(state.arrows) - 1
    arrow = replace(state.arrows[at], on=After(chance.randint(60, 10**7)), guard=None)
    return _with(ir, replace(state, arrows=(*state.arrows[:at], arrow)))


def _change_target(ir: IR, chance: random.Random) -> IR:
    state = _some(ir, chance)
    at = chance.randrange(len(state.arrows))
    arrow = replace(state.arrows[at], to=chance.choice([each.name for each in ir.states]))
    return _with(ir, replace(state, arrows=(*state.arrows[:at], arrow, *state.arrows[at + 1 :])))


def _add_arrow(ir: IR, chance: random.Random) -> IR:
    state = _some(ir, chance)
    arrow = Arrow(
        Answer(f"shop.{chance.choice(('purchased', 'signed_up'))}", "customer"),
        chance.choice([each.name for each in ir.states]),
        limit=Limit(chance.randint(1, 4)),
    )
    at = chance.randint(0, len(state.arrows))
    return _with(ir, replace(state, arrows=(*state.arrows[:at], arrow, *state.arrows[at:])))


def _drop_arrow(ir: IR, chance: random.Random) -> IR:
    state = _some(ir, chance)
    at = chance.randrange(len(state.arrows))
    kept = (*state.arrows[:at], *state.arrows[at + 1 :])
    return _with(ir, replace(state, arrows=kept)) if kept else _change_wait(ir, chance)


def _shuffle_arrows(ir: IR, chance: random.Random) -> IR:
    state = _some(ir, chance)
    return _with(ir, replace(state, arrows=tuple(chance.sample(state.arrows, len(state.arrows)))))


def _shuffle_boxes(ir: IR, chance: random.Random) -> IR:
    return replace(ir, states=tuple(chance.sample(ir.states, len(ir.states))))


def _change_guard(ir: IR, chance: random.Random) -> IR:
    state = _some(ir, chance)
    arrow = replace(state.arrows[0], guard=Customer.country == chance.choice(("FR", "GB", "DE")))
    return _with(ir, replace(state, arrows=(arrow, *state.arrows[1:])))


def _change_template(ir: IR, chance: random.Random) -> IR:
    state = _some(ir, chance)
    hours = chance.choice((None, Clock(opens="09:00", closes="18:00")))
    return _with(ir, replace(state, template=f"t/{chance.randint(0, 99)}", hours=hours, offers=chance.randint(0, 2)))


def _change_setting(ir: IR, chance: random.Random) -> IR:
    return chance.choice(
        (
            replace(ir, holdout=float(chance.randint(0, 30))),
            replace(ir, purpose="transactional"),
            replace(ir, again=Reentry("after", chance.randint(1, 10**7), active=chance.choice(("reject", "queue")))),
            replace(ir, goal=None),
            replace(ir, quiet=Clock(opens="21:00", closes="08:00")),
            replace(ir, zone="Europe/London"),
            replace(ir, late="ignore"),
        )
    )


def _change_anywhere(ir: IR, chance: random.Random) -> IR:
    arrow = Arrow(Answer("consent.granted", "customer"), chance.choice([each.name for each in ir.states]))
    return replace(ir, anywhere=chance.choice(((), (*ir.anywhere, arrow), ir.anywhere[::-1], ir.anywhere[:1])))


EDITS: tuple[Edit, ...] = (
    _add_box,
    _remove_box,
    _rename,
    _change_wait,
    _change_target,
    _add_arrow,
    _drop_arrow,
    _shuffle_arrows,
    _shuffle_boxes,
    _change_guard,
    _change_template,
    _change_setting,
    _change_anywhere,
)
