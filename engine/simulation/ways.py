"""Ways: where a virtual customer may stand, and how she may go on from there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dsl.step import ENDED, Decide, Effect, Measure, Send, Snapshot

__all__ = [
    "DECIDES",
    "ENDS",
    "MEASURES",
    "SENDS",
    "WAITS",
    "Edge",
    "Node",
    "Token",
    "asked_of",
    "made_of",
]

WAITS: Final = 0
SENDS: Final = 1
MEASURES: Final = 2
DECIDES: Final = 3
ENDS: Final = 4

NEVER: Final = float("inf")

Token = Any
"""What happened, as a key: True or False (sent or not), results, (sent, waits), "due", (listens, visits ago)."""


class Node:
    """Where a customer may stand, and what is known of how she goes on."""

    __slots__ = ("arrows", "edges", "key", "kind", "listens", "now", "since", "snapshot", "state", "visit", "wait")

    def __init__(
        self,
        kind: int,
        snapshot: Snapshot,
        now: int,
        visit: int,
        asked: Send | Measure | Decide | None,
        listens: tuple[int, ...],
        key: object,
    ) -> None:
        self.kind = kind
        self.state = snapshot.state
        self.visit = visit
        """The number of the step by which she came to the box: the visit that answers to its message belong to."""
        self.snapshot = snapshot
        self.now = now
        self.wait: float = NEVER if snapshot.deadline is None else snapshot.deadline - now
        """Milliseconds until the deadline, from when she came to stand here."""
        self.arrows: tuple[int, ...] = () if asked is None else asked.arrows
        """Whose guards or waits are asked for."""
        self.since = asked.since - now if isinstance(asked, Measure) else 0
        """From when measured waits run: milliseconds from when she came to stand here."""
        self.listens = listens
        """Of the answer that a decision is about."""
        self.key = key
        self.edges: dict[Token, Edge] = {}


class Edge:
    """From one node to another: the arrows that were taken, the boxes entered; counts of a run."""

    __slots__ = ("arrows", "entered", "source", "spent", "stays", "taken", "target")

    def __init__(self, source: int, target: Node, arrows: tuple[int, ...], entered: tuple[int, ...]) -> None:
        self.source = source
        """The box that she was in, or -1."""
        self.target = target
        self.arrows = arrows
        self.entered = entered
        self.stays = False
        """Nothing came of it: she stands where she stood."""
        self.taken = 0
        self.spent = 0
        """Milliseconds that were spent in the box before, by all who went this way."""


def asked_of(effects: Sequence[Effect]) -> Send | Measure | Decide | None:
    """What the stepper asks for, if anything: it asks for one thing at a time."""
    for effect in effects:
        if isinstance(effect, _ASKS):
            return effect
    return None


_ASKS: Final = (Send, Measure, Decide)
_KINDS: Final[dict[type, int]] = {Send: SENDS, Measure: MEASURES, Decide: DECIDES}


def made_of(
    snapshot: Snapshot,
    now: int,
    asked: Send | Measure | Decide | None,
    visit: int,
    listens: tuple[int, ...],
    key: object,
) -> Node:
    kind = ENDS if snapshot.phase == ENDED else WAITS if asked is None else _KINDS[type(asked)]
    return Node(kind, snapshot, now, visit, asked, listens, key)
