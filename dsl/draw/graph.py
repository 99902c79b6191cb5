"""The drawing graph of a journey: boxes with their sizes, merged arrows, ends drawn once per source, captions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from dsl.draw.typeface import clean, fit, width, wrap
from dsl.draw.words import again_words, arrow_words, entry_words, goal_words, spaced
from dsl.ir import CHANNELS, ENDS, IR, After, Arrow, State, Then

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ANYWHERE",
    "LABEL",
    "LINE",
    "START",
    "SUBTITLE",
    "TITLE",
    "Box",
    "Caption",
    "Edge",
    "Graph",
    "graph_of",
    "reached",
]

TITLE, SUBTITLE, LABEL = 15.0, 12.0, 12.5
"""Font sizes in pixels: a box's name, what stands below it, and an arrow's words."""
LINE = 15.5
"""The height of a line of an arrow's words."""
START, ANYWHERE = "start", "anywhere"
"""Kinds of the boxes that are no states: where all come in, and where an arrow from anywhere comes from."""

_ENTRY = "start-here"
"""The box where everyone enters; with a hyphen, so that no state has its name."""
_SIGN = 21.0
_NAME_ROOM = 210.0
_LABEL_ROOM, _LOOP_ROOM = 176.0, 128.0


@dataclass(frozen=True, slots=True)
class Box:
    """A box. `id` is unique in the drawing; `state` is the journey's state, which an end may share with other boxes."""

    id: str
    kind: str
    title: str
    subtitle: str
    width: float
    height: float
    tip: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """All arrows from one box to another, merged: their words stacked, dashed if only time moves a customer here."""

    id: str
    source: str
    target: str
    lines: tuple[str, ...]
    tip: str
    dashed: bool = False
    main: bool = False
    """On the way that most customers are meant to take: drawn straight where it can be."""

    @property
    def size(self) -> tuple[float, float]:
        """How much room the words take."""
        if not self.lines:
            return (0.0, 0.0)
        return (max(width(line, LABEL) for line in self.lines) + 6, LINE * len(self.lines))


@dataclass(frozen=True, slots=True)
class Caption:
    """A line at the top: what it is about, and what it says. `state` is where an arrow from anywhere leads."""

    about: str
    text: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """What is drawn. Boxes stand in the journey's order, each end after its source."""

    title: str
    hash: str
    doc: str
    captions: tuple[Caption, ...]
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]


def reached(ir: IR) -> frozenset[str]:
    """The states that an arrow of a drawn box leads to from the start; the others are entered from anywhere alone."""
    seen: set[str] = set()
    todo = [ir.start.name]
    while todo:
        name = todo.pop()
        if name not in seen and name in ir.by_name:
            seen.add(name)
            todo.extend(arrow.to for arrow in ir.by_name[name].arrows)
    return frozenset(seen)


def graph_of(ir: IR) -> Graph:
    """The drawing graph of a journey."""
    boxes: list[Box] = [Box(_ENTRY, START, "", "", 16, 16, clean(entry_words(ir.entry)))]
    edges = [Edge("arrow-start", _ENTRY, ir.start.name, (), "where everyone enters", main=True)]
    drawn: set[str] = {ir.start.name} if ir.start.kind in ENDS else set()
    main = _main_path(ir)
    boxes += [_box(ir, ir.start, ir.start.name)] if drawn else []
    for state in ir.states:
        if state.kind in ENDS:
            continue
        boxes.append(_box(ir, state, state.name))
        for to, arrows in _by_target(state.arrows).items():
            target = to
            if ir.by_name[to].kind in ENDS:
                target = f"{to}-from-{state.name}" if to in drawn else to
                drawn.add(to)
                boxes.append(_box(ir, ir.by_name[to], target))
            edges.append(_edge(ir, state.name, target, arrows, main=(state.name, to) in main))
    boxes = [_roomy(box, edges) for box in boxes]
    known = reached(ir)
    hidden = [arrow for arrow in ir.anywhere if arrow.to not in known and ir.by_name[arrow.to].kind not in ENDS]
    for to, arrows in _by_target(hidden).items():
        source, title = f"anywhere-{to}", "from anywhere"
        boxes.append(Box(source, ANYWHERE, title, "", width(title, LABEL) + 28, 30, title))
        edges.append(_edge(ir, source, to, arrows))
    return Graph(clean(ir.title or ir.name), ir.hash, clean(ir.doc), tuple(_captions(ir)), tuple(boxes), tuple(edges))


def _by_target(arrows: Iterable[Arrow]) -> dict[str, list[Arrow]]:
    found: dict[str, list[Arrow]] = {}
    for arrow in arrows:
        found.setdefault(arrow.to, []).append(arrow)
    return found


def _edge(ir: IR, source: str, target: str, arrows: list[Arrow], *, main: bool = False) -> Edge:
    state = ir.by_name.get(source)
    said = [clean(arrow_words(arrow, state)) for arrow in arrows]
    if len(said) > 1:
        said = [words or "then" for words in said]
    room = 3 if len(said) == 1 else 2
    wide = _LOOP_ROOM if source == target else _LABEL_ROOM
    lines = tuple(line for words in said for line in wrap(words, LABEL, wide, lines=room))
    origin = spaced(source) if state is not None else "anywhere"
    tip = f"{origin} → {spaced(arrows[0].to)}: {'; '.join(words or 'then' for words in said)}"
    return Edge(
        f"arrow-{source}-{arrows[0].to}",
        source,
        target,
        lines,
        "\n".join([tip, *_place(ir, source)]),
        dashed=all(isinstance(arrow.on, After) for arrow in arrows),
        main=main,
    )


def _box(ir: IR, state: State, name: str) -> Box:
    said = spaced(state.name) + ("?" if state.kind == "choice" else "")
    title = fit(said, TITLE, _NAME_ROOM, bold=True)
    subtitle = fit(clean(state.template or ""), SUBTITLE, _NAME_ROOM)
    title_width = width(title, TITLE, bold=True)
    if state.kind in {"choice", "split"}:
        wide, high = title_width + 70, 62.0
    elif state.kind in ENDS:
        wide, high = title_width + 36 + (_SIGN if state.kind == "goal" else 0), 36.0
    else:
        wide = max(title_width + _SIGN, width(subtitle, SUBTITLE)) + 34
        high = 50.0 if subtitle else 40.0
    least = 84.0 if state.kind in ENDS else 116.0
    return Box(name, state.kind, title, subtitle, 2 * round(max(wide, least) / 2), high, _tip(ir, state), state.name)


def _roomy(box: Box, edges: list[Edge]) -> Box:
    """A box that is wide enough for the arrows that meet it."""
    meeting = max(sum(e.target == box.id for e in edges), sum(e.source == box.id for e in edges))
    return replace(box, width=max(box.width, 26.0 * meeting + 30)) if box.subtitle and meeting > 3 else box


def _tip(ir: IR, state: State) -> str:
    note = ir.notes.get(state.name)
    what = [f"{spaced(state.name)} ({state.kind})"]
    what += [clean(f"{about}: {said}") for about, said in _about(ir, state)]
    if note is not None and note.doc:
        what.insert(1, clean(note.doc))
    what += _place(ir, state.name)
    return "\n".join(what)


def _place(ir: IR, state: str) -> list[str]:
    """Where the author wrote the state."""
    note = ir.notes.get(state)
    return [clean(f"{note.file}:{note.line}")] if note is not None and note.file else []


def _about(ir: IR, state: State) -> Iterable[tuple[str, str]]:
    if state.template is not None:
        yield "template", state.template
    if state.queue is not None:
        yield "queue", state.queue
    if state.kind in CHANNELS:
        yield "purpose", state.purpose or ir.purpose


def _captions(ir: IR) -> Iterable[Caption]:
    yield Caption("enters", clean(entry_words(ir.entry)))
    if ir.goal is not None:
        yield Caption("goal", clean(goal_words(ir)))
    terms = [ir.purpose, f"again: {again_words(ir.again)}"]
    if ir.holdout:
        terms.append(f"hold-out {ir.holdout:.6g} %")
    yield Caption("terms", clean(" · ".join(terms)))
    for arrow in ir.anywhere:
        yield Caption("from anywhere", clean(f"{arrow_words(arrow, None)} → {spaced(arrow.to)}"), arrow.to)


def _main_path(ir: IR) -> frozenset[tuple[str, str]]:
    """The way of those who never answer, as pairs of states: the backbone of the picture.

    Time-outs and plain next steps come first, then what leads furthest; an end is taken where nothing else is left.
    """
    ahead = _heights(ir)
    way = [ir.start.name]
    while True:
        onward = [arrow for arrow in ir.by_name[way[-1]].arrows if arrow.to not in way]
        if not onward:
            return frozenset(pairwise(way))
        best = min(
            onward, key=lambda a: (ir.by_name[a.to].kind in ENDS, not isinstance(a.on, After | Then), -ahead[a.to])
        )
        way.append(best.to)


def _heights(ir: IR) -> dict[str, int]:
    """How many boxes lie ahead of each state, loops cut where a depth-first walk in the journey's order closes them."""
    heights: dict[str, int] = {}
    open_now: set[str] = set()

    def visit(name: str) -> int:
        if name in heights:
            return heights[name]
        if name in open_now:
            return -1
        open_now.add(name)
        found = 1 + max((visit(arrow.to) for arrow in ir.by_name[name].arrows), default=-1)
        open_now.discard(name)
        heights[name] = found
        return found

    for state in ir.states:
        visit(state.name)
    return heights
