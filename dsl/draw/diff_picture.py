"""The difference between two journeys as a picture: one drawing of both, with what was added, removed and changed marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from dsl.diff import ArrowChange, Change, Detail, Diff, Owner
from dsl.draw.boxes import fields_of
from dsl.draw.captions import anywhere_caption, captions_of
from dsl.draw.diff_text import setting_name
from dsl.draw.graph import Caption, Mark, Words
from dsl.draw.plan import Marks, graph_of
from dsl.draw.svg import picture
from dsl.draw.typeface import clean
from dsl.draw.words import arrow_words, spaced, term_words
from dsl.ir import IR, Arrow, Stage, State
from dsl.pairing import merged

__all__ = ["diff_svg"]

_IN_ROWS = ("template", "queue", "priority", "skills", "also", "purpose", "hours", "offers")
"""Fields of a box that stand in its rows, in their order."""


def diff_svg(diff: Diff, names: tuple[str, str] = ("", ""), *, theme: str = "auto") -> str:
    """The difference as an SVG document: green and + for what was added, red and − removed, blue and ~ changed.

    What is the same is grey. `names` say where the two journeys come from; `theme` is as for `svg`. Raises ValueError for a
    theme that doesn't exist.
    """
    both = _Both(diff)
    graph = graph_of(both.ir, both.marks)
    titles = dict.fromkeys(clean(ir.title or ir.name) for ir in (diff.before, diff.after))
    said = " → ".join(clean(name) for name in names if name)
    hashes = dict.fromkeys(digest[:12] for digest in diff.hashes)
    graph = replace(graph, title=" → ".join(titles), hash=diff.hashes[1], doc=said)
    return picture(graph, " → ".join(hashes), theme=theme, compares=True)


@dataclass
class _Both:
    """Both journeys in one, and the marks of what differs."""

    diff: Diff
    ir: IR = field(init=False)
    marks: Marks = field(init=False)

    def __post_init__(self) -> None:
        before, after = self.diff.before, self.diff.after
        self._boxes: dict[str, Mark] = {}
        self._rows: dict[str, tuple[Words, ...]] = {}
        self._words: dict[tuple[str, int], tuple[Words, ...]] = {}
        names = sorted(merged(before.states, after.states), key=lambda name: name != after.start.name)
        states = [self._state(before.by_name.get(name), after.by_name.get(name)) for name in names]
        stages = [{stage.name: stage for stage in ir.stages} for ir in (before, after)]
        self.ir = replace(
            after,
            states=tuple(states),
            stages=tuple(
                self._stage(stages[0].get(name), stages[1].get(name)) for name in merged(before.stages, after.stages)
            ),
            anywhere=self._arrows("anywhere", "", before.anywhere, after.anywhere),
            knobs=(),
            notes={**before.notes, **after.notes},
        )
        starts: dict[str, Mark] = {}
        if before.start.name != after.start.name:
            starts = {after.start.name: "added", before.start.name: "removed"}
        self.marks = Marks(self._boxes, self._rows, self._words, tuple(self._captions()), starts)

    def _state(self, old: State | None, new: State | None) -> State:
        kept = cast("State", new or old)
        change = self.diff.change("box", kept.name)
        if change is not None and (change.sign != "changed" or change.details or change.was is not None):
            self._boxes[kept.name] = change.sign
        if old is not None and new is not None and change is not None:
            self._rows[kept.name] = tuple(_rows(old, new, change))
        arrows = self._arrows("box", kept.name, *(side.arrows if side is not None else () for side in (old, new)))
        return replace(kept, arrows=arrows)

    def _stage(self, old: Stage | None, new: Stage | None) -> Stage:
        kept = cast("Stage", new or old)
        change = self.diff.change("stage", kept.name)
        if change is not None and (change.sign != "changed" or change.was is not None):
            self._boxes[kept.name] = change.sign
        return Stage(
            kept.name,
            self._arrows("stage", kept.name, *(side.arrows if side is not None else () for side in (old, new))),
        )

    def _arrows(self, owner: Owner, name: str, old: Sequence[Arrow], new: Sequence[Arrow]) -> tuple[Arrow, ...]:
        """The arrows of both, each that is gone behind the one that it stood behind; their words are kept."""
        change = self.diff.change(owner, name)
        changes = {each.after: each for each in change.arrows if each.after is not None} if change is not None else {}
        gone = (
            {each.before for each in change.arrows if each.after is None} if change is not None else set[int | None]()
        )
        found: list[tuple[Arrow, tuple[Words, ...]]] = []
        for place, arrow in enumerate(new):
            each = changes.get(place)
            before = old[each.before] if each is not None and each.before is not None else None
            if each is not None and before is not None and before.to != arrow.to:
                found.append((before, self._marked(before, name, "removed")))
                found.append((arrow, self._marked(arrow, name, "added")))
            else:
                found.append((arrow, self._said(each, before, arrow, name)))
        for place, arrow in enumerate(old):
            if place in gone:
                found.insert(min(place, len(found)), (arrow, self._marked(arrow, name, "removed")))
        for place, (_, words) in enumerate(found):
            self._words[name, place] = words
        return tuple(arrow for arrow, _ in found)

    def _said(self, change: ArrowChange | None, before: Arrow | None, arrow: Arrow, owner: str) -> tuple[Words, ...]:
        if change is None:
            return (Words(self._plain(arrow, owner, self.diff.after)),)
        if before is None:
            return self._marked(arrow, owner, "added")
        was, now = self._plain(before, owner, self.diff.before), self._plain(arrow, owner, self.diff.after)
        unsaid = [f"{each.name} {_from_to(each)}" for each in change.details if was == now or each.name == "place"]
        if was == now:
            return (Words(f"{now or 'then'} ({', '.join(unsaid)})", mark="changed"),)
        return (
            Words(was or "then", mark="removed"),
            Words(now or "then", mark="added"),
            *(Words(each, mark="changed") for each in unsaid),
        )

    def _marked(self, arrow: Arrow, owner: str, mark: Mark) -> tuple[Words, ...]:
        ir = self.diff.before if mark == "removed" else self.diff.after
        return (Words(self._plain(arrow, owner, ir) or "then", mark=mark),)

    @staticmethod
    def _plain(arrow: Arrow, owner: str, ir: IR) -> str:
        return clean(arrow_words(arrow, ir.by_name.get(owner)))

    def _captions(self) -> Iterator[Caption]:
        after = self.diff.after
        changed = {detail.name.partition(" ")[0] for detail in self.diff.settings}
        fields = {"enters": "entry", "goal": "goal"}
        yield from (c for c in captions_of(after) if c.about in fields and fields[c.about] not in changed)
        terms = [words for name, words in term_words(after).items() if name not in changed]
        if terms:
            yield Caption("terms", clean(" · ".join(terms)))
        for detail in self.diff.settings:
            yield from _setting(detail)
        for place, arrow in enumerate(self.ir.anywhere):
            for words in self._words["", place]:
                plain = anywhere_caption(arrow)
                yield replace(plain, text=f"{words.text} → {spaced(arrow.to)}", mark=words.mark)


def _rows(old: State, new: State, change: Change) -> Iterator[Words]:
    """The rows of a box that was changed: what is gone, before what came instead of it, and what else differs."""
    before, after = dict(fields_of(old)), dict(fields_of(new))
    for name in sorted({*before, *after}, key=lambda name: (_IN_ROWS.index(name.partition(" ")[0]), name)):
        gone, came = before.get(name), after.get(name)
        if gone is not None and gone != came:
            yield replace(gone, mark="removed")
        if came is not None:
            yield came if came == gone else replace(came, mark="added")
    if change.was is not None:
        yield Words(f"was {spaced(change.was)}", mark="changed")
    for detail in change.details:
        if detail.name.partition(" ")[0] not in _IN_ROWS or before == after:
            yield Words(f"{detail.name}: {_from_to(detail)}", mark="changed")


def _setting(detail: Detail) -> Iterator[Caption]:
    name = setting_name(detail)
    if detail.before is not None:
        yield Caption(name, clean(detail.before), mark="removed")
    if detail.after is not None:
        yield Caption(name, clean(detail.after), mark="added")


def _from_to(detail: Detail) -> str:
    return clean(f"{detail.before or 'none'} → {detail.after or 'none'}")
