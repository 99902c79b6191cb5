"""What the stepper is told, and what it asks for: its events and its effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "Acted",
    "Answered",
    "Decide",
    "Decided",
    "Due",
    "Effect",
    "End",
    "Event",
    "Late",
    "Measure",
    "Postponed",
    "Row",
    "Send",
    "Stopped",
]

# --- what the stepper is told -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answered:
    """An event arrived: number `seq` (unique), event time `at`, the answers of `ir.listens` that it matches.

    `visit` is the visit whose message it answers; None for business events.
    """

    seq: int
    at: int
    listens: tuple[int, ...]
    visit: int | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """The deadline has passed (and its grace)."""


@dataclass(frozen=True, slots=True)
class Acted:
    """The send is done, or was refused (`sent` False); `waits` are measured waits, as (arrow, when it is over).

    `reasons` say why it was refused: one for each of the box's channels, in their order, or one that is everybody's.
    """

    sent: bool = True
    waits: tuple[tuple[int, int], ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """The guards that `Decide` asked for, in its order."""

    results: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Postponed:
    """The provider can't take the send now: another try in `seconds`, or later, if this is not the first.

    `held`: it is not the provider who says so but the clock (quiet hours); the try comes exactly then.
    """

    seconds: float
    held: bool = False


@dataclass(frozen=True, slots=True)
class Stopped:
    """The enrolment was ended from outside; whoever did that has written it down."""


Event = Answered | Due | Acted | Decided | Postponed | Stopped


# --- what the stepper asks for ----------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A step to be recorded: box `state` was entered as step number `seq`."""

    seq: int
    state: int
    cause: str
    event_seq: int | None
    at: int
    arrow: int = -1
    """The arrow that was taken; -1: none, she entered the journey or goes on after a rest. It isn't recorded."""


@dataclass(frozen=True, slots=True)
class Send:
    """Perform the box's action, and measure the waits of `arrows`; answer with `Acted`."""

    state: int
    visit: int
    arrows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Measure:
    """Measure the waits of `arrows` for this customer, or measure them anew; answer with `Acted`."""

    state: int
    arrows: tuple[int, ...]
    since: int = 0
    """From when the waits run."""


@dataclass(frozen=True, slots=True)
class Decide:
    """Evaluate the guards of `arrows` on fresh data; answer with `Decided`."""

    state: int
    visit: int
    arrows: tuple[int, ...]


class Late(NamedTuple):
    """An answer that moved nobody, to be recorded with the reason."""

    event_seq: int
    state: int
    reason: str


@dataclass(frozen=True, slots=True)
class End:
    """The enrolment has ended in `state`."""

    state: int


Effect = Row | Send | Measure | Decide | Late | End
