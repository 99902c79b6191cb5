"""Missing: why no walk takes an arrow, as far as the search found out."""

from __future__ import annotations

from dsl.ir import IR, Answer, Arrow, Share, Stage, State
from dsl.sends import AT_ONCE
from dsl.testing.naming import owner
from dsl.testing.search import Search

__all__ = ["why"]


def why(ir: IR, search: Search, number: int) -> str:
    """The reason, as a clause."""
    whose, arrow = owner(ir, number), ir.arrows[number]
    further = "" if search.exhausted else f" in {search.limit} moves; a larger limit= looks further"
    seen = _out_of_reach(ir, search, whose) or _not_heard(ir, search, arrow)
    return (
        _not_open(search, number, arrow)
        or (seen and seen + further)
        or _same_share(whose, arrow)
        or (further and f"it was not come upon{further}")
        or "wherever it could be taken, another arrow is taken before it"
    )


def _out_of_reach(ir: IR, search: Search, whose: State | Stage | None) -> str:
    if isinstance(whose, State) and whose.name not in search.reached:
        return f"no walk comes to `{whose.name}`"
    if isinstance(whose, Stage):
        within = {state.name for state in ir.states if state.stage == whose.name}
        return "" if within & search.reached else f"no walk comes into the stage `{whose.name}`"
    return ""


def _not_open(search: Search, number: int, arrow: Arrow) -> str:
    if number not in search.shut or arrow.guard is None:
        return ""
    return f"no facts were found that open it, and none of the arrows before it: {arrow.guard.sentence()}"


def _not_heard(ir: IR, search: Search, arrow: Arrow) -> str:
    on = arrow.on
    if not isinstance(on, Answer) or on.event.endswith(".not_sent") or on.event in AT_ONCE:
        return ""
    if ir.listens.index(on) in search.hearing.heard:
        return ""
    if on.where is None or ir.listens.index(on) not in search.hearing.awaited:
        return "nothing was sent by then that it could answer"
    return f"no event of which it holds was found ({on.where.sentence()})"


def _same_share(whose: State | Stage | None, arrow: Arrow) -> str:
    shares = [other for other in whose.arrows if other.to == arrow.to] if whose is not None else []
    return "another share leads to the same box" if isinstance(arrow.on, Share) and len(shares) > 1 else ""
