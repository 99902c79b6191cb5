"""The journey: the class that authors derive from, with its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from dsl.clocks import yes
from dsl.entry import Percent, never, record, reject
from dsl.place import Place
from dsl.states import State
from dsl.triggers import made

if TYPE_CHECKING:
    from dsl.entry import Active, Always, Api, Audience, Late, Never
    from dsl.fact_kinds import Number, Text
    from dsl.ir import Clock
    from dsl.states import Purpose
    from dsl.triggers import Happened, Within
    from dsl.waits import After

__all__ = ["SETTINGS", "Clash", "Declared", "Journey", "Unknown", "UnknownStateError"]

SETTINGS = (
    "enters", "again", "while_active", "purpose", "goal", "holdout", "parallel", "quiet_hours", "zone", "late_answers",
)  # fmt: skip
"""What an author may set on a journey; none of these can name a box."""


class UnknownStateError(AttributeError):
    """A body named a state that its journey doesn't have."""


class Unknown(State):
    """Stands in for a state that isn't there while a body runs, so that the rest of the body is read all the same."""

    __slots__ = ()

    def __init__(self, name: str, place: Place) -> None:
        super().__init__("final", place=place)
        self.name = name

    def _refuse(self, *_given: object, **_named: object) -> NoReturn:
        raise UnknownStateError(f"there is no `{self.name}`", name=self.name)

    __call__ = __iter__ = __bool__ = _refuse  # pyright: ignore[reportAssignmentType]  # it is none of these


@dataclass(frozen=True, slots=True)
class Clash:
    """A name that stood for a box and was given a second meaning in the same class."""

    name: str
    first: object
    second: object


@dataclass(frozen=True, slots=True)
class Declared:
    """What a class statement said of its journey, beside its settings, and where it stands."""

    name: str = ""
    abstract: bool = False
    place: Place | None = None


class _Names(dict[str, Any]):
    """The names of a class statement while it runs; Python lets a second `def call` replace the first silently."""

    def __setitem__(self, name: str, value: Any) -> None:
        before = self.get(name)
        if before is not None and (isinstance(before, State) or isinstance(value, State)) and name != "__clashes__":
            self.setdefault("__clashes__", []).append(Clash(name, before, value))
        super().__setitem__(name, value)


class _JourneyType(type):
    @classmethod
    def __prepare__(cls, _name: str, _bases: tuple[type, ...], /, **_keywords: object) -> _Names:
        return _Names()


class Journey(metaclass=_JourneyType):
    """A customer journey: boxes with their arrows inside.

    The first box is the start. In a box the first arrow that matches wins. `class Base(Journey, abstract=True)` is one
    to derive from, not to run. A journey's stable name is the class's in snake_case, or what `name=` says: a function
    that makes journeys needs it.
    """

    enters: ClassVar[Audience | Happened | Api]
    """How customers come in: an audience, an event, or a call of the API."""
    again: ClassVar[Never | Always | After] = never
    """May a customer come again after her enrolment ended?"""
    purpose: ClassVar[Purpose | None] = None
    """What its messages are for; required where it sends any."""
    goal: ClassVar[Within | None] = None
    """What the journey is for: `Shop.purchased.within(days=30)`. It is measured; it moves nobody."""
    holdout: ClassVar[Percent] = Percent(0)
    """How many walk the chart without being sent anything, so that the difference can be measured."""
    parallel: ClassVar[Text | Number | None] = None
    """A field of the entry event whose values run side by side: `parallel = Purchase.order_id`."""
    while_active: ClassVar[Active] = reject
    """What becomes of a second entry while a customer is in the journey: `reject`, `restart` or `queue`."""
    quiet_hours: ClassVar[Clock | None] = None
    """When marketing boxes don't send, by the customer's clock: `quiet_hours = between("21:00", "08:00")`."""
    zone: ClassVar[str | None] = None
    """The time zone of customers of whom none is known, as IANA names it; without it the project's."""
    late_answers: ClassVar[Late] = record
    """Whether a row is kept of answers that move nobody: `record` or `ignore`."""

    __journey__: ClassVar[Declared] = Declared(abstract=True)

    def __init_subclass__(cls, *, name: str = "", abstract: bool = False) -> None:
        super().__init_subclass__()
        yes("abstract", abstract)
        cls.__journey__ = Declared(name, abstract, Place.caller())

    if not TYPE_CHECKING:  # else every misspelt name would be fine with the type checker

        def __getattr__(self, name: str) -> Unknown:
            if name.startswith("_") or made.get() is None:
                raise UnknownStateError(f"there is no state `{name}` in {type(self).__name__}", name=name, obj=self)
            return Unknown(name, Place.caller())
