"""A forgotten `yield from`, and a trigger alone on its line: what a body makes and drops, so that it does nothing.

A generator that nobody asks never runs, and a trigger without `>>` is no arrow; only the syntax tells.
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
from dsl.triggers import Trigger, event, forever, share, when
from dsl.unsteady import Names, names_of, resolved
from dsl.waits import after, at, until

__all__ = ["check_forgotten"]


def check_forgotten(draft: Draft) -> Iterator[JourneyError]:
    """J105, at each call of a method whose arrows are dropped; J115, at each trigger that leads nowhere."""
    for cls in draft.journey.__mro__:
        if not issubclass(cls, Journey) or cls.__journey__.place is None:
            continue
        place = cls.__journey__.place
        node = class_of(place, cls.__name__)
        names = names_of(cls)
        for method in node.body if node is not None else ():
            if isinstance(method, ast.FunctionDef) and method.args.args:
                for line in ast.walk(method):
                    if isinstance(line, ast.Expr) and _is_trigger(line.value, names):
                        yield _alone(line, place.file)
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


def _is_trigger(node: ast.expr, names: Names) -> bool:
    """Whether it is a trigger, with whatever follows its first word: `after(days=3)`, `Email.clicked.when(…)`."""
    match node:
        case ast.Call(func=part):
            made = resolved(part, names)
            return any(made is each for each in _MAKERS) or _is_trigger(part, names)
        case ast.Attribute(attr="ignored"):  # J105 is told of it
            return False
        case ast.Attribute(value=part):
            return isinstance(resolved(node, names), Trigger) or _is_trigger(part, names)
        case ast.Name():
            value = resolved(node, names)
            return isinstance(value, Trigger) or value is forever
        case _:
            return False


_MAKERS = (after, at, event, share, until, when)


def _alone(line: ast.Expr, file: str) -> JourneyError:
    said = ast.unparse(line.value)
    if said == "forever":
        return problem(
            "J115", "`forever` stands alone, so it does nothing", span(file, line), help="write `yield forever`"
        )
    text = "this trigger leads to no box, so it does nothing"
    short = said if len(said) <= _SHORT else "…"
    return problem("J115", text, span(file, line), help=f"write `yield {short} >> self.…`, or delete the line")


_SHORT = 40
