"""The drawing graph of a journey: boxes with their sizes, merged arrows, frames around stages, and captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dsl.draw.typeface import width

__all__ = [
    "ANYWHERE",
    "FROM_WITHIN",
    "GAP",
    "LABEL",
    "LINE",
    "SIGN",
    "SIGNS",
    "START",
    "SUBTITLE",
    "TITLE",
    "Box",
    "Caption",
    "Edge",
    "Frame",
    "Graph",
    "Mark",
    "Words",
    "size_of",
]

TITLE, SUBTITLE, LABEL = 15.0, 12.0, 12.5
"""Font sizes in pixels: a box's name, what stands below it, and an arrow's words."""
LINE = 15.5
"""The height of a line of an arrow's words, or of what stands below a box's name."""
SIGN = 17.0
"""The room of a small sign before a line of words."""
GAP = 6.0
"""The room between words and their number."""
START, ANYWHERE = "start", "anywhere"
"""Kinds of the boxes that are no states: where all come in, and where an arrow from anywhere comes from."""

FROM_WITHIN = "from anywhere within:"
"""What stands after a stage's name, before its own arrows."""

Mark = Literal["", "added", "removed", "changed"]
"""What became of a thing, in the picture of a difference."""
SIGNS: dict[Mark, str] = {"added": "+", "removed": "−", "changed": "~"}
"""What stands for a mark where colours can't be told apart."""


@dataclass(frozen=True, slots=True)
class Words:
    """A line of words, with a sign before it (a channel's, a knob's) and the mark of a difference."""

    text: str
    sign: str = ""
    mark: Mark = ""
    follows: bool = False
    """It goes on where the line above ended."""
    number: str = ""
    """How many, behind the words and plainer to see than they are."""
    room: float = 0.0
    """What is kept free behind it, for a number that is counted later."""

    @property
    def before(self) -> str:
        """The mark's own sign, which stands before the words."""
        return f"{SIGNS[self.mark]} " if self.mark and not self.follows else ""

    def width(self, size: float) -> float:
        """How wide it is in pixels, at a font size in pixels."""
        number = (GAP if self.text else 0) + width(self.number, size, bold=True) if self.number else 0
        return self.text_width(size) + number + self.room

    def text_width(self, size: float) -> float:
        """The same without the number."""
        return width(self.before + self.text, size) + (SIGN if self.sign else 0)


@dataclass(frozen=True, slots=True)
class Box:
    """A box. `id` is unique in the drawing; `state` is the journey's state, which an end may share with other boxes."""

    id: str
    kind: str
    title: str
    rows: tuple[Words, ...]
    """What stands below the name: templates, hours, offers."""
    width: float
    height: float
    tip: str
    state: str = ""
    stage: str = ""
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """All arrows from one box to another, merged: their words stacked, dashed if only time moves a customer here."""

    id: str
    source: str
    target: str
    words: tuple[Words, ...]
    tip: str
    dashed: bool = False
    main: bool = False
    """On the way that most customers are meant to take: drawn straight where it can be."""
    mark: Mark = ""
    arrows: tuple[int, ...] = ()
    """The journey's arrows that it is, by their numbers."""
    weight: float | None = None
    """The share of all customers who go this way, for its thickness."""

    @property
    def size(self) -> tuple[float, float]:
        """How much room the words take."""
        return size_of(self.words)


@dataclass(frozen=True, slots=True)
class Caption:
    """A line at the top: what it is about, and what it says. `state` is where an arrow from anywhere leads.

    `arrow` is that arrow's number, `tip` what is told of it.
    """

    about: str
    text: str
    state: str = ""
    sign: str = ""
    mark: Mark = ""
    arrow: int = -1
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """A stage: a frame around its boxes, with its name and its own arrows at the top."""

    id: str
    stage: str
    title: str
    words: tuple[Words, ...]
    """Its arrows, a line or two for each; `states` are where they lead, `arrows` their numbers."""
    states: tuple[str, ...]
    arrows: tuple[int, ...]
    tip: str
    mark: Mark = ""

    @property
    def size(self) -> tuple[float, float]:
        """How much room its name and its arrows take."""
        wide, high = size_of(self.words)
        first = width(self.title, TITLE, bold=True) + (6 + width(FROM_WITHIN, LABEL) if self.words else 0)
        return (max(first, wide) + 4, high + LINE + 5)


@dataclass(frozen=True, slots=True)
class Graph:
    """What is drawn. Boxes stand in the journey's order, each end after its source."""

    title: str
    hash: str
    doc: str
    captions: tuple[Caption, ...]
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    frames: tuple[Frame, ...] = ()


def size_of(words: Sequence[Words]) -> tuple[float, float]:
    """How much room an arrow's words take."""
    if not words:
        return (0.0, 0.0)
    return (max(each.width(LABEL) for each in words) + 6, LINE * len(words))
