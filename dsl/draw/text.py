"""A journey as text: its terms, and each state with its arrows, aligned for the terminal."""

from __future__ import annotations

import unicodedata
from itertools import zip_longest
from typing import TYPE_CHECKING

from dsl.draw.boxes import rows_of
from dsl.draw.graph import Words
from dsl.draw.plan import graph_of
from dsl.draw.signs import GLYPHS
from dsl.draw.typeface import clean
from dsl.draw.words import arrow_words, spaced
from dsl.ir import ENDS, After, Arrow, Until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsl.ir import IR, State

__all__ = ["glyphed", "text"]

_LEGEND = {
    "email": "e-mail",
    "sms": "SMS",
    "feed": "feed item",
    "call": "call",
    "letter": "letter",
    "wait": "wait",
    "choice": "choice or split",
    "split": "choice or split",
    "goal": "goal",
    "final": "end",
}
_SOLID, _DASHED = "──▶", "┄┄▶"


def text(ir: IR) -> str:
    """The journey as a legend and a table of arrows: what a reader would follow on the picture, one row for each."""
    return "\n".join(line.rstrip() for line in _lines(ir)) + "\n"


def glyphed(words: Words) -> str:
    """A line of words with its sign as a character, if it has one."""
    return f"{GLYPHS[words.sign]} {words.text}" if words.sign in GLYPHS else words.text


def _lines(ir: IR) -> Iterator[str]:
    graph = graph_of(ir)
    yield f"{graph.title} · {graph.hash[:12]}"
    if graph.doc:
        yield graph.doc
    yield ""
    abouts = [caption for caption in graph.captions if caption.about != "from anywhere"]
    wide = max(len(caption.about) for caption in abouts)
    for caption in abouts:
        yield f"{caption.about.ljust(wide)}  {caption.text}"
    yield ""
    kinds = dict.fromkeys(_LEGEND[state.kind] for state in ir.states)
    signs = {said: GLYPHS[kind] for kind, said in _LEGEND.items()}
    more = ["▭ from anywhere within"] if ir.stages else []
    more += [f"{GLYPHS['purpose']} purpose of its own"] if any(state.purpose is not None for state in ir.states) else []
    more += [f"{GLYPHS['knob']} tunable"] if ir.knobs else []
    yield "  ".join([*(f"{signs[kind]} {kind}" for kind in kinds), *more, f"{_DASHED} time-out"])
    yield ""
    yield from _aligned(list(_rows(ir)))


def _rows(ir: IR) -> Iterator[tuple[str, ...]]:
    tuned = {(owner, place) for knob in ir.knobs for owner, place, _ in knob.uses}
    yield ("state", "what", "when", "", "to")
    for state in ir.states:
        if state.kind in ENDS:
            continue
        named = [f"{GLYPHS[state.kind]} {clean(spaced(state.name))}"]
        what = [glyphed(row) for row in rows_of(state)]
        arrows = [_row(ir, arrow, state, tuned=(state.name, at) in tuned) for at, arrow in enumerate(state.arrows)]
        for name, row, cells in zip_longest(named, what, arrows):
            yield (name or "", row or "", *(cells or ("", "", "")))
    for stage in ir.stages:
        name = f"▭ {clean(spaced(stage.name))}"
        within = ", ".join(clean(spaced(state.name)) for state in ir.states if state.stage == stage.name)
        for at, arrow in enumerate(stage.arrows):
            yield (name, within, *_row(ir, arrow, None, tuned=(stage.name, at) in tuned))
            name = within = ""
    for at, arrow in enumerate(ir.anywhere):
        yield ("from anywhere", "", *_row(ir, arrow, None, tuned=("", at) in tuned))


def _row(ir: IR, arrow: Arrow, state: State | None, *, tuned: bool) -> tuple[str, str, str]:
    to = ir.by_name.get(arrow.to)
    sign = f"{GLYPHS[to.kind]} " if to is not None else ""
    line = _DASHED if isinstance(arrow.on, After | Until) else _SOLID
    words = Words(clean(arrow_words(arrow, state)) or "then", "knob" if tuned else "")
    return (glyphed(words), line, sign + clean(spaced(arrow.to)))


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(_cells(row[column]) for row in rows) for column in range(len(rows[0]))]
    for index, row in enumerate(rows):
        yield "  ".join(cell + " " * (wide - _cells(cell)) for cell, wide in zip(row, widths, strict=True))
        if not index:
            yield "  ".join("─" * wide for wide in widths)


def _cells(said: str) -> int:
    """How many cells of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in {"W", "F"} else 1 for c in said
    )
