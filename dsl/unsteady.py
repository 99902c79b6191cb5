"""What differs from one load to the next: clocks, chance, the process, sets; and which object a dotted name stands for."""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
import os
import sys
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Final, cast

from dsl.source import authored

__all__ = ["MISSING", "Names", "is_set", "listed", "module_of", "resolved", "unsteady", "unwrapped"]

Names = Mapping[str, object]
"""What names stand for."""
MISSING: Final = object()
"""Stands for what a name stands for that nobody knows."""

_CLOCKS: Final = frozenset({
    "asctime", "clock_gettime", "clock_gettime_ns", "ctime", "gmtime", "localtime", "monotonic", "monotonic_ns", "perf_counter",
    "perf_counter_ns", "process_time", "process_time_ns", "strftime", "thread_time", "thread_time_ns", "time", "time_ns",
})  # fmt: skip
_PROCESS: Final = frozenset({
    "cpu_count", "getcwd", "getcwdb", "getenv", "getenvb", "getlogin", "getpid", "getppid", "listdir", "scandir", "times", "uname",
    "walk",
})  # fmt: skip
_PYTHONS: Final = ("time", "datetime", "random", "uuid", "secrets", "os")
_DICE: Final = object()
"""Stands for whatever a generator of random numbers is asked."""
_ORDERING: Final = (list, tuple, iter, enumerate, zip, map)


def module_of(name: str) -> object:
    """A module that is loaded. Nothing is imported for this but Python's own clock and dice."""
    return importlib.import_module(name) if name in _PYTHONS else sys.modules.get(name, MISSING)


def resolved(node: ast.expr, names: Names) -> object:
    """The object that a dotted name stands for, without running anything of the author's."""
    if isinstance(node, ast.Name):
        return names.get(node.id, getattr(builtins, node.id, MISSING))
    if isinstance(node, ast.Attribute):
        owner = resolved(node.value, names)
        if isinstance(owner, ModuleType):
            return getattr(owner, node.attr, MISSING)
        if owner is os.environ or owner is MISSING:
            return owner
        if "random" in type(owner).__module__.split("."):  # random.Random(), numpy.random.default_rng()
            return _DICE
        return inspect.getattr_static(owner, node.attr, MISSING)
    return MISSING


def unwrapped(value: object) -> object:
    """The function inside of a partial, of a method, and of a decorator that says what it wraps."""
    while True:
        inner = inspect.getattr_static(value, "__wrapped__", None)
        if isinstance(value, functools.partial):
            value = cast("functools.partial[object]", value).func
        elif isinstance(value, staticmethod | classmethod):
            value = cast("staticmethod[..., object]", value).__func__
        elif callable(inner):
            value = inner
        else:
            return value


def unsteady(value: object) -> str:
    """What is asked through it: the clock, chance, the process; empty for everything else."""
    if value is _DICE:
        return "chance"
    if value is os.environ or any(value is each for each in (hash, id, input)):
        return "the process that it runs in"
    value = unwrapped(value)
    if not callable(value) or (isinstance(value, FunctionType) and authored(value.__code__.co_filename)):
        return ""
    name = str(getattr(value, "__name__", ""))
    owner = getattr(value, "__self__", None)
    module = str(getattr(value, "__module__", None) or type(owner).__module__)
    if name in ("now", "today", "utcnow") or (module == "time" and name in _CLOCKS):
        return "the clock"
    system = module in ("posix", "nt", "os")
    if system and name in _PROCESS:
        return "the process that it runs in"
    chance = (
        module == "secrets"
        or "random" in module.split(".")
        or (module == "uuid" and name in ("uuid1", "uuid4"))
        or (system and name in ("urandom", "getrandom"))
    )
    return "chance" if chance else ""


def listed(call: ast.Call, names: Names) -> ast.expr | None:
    """What a call of `list`, `tuple`, `enumerate` … puts into an order."""
    called = resolved(call.func, names)
    return call.args[-1] if call.args and any(called is each for each in _ORDERING) else None


def is_set(node: ast.expr, names: Names) -> bool:
    """Whether it is a set whose order is another one in each process; a set of numbers keeps its own."""
    if isinstance(node, ast.Set):
        return not all(isinstance(each, ast.Constant) and isinstance(each.value, int | float) for each in node.elts)
    if isinstance(node, ast.Call):
        called = resolved(node.func, names)
        return bool(node.args) and (called is set or called is frozenset)
    value = resolved(node, names)
    if isinstance(value, set | frozenset):
        return not all(isinstance(each, int | float) for each in cast("frozenset[object]", value))
    return isinstance(node, ast.SetComp)
