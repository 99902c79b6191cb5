"""What is checked of the chart as a whole: every box can be reached, every one leads to an end, and no loop spins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dsl.bodies import Box, Draft
from dsl.expression import Constant, Field
from dsl.ir import CHANNELS, ENDS
from dsl.pointing import problem
from dsl.predicate import And, Compare, Expression, IsIn
from dsl.problems import JourneyError
from dsl.triggers import Answered, Arrow, Conditional, Learned, Limited, NoDate, Otherwise, Share, Then, When
from dsl.waits import Until, now

__all__ = ["check_chart", "reachable", "start_of"]

_RESTS = (*CHANNELS, "wait")
_BY_ITSELF = ("not_sent", "sent", "delivered", "undelivered", "bounced")
_MANY = 100
"""Entries of one box; a condition that allows more bounds nothing."""
_UNREACHED = ("call.not_reached", "call.busy", "call.voicemail")


def start_of(draft: Draft) -> Box | None:
    """The first box that is no end."""
    return next((box for box in draft.boxes.values() if box.state.kind not in ENDS), None)


def reachable(draft: Draft) -> list[Box]:
    """Every box that customers can come to, from the start on, breadth first: an order that no source position changes."""
    start = start_of(draft)
    found = [start] if start is not None else []
    for box in found:
        _follow(draft, _own(draft, box), found)
    if any(box.state.kind in _RESTS for box in found):
        _follow(draft, draft.anywhere, found)
        for box in found:
            _follow(draft, _own(draft, box), found)
    return found


def _own(draft: Draft, box: Box) -> list[Arrow]:
    """The arrows of a box and, where one rests in it, of its stage."""
    stage = draft.stages.get(box.state.stage.name) if box.state.stage is not None else None
    return [*box.arrows, *stage.arrows] if stage is not None and box.state.kind in _RESTS else box.arrows


def _follow(draft: Draft, arrows: list[Arrow], found: list[Box]) -> None:
    for arrow in arrows:
        target = draft.box_of(arrow.target)
        if target is not None and target not in found:
            found.append(target)


def check_chart(draft: Draft) -> Iterator[JourneyError]:
    """Every problem that the boxes have together. Only for a draft whose arrows were all understood."""
    reached = reachable(draft)
    names = {box.name for box in reached}
    ends = any(box.state.kind in ENDS for box in reached)
    for box in draft.boxes.values():
        if box.own and box.name not in names and (ends or box.state.kind not in ENDS):  # without any, J121 says so
            led = any(box.name in _targets(draft, other) for other in draft.boxes.values() if other is not box)
            text = f"no way from the first box leads to `{box.name}`" if led else f"nothing leads to `{box.name}`"
            yield problem("J120", text, box.place, help="draw an arrow to it, or delete it")
    yield from _traps(draft, reached)
    yield from _spins(draft, reached)


def _traps(draft: Draft, reached: list[Box]) -> Iterator[JourneyError]:
    leads = {box.name for box in reached if box.state.kind in ENDS}
    if not leads:
        hint = "add an end, `lapsed = Final()`, and an arrow to it"
        yield problem("J121", "this journey never ends: no arrow leads to a Goal or Final", draft.place, help=hint)
        return
    onward = {box.name: _targets(draft, box) for box in reached}
    grew = True
    while grew:
        more = {name for name, targets in onward.items() if name not in leads and targets & leads}
        leads |= more
        grew = bool(more)
    trapped = [box for box in reached if box.name not in leads]
    if trapped:
        others = ", ".join(f"`{box.name}`" for box in trapped[1:])
        notes = [f"the same holds for {others}"] if others else []
        text = f"who comes to `{trapped[0].name}` never gets out: no end can be reached"
        yield problem("J121", text, trapped[0].place, notes=notes, help="draw an arrow that leads to a Goal or Final")


def _targets(draft: Draft, box: Box) -> set[str]:
    arrows = [*_own(draft, box), *(draft.anywhere if box.state.kind in _RESTS else ())]
    found = (draft.box_of(arrow.target) for arrow in arrows)
    return {target.name for target in found if target is not None}


def _spins(draft: Draft, reached: list[Box]) -> Iterator[JourneyError]:
    """Loops of arrows that are taken at once, as often as they like."""
    quick: dict[str, dict[str, Arrow]] = {}
    for box in reached:
        quick[box.name] = {}
        around = [arrow for arrow in (*_own(draft, box), *draft.anywhere) if _comes_of_it(box, arrow)]
        for arrow in (*(arrow for arrow in box.arrows if _at_once(arrow)), *around):
            target = draft.box_of(arrow.target)
            if target is not None and not _counted(arrow, box, target):
                quick[box.name].setdefault(target.name, arrow)
    done: set[str] = set()
    for box in reached:
        loop = _loop(quick, box.name)
        if loop and not done & set(loop):
            done.update(loop)
            path = " → ".join(f"`{name}`" for name in (*loop, loop[0]))
            arrows = [quick[one][other] for one, other in zip(loop, (*loop[1:], loop[0]), strict=True)]
            text, hint = "this loop has neither a wait nor a bound", "`.up_to(3)`"
            if any(isinstance(a.trigger, Answered) and a.trigger.name in _UNREACHED for a in arrows):
                text, hint = "who can't be reached is called for ever", "`.up_to(3, every=hours(20))`"
            elif all(_at_once(a) for a in arrows):  # none of these takes a bound
                hint = f"`when(self.{loop[0]}.visits < 3)`"
            way = f"let a box wait (`after(days=…)`), or bound an arrow: {hint}"
            yield problem("J123", f"{text}: {path}", arrows[-1].place, help=way)


def _at_once(arrow: Arrow) -> bool:
    on = arrow.trigger
    if isinstance(on, Limited) and on.limit is not None:
        return False
    if isinstance(on, Until):  # on a date that is past, or not known, there is nothing to wait for
        return now in (on.past, on.missing)
    return isinstance(on, Then | When | Otherwise | Share | Learned | NoDate)


def _comes_of_it(box: Box, arrow: Arrow) -> bool:
    """Whether it is taken as often as the box sends, by what no customer does: it went out, it came back, nobody answers."""
    on = arrow.trigger
    if not isinstance(on, Answered) or on.is_late or on.limit is not None:
        return False
    channel, _, name = on.name.partition(".")
    return channel in box.state.channels and (name in _BY_ITSELF or on.name in _UNREACHED)


def _counted(arrow: Arrow, box: Box, target: Box) -> bool:
    """Whether its condition bounds how often one of its two boxes is entered: `.when(self.call.visits < 3)`."""
    guard = arrow.trigger.guard if isinstance(arrow.trigger, Conditional | When) else None
    parts = guard.parts if isinstance(guard, And) else (guard,)
    for part in parts:
        if isinstance(part, IsIn) or (isinstance(part, Compare) and part.op in ("lt", "le", "eq")):
            bounds = part.values if isinstance(part, IsIn) else (part.right,)
            constant = all(map(_is_few, bounds))
            left = part.left
            names = (f"visits.{box.name}", f"visits.{target.name}")
            if constant and isinstance(left, Field) and left.source == "journey" and left.name in names:
                return True
    return False


def _is_few(bound: Expression) -> bool:
    return isinstance(bound, Constant) and isinstance(bound.literal, int | float) and bound.literal <= _MANY


def _loop(quick: Mapping[str, Mapping[str, Arrow]], start: str) -> list[str]:
    """The shortest way from a box back to it, or nothing."""
    ways: list[list[str]] = [[start]]
    seen: set[str] = set()
    for way in ways:
        for name in quick[way[-1]]:
            if name == start:
                return way
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []
