"""States: the boxes of a journey, each a decorated method whose body yields its arrows; its ends, and what stands around them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from dsl import ir
from dsl.expression import Field
from dsl.fact_kinds import Number
from dsl.in_words import in_words
from dsl.place import Place
from dsl.predicate import Predicate
from dsl.problems import LanguageError
from dsl.triggers import Arrow, Within

if TYPE_CHECKING:
    from dsl.ir import StateKind
    from dsl.triggers import Arrows

__all__ = ["Anywhere", "Body", "Box", "Choice", "Final", "Goal", "Purpose", "Split", "Stage", "State", "Wait"]

_PLAIN = "a body is a plain method: `def hello(self) -> Arrows:`"

Purpose = Literal["marketing", "transactional"]
Body = Callable[[Any], "Arrows"]


class State:
    """A box or an end, as authors name it: `self.call` in a body, `WinBack.call` in a test. The same object in both."""

    __slots__ = (
        "also",
        "body",
        "doc",
        "hours",
        "kind",
        "name",
        "offers",
        "place",
        "priority",
        "purpose",
        "queue",
        "skills",
        "stage",
        "template",
        "was",
    )

    def __init__(
        self,
        kind: StateKind,
        body: Body | None = None,
        *,
        template: str | None = None,
        queue: str | None = None,
        skills: tuple[str, ...] = (),
        priority: int | None = None,
        purpose: Purpose | None = None,
        also: tuple[ir.Action, ...] = (),
        stage: Stage | None = None,
        hours: ir.Clock | None = None,
        offers: int = 0,
        was: str | None = None,
        doc: str = "",
        place: Place,
    ) -> None:
        self.kind: StateKind = kind
        self.body = body
        self.template = template
        self.queue = queue
        self.skills = skills
        self.priority = priority
        self.purpose: Purpose | None = purpose
        self.also = also
        self.stage = stage
        self.hours = hours
        self.offers = offers
        self.was = was
        self.doc = doc
        self.place = place
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    @property
    def visits(self) -> Number:
        """How often she has entered this box, this time included: `yield when(self.reminder.visits >= 3) >> self.call`."""
        return Number(Field("journey", f"visits.{self.name}", "number"))

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels by which it sends."""
        return (self.kind, *(action.kind for action in self.also)) if self.kind in ir.CHANNELS else ()

    def arrows(self, journey: Any) -> Arrows:
        """The arrows of this box, for one that replaces it in an heir: `yield from Base.call.arrows(self)`."""
        return self.body(journey) if self.body is not None else iter(())

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"

    if not TYPE_CHECKING:  # a type checker shall refuse what these two explain

        def __rrshift__(self, left: object) -> None:
            said, hint = _shown(left)
            raise LanguageError(f"`>>` stands between a trigger and a box, but on its left is {said}", hint)

        def __rshift__(self, right: object) -> None:
            self.__rrshift__(self)


def _shown(left: object) -> tuple[str, str]:
    """What stands left of `>>`, in the author's words, and the way out."""
    hint = "`>>` binds tighter than `&`, `|` and comparisons: write `Email.clicked.when(condition) >> self.box`"
    if isinstance(left, Predicate):
        return f"the condition ({left.sentence()})", hint
    if isinstance(left, Within):
        return (
            "`.within(…)`",
            "`.within(…)` is for the journey's goal; in a box, a time-out is an arrow of its own: `after(days=3)`",
        )
    if callable(left) and not isinstance(left, type):
        name = getattr(left, "__name__", "this")
        return f"`{name}`, which isn't called", f"write its brackets: `{name}(…)`"
    return "an arrow: it leads to one box only" if isinstance(left, Arrow) else repr(left), hint


class Goal(State):
    """An end where the journey has reached what it is for. `doc` is for readers, `was` a name that it had before."""

    __slots__ = ()

    def __init__(self, doc: str = "", *, was: str | None = None) -> None:
        super().__init__("goal", was=_was(was), doc=_doc(doc), place=Place.caller())


class Final(State):
    """Any other end; its name is the reason. `doc` is for readers, `was` a name that it had before."""

    __slots__ = ()

    def __init__(self, doc: str = "", *, was: str | None = None) -> None:
        super().__init__("final", was=_was(was), doc=_doc(doc), place=Place.caller())


class Stage:
    """`@Stage()`: several boxes with arrows of their own, which are fired from any box within, also in mid-wait.

    A box says in which stage it is: `@Email("…", stage=contact)`. A time-out (`after(days=30)`) runs from when the stage was
    entered, whatever boxes she goes through. A box's own arrows come first, then its stage's, then those of @Anywhere.
    """

    def __init__(self, *, was: str | None = None) -> None:
        self.place = Place.caller()
        self.body: Body | None = None
        self.name = ""
        self.doc = ""
        self.was = _was(was)

    def __call__(self, body: Body) -> Stage:
        _check_method("Stage", body)
        self.body = body
        self.doc = body.__doc__ or ""
        return self

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    def __repr__(self) -> str:
        return f"<stage {self.name}>"

    def arrows(self, journey: Any) -> Arrows:
        """Its arrows, for one that replaces it in an heir: `yield from Base.contact.arrows(self)`."""
        return self.body(journey) if self.body is not None else iter(())


# --- the decorators ---------------------------------------------------------------------------------------------------


class Box:
    """A decorator that makes a method a box of its `kind`."""

    kind: ClassVar[StateKind]
    template: str | None = None
    queue: str | None = None
    skills: tuple[str, ...] = ()
    priority: int | None = None
    purpose: Purpose | None = None
    stage: Stage | None = None
    hours: ir.Clock | None = None
    offers: int = 0
    was: str | None = None

    def __init__(self, *, stage: Stage | None = None, was: str | None = None) -> None:
        self.place = Place.caller()
        self.stage = _stage(stage)
        self.was = _was(was)

    def __call__(self, body: Body) -> State:
        if isinstance(body, State):  # authors without a type checker
            raise LanguageError(
                f"@{type(self).__name__}(…) stands above the box `{body.name or body.kind}`: only channels can be stacked",
                "a box that decides or waits is a box of its own",
            )
        _check_method(type(self).__name__, body)
        return State(
            self.kind,
            body,
            template=self.template,
            queue=self.queue,
            skills=self.skills,
            priority=self.priority,
            purpose=self.purpose,
            stage=self.stage,
            hours=self.hours,
            offers=self.offers,
            was=self.was,
            doc=body.__doc__ or "",
            place=self.place,
        )


def _check_method(word: str, body: object) -> None:
    """Refuse what is no method: authors without a type checker."""
    if isinstance(body, staticmethod | classmethod | property):
        what = f"a {type(body).__name__}"  # pyright: ignore[reportUnknownArgumentType]  # of whatever
        raise LanguageError(f"@{word}(…) stands above a method, not above {what}", _PLAIN)
    if not callable(body):
        raise LanguageError(f"@{word}(…) stands above a method, not above {in_words(body)}", _PLAIN)


def _stage(stage: object) -> Stage | None:
    if stage is not None and not isinstance(stage, Stage):
        raise LanguageError(
            f"stage= takes a stage of the journey, not {in_words(stage)}", "@Stage() above a method makes one"
        )
    return stage


def _was(was: object) -> str | None:
    if was is not None and not (isinstance(was, str) and re.fullmatch(r"[a-z][a-z0-9_]*", was)):
        raise LanguageError(f"was= takes the name that it had before, not {was!r}", 'for example was="reminder"')
    return was


def _doc(doc: object) -> str:
    if not isinstance(doc, str):
        raise LanguageError(
            f"an end takes words for its readers, not {in_words(doc)}", 'for example Goal("She bought again.")'
        )
    return doc


class Wait(Box):
    """`@Wait()`: a box that only waits."""

    kind = "wait"


class Choice(Box):
    """`@Choice()`: by what is known of the customer; arrows are `when(…)` and, last, `otherwise`."""

    kind = "choice"


class Split(Box):
    """`@Split()`: by lot; arrows are `share(…)` and add up to 100."""

    kind = "split"


class Anywhere:
    """`@Anywhere()`: arrows that hold in every box, after the box's own. An answer counts for any send of the journey."""

    def __init__(self) -> None:
        self.body: Body | None = None

    def __call__(self, body: Body) -> Anywhere:
        _check_method("Anywhere", body)
        self.body = body
        return self

    def arrows(self, journey: Any) -> Arrows:
        """Its arrows, for one that replaces it in an heir: `yield from Base.exits.arrows(self)`."""
        return self.body(journey) if self.body is not None else iter(())
