"""The boxes of a drawing: how large each is, what stands in it, and what its tip says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from dsl.draw.graph import LINE, SUBTITLE, TITLE, Box, Edge, Mark, Words
from dsl.draw.typeface import clean, fit, width
from dsl.draw.words import clock_words, spaced
from dsl.ir import CHANNELS, ENDS, IR, Action, State

__all__ = ["box_of", "fields_of", "place_of", "roomy", "rows_of"]

_NAME_SIGN = 21.0
_NAME_ROOM = 210.0


def rows_of(state: State) -> Iterator[Words]:
    """What stands below a box's name, in the picture as in the text."""
    return (words for _, words in fields_of(state))


def fields_of(state: State) -> Iterator[tuple[str, Words]]:
    """The same by what each row is about: what the box sends, each with its channel's sign if there are several; then terms."""
    if state.template is not None:
        yield "template", Words(clean(state.template), state.kind if state.also else "")
    yield from _agent("", state)
    for number, action in enumerate(state.also):
        yield f"also {number}", Words(clean(action.template), action.kind)
        yield from _agent(f"also {number} ", action)
    if state.purpose is not None:
        yield "purpose", Words(state.purpose, "purpose")
    if state.hours is not None:
        yield "hours", Words(clock_words(state.hours), "wait")
    if state.offers:
        yield "offers", Words("best offer" if state.offers == 1 else f"{state.offers} best offers", "offer")


def _agent(about: str, calls: State | Action) -> Iterator[tuple[str, Words]]:
    """Who takes the calls: the queue and the priority there, and what an agent must know."""
    said = [f"queue {clean(calls.queue)}"] if calls.queue is not None else []
    said += [f"priority {calls.priority}"] if calls.priority is not None else []
    if said:
        yield f"{about}queue", Words(", ".join(said))
    if calls.skills:
        yield f"{about}skills", Words(f"skills {clean(', '.join(calls.skills))}")


def box_of(ir: IR, state: State, name: str, rows: Sequence[Words], mark: Mark = "") -> Box:
    """The box of a state, under an id of its own."""
    said = spaced(state.name) + ("?" if state.kind == "choice" else "")
    title = fit(said, TITLE, _NAME_ROOM, bold=True)
    fitted = tuple(replace(row, text=_fitted(row)) for row in rows)
    title_width = width(title, TITLE, bold=True)
    below = max((row.width(SUBTITLE) for row in fitted), default=0.0)
    if state.kind in {"choice", "split"}:
        wide, high = max(title_width + 70, below + 110), 62.0 + 1.6 * LINE * len(fitted)
    elif state.kind in ENDS:
        sign = _NAME_SIGN if state.kind == "goal" else 0
        wide, high = max(title_width + sign, below) + 36, 36.0 + LINE * len(fitted)
    else:
        sign = _NAME_SIGN if not state.also else 0
        wide, high = max(title_width + sign, below) + 34, 40.0
        if fitted:
            high = 50.0 + LINE * (len(fitted) - 1)
    least = 84.0 if state.kind in ENDS else 116.0
    return Box(
        name,
        state.kind,
        title,
        fitted,
        2 * round(max(wide, least) / 2),
        high,
        _tip(ir, state),
        state.name,
        state.stage or "",
        mark,
    )


def roomy(box: Box, edges: Sequence[Edge]) -> Box:
    """A box that is wide enough for the arrows that meet it."""
    meeting = max(sum(e.target == box.id for e in edges), sum(e.source == box.id for e in edges))
    wide = 26.0 * meeting + 30
    return replace(box, width=max(box.width, wide)) if box.kind in CHANNELS and meeting > 3 else box


def place_of(ir: IR, state: str) -> list[str]:
    """Where the author wrote the state, or the stage."""
    note = ir.notes.get(state)
    return [clean(f"{note.file}:{note.line}")] if note is not None and note.file else []


def _fitted(row: Words) -> str:
    return fit(row.text, SUBTITLE, _NAME_ROOM - row.width(SUBTITLE) + width(row.text, SUBTITLE))


def _tip(ir: IR, state: State) -> str:
    note = ir.notes.get(state.name)
    what = [f"{spaced(state.name)} ({state.kind})"]
    what += [clean(f"{about}: {said}") for about, said in _about(ir, state)]
    if note is not None and note.doc:
        what.insert(1, clean(note.doc))
    what += place_of(ir, state.name)
    return "\n".join(what)


def _about(ir: IR, state: State) -> Iterable[tuple[str, str]]:
    if state.template is not None:
        yield "template", state.template
    if state.queue is not None:
        yield "queue", state.queue
    if state.skills:
        yield "skills", ", ".join(state.skills)
    if state.priority is not None:
        yield "priority", str(state.priority)
    for action in state.also:
        yield f"and {action.kind}", action.template + (f" ({action.queue})" if action.queue is not None else "")
    if state.kind in CHANNELS:
        yield "purpose", state.purpose or ir.purpose
    if state.hours is not None:
        yield "sends within", clock_words(state.hours)
    if state.offers:
        yield "best offers", str(state.offers)
    if state.stage is not None:
        yield "stage", spaced(state.stage)
