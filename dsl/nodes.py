"""Nodes: what predicates and expressions have in common, their JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, ClassVar, TypeVar, cast

__all__ = ["Node", "read_node"]


class Node:
    """A frozen node of a tree. Its JSON is made from the dataclass's own fields, under the tag of its kind."""

    __slots__ = ()
    tag: ClassVar[str] = ""
    role: ClassVar[str] = "node"
    """`expression` or `predicate`."""
    children: ClassVar[Mapping[str, str]] = {}
    """The role, or the tag, that the nodes in a field must have."""
    _kinds: ClassVar[dict[str, type[Node]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.tag:
            Node._kinds[cls.tag] = cls  # the class of `slots=True` replaces the one that it was made from

    def to_json(self) -> dict[str, Any]:
        """The node as `{tag: {field: value}}`; missing fields are left out. `*_from_json` reads it back, equal."""
        body = {f.name: _encode(getattr(self, f.name)) for f in fields(cast("Any", self))}
        return {self.tag: {name: value for name, value in body.items() if value is not None}}

    def sentence(self) -> str:
        """As a picture's label says it, short: `≥ 2 wine orders and > 200 spent, 90 d`."""
        from dsl.sentences import sentence  # noqa: PLC0415  # the printer knows the nodes, not the other way round

        return sentence(self)


N = TypeVar("N", bound=Node)


def read_node(obj: object, wanted: type[N], what: str) -> N:
    """Read what `to_json` wrote. Raises ValueError that names what is not understood."""
    if not isinstance(obj, Mapping) or len(cast("Mapping[str, Any]", obj)) != 1:
        raise ValueError(f"a {what} is an object with one key, its kind; not {obj!r}")
    ((tag, body),) = cast("Mapping[str, Any]", obj).items()
    kinds = {name: kind for name, kind in Node._kinds.items() if issubclass(kind, wanted)}  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    node = kinds.get(tag)
    if node is None:
        raise ValueError(
            f"unknown {what} {tag!r}; this version knows {', '.join(sorted(kinds))}: it was made by a newer version, or damaged"
        )
    if not isinstance(body, Mapping):
        raise ValueError(f"{what} {tag!r} holds its fields as an object, not {body!r}")  # noqa: TRY004  # bad data, no bug of a caller
    values = {name: _decode(value) for name, value in cast("Mapping[str, Any]", body).items()}
    for name, role in node.children.items():
        found = values.get(name)
        for child in (
            cast("tuple[object, ...]", found) if isinstance(found, tuple) else (found,) if name in values else ()
        ):
            if not isinstance(child, Node) or role not in (child.role, child.tag):
                raise ValueError(f"{what} {tag!r} takes in {name!r} each time a node of kind {role}, not {child!r}")
    try:
        return node(**values)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{what} {tag!r} can't be read from {sorted(values)}: {error}") from None


def _encode(value: object) -> object:
    if isinstance(value, Node):
        return value.to_json()
    if isinstance(value, tuple):
        return [_encode(item) for item in cast("tuple[object, ...]", value)]
    return value.isoformat() if isinstance(value, datetime) else value


def _decode(value: object) -> Any:
    if isinstance(value, Mapping):
        return read_node(cast("Mapping[str, Any]", value), Node, "node")
    if isinstance(value, list):
        return tuple(_decode(item) for item in cast("list[object]", value))
    return value
