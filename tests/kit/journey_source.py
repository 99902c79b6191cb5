"""A journey made of chance as an author would have written it, so that the compiler can say whether it is valid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kit.random_words import WRITTEN

from dsl.expression import Constant, Expression, Field
from dsl.ir import (
    CHANNELS,
    ENDS,
    IR,
    After,
    Answer,
    Arrow,
    Clock,
    Entry,
    NoDate,
    Reentry,
    Share,
    State,
    Then,
    Until,
    When,
)
from dsl.predicate import And, Compare, IsIn, Not, Predicate

__all__ = ["forever", "source_of"]

_SIGNS = {"ge": ">=", "lt": "<", "le": "<=", "gt": ">", "eq": "==", "ne": "!="}


def source_of(ir: IR) -> str:
    """The Python file of the journey. It knows the words of `kit.random_words`."""
    return "\n".join(_lines(ir)) + "\n"


def _lines(ir: IR) -> Iterator[str]:
    yield "from dsl import *"
    yield f"class {ir.title}(Journey):"
    yield f"    enters = {_entry(ir.entry)}"
    yield f"    again = {_again(ir.again)}"
    yield f"    while_active = {ir.again.active}"
    yield f"    purpose = {ir.purpose}"
    yield f"    late_answers = {ir.late}"
    if ir.goal is not None:
        yield f"    goal = {_event(ir.goal.event)}.within(hours={ir.goal.seconds / 3600:g})"
    if ir.holdout:
        yield f"    holdout = percent({ir.holdout})"
    if ir.quiet is not None:
        yield f"    quiet = {WRITTEN[ir.quiet]}"
    if ir.zone is not None:
        yield f"    zone = {ir.zone!r}"
    for stage in ir.stages:
        yield "    @Stage()"
        yield from _body(stage.name, stage.arrows, {})
    endless = forever(ir)
    for state in ir.states:
        if state.kind in ENDS:
            yield f"    {state.name} = {state.kind.capitalize()}()"
        else:
            yield from _box(state, endless=state.name in endless)
    if ir.anywhere:
        yield "    @Anywhere()"
        yield from _body("exits", ir.anywhere, {})


def _entry(entry: Entry) -> str:
    if entry.audience is not None and entry.every is not None:
        return f'Audience({_predicate(entry.audience)}, every=daily(at="{entry.every.at}", local={entry.every.local}))'
    return _event(entry.event) if entry.event is not None else "Api()"


def _again(again: Reentry) -> str:
    return f"after(minutes={again.seconds // 60})" if again.rule == "after" else again.rule


def _box(state: State, *, endless: bool) -> Iterator[str]:
    around = [f"stage={state.stage}"] if state.stage is not None else []
    if state.template is None:
        yield f"    @{state.kind.capitalize()}({', '.join(around)})"
    else:
        around += [f"hours={WRITTEN[state.hours]}"] if state.hours is not None else []
        around += [f"offers={state.offers}"] if state.offers else []
        around += [f"queue={state.queue!r}"] if state.queue is not None else []
        yield f"    @{state.kind.capitalize()}({', '.join([repr(state.template), *around])})"
        for action in state.also:
            yield f"    @{action.kind.capitalize()}({action.template!r})"
    ways = {(arrow.on.of, arrow.on.why): arrow.to for arrow in state.arrows if isinstance(arrow.on, NoDate)}
    arrows = tuple(arrow for arrow in state.arrows if not isinstance(arrow.on, NoDate))
    yield from _body(state.name, arrows, ways, endless=endless)
    if "call" in state.channels:
        heard = {arrow.on.event for arrow in arrows if isinstance(arrow.on, Answer) and _plain(arrow)}
        open_ones = (name for name in ("interested", "refused", "not_reached") if f"call.{name}" not in heard)
        yield from (f"        yield Call.{name}.ignored" for name in open_ones)


def _plain(arrow: Arrow) -> bool:
    """Whether the answer always finds it."""
    on = arrow.on
    return isinstance(on, Answer) and on.where is arrow.guard is arrow.limit is None and not arrow.late


def _body(
    name: str, arrows: tuple[Arrow, ...], ways: Mapping[tuple[int, str], str], *, endless: bool = False
) -> Iterator[str]:
    yield f"    def {name}(self) -> Arrows:"
    for place, arrow in enumerate(arrows):
        yield f"        yield {_trigger(arrow, place, ways)}{_more(arrow)} >> self.{arrow.to}"
    if endless:
        yield "        yield forever"


def forever(ir: IR) -> frozenset[str]:
    """The boxes that may wait without an end: no time-out holds for each customer, their stage's neither."""
    around = {stage.name: stage.arrows for stage in ir.stages}
    resting = (state for state in ir.states if state.kind in (*CHANNELS, "wait"))
    return frozenset(
        state.name
        for state in resting
        if not any(_sure(arrow) for arrow in (*state.arrows, *around.get(state.stage or "", ())))
    )


def _sure(arrow: Arrow) -> bool:
    on = arrow.on
    if isinstance(on, Until) and (on.missing == "skip" or (on.past == "skip" and not on.yearly)):
        return False
    return isinstance(on, After | Then | Until) and arrow.guard is None and arrow.limit is None


def _trigger(arrow: Arrow, place: int, ways: Mapping[tuple[int, str], str]) -> str:  # noqa: PLR0911  # one for each kind
    match arrow.on:
        case Answer() as answer:
            return f"{_event(answer)}{'.late()' if arrow.late else ''}"
        case After(seconds=0, clock=Clock() as clock):
            return f"at({WRITTEN[clock].removeprefix('at=')})"
        case After(seconds=int() as seconds, clock=clock):
            return f"after(minutes={seconds / 60:g}{f', {WRITTEN[clock]}' if clock is not None else ''})"
        case After(expression=Expression() as expression) as wait:
            bounds = ("missing", wait.missing), ("at_least", wait.at_least), ("at_most", wait.at_most)
            said = (f"{word}=minutes({seconds // 60})" for word, seconds in bounds if seconds is not None)
            return f"after({WRITTEN[expression]}, {', '.join(said)})"
        case Until() as until:
            sign = "+" if until.offset >= 0 else "-"
            day = f"{WRITTEN[until.moment]}{'.yearly()' if until.yearly else ''} {sign} minutes({abs(until.offset) // 60})"
            rules = [] if until.yearly else [("past", until.past)]
            said = [f"{day}", *(_rule(word, rule, place, ways) for word, rule in (*rules, ("missing", until.missing)))]
            return f"until({', '.join([*said, WRITTEN[until.clock]] if until.clock is not None else said)})"
        case When():
            return f"when({_predicate(arrow.guard)})"
        case Share(percent=percent):
            return f"share({percent})"
        case other:
            return type(other).__name__.lower()


def _rule(word: str, rule: str, place: int, ways: Mapping[tuple[int, str], str]) -> str:
    return f"{word}=self.{ways[place, word]}" if rule == "exit" else f"{word}={rule}"


def _more(arrow: Arrow) -> str:
    said = f".when({_predicate(arrow.guard)})" if arrow.guard is not None and not isinstance(arrow.on, When) else ""
    if arrow.limit is not None:
        said += f".up_to({arrow.limit.times}, every=minutes({arrow.limit.every // 60}))"
    return said


def _event(answer: Answer) -> str:
    family, _, name = answer.event.partition(".")
    said = f"{family.capitalize()}.{name}"
    if name == "not_sent" and isinstance(answer.where, IsIn):
        said += f".because({', '.join(repr(value.literal) for value in answer.where.values)})"
    elif answer.where is not None:
        said += f".where({_predicate(answer.where)})"
    said += ".any_send()" if answer.scope == "any_send" else ""
    said += f".looking_back(minutes={answer.look_back // 60})" if answer.look_back is not None else ""
    return said + (".first()" if answer.first else "")


def _predicate(predicate: Predicate | None) -> str:
    if predicate in WRITTEN:
        return WRITTEN[predicate]
    match predicate:
        case And(parts):
            return f"({' & '.join(map(_predicate, parts))})"
        case Not(part):
            return f"~{_predicate(part)}"
        case Compare(Field(name=name), op, Constant(literal=number)):
            return f"(self.{name.removeprefix('visits.')}.visits {_SIGNS[op]} {number})"
        case IsIn(Field(name=name), values):
            return f"self.{name.removeprefix('visits.')}.visits.is_in({[value.literal for value in values]})"
        case _:
            raise ValueError(f"no word of these journeys: {predicate}")
