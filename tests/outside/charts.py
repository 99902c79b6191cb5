"""python-statemachine as the other interpreter: it loads our SCXML unchanged, and walks a script by a clock of ours."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, cast

import pytest
from outside.walks import Script, Trace
from statemachine import State, event_data
from statemachine.engines import sync
from statemachine.io import load  # pyright: ignore[reportUnknownVariableType]  # its classes are generic, and it doesn't say of what
from statemachine.model import Model

from dsl.export import scxml
from dsl.ir import IR

__all__ = ["Clock", "Loaded", "retraced"]


class _Idle(Exception):
    """The interpreter would sleep until its next event is due."""


class _Load(Protocol):
    def __call__(self, source: str, /, *, format: str) -> Callable[..., _Machine]: ...  # noqa: A002  # their word


class _Machine(Protocol):
    model: object

    def send(self, event: str, /, **data: Any) -> object: ...


class Clock:
    """Time as the interpreter sees it. Where it would sleep, it gives control back."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        for module in (sync, event_data):
            patch.setattr(module, "monotonic", lambda: self.now)
        patch.setattr(sync, "sleep", self._sleep)

    def _sleep(self, seconds: float) -> None:
        del seconds
        raise _Idle


class _Listener:
    def __init__(self, ir: IR, clock: Clock) -> None:
        self.boxes = ir.by_name
        self.clock = clock
        self.trace: Trace = []

    def on_enter_state(self, target: State) -> None:
        name = "-".join(str(target.id).split("-")[:2])  # where she rests in a stage is the same rest
        if name in self.boxes or name.startswith("rest-"):
            self.trace.append((int(self.clock.now), name))


class Loaded:
    """A journey's SCXML, loaded in the interpreter's restricted mode, which runs no code of ours."""

    def __init__(self, ir: IR) -> None:
        self.ir = ir
        self.machine = cast("_Load", load)(scxml(ir), format="scxml")
        first = self.machine()
        self.data = {name: value for name, value in vars(first.model).items() if name != "state"}

    def started(self, listener: _Listener) -> _Machine:
        """A machine at its entrance. The interpreter sets up the data of a loaded class for its first machine only."""
        model = Model()
        for name, value in self.data.items():
            setattr(model, name, value)
        return self.machine(model=model, listeners=[listener])


def retraced(loaded: Loaded, script: Script, clock: Clock) -> Trace:
    """Where the interpreter goes when it is told the script."""
    clock.now = 0.0
    listener = _Listener(loaded.ir, clock)
    chart = loaded.started(listener)
    known: dict[str, bool] = {}
    for tell in script:
        if tell.kind == "wait":  # up to the last second, so that what it would do too early shows
            for moment in (tell.at - 1, tell.at):
                clock.now = max(clock.now, float(moment))
                _send(chart, "parcours.tick", {})
        elif tell.kind == "guards":
            fresh = {number: holds for number, holds in tell.data.items() if known.get(number, False) != holds}
            known |= fresh
            for number, holds in fresh.items():
                _send(chart, f"parcours.guard.{number}", {"holds": holds})
        else:
            data = {name: f"{value}s" if name.startswith("wait") else value for name, value in tell.data.items()}
            _send(chart, tell.kind, data)
    return listener.trace


def _send(chart: _Machine, event: str, data: dict[str, Any]) -> None:
    with suppress(_Idle):
        chart.send(event, **data)
