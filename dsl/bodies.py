"""Reading a journey class: its states by name, and the arrows that each body yields. Every body runs once, here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Literal, cast

from dsl.broken import said_of, way_out
from dsl.journey import Clash, Journey, Unknown, UnknownStateError
from dsl.knobs import Knob
from dsl.place import Place
from dsl.pointing import problem
from dsl.problems import JourneyError, LanguageError, meant
from dsl.running import ENDS, EndlessError, Running
from dsl.source import def_place, line_of, name_in_class, raised_at, raised_by_us
from dsl.states import Anywhere, Stage, State
from dsl.triggers import Arrow, NoDate, forever, made
from dsl.waits import Until
from dsl.yielded import arrows_in, dropped, items, no_arrow

if TYPE_CHECKING:
    from dsl.triggers import Arrows

__all__ = ["Box", "Draft", "Group", "read", "unknown"]

_SECONDS = 10.0
"""That all bodies of a journey may take together; they take some thousandths."""
_ALONE = (
    "a body takes `self` and nothing else: what it needs besides is an attribute of the class, or `yield from` a method"
)


@dataclass(slots=True)
class Box:
    """A state of this journey, with what its body yielded."""

    name: str
    state: State
    place: Place
    own: bool
    """Written in this class, not inherited."""
    arrows: list[Arrow] = field(default_factory=list[Arrow])
    ignored: list[Arrow] = field(default_factory=list[Arrow])
    """What it says that it ignores: these lead nowhere."""
    forever: Place | None = None
    """Where it says that it may wait without an end."""
    sound: bool = True
    """False where its body could not be read: then arrows may be missing."""


@dataclass(slots=True)
class Group:
    """A stage of this journey, with what its body yielded."""

    name: str
    stage: Stage
    place: Place
    arrows: list[Arrow] = field(default_factory=list[Arrow])
    ignored: list[Arrow] = field(default_factory=list[Arrow])


@dataclass(slots=True)
class Draft:
    """A journey class as it was read; `sound` if every body could be."""

    journey: type[Journey]
    boxes: dict[str, Box]
    anywhere: list[Arrow]
    problems: list[JourneyError]
    stages: dict[str, Group] = field(default_factory=dict[str, "Group"])
    knobs: dict[str, Knob[Any]] = field(default_factory=dict[str, "Knob[Any]"])
    ignored: list[Arrow] = field(default_factory=list[Arrow])
    """What @Anywhere says that it ignores."""
    sound: bool = True

    @property
    def place(self) -> Place:
        """The journey's name in its class statement."""
        at = self.journey.__journey__.place
        return name_in_class(at, self.journey.__name__) if at is not None else Place("", 0)

    @property
    def channels(self) -> set[str]:
        """By which its boxes send."""
        return {channel for box in self.boxes.values() for channel in box.state.channels}

    @property
    def doubled(self) -> bool:
        """Whether a box lost its name to something else (J108): what it said isn't known."""
        return any(each.code == "J108" for each in self.problems)

    def setting(self, name: str) -> Place:
        """Where a setting is assigned, else the journey's name."""
        for cls in self.journey.__mro__:
            if name in vars(cls) and issubclass(cls, Journey) and cls.__journey__.place is not None:
                return name_in_class(cls.__journey__.place, cls.__name__, name)
        return self.place

    def box_of(self, state: object) -> Box | None:
        """The box that an arrow leads to; None where it is none of this journey's."""
        return next((box for box in self.boxes.values() if box.state is state), None)


def read(journey: type[Journey]) -> Draft:
    """Collect the states of a journey and of those it derives from, and run their bodies."""
    draft = Draft(journey, {}, [], [])
    anywhere: list[Anywhere] = []
    for name, value in _members(journey, draft).items():
        if isinstance(value, State):
            twin = draft.box_of(value)
            if twin is None:
                draft.boxes[name] = Box(name, value, _place(value, name), name in vars(journey))
            else:
                text = f"`{name}` and `{twin.name}` are one box under two names"
                draft.problems.append(problem("J108", text, draft.setting(name), help="keep one of the names"))
        elif isinstance(value, Anywhere):
            anywhere.append(value)
        elif isinstance(value, Stage):
            draft.stages[name] = Group(name, value, _place(value, name))
        elif isinstance(value, Knob):
            draft.knobs[name] = cast("Knob[Any]", value)
    with closing(Running(_SECONDS)) as running:
        _run_all(draft, anywhere, running)
    return draft


def _run_all(draft: Draft, anywhere: list[Anywhere], running: Running) -> None:
    """Run the bodies on a journey of the author's class."""
    try:
        with running:
            self = draft.journey()
    except (Exception, *ENDS) as error:  # noqa: BLE001  # an author's own __init__ may raise anything
        draft.problems.append(_raised(error, draft, draft.place, "a journey is made without arguments"))
        draft.sound = False
        for box in draft.boxes.values():
            box.sound = False
        return
    runner = _Runner(draft, self, running)
    for box in draft.boxes.values():
        if box.state.body is not None:
            runner.run(box.state.body, box, (box.arrows, box.ignored))
    for group in draft.stages.values():
        if group.stage.body is not None:
            runner.run(group.stage.body, None, (group.arrows, group.ignored))
    for exits in anywhere:
        if exits.body is not None:
            runner.run(exits.body, None, (draft.anywhere, draft.ignored))
    for box in draft.boxes.values():
        box.arrows += [way for arrow in box.arrows for way in _ways_out(arrow)]


def _members(journey: type[Journey], draft: Draft) -> dict[str, object]:
    """What the class and its bases hold, bases first; an heir's `call` stands in the place of the base's."""
    members: dict[str, object] = {}
    for cls in reversed(journey.__mro__):
        if cls in (object, Journey):
            continue
        for name, value in vars(cls).items():
            before = members.get(name)
            if isinstance(before, State | Anywhere | Stage) and not isinstance(value, State | Anywhere | Stage):
                text = f"`{name}` is a box in the journey that this one derives from, and something else here"
                draft.problems.append(problem("J108", text, draft.setting(name), help="give one of them another name"))
            members[name] = value
        for clash in cast("list[Clash]", vars(cls).get("__clashes__", [])):
            second, first = _place(clash.second, clash.name), _place(clash.first, clash.name)
            at = second if second.line else draft.setting(clash.name)
            note = f"`{clash.name}` stands in line {first.line} already" if first.line else ""
            draft.problems.append(
                problem(
                    "J108",
                    f"two things of the name `{clash.name}`",
                    at,
                    label="the second takes the first one's place",
                    notes=[note] if note else [],
                    help="give one of them another name",
                )
            )
    return members


def _place(value: object, name: str) -> Place:
    """Where a state was written: the name in its `def` line, or the call that made it."""
    if isinstance(value, FunctionType):
        return def_place(value.__code__)
    if not isinstance(value, State | Stage):
        return Place("", 0)
    code: CodeType | None = getattr(value.body, "__code__", None)
    if code is not None and code.co_name == name:
        return def_place(code)
    text = line_of(value.place)
    indent = len(text) - len(text.lstrip())
    if text[indent:].startswith(name):  # `won = Goal()`
        return Place(value.place.file, value.place.line, indent, indent + len(name))
    return value.place


@dataclass(frozen=True, slots=True)
class _Runner:
    """Runs the bodies of a draft, each once, on one journey of the author's class."""

    draft: Draft
    journey: Journey
    running: Running

    def run(self, body: Callable[[Any], Arrows], box: Box | None, into: tuple[list[Arrow], list[Arrow]]) -> None:
        """Run one body, keep what it yields (arrows, and what is ignored), and note what is wrong with it."""
        found, ignored = into
        code: CodeType | None = getattr(body, "__code__", None)
        at = def_place(code) if code is not None else box.place if box is not None else self.draft.place
        where = at
        problems: list[JourneyError] = []
        drawn: list[Arrow] = []
        listed: list[Arrow] = []
        token = made.set(drawn)
        try:
            with self.running:
                for item, place in items(cast("object", body(self.journey))):
                    where = place or at
                    if item is forever and box is not None:
                        box.forever = where
                    elif isinstance(item, Arrow) and item.target is not None:
                        found.append(item)
                    elif isinstance(item, Arrow) and item is not forever:
                        ignored.append(item)
                    else:
                        problems.append(no_arrow(item, where))
                        listed += arrows_in(item)
        except (Exception, *ENDS) as error:  # noqa: BLE001  # an author's body may raise anything
            problems.append(_raised(error, self.draft, where, _ALONE))
            drawn.clear()
            if isinstance(error, EndlessError):
                found.clear()
        finally:
            made.reset(token)
        problems += dropped(drawn, (*found, *ignored, *listed))
        if not problems and not found and not ignored and (box is None or box.forever is None):
            text = f"the body of `{code.co_name if code is not None else 'this box'}` yields no arrow"
            hint = "a body yields its arrows: `yield then >> self.next_box`; with a method of yours, `yield from`"
            problems.append(problem("J103", text, at, help=hint))
        self.draft.problems += problems
        self.draft.sound = self.draft.sound and not problems
        if box is not None:
            box.sound = not problems


def _ways_out(arrow: Arrow) -> Iterator[Arrow]:
    """Of a wait for a date: the arrows to the boxes that it names for a date which is past or missing."""
    on = arrow.trigger
    if isinstance(on, Until):
        rules: tuple[tuple[Literal["past", "missing"], object], ...] = (("past", on.past), ("missing", on.missing))
        for why, rule in rules:
            if isinstance(rule, State):
                yield Arrow(NoDate(on, why), rule, arrow.place)


def _raised(error: BaseException, draft: Draft, at: Place, uncalled: str) -> JourneyError:
    """An exception out of a body, in the place in the author's file where it came from.

    `uncalled` is the way out where it could not even be called.
    """
    within = raised_at(error.__traceback__)
    place = within or at
    if isinstance(error, LanguageError):
        return problem(error.code, str(error), place, help=error.help)
    if isinstance(error, UnknownStateError):
        names = [*draft.boxes, *(name for name in dir(draft.journey) if not name.startswith("_"))]
        return problem("J101", str(error), place, help=meant(error.name or "", dict.fromkeys(names)))
    if raised_by_us(error):
        return problem("J150", str(error), place)
    way = uncalled if within is None and isinstance(error, TypeError) else ""
    return problem("J102", said_of(error), place, help=way_out(error) or way)


def unknown(draft: Draft, state: Unknown) -> JourneyError:
    """An arrow leads to a state that the journey doesn't have."""
    text = f"there is no state `{state.name}` in {draft.journey.__name__}"
    return problem("J101", text, state.place, help=meant(state.name, draft.boxes))
