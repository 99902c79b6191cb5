"""XState: a journey as the JSON of a machine of XState 5, for `createMachine(json)` and for Stately's editor.

JSON holds no functions, so the machine names what its host provides (`setup` or `.provide`), each with its params:

- guard `open` {arrow, if, own, left, answer, limit, visits, below}: whether all that is given holds. `if` is the sentence
  of the arrow's guard; `own` and `left` compare the event's `visit` with the context's `visit` and `left[box]`; `answer`
  names the event's flag; `limit` compares `taken[arrow]`; `visits` is a tree over the context's `visits`; `below` says
  below which number the draw for a split lies;
- actions `step` {box, or the arrow on which she rests} (`visit` goes up, and `visits[box]` if it is kept), `take` {arrow}
  (`taken[arrow]` goes up), `leave` {box} (`left[box]` becomes `visit`), `answer` {box} (it becomes -1), `plan` {event,
  told} (raise the event in as many milliseconds as the event's data `told` says, under its own name as id; none there,
  don't) and `unplan` {event} (cancel it).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from dsl.draw.typeface import clean
from dsl.draw.words import arrow_words
from dsl.export.counting import Both, Condition, Term
from dsl.export.statechart import statechart
from dsl.export.tree import Asked, Move, Node, Statechart
from dsl.ir import IR, Json

__all__ = ["xstate"]


def xstate(ir: IR) -> str:
    """The journey as an XState 5 machine, in JSON."""
    chart = statechart(ir)
    machine = {
        "id": f"journey:{ir.name}",
        "version": ir.hash[:12],
        "description": clean(ir.doc),
        "context": {
            "visit": 0,
            "taken": {str(number): 0 for number in chart.limits},
            "visits": dict.fromkeys(chart.counted, 0),
            "left": dict.fromkeys(chart.lefts, -1),
        },
        "initial": chart.live.id,
        "states": {node.id: _node(chart, node) for node in (chart.live, *chart.ends)},
    }
    return json.dumps(machine, indent=2, ensure_ascii=False) + "\n"


def _node(chart: Statechart, node: Node) -> Json:
    written: Json = {"id": node.id}
    if node in chart.ends:
        written["type"] = "final"
    state = node.state
    note = chart.ir.notes.get(node.id)
    if note is not None and note.doc:
        written["description"] = clean(note.doc)
    if state is not None:
        kept = {"kind": state.kind, "template": state.template, "queue": state.queue}
        written["meta"] = {name: value for name, value in kept.items() if value is not None}
    told = [timer for timer in node.timers if timer.seconds is None]
    what = {"box": state.name} if state is not None else {"rest": node.rests}
    entry: list[Json] = [_action("step", **what)] if node.steps else []
    entry += [_action("plan", event=timer.event, told=timer.told) for timer in told]
    if entry:
        written["entry"] = entry
    if told:
        written["exit"] = [_action("unplan", event=timer.event) for timer in told]
    fixed = {timer.event: timer.seconds * 1000 for timer in node.timers if timer.seconds is not None}
    for move in node.moves:
        field, key = ("after", str(fixed[move.on])) if move.on in fixed else ("on", move.on)
        moves = written.setdefault("always", []) if key is None else written.setdefault(field, {}).setdefault(key, [])
        moves.append(_move(chart, node, move))
    if node.within:
        written["initial"] = _key(node.within[0], node.id)
        written["states"] = {_key(inner, node.id): _node(chart, inner) for inner in node.within}
    return written


def _key(node: Node, around: str) -> str:
    """Its name among its siblings: `sending` within `call`."""
    return node.id.removeprefix(f"{around}-")


def _move(chart: Statechart, node: Node, move: Move) -> Json:
    written: Json = {}
    if move.arrow is not None:
        owner = chart.ir.by_name.get(node.id.split("-")[0])
        words = clean(arrow_words(chart.ir.arrows[move.arrow], owner))
        if words:
            written["description"] = words
    if move.to is not None:
        written["target"] = f"#{move.to}"
        if not move.inner:
            written["reenter"] = True
    params = _asked(chart, move.asked)
    if params:
        written["guard"] = {"type": "open", "params": params}
    actions = list(_actions(move))
    if actions:
        written["actions"] = actions
    return written


def _actions(move: Move) -> Iterator[Json]:
    if move.counts:
        yield _action("take", arrow=move.arrow)
    if move.leaves is not None:
        yield _action("leave", box=move.leaves)
    if move.answers is not None:
        yield _action("answer", box=move.answers)
    for timer in move.replans:
        yield _action("unplan", event=timer.event)
        yield _action("plan", event=timer.event, told=timer.told)


def _asked(chart: Statechart, asked: Asked) -> Json:
    params: Json = {}
    if asked.guard is not None:
        guard = chart.chart.arrows[asked.guard].guard
        params |= {"arrow": asked.guard, "if": clean(guard.sentence()) if guard is not None else "the lot falls on it"}
    if asked.own:
        params["own"] = True
    if asked.left is not None:
        params["left"] = asked.left
    if asked.answer is not None:
        params["answer"] = f"answer_{asked.answer}"
    if asked.limit is not None:
        params["limit"] = {"arrow": asked.limit[0], "times": asked.limit[1]}
    if asked.visits is not None:
        params["visits"] = _condition(asked.visits)
    if asked.below is not None:
        params["below"] = {"split": asked.below[0], "draw": asked.below[1]}
    return params


def _condition(condition: Condition) -> list[Any]:
    if isinstance(condition, Both):
        return [condition.join, *map(_condition, condition.parts)]
    return [condition.op, _term(condition.left), _term(condition.right)]


def _term(term: Term) -> Json:
    return {"number": term.factor} if term.box is None else {"box": term.box, "times": term.factor}


def _action(name: str, **params: object) -> Json:
    return {"type": name, "params": params} if params else {"type": name}
