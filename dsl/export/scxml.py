"""SCXML: a journey as a document of the W3C's State Chart XML (2015), with its ECMAScript data model.

What must be told of a customer beyond the events is told before it is asked: `parcours.guard.N` (data: `holds`) for the
guard of arrow N, `parcours.draw.BOX` (data: `draw`, from 0 to below 1) for a split. Waits are CSS2 times: `"86400s"`.
Conditions keep to what ECMAScript and Python both understand, so that interpreters of either load the document unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

from dsl.draw.typeface import clean
from dsl.draw.words import arrow_words
from dsl.export.counting import Both, Condition, Term
from dsl.export.statechart import statechart
from dsl.export.tree import Asked, Move, Node, Statechart, Timer
from dsl.ir import IR

__all__ = ["scxml"]

NAMESPACE: Final = "http://www.w3.org/2005/07/scxml"
_SIGNS: Final = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def scxml(ir: IR) -> str:
    """The journey as an SCXML document."""
    chart = statechart(ir)
    attributes = {"xmlns": NAMESPACE, "version": "1.0", "datamodel": "ecmascript", "name": ir.name}
    root = ET.Element("scxml", {**attributes, "initial": chart.live.id})
    _say(root, f"{ir.title or ir.name}, {ir.hash[:12]}. {ir.doc}")
    _data(root, chart)
    live = _node(root, chart, chart.live)
    for number in chart.guards:
        told = ET.SubElement(live, "transition", {"event": f"parcours.guard.{number}"})
        ET.SubElement(told, "assign", {"location": f"guard_{number}", "expr": "_event.data.holds"})
    for split in chart.draws:
        told = ET.SubElement(live, "transition", {"event": f"parcours.draw.{split}"})
        ET.SubElement(told, "assign", {"location": f"draw_{split}", "expr": "_event.data.draw"})
    for end in chart.ends:
        _node(root, chart, end)
    ET.indent(root)
    return ET.tostring(root, "unicode", xml_declaration=False) + "\n"


def _data(root: ET.Element, chart: Statechart) -> None:
    model = ET.SubElement(root, "datamodel")
    names = [
        *(f"guard_{number}" for number in chart.guards),
        *(f"draw_{split}" for split in chart.draws),
        "step",
        *(f"taken_{number}" for number in chart.limits),
        *(f"visits_{box}" for box in chart.counted),
        *(f"left_{box}" for box in chart.lefts),
    ]
    for name in names:
        if name.startswith("guard_"):
            _say(model, _guard(chart, int(name.removeprefix("guard_"))))
        ET.SubElement(model, "data", {"id": name, "expr": "-1" if name.startswith("left_") else "0"})


def _guard(chart: Statechart, number: int) -> str:
    """The guard of an arrow, as people read it."""
    guard = chart.chart.arrows[number].guard
    return guard.sentence() if guard is not None else f"the lot falls on {chart.chart.arrows[number].to}"


def _node(parent: ET.Element, chart: Statechart, node: Node) -> ET.Element:
    state = node.state
    element = ET.SubElement(parent, "final" if node in chart.ends else "state", {"id": node.id})
    if node.within:
        element.set("initial", node.within[0].id)
    note = chart.ir.notes.get(node.id)
    if note is not None:
        _say(element, f"{state.kind}: {note.doc}" if state is not None else note.doc)
    if node.steps or node.timers:
        _enter(ET.SubElement(element, "onentry"), chart, node)
    if node.timers:
        leave = ET.SubElement(element, "onexit")
        for timer in node.timers:
            ET.SubElement(leave, "cancel", {"sendid": timer.event})
    for move in node.moves:
        _move(element, chart, move)
    for inner in node.within:
        _node(element, chart, inner)
    return element


def _enter(entry: ET.Element, chart: Statechart, node: Node) -> None:
    if node.steps:
        _assign(entry, "step", "step + 1")
    if node.state is not None and node.state.name in chart.counted:
        _assign(entry, f"visits_{node.state.name}", f"visits_{node.state.name} + 1")
    for timer in node.timers:
        _start(entry, timer)


def _start(parent: ET.Element, timer: Timer) -> None:
    send = {"event": timer.event, "id": timer.event}
    if timer.seconds is not None:
        ET.SubElement(parent, "send", {**send, "delay": f"{timer.seconds}s"})
        return
    told = ET.SubElement(parent, "if", {"cond": f"_event.data.{timer.told}"})
    ET.SubElement(told, "send", {**send, "delayexpr": f"_event.data.{timer.told}"})


def _move(parent: ET.Element, chart: Statechart, move: Move) -> None:
    if move.arrow is not None:
        owner = next((state for state in chart.ir.states if state.name == parent.get("id", "").split("-")[0]), None)
        words = arrow_words(chart.ir.arrows[move.arrow], owner)
        if words:
            _say(parent, words)
    element = ET.SubElement(parent, "transition")
    condition = " && ".join(_asked(move.asked))
    for name, value in (("event", move.on), ("cond", condition), ("target", move.to)):
        if value:
            element.set(name, value)
    if move.inner:
        element.set("type", "internal")
    if move.counts:
        _assign(element, f"taken_{move.arrow}", f"taken_{move.arrow} + 1")
    if move.leaves is not None:
        _assign(element, f"left_{move.leaves}", "step")
    if move.answers is not None:
        _assign(element, f"left_{move.answers}", "-1")
    for timer in move.replans:
        ET.SubElement(element, "cancel", {"sendid": timer.event})
        _start(element, timer)


def _asked(asked: Asked) -> Iterator[str]:
    if asked.own:
        yield "_event.data.visit == step"
    if asked.left is not None:
        yield f"_event.data.visit == left_{asked.left}"
    if asked.answer is not None:
        yield f"_event.data.answer_{asked.answer}"
    if asked.limit is not None:
        yield f"taken_{asked.limit[0]} < {asked.limit[1]}"
    if asked.visits is not None:
        yield _condition(asked.visits)
    if asked.guard is not None:
        yield f"guard_{asked.guard}"
    if asked.below is not None:
        yield f"draw_{asked.below[0]} < {asked.below[1]!r}"


def _condition(condition: Condition) -> str:
    if isinstance(condition, Both):
        if not condition.parts:
            return "1 == 1" if condition.join == "all" else "1 == 0"
        return f"({(' && ' if condition.join == 'all' else ' || ').join(map(_condition, condition.parts))})"
    return f"{_term(condition.left)} {_SIGNS[condition.op]} {_term(condition.right)}"


def _term(term: Term) -> str:
    if term.box is None:
        return f"{term.factor:g}" if float(f"{term.factor:g}") == term.factor else repr(term.factor)
    return f"visits_{term.box}" if term.factor == 1 else f"visits_{term.box} * {term.factor!r}"


def _assign(parent: ET.Element, location: str, value: str) -> None:
    ET.SubElement(parent, "assign", {"location": location, "expr": value})


def _say(parent: ET.Element, text: str) -> None:
    """A comment for readers; two hyphens would end it."""
    said = clean(text).replace("--", "––").strip("-")
    if said:
        parent.append(ET.Comment(f" {said} "))
