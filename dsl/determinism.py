"""Clock, chance, environment and files in a journey: refused, by reading its syntax and without running it.

A journey must compile to the same chart wherever and whenever it is loaded. What is read is the class statement with its bodies,
and whatever of the author's own files they refer to: functions, and values that stand at the top level of a file. What is
put together at run time (`getattr(module, name)`) is not seen.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, cast

from dsl.bodies import Draft
from dsl.journey import Journey
from dsl.pointing import problem
from dsl.problems import JourneyError
from dsl.source import authored, class_of, span, tree_of
from dsl.unsteady import MISSING, Names, is_set, listed, module_of, names_of, resolved, seen_by, unsteady, unwrapped

__all__ = ["check_determinism"]

_LOTS = "the engine knows the time and draws the lots: after(…), daily(at=…), @Split() with share(…)"
_HINTS: Final = {
    "the clock": _LOTS,
    "chance": _LOTS,
    "the disk": "write the values into the journey's file, or into another Python file beside it",
    "the network": "write the values into the journey's file: what is known of a customer is asked by Customer and by your own facts",
    "another program": "write the values into the journey's file: it is read, not run",
    "the process that it runs in": "write the value into the file: a journey is the same wherever it is loaded",
}
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def check_determinism(draft: Draft) -> Iterator[JourneyError]:
    """J109, at each place that asks a clock, chance, the process that the journey is loaded in, a file or the network."""
    reader = _Reader()
    for cls in draft.journey.__mro__:
        if issubclass(cls, Journey) and cls.__journey__.place is not None:
            place = cls.__journey__.place
            node = class_of(place, cls.__name__)
            if node is not None and authored(place.file):
                yield from reader.statement(node, place.file, names_of(cls))
        elif cls not in (object, Journey):
            lent: Mapping[str, object] = vars(cast("type", cls))
            for value in lent.values():
                yield from reader.reference(value)


class _Reader:
    """Reads syntax, each piece once, and follows what it refers to."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, int, int]] = set()

    def statement(self, node: ast.AST, file: str, names: Names) -> Iterator[JourneyError]:
        """A piece of syntax, in which `names` are known."""
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from self._function(node, file, names, names)
            case ast.ClassDef():
                yield from self._class(node, file, names)
            case ast.Call(func=ast.Name() | ast.Attribute()):
                yield from self._referred(node.func, node, file, names)
                yield from self._unordered(listed(node, names), node, file, names)
                for each in (*node.args, *node.keywords):
                    yield from self.statement(each, file, names)
            case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
                yield from self._referred(node, node, file, names)
            case _:
                if isinstance(node, ast.For | ast.comprehension):
                    yield from self._unordered(node.iter, node.iter, file, names)
                elif isinstance(node, ast.YieldFrom):
                    yield from self._unordered(node.value, node.value, file, names)
                for each in ast.iter_child_nodes(node):
                    yield from self.statement(each, file, names)

    def reference(self, value: object) -> Iterator[JourneyError]:
        """A function of the author's, wherever it stands."""
        value = unwrapped(value)
        if isinstance(value, FunctionType) and authored(value.__code__.co_filename):
            node = _definition(value.__code__)
            if node is not None:
                file, names = value.__code__.co_filename, seen_by(value)
                if self._first(node, file):
                    yield from self._function(node, file, names, names)

    def _first(self, node: ast.expr | ast.stmt, file: str) -> bool:
        at = (file, node.lineno, node.col_offset)
        fresh = at not in self._seen
        self._seen.add(at)
        return fresh

    def _function(self, node: _Function, file: str, names: Names, around: Names) -> Iterator[JourneyError]:
        """`names` are known in its body; `around` where its decorators and defaults stand."""
        decorators = () if isinstance(node, ast.Lambda) else node.decorator_list
        for each in (*decorators, *node.args.defaults, *node.args.kw_defaults):
            if each is not None:
                yield from self.statement(each, file, around)
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        own = {**names, **dict.fromkeys(_assigned(node), MISSING), **_imported(body)}
        for each in body:
            yield from self.statement(each, file, own)

    def _class(self, node: ast.ClassDef, file: str, names: Names) -> Iterator[JourneyError]:
        stored = {
            name for each in node.body if isinstance(each, ast.Assign | ast.AnnAssign) for name in _assigned(each)
        }
        own = {**names, **dict.fromkeys(stored, MISSING), **_imported(node.body)}
        for each in node.body:
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from self._function(each, file, names, own)
            else:
                yield from self.statement(each, file, own)

    def _referred(self, node: ast.expr, at: ast.expr, file: str, names: Names) -> Iterator[JourneyError]:
        """A dotted name, called or not; where it stands for nothing that is known, the part before the dot."""
        value = resolved(node, names)
        what = unsteady(value)
        if what:
            text = f"`{ast.unparse(node)}` asks {what}: the journey would be another one each time it is loaded"
            if self._first(at, file):  # pragma: no branch  # what is read twice is told once
                yield problem("J109", text, span(file, at), help=_HINTS[what])
        elif value is MISSING and isinstance(node, ast.Attribute):
            yield from self.statement(node.value, file, names)
        else:
            yield from self.reference(value)
            root = node
            while isinstance(root, ast.Attribute):  # `TODAY.weekday`: a day of the clock, whatever is asked of it
                root = root.value
            if isinstance(root, ast.Name):  # pragma: no branch  # what is known begins with a name
                yield from self._top_level(root.id, resolved(root, names), file, names)

    def _top_level(self, name: str, value: object, file: str, names: Names) -> Iterator[JourneyError]:
        """What an author's file assigns to a name, in this file or in a sibling that it comes from."""
        if value is MISSING or isinstance(value, type | ModuleType | FunctionType):
            return
        tree = tree_of(file)
        for line in tree.body if tree is not None else ():
            if isinstance(line, ast.Assign | ast.AnnAssign) and name in _assigned(line) and line.value is not None:
                if self._first(line, file):
                    yield from self.statement(line.value, file, {**names, name: MISSING})
            elif isinstance(line, ast.ImportFrom):
                original = next((each.name for each in line.names if (each.asname or each.name) == name), "")
                if not original or not line.module:
                    continue
                sibling = os.path.join(os.path.dirname(file), f"{line.module.rpartition('.')[2]}.py")  # noqa: PTH118, PTH120  # pathlib doubles the import
                if authored(sibling) and os.path.isfile(sibling):  # noqa: PTH113  # as above
                    module = sys.modules.get(f"{names.get('__package__')}.{line.module.rpartition('.')[2]}")
                    yield from self._top_level(original, value, sibling, vars(module) if module is not None else names)

    def _unordered(self, node: ast.expr | None, at: ast.expr, file: str, names: Names) -> Iterator[JourneyError]:
        if node is not None and is_set(node, names) and self._first(at, file):
            text = "a set has no order: the journey would be another one each time it is loaded"
            yield problem("J109", text, span(file, at), help="write a list, or sort it: sorted(…)")


def _definition(code: CodeType) -> _Function | None:
    """Where a function is written."""
    tree = tree_of(code.co_filename)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Lambda):
            if code.co_name == "<lambda>" and node.lineno == code.co_firstlineno:
                return node
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == code.co_name:
            first = min((node.lineno, *(d.lineno for d in node.decorator_list)))
            if first == code.co_firstlineno:
                return node
    return None


def _assigned(node: ast.AST) -> set[str]:
    """The names that are assigned within, parameters among them."""
    found = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    return found | {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}


def _imported(body: Iterable[ast.AST]) -> dict[str, Any]:
    """What a body imports by itself, of what is loaded. Nothing is imported for this but Python's own clock and dice."""
    found: dict[str, Any] = {}
    for line in (each for part in body for each in ast.walk(part)):
        if isinstance(line, ast.Import):
            for alias in line.names:
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                found[alias.asname or name] = module_of(name)
        elif isinstance(line, ast.ImportFrom) and line.module and not line.level:
            module = module_of(line.module)
            for alias in line.names:
                found[alias.asname or alias.name] = getattr(module, alias.name, MISSING)
    return found
