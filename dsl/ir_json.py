"""The IR as JSON: written canonically, read back, and hashed over what is behaviour.

What holds its default is left out, so that a field which is added later changes neither the JSON nor the hash of a journey
that doesn't use it.
"""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import lru_cache
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from dsl import ir
from dsl.ir import IR, Json
from dsl.nodes import Node
from dsl.predicate import Expression, Predicate, expression_from_json, predicate_from_json

__all__ = ["canonical", "from_json", "ir_hash", "to_json"]

FORMAT = 1
"""The version of this format; a reader refuses what it does not know."""

_FOR_READERS = frozenset({"title", "doc", "notes", "knobs"})
"""Fields of the IR that are no behaviour."""
_TRIGGERS: dict[str, type] = {kind.__name__.lower(): kind for kind in get_args(ir.Trigger)}


def to_json(journey: IR) -> Json:
    """The whole IR as a JSON object: behaviour, plus title, doc, notes and knobs."""
    return {"format": FORMAT, **cast("Json", _write(journey))}


def from_json(obj: Json) -> IR:
    """Read what `to_json` wrote. Raises ValueError for a format, a trigger or a field that this version does not know."""
    if obj.get("format") != FORMAT:
        raise ValueError(f"this journey's IR has format {obj.get('format')!r}; this version reads format {FORMAT}")
    return cast("IR", _dataclass(IR, {key: value for key, value in obj.items() if key != "format"}))


def canonical(obj: Json | Sequence[Any]) -> bytes:
    """Canonical JSON (UTF-8, sorted keys, no spaces; after RFC 8785 for the values that occur here)."""
    return json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def ir_hash(journey: IR) -> str:
    """The sha256, in hex, over the behaviour alone: docstrings, labels and positions don't change it."""
    behaviour = {key: value for key, value in to_json(journey).items() if key not in _FOR_READERS}
    return hashlib.sha256(canonical(behaviour)).hexdigest()


def _write(value: object) -> object:
    if isinstance(value, Node):
        return value.to_json()
    if is_dataclass(value):
        hints = _hints(type(value))
        kept = {each.name: getattr(value, each.name) for each in fields(value)}
        return {
            each.name: _field(hints[each.name], kept[each.name])
            for each in fields(value)
            if kept[each.name] != _default(each)
        }
    if isinstance(value, Mapping):
        return {key: _write(each) for key, each in cast("Mapping[str, object]", value).items()}
    if isinstance(value, tuple):
        return [_write(each) for each in cast("tuple[object, ...]", value)]
    return value


def _field(hint: Any, value: object) -> object:
    if hint == ir.Trigger:
        return {type(value).__name__.lower(): _write(value)}
    return float(cast("float", value)) if hint is float else _write(value)


def _default(each: Field[Any]) -> object:
    return each.default_factory() if each.default_factory is not MISSING else each.default


@lru_cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _dataclass(kind: type, obj: Json) -> object:
    hints = _hints(kind)
    unknown = obj.keys() - {each.name for each in fields(kind)}
    if unknown:
        raise ValueError(f"unknown {kind.__name__}.{min(unknown)} in a journey's IR; it was made by a newer version")
    return kind(**{name: _read(hints[name], value) for name, value in obj.items()})


def _read(hint: Any, value: Any) -> Any:  # noqa: C901, PLR0911  # one for each kind of field
    if hint == ir.Trigger:
        ((tag, body),) = value.items()
        if tag not in _TRIGGERS:
            raise ValueError(f"unknown trigger {tag!r} in a journey's IR; it was made by a newer version")
        return _dataclass(_TRIGGERS[tag], body)
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _read(next(each for each in get_args(hint) if each is not type(None)), value)
    if origin is tuple:
        kinds = get_args(hint)
        if kinds[1:] == (...,):
            return tuple(_read(kinds[0], each) for each in value)
        return tuple(_read(each, part) for each, part in zip(kinds, value, strict=True))
    if origin is Literal or hint in (str, int, bool):
        return value
    if hint is float:
        return float(value)
    if hint is Predicate:
        return predicate_from_json(value)
    if hint is Expression:
        return expression_from_json(value)
    if is_dataclass(hint):
        return _dataclass(cast("type", hint), value)
    return {name: _read(get_args(hint)[1], each) for name, each in value.items()}
