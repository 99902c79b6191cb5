"""Clock and chance in a journey: refused, by reading its syntax and without running it.

A journey must compile to the same chart wherever and whenever it is loaded. The class statement with its bodies is
read, and the functions of the author's own files that it calls.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from types import FunctionType, ModuleType
from typing import Any

from dsl.bodies import Draft
from dsl.journey import Journey
from dsl.pointing import problem
from dsl.problems import JourneyError
from dsl.source import authored, class_of, span, tree_of

__all__ = ["check_determinism"]

_CLOCKS = {
    "time",
    "time_ns",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "localtime",
    "gmtime",
    "ctime",
}
_MISSING = object()
_Node = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def check_determinism(draft: Draft) -> Iterator[JourneyError]:
    """J109, at each call of a clock or of chance."""
    seen: set[tuple[str, int]] = set()
    for cls in draft.journey.__mro__:
        if cls in (object, Journey) or not issubclass(cls, Journey) or cls.__journey__.place is None:
            continue
        place = cls.__journey__.place
        node = class_of(place, cls.__name__)
        names = _globals_of(cls)
        if node is not None and authored(place.file):
            yield from _calls(node, place.file, names, seen)


def _globals_of(cls: type) -> Mapping[str, Any]:
    """The names that a class's bodies see."""
    for value in vars(cls).values():
        body = getattr(value, "body", value)
        if isinstance(body, FunctionType):
            return body.__globals__
    module = sys.modules.get(cls.__module__)
    return vars(module) if module is not None else {}


def _calls(node: _Node, file: str, names: Mapping[str, Any], seen: set[tuple[str, int]]) -> Iterator[JourneyError]:
    if (file, node.lineno) in seen:
        return
    seen.add((file, node.lineno))
    known = {**names, **_imports(node)}
    for call in ast.walk(node):
        if not isinstance(call, ast.Call):
            continue
        called = _resolve(call.func, known)
        what = _unsteady(called)
        if what:
            text = f"`{ast.unparse(call.func)}` asks {what}: the journey would be another one each time it is loaded"
            hint = "the engine knows the time and draws the lots: after(…), daily(at=…), @Split() with share(…)"
            yield problem("J109", text, span(file, call), help=hint)
        elif isinstance(called, FunctionType) and authored(called.__code__.co_filename):
            code = called.__code__
            found = _function(code.co_filename, code.co_firstlineno, code.co_name)
            if found is not None:
                yield from _calls(found, code.co_filename, called.__globals__, seen)


def _function(file: str, line: int, name: str) -> _Node | None:
    tree = tree_of(file)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.FunctionDef) and node.name == name:
            first = min((node.lineno, *(d.lineno for d in node.decorator_list)))
            if first == line:
                return node
    return None


def _imports(node: ast.AST) -> dict[str, Any]:
    """What a body imports by itself. Only Python's own clock and dice are looked up: nothing is imported for this."""
    found: dict[str, Any] = {}
    for line in ast.walk(node):
        if isinstance(line, ast.Import):
            for alias in line.names:
                module = _module(alias.name)
                if module is not None:
                    found[alias.asname or alias.name.partition(".")[0]] = module
        elif isinstance(line, ast.ImportFrom) and line.module and not line.level:
            module = _module(line.module)
            for alias in line.names if module is not None else ():
                found[alias.asname or alias.name] = getattr(module, alias.name, None)
    return found


def _module(name: str) -> ModuleType | None:
    return importlib.import_module(name) if name in ("time", "datetime", "random", "uuid", "secrets", "os") else None


def _resolve(node: ast.expr, names: Mapping[str, Any]) -> object:
    """The object that a dotted name stands for, without running anything of the author's."""
    if isinstance(node, ast.Name):
        return names.get(node.id, getattr(builtins, node.id, _MISSING))
    if isinstance(node, ast.Attribute):
        owner = _resolve(node.value, names)
        if isinstance(owner, ModuleType) or (isinstance(owner, type) and issubclass(owner, date)):
            return getattr(owner, node.attr, _MISSING)
    return _MISSING


def _unsteady(called: object) -> str:
    """What a function asks, the clock or chance; empty for every other one."""
    name = getattr(called, "__name__", "")
    owner = getattr(called, "__self__", None)
    module = str(getattr(called, "__module__", None) or type(owner).__module__)
    if isinstance(owner, type) and issubclass(owner, date) and name in ("now", "today", "utcnow"):
        return "the clock"
    if module == "time" and name in _CLOCKS:
        return "the clock"
    chance = (
        module in ("random", "secrets")
        or module.startswith("numpy.random")
        or (module == "uuid" and name in ("uuid1", "uuid4"))
        or (name == "urandom" and module in ("posix", "nt", "os"))
    )
    return "chance" if chance and callable(called) else ""
