"""A forgotten `yield from`: a body that calls a method for its arrows and drops them.

A generator that nobody asks never runs, so its arrows are never made; only the syntax tells.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

from dsl.bodies import Draft
from dsl.journey import Journey
from dsl.pointing import problem
from dsl.problems import JourneyError
from dsl.source import class_of, span

__all__ = ["check_forgotten"]


def check_forgotten(draft: Draft) -> Iterator[JourneyError]:
    """J105, at each call of a method whose arrows are dropped."""
    for cls in draft.journey.__mro__:
        if not issubclass(cls, Journey) or cls.__journey__.place is None:
            continue
        place = cls.__journey__.place
        node = class_of(place, cls.__name__)
        for method in node.body if node is not None else ():
            if isinstance(method, ast.FunctionDef) and method.args.args:
                for line in ast.walk(method):
                    name = _dropped(line, method.args.args[0].arg)
                    if name and inspect.isgeneratorfunction(getattr(draft.journey, name, None)):
                        text = f"the arrows of `{name}` are not yielded, so nobody would ever take them"
                        at = span(place.file, line) if isinstance(line, ast.Expr) else place
                        yield problem("J105", text, at, help=f"write `yield from self.{name}()`")


def _dropped(line: ast.AST, self: str) -> str:
    """The method that `self.rest()` calls, where the call is a statement of its own."""
    match line:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method))) if name == self:
            return method
        case _:
            return ""
