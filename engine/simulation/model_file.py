"""The response model's file, TOML or JSON, read with errors that name the table, the field, the value and the way out."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NoReturn, cast, get_args

from dsl.ir import CHANNELS, IR, State
from dsl.triggers import Reason
from engine.errors import EngineError
from engine.simulation.kinds import Kind, events_in, guards_in, heard_in, waits_in
from engine.simulation.model_text import SECTIONS, UNITS, answer_name, answers_by, model_boxes, model_queues, span_text
from engine.simulation.responses import DEFAULTS, ChannelModel, Delay, Rate, ResponseModel

__all__ = ["ModelError", "parse", "read"]

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|min|s)\b\s*")
_ROUNDED: Final = 0.002
"""How far from 1 shares may come that are written with four digits."""
_RATE: Final = ("rate", "median", "p90")


class ModelError(EngineError):
    """A response model can't be used: which file, table and field, the value, and the way out."""

    def __init__(self, message: str) -> None:
        super().__init__("response_model", message)


def read(path: Path, ir: IR) -> ResponseModel:
    """The model in a file, TOML or (.json) JSON. Raises ModelError, which names the table, the field and the way out."""
    try:
        text = path.read_text("utf-8")
        found = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except ValueError as error:
        kind = "JSON" if path.suffix.lower() == ".json" else "TOML"
        raise ModelError(f"{path} is no {kind}: {error}") from None
    return parse(found, ir, str(path))


def parse(found: object, ir: IR, file: str) -> ResponseModel:
    """The model in a document as `document` gives it; what it leaves out holds the default. `file` is for errors."""
    tables = _Table(file, "", found)
    tables.only(["journey", *SECTIONS])
    if (name := tables.values.get("journey", ir.name)) != ir.name:
        raise ModelError(
            f"{file} is the model of {name!r}, not of {ir.name!r}; write one by: parcours simulate … --model-template"
        )
    boxes = tables.table("boxes")
    boxes.only([state.name for state in model_boxes(ir)], "box")
    each = {state.name: boxes.table(state.name) for state in model_boxes(ir) if state.name in boxes.values}
    for state in model_boxes(ir):
        if state.name in each:
            _check_box(each[state.name], ir, state)
    channels = _channels(tables.table("channels"), ir)
    usual = ResponseModel(channels)
    model = ResponseModel(
        channels=channels,
        boxes={s.name: each[s.name].rates(heard_in(ir, s), s, usual) for s in model_boxes(ir) if s.name in each},
        reach={name: table.share("reach") for name, table in each.items() if "reach" in table.values},
        events=tables.table("events").numbers([kind.name for kind in events_in(ir)], "event"),
        box_events={
            name: {kind.name: table.number(kind.name) for kind in events_in(ir) if kind.name in table.values}
            for name, table in each.items()
        },
        guards=_guards(tables.table("guards"), ir),
        waits=_waits(tables.table("waits"), ir),
        capacity=tables.table("capacity").numbers(model_queues(ir), "queue"),
    )
    _check_outcomes(model, ir, file)
    return model


def _check_box(table: _Table, ir: IR, state: State) -> None:
    answers = [answer_name(kind, state) for kind in heard_in(ir, state)]
    table.only([*(["reach"] if state.channels else []), *answers, *(k.name for k in events_in(ir))], "answer")


def _channels(tables: _Table, ir: IR) -> dict[str, ChannelModel]:
    used = {channel for state in ir.states for channel in state.channels}
    tables.only([channel for channel in CHANNELS if channel in used], "channel")
    found = dict(DEFAULTS)
    for channel in tables.values:
        table, usual = tables.table(channel), DEFAULTS[channel]
        kinds = {kind.name.removeprefix(f"{channel}."): kind for kind in answers_by(ir, channel)}
        table.only(["reach", "cost", "unsent", *kinds], "answer")
        rates = {
            name: table.rate(name, ResponseModel().rate("", kind))
            for name, kind in kinds.items()
            if name in table.values
        }
        found[channel] = ChannelModel(
            table.share("reach") if "reach" in table.values else usual.reach,
            table.number("cost") if "cost" in table.values else usual.cost,
            {**usual.answers, **rates},
            table.table("unsent").parts(get_args(Reason)) if "unsent" in table.values else usual.unsent,
        )
    return found


def _guards(table: _Table, ir: IR) -> dict[str, float]:
    table.only([guard.sentence() for guard in guards_in(ir).values()], "condition")
    return {name: table.share(name) for name in table.values}


def _waits(table: _Table, ir: IR) -> dict[str, Delay]:
    table.only([name for name, _ in waits_in(ir)], "measured wait")
    return {name: table.table(name).delay() for name in table.values}


def _check_outcomes(model: ResponseModel, ir: IR, file: str) -> None:
    """Of a call there is one outcome: their shares can't come to more than all calls."""
    for state in ir.states:
        kinds = [kind for kind in heard_in(ir, state) if kind.channel == "call"]
        total = sum(model.rate(state.name, kind).share for kind in kinds)
        if total > 1 + 1e-9:
            shares = ", ".join(
                f"{kind.event.partition('.')[2]} {model.rate(state.name, kind).share:g}" for kind in kinds
            )
            raise ModelError(
                f"{file}: [boxes.{state.name}] the outcomes of a call come to {total:g}, more than 1 ({shares}); "
                "a call has one outcome: lower them here or in [channels.call]"
            )


class _Table:
    """A table of the file: its values, and where it stands, for errors."""

    def __init__(self, file: str, name: str, values: object) -> None:
        self._file = file
        self._name = name
        if not isinstance(values, Mapping):
            self._name = name.rpartition(".")[0]
            self._refuse(name.rpartition(".")[2] or "the model", values, "this must be a table")
        self.values = dict(cast("Mapping[str, Any]", values))

    def table(self, name: str) -> _Table:
        """A table within; an empty one where it isn't there."""
        return _Table(self._file, f"{self._name}.{name}" if self._name else name, self.values.get(name, {}))

    def only(self, known: Iterable[str], what: str = "table") -> None:
        """Refuse what can't stand here."""
        names = list(known)
        for name in self.values:
            if name not in names:
                near = get_close_matches(name, names, n=1)
                mean = f"did you mean {near[0]!r}? " if near else ""
                listed = ", ".join(map(repr, names)) or "none"
                place = f"[{self._name}] " if self._name else ""
                raise ModelError(
                    f"{self._file}: {place}there is no {what} {name!r} in this journey; {mean}known: {listed}"
                )

    def numbers(self, known: Iterable[str], what: str) -> dict[str, float]:
        self.only(known, what)
        return {name: self.number(name) for name in self.values}

    def number(self, name: str) -> float:
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            self._refuse(name, value, "give a number from 0 on")
        return float(value)

    def share(self, name: str) -> float:
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            self._refuse(name, value, "give a share from 0 to 1: 0.05 is five in a hundred")
        return float(value)

    def parts(self, known: Iterable[str]) -> dict[str, float]:
        """Shares that come to a whole."""
        self.only(known, "reason")
        found = {name: self.share(name) for name in self.values}
        if abs(sum(found.values()) - 1) > _ROUNDED:
            raise ModelError(
                f"{self._file}: [{self._name}] the shares come to {sum(found.values()):g}; of all messages that reach nobody "
                "each has one reason: they come to 1"
            )
        return found

    def span(self, name: str) -> float:
        value = self.values.get(name)
        parts = _SPAN.findall(value) if isinstance(value, str) else []
        if not isinstance(value, str) or not parts or _SPAN.sub("", value).strip():
            self._refuse(name, value, 'give a span as "8 h", "2 d" or "30 min"')
        return sum(float(count) * UNITS[unit] for count, unit in parts)

    def delay(self) -> Delay:
        self.only(("median", "p90"), "field")
        return self._delay(self.span("median"), self.span("p90"))

    def rate(self, name: str, usual: Rate) -> Rate:
        """An answer's rate. What it leaves out is as usual: of a median alone, p90 lies as many times as far as it does then."""
        table = self.table(name)
        table.only((*_RATE, "seen"), "field")
        seen = table.values.get("seen")
        if seen is not None and (type(seen) is not int or seen < 0):
            table._refuse("seen", seen, "give how many messages it was learned from, or leave it out")  # noqa: SLF001  # its own kind
        share = table.share("rate") if "rate" in table.values else usual.share
        median = table.span("median") if "median" in table.values else usual.delay.median
        p90 = table.span("p90") if "p90" in table.values else median * usual.delay.p90 / usual.delay.median
        return Rate(share, table._delay(median, p90), seen)  # noqa: SLF001  # as above

    def rates(self, kinds: Iterable[Kind], state: State, usual: ResponseModel) -> dict[str, Rate]:
        named = {kind: answer_name(kind, state) for kind in kinds}
        return {
            kind.name: self.rate(short, usual.rate("", kind)) for kind, short in named.items() if short in self.values
        }

    def _delay(self, median: float, p90: float) -> Delay:
        if median <= 0:
            self._refuse("median", self.values["median"], "give a span above 0")
        if p90 < median:
            by = self.values.get("median", f"{span_text(median)}, which is the channel's")
            self._refuse("p90", self.values["p90"], f"it can't come before the median, {by}")
        return Delay(median, p90)

    def _refuse(self, name: str, value: object, way: str) -> NoReturn:
        place = f"[{self._name}] " if self._name else ""
        raise ModelError(f"{self._file}: {place}{name} is {value!r}; {way}")
