"""The intermediate representation (IR) of a journey: what a compiled journey is, and its content hash.

The IR is behaviour only, in frozen dataclasses. What an author writes for readers (docstrings, labels, source
positions) stands beside it in `Notes`, so that a reworded docstring never changes the hash, and customers under way are
never stranded by it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, cast

from dsl.predicate import Expression, Predicate, expression_from_json, predicate_from_json

__all__ = [
    "IR",
    "After",
    "Answer",
    "Arrow",
    "Entry",
    "Every",
    "Goal",
    "Json",
    "Limit",
    "Note",
    "Otherwise",
    "Reentry",
    "Share",
    "State",
    "Then",
    "Trigger",
    "When",
    "canonical",
    "from_json",
    "ir_hash",
    "to_json",
]

Json = dict[str, Any]
"""A JSON object: only str, int, float, bool, None, list and dict within."""

FORMAT = 1
"""The version of this format; a reader refuses what it does not know."""

StateKind = Literal["email", "sms", "feed", "call", "letter", "wait", "choice", "split", "goal", "final"]
CHANNELS: tuple[str, ...] = ("email", "sms", "feed", "call", "letter")
ENDS: tuple[str, ...] = ("goal", "final")
Scope = Literal["send", "any_send", "customer"]


@dataclass(frozen=True, slots=True)
class Answer:
    """Fires when an event arrives: a channel's answer (`email.clicked`) or a business event (`shop.purchased`).

    `scope` says what it correlates with: `send` this box's own send; `any_send` any send of this enrolment;
    `customer` any event of the customer (business events). `where` is a predicate on the event's payload, for example
    on the link that was clicked.
    """

    event: str
    scope: Scope
    where: Predicate | None = None


@dataclass(frozen=True, slots=True)
class After:
    """Fires when no answer came for a while: `seconds`, or what `expression` gives for this customer, in seconds.

    An expression's value is kept between `at_least` and `at_most`; `missing` seconds stand in where it has no value.
    """

    seconds: int | None = None
    expression: Expression | None = None
    at_least: int | None = None
    at_most: int | None = None
    missing: int | None = None


@dataclass(frozen=True, slots=True)
class When:
    """An arrow of a choice: taken if its guard holds on fresh data when the customer is at the box."""


@dataclass(frozen=True, slots=True)
class Otherwise:
    """An arrow of a choice that is taken where no other is."""


@dataclass(frozen=True, slots=True)
class Then:
    """Taken as soon as the box's action is done."""


@dataclass(frozen=True, slots=True)
class Share:
    """An arrow of a split, taken by `percent` of the customers, drawn from a hash of the enrolment."""

    percent: float


Trigger = Answer | After | When | Otherwise | Then | Share


@dataclass(frozen=True, slots=True)
class Limit:
    """The arrow is taken at most `times` in an enrolment; its target is entered `every` seconds after it fires."""

    times: int
    every: int = 0


@dataclass(frozen=True, slots=True)
class Arrow:
    """From a box to the state named `to`, when `on` fires and `guard` (a predicate on the customer) holds."""

    on: Trigger
    to: str
    guard: Predicate | None = None
    limit: Limit | None = None


@dataclass(frozen=True, slots=True)
class State:
    """A box. `template` and `queue` are of the kinds that send; arrows are tried in their order."""

    name: str
    kind: StateKind
    arrows: tuple[Arrow, ...] = ()
    template: str | None = None
    queue: str | None = None
    purpose: str | None = None
    """`transactional` or `marketing` where the box differs from its journey, else None."""


@dataclass(frozen=True, slots=True)
class Every:
    """When an audience is read: `kind` once, daily or weekly, at `at` (HH:MM, the project's zone), on weekday 0–6."""

    kind: Literal["once", "daily", "weekly"]
    at: str = "00:00"
    weekday: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """How customers come in: by an audience (predicate), by an event, or by API call only."""

    kind: Literal["audience", "event", "api"]
    audience: Predicate | None = None
    every: Every | None = None
    event: Answer | None = None


@dataclass(frozen=True, slots=True)
class Reentry:
    """May a customer come again after her enrolment ended: `never`, `always`, or after `seconds`.

    `parallel` names the payload field whose value may run side by side with another (an order's id); without it a
    customer has one active enrolment of a journey, and a second entry is refused.
    """

    rule: Literal["never", "always", "after"]
    seconds: int = 0
    parallel: str | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """What the journey is for: `event` within `seconds` of entry."""

    event: Answer
    seconds: int


@dataclass(frozen=True, slots=True)
class Note:
    """What an author wrote for readers about one state; no behaviour, not hashed."""

    doc: str = ""
    file: str = ""
    line: int = 0


@dataclass(frozen=True)
class IR:
    """A compiled journey. `name` is the journey's stable name (snake_case), `start` the first box."""

    name: str
    purpose: Literal["marketing", "transactional"]
    entry: Entry
    states: tuple[State, ...]
    anywhere: tuple[Arrow, ...] = ()
    again: Reentry = Reentry("never")
    goal: Goal | None = None
    holdout: float = 0.0
    title: str = ""
    """The class name, as drawn. Not hashed."""
    doc: str = ""
    notes: Mapping[str, Note] = field(default_factory=dict[str, Note])
    """A note for each state, by its name. Not hashed."""

    @property
    def start(self) -> State:
        """The first box: where everyone enters."""
        return self.states[0]

    @cached_property
    def by_name(self) -> dict[str, State]:
        return {state.name: state for state in self.states}

    @cached_property
    def listens(self) -> tuple[Answer, ...]:
        """Each distinct answer that some arrow waits for, in order of appearance: the index is what is signalled.

        The dispatcher matches an event against these (name and payload), so no payload enters a workflow.
        """
        found: dict[Answer, None] = {}
        for arrow in (*(a for s in self.states for a in s.arrows), *self.anywhere):
            if isinstance(arrow.on, Answer):
                found[arrow.on] = None
        return tuple(found)

    @cached_property
    def hash(self) -> str:
        """The sha256 (hex) of the behaviour."""
        return ir_hash(self)


def _compact(pairs: Json) -> Json:
    return {key: value for key, value in pairs.items() if value is not None}


def _answer_to(answer: Answer) -> Json:
    return _compact(
        {
            "event": answer.event,
            "scope": answer.scope,
            "where": answer.where.to_json() if answer.where is not None else None,
        }
    )


def _answer_from(obj: Json) -> Answer:
    where = predicate_from_json(obj["where"]) if "where" in obj else None
    return Answer(obj["event"], cast("Scope", obj["scope"]), where)


def _trigger_to(trigger: Trigger) -> Json:
    match trigger:
        case Answer():
            return {"answer": _answer_to(trigger)}
        case After():
            return {
                "after": _compact(
                    {
                        "seconds": trigger.seconds,
                        "expression": trigger.expression.to_json() if trigger.expression is not None else None,
                        "at_least": trigger.at_least,
                        "at_most": trigger.at_most,
                        "missing": trigger.missing,
                    }
                )
            }
        case When():
            return {"when": {}}
        case Otherwise():
            return {"otherwise": {}}
        case Then():
            return {"then": {}}
        case Share():
            return {"share": {"percent": float(trigger.percent)}}


def _trigger_from(obj: Json) -> Trigger:
    ((kind, body),) = obj.items()
    match kind:
        case "answer":
            return _answer_from(body)
        case "after":
            return After(
                body.get("seconds"),
                expression_from_json(body["expression"]) if "expression" in body else None,
                body.get("at_least"),
                body.get("at_most"),
                body.get("missing"),
            )
        case "when":
            return When()
        case "otherwise":
            return Otherwise()
        case "then":
            return Then()
        case "share":
            return Share(float(body["percent"]))
        case _:
            raise ValueError(f"unknown trigger {kind!r} in a journey's IR; it was made by a newer version")


def _arrow_to(arrow: Arrow) -> Json:
    return _compact(
        {
            "on": _trigger_to(arrow.on),
            "to": arrow.to,
            "guard": arrow.guard.to_json() if arrow.guard is not None else None,
            "limit": {"times": arrow.limit.times, "every": arrow.limit.every} if arrow.limit is not None else None,
        }
    )


def _arrow_from(obj: Json) -> Arrow:
    return Arrow(
        _trigger_from(obj["on"]),
        obj["to"],
        predicate_from_json(obj["guard"]) if "guard" in obj else None,
        Limit(obj["limit"]["times"], obj["limit"]["every"]) if "limit" in obj else None,
    )


def _state_to(state: State) -> Json:
    return _compact(
        {
            "name": state.name,
            "kind": state.kind,
            "template": state.template,
            "queue": state.queue,
            "purpose": state.purpose,
            "arrows": [_arrow_to(arrow) for arrow in state.arrows],
        }
    )


def _state_from(obj: Json) -> State:
    arrows = tuple(_arrow_from(arrow) for arrow in obj["arrows"])
    return State(obj["name"], obj["kind"], arrows, obj.get("template"), obj.get("queue"), obj.get("purpose"))


def _entry_to(entry: Entry) -> Json:
    every = entry.every
    return _compact(
        {
            "kind": entry.kind,
            "audience": entry.audience.to_json() if entry.audience is not None else None,
            "every": {"kind": every.kind, "at": every.at, "weekday": every.weekday} if every is not None else None,
            "event": _answer_to(entry.event) if entry.event is not None else None,
        }
    )


def _entry_from(obj: Json) -> Entry:
    return Entry(
        obj["kind"],
        predicate_from_json(obj["audience"]) if "audience" in obj else None,
        Every(obj["every"]["kind"], obj["every"]["at"], obj["every"]["weekday"]) if "every" in obj else None,
        _answer_from(obj["event"]) if "event" in obj else None,
    )


def _behaviour(ir: IR) -> Json:
    return _compact(
        {
            "format": FORMAT,
            "name": ir.name,
            "purpose": ir.purpose,
            "entry": _entry_to(ir.entry),
            "again": _compact({"rule": ir.again.rule, "seconds": ir.again.seconds, "parallel": ir.again.parallel}),
            "goal": {"event": _answer_to(ir.goal.event), "seconds": ir.goal.seconds} if ir.goal is not None else None,
            "holdout": float(ir.holdout),
            "states": [_state_to(state) for state in ir.states],
            "anywhere": [_arrow_to(arrow) for arrow in ir.anywhere],
        }
    )


def to_json(ir: IR) -> Json:
    """The whole IR as a JSON object: behaviour, plus title, doc and notes."""
    notes = {name: {"doc": note.doc, "file": note.file, "line": note.line} for name, note in ir.notes.items()}
    return {**_behaviour(ir), "title": ir.title, "doc": ir.doc, "notes": notes}


def from_json(obj: Json) -> IR:
    """Read what `to_json` wrote. Raises ValueError for a format that this version does not know."""
    if obj.get("format") != FORMAT:
        raise ValueError(f"this journey's IR has format {obj.get('format')!r}; this version reads format {FORMAT}")
    goal = obj.get("goal")
    again = obj["again"]
    notes: Json = obj.get("notes", {})
    return IR(
        name=obj["name"],
        purpose=obj["purpose"],
        entry=_entry_from(obj["entry"]),
        states=tuple(_state_from(state) for state in obj["states"]),
        anywhere=tuple(_arrow_from(arrow) for arrow in obj["anywhere"]),
        again=Reentry(again["rule"], again["seconds"], again.get("parallel")),
        goal=Goal(_answer_from(goal["event"]), goal["seconds"]) if goal is not None else None,
        holdout=float(obj["holdout"]),
        title=obj.get("title", ""),
        doc=obj.get("doc", ""),
        notes={name: Note(note["doc"], note["file"], note["line"]) for name, note in notes.items()},
    )


def canonical(obj: Json | Sequence[Any]) -> bytes:
    """Canonical JSON (UTF-8, sorted keys, no spaces; after RFC 8785 for the values that occur here)."""
    return json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def ir_hash(ir: IR) -> str:
    """The sha256, in hex, over the behaviour alone: docstrings, labels and positions don't change it."""
    return hashlib.sha256(canonical(_behaviour(ir))).hexdigest()
