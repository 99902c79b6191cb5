"""What differs from one load to the next: clocks, chance, the process, files, sets; and which object a dotted name stands for."""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Final, cast

from dsl.source import authored

__all__ = [
    "MISSING",
    "Names",
    "is_set",
    "listed",
    "module_of",
    "names_of",
    "resolved",
    "seen_by",
    "unsteady",
    "unwrapped",
]

Names = Mapping[str, object]
"""What names stand for."""
MISSING: Final = object()
"""Stands for what a name stands for that nobody knows."""

_CLOCKS: Final = frozenset({
    "asctime", "clock_gettime", "clock_gettime_ns", "ctime", "gmtime", "localtime", "monotonic", "monotonic_ns", "perf_counter",
    "perf_counter_ns", "process_time", "process_time_ns", "strftime", "thread_time", "thread_time_ns", "time", "time_ns",
})  # fmt: skip
_PROCESS: Final = frozenset({
    "cpu_count", "getcwd", "getcwdb", "getenv", "getenvb", "getlogin", "getpid", "getppid", "times", "uname",
})  # fmt: skip
_DISK: Final = frozenset({
    "open", "open_code", "read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "glob", "rglob", "exists", "is_file",
    "is_dir", "stat", "listdir", "scandir", "walk", "mkdir", "makedirs", "remove", "unlink", "rename", "replace", "touch",
    "isfile", "isdir", "getsize", "getmtime", "iglob", "copy", "copyfile", "copytree", "move", "rmtree",
})  # fmt: skip
_FILES: Final = ("_io", "io", "posix", "nt", "os", "posixpath", "ntpath", "genericpath", "glob", "shutil", "pathlib")
_SYSTEM: Final = ("posix", "nt", "os")
_PROGRAMS: Final = ("subprocess", "_posixsubprocess")
_STARTS: Final = ("system", "popen", "execv", "fork", "spawnv")
_NETWORK: Final = ("socket", "_socket", "ssl", "urllib", "http", "requests", "httpx", "smtplib", "ftplib", "aiohttp")
_PYTHONS: Final = ("time", "datetime", "random", "uuid", "secrets", "os")
_DICE: Final = object()
"""Stands for whatever a generator of random numbers is asked."""
_ORDERING: Final = (list, tuple, iter, enumerate, zip, map)


def module_of(name: str) -> object:
    """A module that is loaded. Nothing is imported for this but Python's own clock and dice."""
    return importlib.import_module(name) if name in _PYTHONS else sys.modules.get(name, MISSING)


def names_of(cls: type) -> Names:
    """The names that a class's bodies see."""
    module = sys.modules.get(cls.__module__)
    names: dict[str, object] = dict(vars(module)) if module is not None else {}
    for value in vars(cls).values():
        body = getattr(value, "body", value)
        if isinstance(body, FunctionType):
            names |= seen_by(body)
    return names


def seen_by(function: FunctionType) -> dict[str, object]:
    """The names that a function sees."""
    names: dict[str, object] = dict(function.__globals__)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # it is not filled yet
            continue
    return names


def resolved(node: ast.expr, names: Names) -> object:  # noqa: PLR0911  # one line for each kind of owner
    """The object that a dotted name stands for, without running anything of the author's."""
    if isinstance(node, ast.Name):
        return names.get(node.id, getattr(builtins, node.id, MISSING))
    if not isinstance(node, ast.Attribute):
        return MISSING
    owner = resolved(node.value, names)
    if isinstance(owner, ModuleType):
        return getattr(owner, node.attr, MISSING)
    if owner is MISSING and node.attr in _DISK and _is_path(node.value, names):
        return getattr(sys.modules["pathlib"].Path, node.attr, MISSING)
    if owner is os.environ or owner is MISSING:
        return owner
    if "random" in type(owner).__module__.split("."):  # random.Random(), numpy.random.default_rng()
        return _DICE
    return inspect.getattr_static(owner, node.attr, MISSING)


def _is_path(node: ast.expr, names: Names) -> bool:
    """Whether it is a path of `pathlib`, or made of one: `Path("a") / "b"`, `Path(__file__).parent`."""
    match node:
        case ast.Call(func=part) | ast.Attribute(value=part) | ast.BinOp(left=part):
            return _is_path(part, names) or _of_pathlib(resolved(node, names))
        case _:
            return _of_pathlib(resolved(node, names))


def _of_pathlib(value: object) -> bool:
    kind = value if isinstance(value, type) else type(value)
    return any(each.__module__.partition(".")[0] == "pathlib" for each in kind.__mro__)


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
    """What is asked through it: the clock, chance, the process, the disk, the network; empty for everything else."""
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
    return next((what for what, asks in _ASKED if asks(name, module, module.partition(".")[0])), "")


_ASKED: Final[tuple[tuple[str, Callable[[str, str, str], bool]], ...]] = (
    ("the clock", lambda name, module, _: name in ("now", "today", "utcnow") or (module == "time" and name in _CLOCKS)),
    ("the disk", lambda name, _, package: name in _DISK and package in _FILES),
    ("the network", lambda _, __, package: package in _NETWORK),
    ("another program", lambda name, _, package: package in _PROGRAMS or (package in _SYSTEM and name in _STARTS)),
    ("the process that it runs in", lambda name, _, package: package in _SYSTEM and name in _PROCESS),
    ("chance", lambda name, module, _: _by_chance(name, module)),
)
"""What is asked, and whether by a function of this name, module and package."""


def _by_chance(name: str, module: str) -> bool:
    return (
        module == "secrets"
        or "random" in module.split(".")
        or (module == "uuid" and name in ("uuid1", "uuid4"))
        or (module in _SYSTEM and name in ("urandom", "getrandom"))
    )


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
