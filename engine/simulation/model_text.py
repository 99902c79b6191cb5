"""The response model as text: every rate that a simulation uses, as a TOML file for an author to edit, or as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, cast

from dsl.ir import CHANNELS, ENDS, IR, State
from engine.simulation.kinds import Kind, actions_of, events_in, guards_in, heard_in, waits_in
from engine.simulation.responses import Delay, Rate, ResponseModel

__all__ = [
    "SECTIONS",
    "UNITS",
    "Document",
    "answer_name",
    "answers_by",
    "document",
    "model_boxes",
    "model_queues",
    "span_text",
    "template",
]

Document = dict[str, Any]
"""The model as TOML and JSON have it: tables by name."""

UNITS: Final = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}
"""Seconds in the units of a span."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")

SECTIONS: Final = {
    "channels": "`reach` is the share of customers to whom a message can go (address, consent), `cost` what one costs in\n"
    "# currency units. Then the answers: `rate` of the messages get one, half of these within `median`, nine in ten within `p90`.\n"
    "# `unsent` says why the others get none: shares of those, together 1.",
    "boxes": "Where a box differs from its channel.",
    "events": "How many of these a customer has in 30 days, whatever she is sent. In a [boxes.…] table: while she waits there.",
    "guards": "The share of customers for whom a condition holds. With --from-customers their own facts decide.",
    "waits": "How long a wait is that is measured for each customer: half wait up to `median`, nine in ten up to `p90`.",
    "capacity": "How many calls the centre makes in a day, by queue. Without it the declared queues' shifts count, where there is a\n"
    '# database. Who finds no place goes where an arrow says so: `Call.not_sent.because("no capacity")`.',
}
"""The tables of a model, and what stands above each."""


def document(model: ResponseModel, ir: IR) -> Document:
    """The model of a journey, whole: every rate that a simulation of it uses."""
    channels = {channel for state in ir.states for channel in state.channels}
    found: Document = {"journey": ir.name}
    found["channels"] = {channel: _channel(model, ir, channel) for channel in CHANNELS if channel in channels}
    found["boxes"] = {state.name: box for state in model_boxes(ir) if (box := _box(model, ir, state))}
    found["events"] = {kind.name: _number(model.monthly(kind)) for kind in events_in(ir)}
    found["guards"] = {guard.sentence(): _number(model.guard(guard)) for guard in guards_in(ir).values()}
    found["waits"] = {name: _delay(model.wait(name, arrow)) for name, arrow in waits_in(ir)}
    found["capacity"] = {queue: _number(model.capacity[queue]) for queue in model_queues(ir) if queue in model.capacity}
    return {name: table for name, table in found.items() if table}


def template(model: ResponseModel, ir: IR) -> str:
    """The model as a TOML file with comments, for an author to edit."""
    learned = any(rate.seen is not None for box in model.boxes.values() for rate in box.values()) or bool(model.seen)
    numbers = "Numbers with `seen` or a count are learned; the others are" if learned else "All numbers are"
    parts = [f"# What customers do in {ir.name}. {numbers} invented: put in what you know.\njourney = {_text(ir.name)}"]
    tables = document(model, ir)
    for section, said in SECTIONS.items():
        body = "\n".join(_section(section, tables.get(section, {}), model, ir))
        if body:
            parts.append(f"# {said}\n{body}")
    return "\n\n".join(parts) + "\n"


def span_text(seconds: float) -> str:
    """A span in the unit that fits, rounded to three digits or so."""
    for unit, size in UNITS.items():
        if seconds >= 2 * size or unit == "s" or (seconds >= size and seconds % size == 0):
            return f"{_number(seconds / size):g} {unit}"
    raise AssertionError


def _section(section: str, table: Document, model: ResponseModel, ir: IR) -> Iterator[str]:
    if section in {"channels", "boxes"}:
        for number, (name, inner) in enumerate(table.items()):
            yield from [""] if number else []
            yield f"[{section}.{_key(name)}]"
            yield from _lines(inner, {})
    elif table:
        yield f"[{section}]"
        yield from _lines(table, model.seen)
    if section == "boxes" and not table:
        yield from _example(model, ir)
    if section == "capacity" and not table and (queues := model_queues(ir)):
        yield "# [capacity]"
        yield from (f"# {_key(queue)} = 60" for queue in queues)


def _lines(table: Document, counts: Mapping[str, int]) -> Iterator[str]:
    """A table's lines, with how many observations a learned number rests on."""
    for name, value in table.items():
        seen = f"  # of {counts[name]:,}" if name in counts else ""
        yield f"{_key(name)} = {_value(value)}{seen}"


def _example(model: ResponseModel, ir: IR) -> Iterator[str]:
    """How a box's table looks, commented out."""
    for state in model_boxes(ir):
        if state.channels and (heard := heard_in(ir, state)):
            name = answer_name(heard[0], state)
            yield f"# [boxes.{_key(state.name)}]"
            yield f"# {_key(name)} = {_value(_rate(model.rate(state.name, heard[0])))}"
            return


def _channel(model: ResponseModel, ir: IR, channel: str) -> Document:
    found: Document = {"reach": _number(model.channel(channel).reach), "cost": _number(model.channel(channel).cost)}
    bare = replace(model, boxes={})
    for kind in answers_by(ir, channel):
        found[kind.name.removeprefix(f"{channel}.")] = _rate(bare.rate("", kind))
    return found | {"unsent": {reason: _number(share) for reason, share in model.why_unsent(channel).items()}}


def _box(model: ResponseModel, ir: IR, state: State) -> Document:
    found: Document = {"reach": _number(model.reach[state.name])} if state.name in model.reach else {}
    rates = model.boxes.get(state.name, {})
    found |= {answer_name(kind, state): _rate(rates[kind.name]) for kind in heard_in(ir, state) if kind.name in rates}
    events = model.box_events.get(state.name, {})
    return found | {kind.name: _number(events[kind.name]) for kind in events_in(ir) if kind.name in events}


def _rate(rate: Rate) -> Document:
    found: Document = {"rate": _number(rate.share), **_delay(rate.delay)}
    return found if rate.seen is None else found | {"seen": rate.seen}


def _delay(delay: Delay) -> Document:
    return {"median": span_text(delay.median), "p90": span_text(delay.p90)}


def _number(value: float) -> float:
    return float(f"{value:.4g}")


def _value(value: object) -> str:
    if isinstance(value, dict):
        pairs = cast("Document", value).items()
        return "{ " + ", ".join(f"{_key(key)} = {_value(each)}" for key, each in pairs) + " }"
    return _text(value) if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a TOML basic string, but for DEL, which no name has


# --- what a journey's model may name ----------------------------------------------------------------------------------


def model_boxes(ir: IR) -> list[State]:
    """The boxes of which a model can say something: those where customers stay."""
    return [state for state in ir.states if state.kind not in (*ENDS, "choice", "split")]


def model_queues(ir: IR) -> list[str]:
    """The call-center queues of a journey."""
    queues = (queue or "" for state in ir.states for channel, queue in actions_of(state) if channel == "call")
    return list(dict.fromkeys(queues))


def answers_by(ir: IR, channel: str) -> list[Kind]:
    """The answers by a channel that some box waits for."""
    heard = (kind for state in ir.states for kind in heard_in(ir, state) if kind.channel == channel)
    return list(dict.fromkeys(heard))


def answer_name(kind: Kind, state: State) -> str:
    """An answer's name in its box: without the channel, unless the box has several."""
    return kind.name.removeprefix(f"{kind.channel}.") if len(state.channels) == 1 else kind.name
