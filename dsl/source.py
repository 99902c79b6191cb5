"""The author's text: what stands at a place, and the syntax around it."""

from __future__ import annotations

import ast
import linecache
import os
import re
from functools import lru_cache
from types import CodeType, TracebackType
from typing import Final

from dsl.place import Place

__all__ = [
    "authored",
    "class_of",
    "def_place",
    "left_of",
    "line_of",
    "name_in_class",
    "raised_at",
    "span",
    "tree_of",
    "word_above",
]

_OWN: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep  # noqa: PTH100, PTH120  # pathlib doubles the import
_LIBRARY: Final = os.path.dirname(os.path.abspath(os.__file__)) + os.sep  # noqa: PTH100, PTH120  # as above


def line_of(place: Place) -> str:
    """The text of the place's line, without its end; empty where there is no file (a prompt)."""
    linecache.checkcache(place.file)
    return linecache.getline(place.file, place.line).rstrip("\r\n")


def tree_of(file: str) -> ast.Module | None:
    """The syntax tree of a file, or None where there is no readable one."""
    linecache.checkcache(file)
    return _parse("".join(linecache.getlines(file)))


@lru_cache(maxsize=32)
def _parse(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


def def_place(code: CodeType) -> Place:
    """The name in a function's `def` line: a code object's own first line is that of its decorator."""
    file, first = code.co_filename, code.co_firstlineno
    linecache.checkcache(file)
    pattern = re.compile(rf"\s*(?:async\s+)?def\s+({re.escape(code.co_name)})\b")
    for offset, text in enumerate(linecache.getlines(file)[first - 1 :]):
        found = pattern.match(text)
        if found:
            start = len(text[: found.start(1)].encode())
            return Place(file, first + offset, start, start + len(code.co_name.encode()))
    return Place(file, first)


def class_of(place: Place, name: str) -> ast.ClassDef | None:
    """The class statement at a place."""
    tree = tree_of(place.file)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.ClassDef) and node.name == name:
            first = min((node.lineno, *(d.lineno for d in node.decorator_list)))
            if first <= place.line <= node.lineno:
                return node
    return None


def name_in_class(place: Place, name: str, attribute: str = "") -> Place:
    """Where a class statement assigns `attribute`; without one, or if it doesn't, the class's own name."""
    node = class_of(place, name)
    if node is None:
        return place
    for line in node.body:
        targets = (
            line.targets if isinstance(line, ast.Assign) else [line.target] if isinstance(line, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name) and target.id == attribute:
                return span(place.file, line)
    text = line_of(Place(place.file, node.lineno)).encode()
    start = text.find(name.encode(), node.col_offset + len("class"))
    return Place(place.file, node.lineno, start, start + len(name.encode()))


def span(file: str, node: ast.stmt | ast.expr) -> Place:
    """Where a piece of syntax stands; of several lines the first."""
    return Place(file, node.lineno, node.col_offset, node.end_col_offset if node.end_lineno == node.lineno else None)


def left_of(place: Place) -> Place:
    """Of an arrow's place the trigger alone: what stands left of `>>`."""
    tree = tree_of(place.file)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.BinOp) and (node.lineno, node.col_offset) == (place.line, place.start):
            one_line = node.left.lineno == node.left.end_lineno
            if isinstance(node.op, ast.RShift):
                return Place(place.file, place.line, place.start, node.left.end_col_offset if one_line else None)
    return place


def word_above(place: Place, word: str, decorator: str = "") -> Place:
    """Where a decorator of the method whose decorators include `place` says `word`; else the place itself.

    Where several say it, as `@Email("care/hello")` and `@Sms("care/hello")` do, `decorator` names the one that is meant.
    """
    tree = tree_of(place.file)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.FunctionDef) and any(each.lineno == place.line for each in node.decorator_list):
            said = [
                (_called(above), each)
                for above in node.decorator_list
                for each in ast.walk(above)
                if isinstance(each, ast.Constant) and each.value == word
            ]
            meant = [each for name, each in said if name == decorator] or [each for _, each in said]
            return span(place.file, meant[0]) if meant else place
    return place


def _called(decorator: ast.expr) -> str:
    """The name that a decorator calls: `Email` of `@Email(…)` and of `@dsl.Email(…)`; of others none."""
    function = decorator.func if isinstance(decorator, ast.Call) else None
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def authored(file: str) -> bool:
    """Whether this is an author's file: not ours, not Python's (nor made by it: a dataclass's `<string>`), not a package's."""
    return not file.startswith((_OWN, _LIBRARY, "<frozen ", "<string>")) and "site-packages" not in file


def raised_by_us(error: BaseException) -> bool:
    """Whether the language itself refused a value: its own words say what is wrong, no exception's name is needed."""
    trace, last = error.__traceback__, ""
    while trace is not None:
        last, trace = trace.tb_frame.f_code.co_filename, trace.tb_next
    asked = raised_at(error.__traceback__) is not None
    return asked and isinstance(error, TypeError | ValueError) and last.startswith(_OWN)


def raised_at(trace: TracebackType | None) -> Place | None:
    """The innermost place in an author's file that a traceback went through."""
    found = None
    while trace is not None:
        code = trace.tb_frame.f_code
        if authored(code.co_filename):
            found = Place.at(code, trace.tb_lasti, trace.tb_lineno)
        trace = trace.tb_next
    return found
