"""Sentences: predicates and expressions as a picture's labels and a decision's record say them.

Short rather than whole: `≥ 2 wine orders and > 200 spent, 90 d`. Neighbours on the same order lines share what selects them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from dsl.expression import Aggregate, Constant, Expression, Field, Since, Times, Until
from dsl.nodes import Node
from dsl.predicate import And, Compare, Contains, IsIn, IsMissing, Matches, Not, Or, Predicate
from dsl.times import duration_text
from dsl.values import Kind, Scalar

__all__ = ["sentence"]

_SIGNS = {"eq": "=", "ne": "≠", "lt": "<", "le": "≤", "gt": ">", "ge": "≥"}
_OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
_MIRROR = {"eq": "eq", "ne": "ne", "lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}
_WORDS = {"sum": "total", "min": "smallest", "max": "largest", "avg": "mean"}


def sentence(node: Node) -> str:
    """The node in a few words."""
    if isinstance(node, Predicate):
        return _predicate(node)
    return _expression(node) if isinstance(node, Expression) else repr(node)


def _predicate(node: Predicate) -> str:  # noqa: PLR0911  # one for each kind of node
    match node:
        case And():
            return _and(node.parts) if node.parts else "everyone"
        case Or():
            return " or ".join(_within(part, Or) for part in node.parts) if node.parts else "no one"
        case Not():
            return _not(node.part)
        case IsMissing():
            return f"{_expression(node.left)} missing"
        case Contains():
            return f"{_expression(node.left)} {'contains' if node.where == 'anywhere' else 'starts with'} {_quoted(node.text)}"
        case Matches():
            return f"{_expression(node.left)} matches {_pattern(node.pattern)}"
        case IsIn():
            return (
                f"{_expression(node.left)} {_either([_constant(value.kind, value.literal) for value in node.values])}"
            )
        case Compare():
            about = _about(node)
            return _compare(node, node.op) + (_selection(about) if about is not None else "")
        case _:
            return repr(node)


def _not(part: Predicate) -> str:
    match part:
        case Compare():
            about = _about(part)
            return _compare(part, _OPPOSITE[part.op]) + (_selection(about) if about is not None else "")
        case IsMissing():
            return f"{_expression(part.left)} known"
        case IsIn() | Contains() | Matches():
            return f"not {_predicate(part)}"
        case _:
            return f"not ({_predicate(part)})"


def _and(parts: Sequence[Predicate]) -> str:
    said: list[str] = []
    rest = list(parts)
    while rest:
        first = rest.pop(0)
        about = _about(first)
        if about is None:
            said.append(_within(first, And))
            continue
        shared = [cast("Compare", first)]  # whatever is about an aggregate compares it
        while rest and _shares(about, rest[0]):
            shared.append(cast("Compare", rest.pop(0)))
        run = [_compare(part, part.op, brief=place > 0) for place, part in enumerate(shared)]
        said.append(" and ".join(run) + _selection(about))
    return " and ".join(said)


def _within(part: Predicate, outer: type[And | Or]) -> str:
    mixed = isinstance(part, And | Or) and not isinstance(part, outer) and len(part.parts) > 1
    return f"({_predicate(part)})" if mixed else _predicate(part)


def _about(part: Predicate) -> Aggregate | None:
    """The aggregate that a comparison with a constant is about; its selection is said at the end."""
    if isinstance(part, Compare) and isinstance(part.left, Aggregate) and isinstance(part.right, Constant):
        return part.left
    return None


def _shares(about: Aggregate, part: Predicate) -> bool:
    other = _about(part)
    return (
        other is not None
        and (other.where, other.last) == (about.where, about.last)
        and about.function in ("count", "sum")
    )


def _selection(about: Aggregate) -> str:
    """How far back it looks."""
    return f", {duration_text(about.last)}" if about.last is not None else ""


def _compare(node: Compare, op: str, *, brief: bool = False) -> str:  # noqa: C901, PLR0911, PLR0912  # one for each phrase
    left, right = node.left, node.right
    if isinstance(left, Constant) and not isinstance(right, Constant):
        left, right, op = right, left, _MIRROR[op]
    sign = _SIGNS[op]
    if not isinstance(right, Constant):
        return f"{_expression(left)} {sign} {_expression(right)}"
    value = _constant(right.kind, right.literal)
    match left:
        case Aggregate(function="count"):
            word = "order" if right.literal == 1 else "orders"
            if (op, right.literal) in (("eq", 0), ("lt", 1), ("le", 0)):
                return f"no {_noun(left, 'orders', brief=brief)}"
            return f"{sign} {value} {_noun(left, word, brief=brief)}"
        case Aggregate(function="sum", field=Field(name="total")):
            return f"{sign} {value} spent{_on(left, brief=brief)}"
        case Aggregate(function="recency"):
            return f"last {_noun(left, 'order', brief=brief)} {sign} {value} ago"
        case Aggregate(function="rhythm"):
            return f"{sign} {value} between {_noun(left, 'orders', brief=brief)}"
        case Aggregate():
            return f"{_what(left)}{_on(left, brief=brief)} {sign} {value}"
        case Since():
            return f"{_expression(left.moment)} {sign} {value} ago"
        case Until():
            return f"{_expression(left.moment)} in {sign} {value}"
        case Field(of="flag"):
            return _expression(left) if (op == "eq") == bool(right.literal) else f"not {_expression(left)}"
        case Field(of="text"):
            return f"{_expression(left)} {'is' if op == 'eq' else 'is not'} {value}"
        case _:
            return f"{_expression(left)} {sign} {value}"


def _expression(node: Expression) -> str:  # noqa: PLR0911  # one for each kind of node
    match node:
        case Constant():
            return _constant(node.of, node.literal)
        case Field():
            if node.source == "journey":
                return f"visits of {node.name.removeprefix('visits.').replace('_', ' ')}"
            return (
                node.name.replace("_", " ").removesuffix(" at") if node.of == "moment" else node.name.replace("_", " ")
            )
        case Since():
            return f"days since {_expression(node.moment)}"
        case Until():
            return f"days until {_expression(node.moment)}"
        case Times():
            return f"{node.factor:g} × {_expression(node.expression)}"
        case Aggregate():
            return _aggregate(node) + _selection(node)
        case _:
            return repr(node)


def _aggregate(node: Aggregate) -> str:
    match node.function:
        case "count":
            return _noun(node, "orders")
        case "recency":
            return f"days since the last {_noun(node, 'order')}"
        case "rhythm":
            return f"days between {_noun(node, 'orders')}"
        case "sum" if node.field is not None and node.field.name == "total":
            return f"spent{_on(node)}"
        case _:
            return f"{_what(node)}{_on(node)}"


def _what(node: Aggregate) -> str:
    field = node.field.name if node.field is not None else ""
    thing = {"total": "amount of a line", "quantity": "quantity"}.get(field, field.replace("_", " "))
    return f"{_WORDS.get(node.function, node.function)} {thing}"


def _noun(node: Aggregate, word: str, *, brief: bool = False) -> str:
    adjective, clause = ("", "") if brief else _condition(node.where)
    return f"{adjective + ' ' if adjective else ''}{word}{f' with {clause}' if clause else ''}"


def _on(node: Aggregate, *, brief: bool = False) -> str:
    adjective, clause = ("", "") if brief else _condition(node.where)
    return f"{f' on {adjective}' if adjective else ''}{f' with {clause}' if clause else ''}"


def _condition(where: Predicate | None) -> tuple[str, str]:
    """The condition on the lines as an adjective (`wine`), and what of it can't be one (`quantity > 2`)."""
    adjectives: list[str] = []
    clauses: list[str] = []
    parts = () if where is None else where.parts if isinstance(where, And) else (where,)
    for part in parts:
        match part:
            case Compare(left=Field(name="category" | "product"), op="eq", right=Constant(literal=str() as name)):
                adjectives.append(name)
            case IsIn(left=Field(name="category" | "product")):
                adjectives.append(_either([str(value.literal) for value in part.values]))
            case _:
                clauses.append(_within(part, And))
    return " ".join(adjectives), " and ".join(clauses)


def _constant(kind: Kind, value: Scalar) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d" if (value.hour, value.minute, value.second) == (0, 0, 0) else "%Y-%m-%d %H:%M")
    if kind == "money":
        return f"{value / 100:.2f}".removesuffix(".00")
    return duration_text(value) if kind == "seconds" else f"{value:.15g}"


def _quoted(text: str) -> str:
    """A plain word as it is; else in quotes, and with those of its own escaped."""
    if _plain(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _pattern(pattern: str) -> str:
    """As a text; but a regular expression has its own backslashes, and a quote behind one means the same to it."""
    if _plain(pattern):
        return pattern
    escaped = re.sub(r'(\\.)|"', lambda found: found[1] or '\\"', pattern, flags=re.DOTALL)
    return f'"{escaped}"'


def _plain(text: str) -> bool:
    return text.replace("-", "").replace("_", "").isalnum()


def _either(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
