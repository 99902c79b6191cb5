"""What holds of every journey, tried on journeys and walks of chance."""

from __future__ import annotations

import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from kit.random_journeys import irs

from dsl.effects import Acted, Answered, Decide, Decided, Due, Effect, Event, Measure, Postponed, Send
from dsl.ir import IR
from dsl.ir_json import from_json, to_json
from dsl.snapshot import ENDED, RESTING, WAITING, Snapshot, pack, unpack
from dsl.step import Chart, chart, enter, step

DAY = 86_400_000
CHANCES = st.randoms(use_true_random=False)


@settings(max_examples=100, deadline=None)
@given(irs())
def test_its_json_and_back_is_the_same_journey_with_the_same_hash(ir: IR) -> None:
    again = from_json(json.loads(json.dumps(to_json(ir))))
    assert again == ir
    assert again.hash == ir.hash


@settings(max_examples=100, deadline=None)
@given(irs(), CHANCES)
def test_every_walk_ends_or_waits_for_something_that_is_declared(ir: IR, chance: random.Random) -> None:
    where = chart(ir)
    now = 0
    member, effects = enter(where, chance.randrange(10_000), now)
    member = settled(where, member, effects, now, chance)
    for number in range(1, 40):
        if member.phase == ENDED:
            assert ir.states[member.state].kind in {"goal", "final"}
            return
        heard = listens(where, member)
        if member.phase == RESTING:
            assert member.until > now, "a rest is over at some time"
            due: int | None = member.until
        else:
            assert member.phase == WAITING
            due = member.deadline
            assert due is not None or heard, f"nothing leads out of {ir.states[member.state].name}"
            ahead = [
                over for seconds, _ in where.boxes[member.state].afters if (over := member.since + seconds * 1000) > now
            ]
            if ahead:
                assert due is not None, "a time-out that the box declares is waited for"
                assert due <= min(ahead) + 60_000, "and not for longer"
        assert unpack(json.loads(json.dumps(pack(member)))) == member
        if heard and (due is None or chance.random() < 0.5):
            now += chance.randint(0, min(3 * DAY, max(due - now, 0)) if due is not None else 3 * DAY)
            event: Event = Answered(number, now, (chance.choice(heard),), chance.choice((None, member.seq)))
        else:
            assert due is not None
            now, event = max(now, due), Due()
        before = pack(member)
        new, effects = step(where, member, event, now)
        if isinstance(event, Due):
            assert effects or pack(new) != before, "a wait is over, and nothing comes of it"
        member = settled(where, new, effects, now, chance)


def settled(where: Chart, member: Snapshot, effects: list[Effect], now: int, chance: random.Random) -> Snapshot:
    """Do what the stepper asks for, until it asks for nothing; it does so within a bounded number of steps."""
    for _ in range(500):
        asked = [effect for effect in effects if isinstance(effect, Send | Measure | Decide)]
        if not asked:
            return member
        (ask,) = asked
        event: Event
        match ask:
            case Decide():
                event = Decided(tuple(chance.random() < 0.5 for _ in ask.arrows))
            case Send() if chance.random() < 0.1:
                event = Postponed(chance.randint(1, 86_400))
            case Send() if chance.random() < 0.2:
                event = Acted(sent=False, waits=ends(ask.arrows, now, chance), reasons=("no consent",))
            case Send() | Measure():
                event = Acted(waits=ends(ask.arrows, now, chance))
        member, effects = step(where, member, event, now)
    raise AssertionError("it goes round without an end")


def ends(arrows: tuple[int, ...], now: int, chance: random.Random) -> tuple[tuple[int, int], ...]:
    return tuple((arrow, now + chance.randint(1, 20 * DAY)) for arrow in arrows)


def listens(where: Chart, member: Snapshot) -> list[int]:
    """What the box, its stage and the journey say that they hear."""
    box = where.boxes[member.state]
    stage = where.stages[box.stage].answers if box.stage >= 0 else {}
    return sorted({*box.answers, *stage, *where.anywhere})
