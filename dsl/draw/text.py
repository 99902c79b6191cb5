"""A journey as text: its terms, and each state with its arrows, aligned for the terminal."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from dsl.draw.plan import graph_of
from dsl.draw.signs import GLYPHS
from dsl.draw.typeface import clean
from dsl.draw.words import arrow_words, spaced
from dsl.ir import ENDS, After, Arrow, Until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsl.ir import IR, State

__all__ = ["text"]

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
    signs = {_LEGEND[kind]: sign for kind, sign in GLYPHS.items()}
    around = ["▭ from anywhere within"] if ir.stages else []
    yield "  ".join([*(f"{signs[kind]} {kind}" for kind in kinds), *around, f"{_DASHED} time-out"])
    yield ""
    yield from _aligned(list(_rows(ir)))


def _rows(ir: IR) -> Iterator[tuple[str, ...]]:
    yield ("state", "template", "when", "", "to")
    for state in ir.states:
        name = f"{GLYPHS[state.kind]} {clean(spaced(state.name))}"
        template = clean(state.template or "")
        if state.queue is not None:
            template += f" ({clean(state.queue)})"
        if not state.arrows and state.kind not in ENDS:
            yield (name, template, "", "", "")
        for arrow in state.arrows:
            yield (name, template, *_row(ir, arrow, state))
            name = template = ""
    for stage in ir.stages:
        name = f"▭ {clean(spaced(stage.name))}"
        within = ", ".join(clean(spaced(state.name)) for state in ir.states if state.stage == stage.name)
        for arrow in stage.arrows:
            yield (name, within, *_row(ir, arrow, None))
            name = within = ""
    for arrow in ir.anywhere:
        yield ("from anywhere", "", *_row(ir, arrow, None))


def _row(ir: IR, arrow: Arrow, state: State | None) -> tuple[str, str, str]:
    to = ir.by_name.get(arrow.to)
    sign = f"{GLYPHS[to.kind]} " if to is not None else ""
    line = _DASHED if isinstance(arrow.on, After | Until) else _SOLID
    return (clean(arrow_words(arrow, state)) or "then", line, sign + clean(spaced(arrow.to)))


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
