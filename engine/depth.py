"""How deep JSON from outside may be nested: one limit, at every door that keeps JSON.

What is kept is read again by many: the databases, our own answers and other people's parsers each end at a depth of their own.
"""

from __future__ import annotations

from typing import Any, cast

from engine.errors import Invalid

__all__ = ["DEEPEST", "TOO_DEEP", "check_depth", "depth"]

DEEPEST = 64
"""Most objects and lists inside of one another. pydantic writes 255, Python's own parser reads some 990."""
TOO_DEEP = f"objects and lists may be nested {DEEPEST} deep"


def depth(value: object) -> int:
    """How many objects and lists stand inside of one another; 0 for a plain value. It calls no function per level."""
    deep = 0
    level: list[Any] = [value]
    while True:
        nodes = cast("list[dict[str, Any] | list[Any]]", [each for each in level if isinstance(each, dict | list)])
        if not nodes:
            return deep
        deep += 1
        level = [one for each in nodes for one in (each.values() if isinstance(each, dict) else each)]


def check_depth(field: str, value: object) -> None:
    """Raises Invalid for JSON that is nested deeper than `DEEPEST`; what it got is the depth."""
    deep = depth(value)
    if deep > DEEPEST:
        raise Invalid(field, deep, TOO_DEEP)
