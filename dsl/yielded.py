"""Yielded: what a body gives, each with its place, and what is wrong with what is no arrow or was made for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, cast

from dsl.journey import Unknown
from dsl.place import Place
from dsl.pointing import problem
from dsl.problems import JourneyError
from dsl.running import EndlessError
from dsl.states import State
from dsl.triggers import Arrow, Trigger, forever

__all__ = ["arrows_in", "dropped", "items", "no_arrow"]

_MANY = 1000
"""More arrows than any box has: a body that goes on so will never end."""


def dropped(drawn: list[Arrow], yielded: Iterable[Arrow]) -> Iterator[JourneyError]:
    """The arrows that were made, and not yielded."""
    kept = {id(arrow) for arrow in yielded}
    for arrow in drawn:
        if id(arrow) not in kept:
            text = "this arrow is made but not yielded, so nobody would ever take it"
            yield problem("J105", text, arrow.place, help="write `yield` in front of it")


def items(given: object) -> Iterator[tuple[object, Place | None]]:
    """What a body gave, each with its place; a body that gives nothing back has just forgotten to yield."""
    if given is None:
        return
    if not isinstance(given, Iterator):
        if isinstance(given, CoroutineType):
            cast("CoroutineType[Any, Any, Any]", given).close()  # else Python complains that nobody awaits it
        yield given, None
        return
    for count, item in enumerate(cast("Iterator[object]", given)):
        if count >= _MANY:
            raise EndlessError
        yield item, _yielding(cast("object", given))


def arrows_in(item: object) -> list[Arrow]:
    """The arrows of a list that holds nothing else: given as such, they are no arrows of the body, and not forgotten either."""
    given = cast("Sequence[object]", item) if isinstance(item, list | tuple) else ()
    arrows = [each for each in given if isinstance(each, Arrow)]
    return arrows if len(arrows) == len(given) else []


def _yielding(body: object) -> Place | None:
    """Where a generator stands, in the innermost of those that it yields from."""
    place = None
    while isinstance(body, GeneratorType):
        frame = body.gi_frame
        place = Place.of(frame) if frame is not None else place
        body = cast("GeneratorType[Any, Any, Any]", body).gi_yieldfrom
    return place


def no_arrow(item: object, place: Place) -> JourneyError:
    what = "`forever`" if item is forever else _shown(item)
    match item:
        case Unknown():
            hint = "write a trigger in front of it: `yield then >> self.…`"
        case State():
            hint = f"write a trigger in front of it: `yield then >> self.{item.name}`"
        case GeneratorType():
            hint = "to pass on the arrows of a method, write `yield from`"
        case Arrow():
            hint = "`forever` stands in a box that waits"
        case AsyncGeneratorType() | CoroutineType():
            hint = "write `def` in place of `async def`"
        case list() | tuple():
            hint = "yield the arrows one by one, each with its own `yield`; or all that are in it: `yield from`"
        case _:
            hint = "an arrow is a trigger, `>>`, and a box: `yield after(days=3) >> self.call`"
    return problem("J104", f"this is no arrow, but {what}", place, help=hint)


def _shown(item: object) -> str:
    """A value in a few words; a generator's address would be another one each time."""
    if isinstance(item, GeneratorType):
        return "the arrows of a method"
    if isinstance(item, AsyncGeneratorType | CoroutineType):
        return "what an `async def` gives"
    if isinstance(item, State):
        return f"the box `{item.name}`"
    if isinstance(item, Trigger):
        return "a trigger alone"
    if arrows_in(item):
        return f"a {type(item).__name__} of arrows"
    return f"{type(item).__name__} `{item!r}`" if item is not None else "None"
