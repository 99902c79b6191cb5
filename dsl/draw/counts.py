"""Counts: what number stands where in a picture, so that each is true of the place that it stands at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from dsl.draw.graph import Box, Graph

__all__ = ["Count", "Counted"]


@dataclass(frozen=True, slots=True)
class Count:
    """A number, what is told of it, and whether it is of the whole state where that stands in several places."""

    number: int
    told: str = ""
    whole: bool = False


@dataclass(frozen=True)
class Counted:
    """The counts of states, and `taken`: by its number, how many came to an end by an arrow; None where that isn't known."""

    graph: Graph
    counts: Mapping[str, int]
    taken: Mapping[int, int] | None = None

    def at_box(self, box: Box) -> Count | None:
        """What stands at a box: an end that is drawn several times shows at each who came there by its arrows."""
        count = self.counts.get(box.state)
        if count is None or self._drawn[box.state] == 1:
            return None if count is None else Count(count)
        if self.taken is None:
            first = next(each for each in self.graph.boxes if each.state == box.state)
            return Count(count, f"{count:,} in all, however they came here", whole=True) if box is first else None
        came = sum(self.taken.get(number, 0) for number in self._entering(box.id))
        return Count(came, f"{came:,} came here this way, of {count:,} in all")

    def at_caption(self, place: int) -> Count | None:
        """What stands at an arrow from anywhere: who took it, or all of a state that stands nowhere else."""
        caption = self.graph.captions[place]
        count = self.counts.get(caption.state)
        if count is None:
            return None
        alone = self._captions[caption.state] == 1
        if not self._drawn[caption.state] and (alone or self.taken is None):
            return Count(count) if place == self._first_caption(caption.state) else None
        came = None if self.taken is None else self.taken.get(caption.arrow)
        return None if came is None else Count(came, f"{came:,} came from anywhere this way, of {count:,} in all")

    def at_frame(self, state: str, arrow: int) -> Count | None:
        """What stands behind a stage's arrow to an end: who took it, or all who came there by no other."""
        came = None if self.taken is None else self.taken.get(arrow)
        count = self.counts.get(state)
        if came is None and count is not None and self._leading[state] == 1:
            came = count
        return None if count is None or came is None else Count(came)

    def name_of(self, place: int) -> str:
        """What a caption's count is called: after the state, if it stands nowhere else."""
        state = self.graph.captions[place].state
        alone = not self._drawn[state] and place == self._first_caption(state)
        return state if alone else f"caption-{place}"

    def _first_caption(self, state: str) -> int:
        return next(place for place, caption in enumerate(self.graph.captions) if caption.state == state)

    def _entering(self, box: str) -> list[int]:
        return [number for edge in self.graph.edges if edge.target == box for number in edge.arrows]

    @cached_property
    def _drawn(self) -> Counter[str]:
        return Counter(box.state for box in self.graph.boxes)

    @cached_property
    def _leading(self) -> Counter[str]:
        """By state, how many arrows are drawn that lead there."""
        ends = {box.id: box.state for box in self.graph.boxes}
        drawn = [ends[edge.target] for edge in self.graph.edges for _ in edge.arrows]
        frames = {arrow: to for f in self.graph.frames for to, arrow in zip(f.states, f.arrows, strict=True)}
        return Counter([*drawn, *frames.values()]) + self._captions

    @cached_property
    def _captions(self) -> Counter[str]:
        return Counter(caption.state for caption in self.graph.captions)
