"""The captions of a drawing: who enters, what for, on what terms, what leads on from anywhere, and what may be tuned."""

from __future__ import annotations

from collections.abc import Iterator

from dsl.draw.graph import Caption
from dsl.draw.typeface import clean
from dsl.draw.words import arrow_words, entry_words, goal_words, knob_words, spaced, term_words
from dsl.ir import IR, Arrow

__all__ = ["anywhere_caption", "captions_of"]


def captions_of(ir: IR) -> Iterator[Caption]:
    """The lines that stand over the drawing."""
    yield Caption("enters", clean(entry_words(ir.entry)))
    if ir.goal is not None:
        yield Caption("goal", clean(goal_words(ir)))
    yield Caption("terms", clean(" · ".join(term_words(ir).values())))
    tuned = {place for knob in ir.knobs for owner, place, _ in knob.uses if not owner}
    first = sum(len(state.arrows) for state in ir.states)
    for place, arrow in enumerate(ir.anywhere):
        yield anywhere_caption(arrow, "knob" if place in tuned else "", first + place)
    for knob in ir.knobs:
        yield Caption("tunable", clean(knob_words(knob)), sign="knob")


def anywhere_caption(arrow: Arrow, sign: str = "", number: int = -1) -> Caption:
    """An arrow from anywhere, as a caption."""
    said = clean(f"{arrow_words(arrow, None)} → {spaced(arrow.to)}")
    return Caption("from anywhere", said, arrow.to, sign, arrow=number)
