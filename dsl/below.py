"""Below: a name that isn't known where it is asked for, but stands elsewhere in the file: further down, or in the class."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from dsl.source import raised_at, tree_of

__all__ = ["below"]

_Method = ast.FunctionDef | ast.AsyncFunctionDef


def below(error: NameError, name: str) -> str:
    """The way out: a name is known below its line only; in a body, one of the class is `self.…`. Empty where it is neither."""
    place = raised_at(error.__traceback__)
    tree = tree_of(place.file) if place is not None else None
    if place is None or tree is None:
        return ""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and _holds(node, place.line) and (line := _line_of(node.body, name)):
            if any(isinstance(each, _Method) and _holds_in_body(each, place.line) for each in node.body):
                return f"in a body it is `self.{name}`"
            return _move(name, line) if line > place.line else ""
    line = _line_of(tree.body, name)
    return _move(name, line) if line > place.line else ""


def _move(name: str, line: int) -> str:
    return f"a name is known below its own line only: move `{name}` (line {line}) above this one"


def _holds(node: ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or line)


def _holds_in_body(method: _Method, line: int) -> bool:
    return method.body[0].lineno <= line <= (method.end_lineno or line)


def _line_of(body: Iterable[ast.stmt], name: str) -> int:
    """Where a name is first defined; 0 where it isn't."""
    for node in body:
        if isinstance(node, _Method | ast.ClassDef) and node.name == name:
            return node.lineno
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return node.lineno
    return 0
