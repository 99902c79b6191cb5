"""The plan of a drawing: a journey as a graph of boxes, merged arrows, frames and captions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dsl.draw.backbone import main_path, reached
from dsl.draw.boxes import box_of, place_of, roomy, rows_of
from dsl.draw.captions import captions_of
from dsl.draw.graph import ANYWHERE, LABEL, START, Box, Caption, Edge, Frame, Graph, Mark, Words
from dsl.draw.typeface import clean, width, wrap
from dsl.draw.words import arrow_words, entry_words, spaced
from dsl.ir import ENDS, IR, After, Arrow, Stage, Until

__all__ = ["Figure", "Marks", "graph_of"]

_ENTRY = "start-here"
"""The box where everyone enters; with a hyphen, so that no state has its name."""
_LABEL_ROOM, _LOOP_ROOM, _FRAME_ROOM = 176.0, 140.0, 300.0
_COUNT = 52.0
"""The room of a number behind an arrow of a stage: six digits."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number at an arrow: as it is written, what is told of it, and the share of all customers that it comes to."""

    said: str
    told: str
    share: float


@dataclass(frozen=True)
class Marks:
    """What the picture of a difference, or of an expected flow, says otherwise than the journey's own."""

    boxes: Mapping[str, Mark] = field(default_factory=dict[str, Mark])
    """By the name of the state or the stage."""
    rows: Mapping[str, tuple[Words, ...]] = field(default_factory=dict[str, tuple[Words, ...]])
    arrows: Mapping[tuple[str, int], tuple[Words, ...]] = field(
        default_factory=dict[tuple[str, int], tuple[Words, ...]]
    )
    """By the name of the state or the stage, and the arrow's place there."""
    captions: tuple[Caption, ...] | None = None
    starts: Mapping[str, Mark] = field(default_factory=dict[str, Mark])
    """Where everyone enters, if that has changed."""
    figures: Mapping[tuple[str, int], Figure] = field(default_factory=dict[tuple[str, int], Figure])
    """By owner and place, as `arrows`: what is counted there."""
    start: Figure | None = None
    """What is counted where everyone enters."""
    tips: Mapping[str, str] = field(default_factory=dict[str, str])
    """What is told of a box beside, by its state."""


def graph_of(ir: IR, marks: Marks | None = None) -> Graph:
    """The drawing graph of a journey."""
    return _Plan(ir, marks or Marks()).graph()


class _Plan:
    def __init__(self, ir: IR, marks: Marks) -> None:
        self._ir = ir
        self._marks = marks
        self._tuned = {(owner, place) for knob in ir.knobs for owner, place, _ in knob.uses}
        self._first = _first(ir)
        self._boxes: list[Box] = []
        self._edges: list[Edge] = []

    def graph(self) -> Graph:
        ir = self._ir
        self._enter()
        self._draw_states()
        self._boxes = [roomy(box, self._edges) for box in self._boxes]
        frames = tuple(self._frame(stage) for stage in ir.stages if any(box.stage == stage.name for box in self._boxes))
        self._hidden()
        captions = tuple(captions_of(ir)) if self._marks.captions is None else self._marks.captions
        title = clean(ir.title or ir.name)
        return Graph(title, ir.hash, clean(ir.doc), captions, tuple(self._boxes), tuple(self._edges), frames)

    def _enter(self) -> None:
        self._boxes.append(Box(_ENTRY, START, "", (), 16, 16, clean(entry_words(self._ir.entry))))
        starts = self._marks.starts or {self._ir.start.name: ""}
        for name, mark in starts.items():
            words = (Words("enters", mark=mark),) if mark else ()
            first = "arrow-start" if name == self._ir.start.name else f"arrow-start-{name}"
            edge = Edge(
                first, _ENTRY, name, words, "where everyone enters", main=name == self._ir.start.name, mark=mark
            )
            self._edges.append(edge if self._marks.start is None else _counted(edge, self._marks.start))

    def _draw_states(self) -> None:
        ir = self._ir
        drawn = {name for name in self._marks.starts or {ir.start.name: ""} if ir.by_name[name].kind in ENDS}
        self._boxes += [self._box(name, name) for name in ir.by_name if name in drawn]
        main = main_path(ir)
        for state in ir.states:
            if state.kind in ENDS:
                continue
            self._boxes.append(self._box(state.name, state.name))
            for to, places in _by_target(state.arrows).items():
                target = to
                if ir.by_name[to].kind in ENDS:
                    target = f"{to}-from-{state.name}" if to in drawn else to
                    drawn.add(to)
                    self._boxes.append(self._box(to, target))
                self._edges.append(self._edge(state.name, target, places, main=(state.name, to) in main))

    def _box(self, name: str, drawn_as: str) -> Box:
        state = self._ir.by_name[name]
        rows = self._marks.rows.get(name) or tuple(rows_of(state))
        box = box_of(self._ir, state, drawn_as, rows, self._marks.boxes.get(name, ""))
        told = self._marks.tips.get(name)
        return box if told is None else replace(box, tip=f"{box.tip}\n{told}")

    def _hidden(self) -> None:
        """What only arrows from anywhere, or of a stage, lead to gets one of its own, from a box that says so."""
        ir = self._ir
        known = set(reached(ir))
        owners: list[tuple[str, str, Sequence[Arrow]]] = [
            (stage.name, f"from {spaced(stage.name)}", stage.arrows) for stage in ir.stages
        ]
        for owner, title, arrows in [*owners, ("", "from anywhere", ir.anywhere)]:
            for to, places in _by_target(arrows).items():
                if to in known or ir.by_name[to].kind in ENDS:
                    continue
                source = f"anywhere-{to}" if not owner else f"{owner}-stage-{to}"
                self._boxes.append(Box(source, ANYWHERE, clean(title), (), width(title, LABEL) + 28, 30, clean(title)))
                self._edges.append(self._edge(source, to, places, owner=owner))
                known.add(to)

    def _frame(self, stage: Stage) -> Frame:
        ir = self._ir
        note = ir.notes.get(stage.name)
        words: list[Words] = []
        states: list[str] = []
        arrows: list[int] = []
        for place, arrow in enumerate(stage.arrows):
            for said in self._said(stage.name, place, arrow):
                whole = replace(said, text=f"{said.text} → {spaced(arrow.to)}")
                lines = list(_wrapped(whole, _FRAME_ROOM, lines=2))
                if ir.by_name[arrow.to].kind in ENDS and not (whole.number or whole.mark):
                    lines[-1] = replace(lines[-1], room=_COUNT)
                words += lines
                arrows += [self._first[stage.name] + place] * len(lines)
                states += [arrow.to] * len(lines)
        tip = [f"{spaced(stage.name)} (stage)", *([clean(note.doc)] if note is not None and note.doc else [])]
        tip += place_of(ir, stage.name)
        mark = self._marks.boxes.get(stage.name, "")
        title = clean(spaced(stage.name))
        return Frame(
            f"stage-{stage.name}", stage.name, title, tuple(words), tuple(states), tuple(arrows), "\n".join(tip), mark
        )

    def _edge(
        self, source: str, target: str, places: Sequence[int], *, owner: str | None = None, main: bool = False
    ) -> Edge:
        ir = self._ir
        state = ir.by_name.get(source)
        owner = source if owner is None else owner
        arrows = self._arrows(owner)
        said = [words for place in places for words in self._said(owner, place, arrows[place])]
        if len(said) > 1:
            said = [replace(words, text=words.text or "then") for words in said]
        room = 3 if len(said) == 1 else 2
        wide = _LOOP_ROOM if source == target else _LABEL_ROOM
        lines = tuple(line for words in said for line in _wrapped(words, wide, lines=room))
        origin = spaced(source) if state is not None else spaced(owner) or "anywhere"
        to = arrows[places[0]].to
        tip = [f"{origin} → {spaced(to)}: {'; '.join(words.text or 'then' for words in said)}"]
        figures = [figure for place in places if (figure := self._marks.figures.get((owner, place))) is not None]
        tip += [f"{words.text or 'then'}: {figure.told}" for words, figure in zip(said, figures, strict=False)]
        marks: set[Mark] = {words.mark for words in said}
        return Edge(
            f"arrow-{source}-{to}",
            source,
            target,
            lines,
            "\n".join([*tip, *place_of(ir, source)]),
            dashed=all(isinstance(arrows[place].on, After | Until) for place in places),
            main=main,
            mark=marks.pop() if len(marks) == 1 else "changed",
            arrows=tuple(self._first[owner] + place for place in places),
            weight=sum(figure.share for figure in figures) if figures else None,
        )

    def _arrows(self, owner: str) -> Sequence[Arrow]:
        ir = self._ir
        if owner in ir.by_name:
            return ir.by_name[owner].arrows
        return next((stage.arrows for stage in ir.stages if stage.name == owner), ir.anywhere)

    def _said(self, owner: str, place: int, arrow: Arrow) -> tuple[Words, ...]:
        """What stands beside an arrow."""
        marked = self._marks.arrows.get((owner, place))
        if marked is not None:
            return marked
        sign = "knob" if (owner, place) in self._tuned else "late" if arrow.late else ""
        words = Words(clean(arrow_words(arrow, self._ir.by_name.get(owner))), sign)
        figure = self._marks.figures.get((owner, place))
        return (words if figure is None else replace(words, number=figure.said),)


def _counted(edge: Edge, figure: Figure) -> Edge:
    """The way in, with how many come."""
    return replace(edge, words=(Words("", number=figure.said),), tip=f"{edge.tip}: {figure.told}", weight=figure.share)


def _first(ir: IR) -> dict[str, int]:
    """By owner, the number of its first arrow."""
    owners = [(state.name, state.arrows) for state in ir.states]
    owners += [("", ir.anywhere), *((stage.name, stage.arrows) for stage in ir.stages)]
    found: dict[str, int] = {}
    number = 0
    for owner, arrows in owners:
        found[owner] = number
        number += len(arrows)
    return found


def _by_target(arrows: Iterable[Arrow]) -> dict[str, list[int]]:
    """The places of the arrows to each state."""
    found: dict[str, list[int]] = {}
    for place, arrow in enumerate(arrows):
        found.setdefault(arrow.to, []).append(place)
    return found


def _wrapped(words: Words, wide: float, *, lines: int) -> Iterator[Words]:
    room = wide - words.text_width(LABEL) + width(words.text, LABEL)
    found = wrap(words.text, LABEL, room, lines=lines, balanced=True) or (("",) if words.number else ())
    for index, line in enumerate(found):
        number = words.number if index == len(found) - 1 else ""
        yield replace(words, text=line, sign="" if index else words.sign, follows=index > 0, number=number)
