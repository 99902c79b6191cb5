"""Simulating: independent runs of so many customers, and what is to be expected of them.

An interval is that of one campaign of this size: nineteen in twenty come to lie within it, if customers do as the model
says. It knows nothing of how wrong the model is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import sqrt
from operator import gt
from random import Random
from statistics import fmean, stdev
from typing import Final

from dsl.ir import IR
from engine.simulation.kinds import actions_of
from engine.simulation.plan import Person, Plan
from engine.simulation.playing import Tally, play, weekday
from engine.simulation.responses import GRID, ResponseModel
from engine.simulation.results import Box, Channel, Estimate, Flow, Load, Result
from engine.simulation.transitions import Transitions, by_lot

__all__ = ["FIRST_DAY", "simulate"]

_DAY: Final = 86_400_000
FIRST_DAY: Final = 1_772_409_600_000
"""When virtual time begins: Monday, 2 March 2026, in milliseconds since 1970."""
_REPORT: Final = 5_000
"""Customers between two reports of how far it has come."""
_T_975: Final = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Student's t, two-sided 95 %, by degrees of freedom from 1."""


def simulate(
    ir: IR,
    model: ResponseModel,
    *,
    customers: int,
    runs: int = 20,
    seed: str = "1",
    over: int = 30,
    people: Sequence[Person] = (),
    whole: bool = False,
    first: int = FIRST_DAY,
    zone: str | None = None,
    steps: Callable[[IR], Transitions] = Transitions,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """Let `customers` through `runs` times, each time drawn anew; they enter evenly over the first `over` days.

    `people`: real customers to draw from, or (`whole`) to take as they are, each once. `first` is the first day's midnight,
    in milliseconds since 1970; `zone` is the project's time zone. The same seed gives the same result.
    `progress` is told from time to time how many customers were let through, of all runs.
    """
    if customers < 1 or runs < 1 or over < 1:
        raise ValueError(f"customers, runs and days are from 1 on, not {customers}, {runs} and {over}")
    plan, known = Plan(ir, model, zone), steps(by_lot(ir))
    tallies: list[Tally] = []
    for run in range(runs):
        random = Random(f"{seed}/{run}")  # noqa: S311  # dice, no secrets
        crowd = _crowd(ir, customers, first, over, people, whole=whole, random=random)
        if progress is not None:
            crowd = _told(crowd, run * customers, progress)
        tallies.append(play(plan, known, crowd, random))
    return _result(ir, model, tallies, seed, first, over)


def _crowd(
    ir: IR, customers: int, first: int, over: int, people: Sequence[Person], *, whole: bool, random: Random
) -> Iterator[tuple[int, Person]]:
    """Who enters, and when."""
    draw, slots = random.random, over * _DAY // GRID
    treated, held_out = Person(), Person(held_out=True)
    for number in range(customers):
        at = first + int(draw() * slots) * GRID
        if people:
            yield at, people[number if whole else int(draw() * len(people))]
        else:
            yield at, held_out if draw() * 100 < ir.holdout else treated


def _told(
    crowd: Iterator[tuple[int, Person]], before: int, progress: Callable[[int], None]
) -> Iterator[tuple[int, Person]]:
    """The same customers, a report at every so many."""
    for number, each in enumerate(crowd):
        if number % _REPORT == 0:
            progress(before + number)
        yield each


def _result(ir: IR, model: ResponseModel, tallies: Sequence[Tally], seed: str, first: int, over: int) -> Result:
    def each(value: Callable[[Tally], float]) -> Estimate:
        return _estimate([value(tally) for tally in tallies])

    customers = tallies[0].customers
    owners = [state.name for state in ir.states for _ in state.arrows]
    owners += ["" for _ in ir.anywhere] + [stage.name for stage in ir.stages for _ in stage.arrows]
    treated = [max(1, tally.customers - tally.held_out) for tally in tallies]
    numbers = sorted({number for tally in tallies for number in tally.contacts})
    return Result(
        ir=ir,
        customers=customers,
        held_out=each(lambda tally: tally.held_out),
        runs=len(tallies),
        seed=seed,
        over=over,
        flows=tuple(
            Flow(owner, arrow, _estimate([tally.taken[number] for tally in tallies]))
            for number, (owner, arrow) in enumerate(zip(owners, ir.arrows, strict=True))
        ),
        boxes=tuple(_box(ir, number, tallies) for number in range(len(ir.states))),
        contacts=_estimate(
            [sum(n * many for n, many in t.contacts.items()) / of for t, of in zip(tallies, treated, strict=True)]
        ),
        distribution={number: sum(t.contacts.get(number, 0) for t in tallies) / sum(treated) for number in numbers},
        channels=tuple(_channels(ir, model, tallies)),
        cost=_estimate([_cost(ir, model, tally) for tally in tallies]),
        loads=tuple(_loads(ir, model, tallies, first)),
        days=each(lambda tally: tally.lasted / tally.customers / _DAY),
    )


def _box(ir: IR, number: int, tallies: Sequence[Tally]) -> Box:
    state = ir.states[number]
    entered = [tally.entered[number] for tally in tallies]
    spent = sum(tally.spent[number] for tally in tallies)
    return Box(
        state.name,
        state.kind,
        _estimate(entered),
        spent / sum(entered) / _DAY if sum(entered) else 0.0,
        {
            channel: _estimate([tally.sent[number][action] for tally in tallies])
            for action, channel in enumerate(state.channels)
        },
        _estimate([tally.not_sent[number] for tally in tallies]),
        _estimate([tally.late[number] for tally in tallies]),
        _estimate([tally.under_way[number] for tally in tallies]),
    )


def _sent(ir: IR, tally: Tally) -> dict[str, int]:
    found: dict[str, int] = {}
    for state, sent in zip(ir.states, tally.sent, strict=True):
        for channel, many in zip(state.channels, sent, strict=True):
            found[channel] = found.get(channel, 0) + many
    return found


def _cost(ir: IR, model: ResponseModel, tally: Tally) -> float:
    return sum(many * model.channel(channel).cost for channel, many in _sent(ir, tally).items())


def _channels(ir: IR, model: ResponseModel, tallies: Sequence[Tally]) -> Iterator[Channel]:
    sent = [_sent(ir, tally) for tally in tallies]
    for channel in sent[0]:
        each, price = [of[channel] for of in sent], model.channel(channel).cost
        yield Channel(channel, _estimate(each), _estimate([many * price for many in each]))


def _loads(ir: IR, model: ResponseModel, tallies: Sequence[Tally], first: int) -> Iterator[Load]:
    wanted = dict.fromkeys(
        (channel, queue or "")
        for state in ir.states
        for channel, queue in actions_of(state)
        if channel in {"call", "letter"}
    )
    for channel, queue in wanted:
        each = [_by_day(tally.days.get((channel, queue), {}), first // _DAY) for tally in tallies]
        last = max(map(len, each))
        days = [[*one, *([0] * (last - len(one)))] for one in each]
        week = model.week(queue) if channel == "call" else None
        capacity = [] if week is None else [week[weekday(first // _DAY + day)] for day in range(last)]
        yield Load(
            channel,
            queue,
            week,
            _estimate([sum(one) for one in days]),
            tuple(_estimate([one[day] for one in days]) for day in range(last)),
            _estimate([max(one, default=0) for one in days]),
            None if week is None else _estimate([sum(map(gt, one, capacity)) for one in days]),
            None if week is None else _estimate([_left_over(one, capacity) for one in days]),
        )


def _by_day(days: Mapping[int, int], first: int) -> list[int]:
    return [days.get(first + number, 0) for number in range(max(days, default=first - 1) - first + 1)]


def _left_over(days: Iterable[int], capacity: Iterable[float]) -> float:
    """The longest queue at the end of a day."""
    left = most = 0.0
    for many, made in zip(days, capacity, strict=True):
        left = max(0.0, left + many - made)
        most = max(most, left)
    return most


def _estimate(values: Sequence[float]) -> Estimate:
    mean = fmean(values)
    if len(values) < 2:
        return Estimate(mean, mean, mean)
    t = _T_975[min(len(values) - 1, len(_T_975)) - 1]
    reach = t * stdev(values) * sqrt(1 + 1 / len(values))
    return Estimate(mean, max(0.0, mean - reach), mean + reach)
