"""Fields: what a test says of a customer and of an event, by a name or by the fact itself, tried against what is declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, cast

from dsl.expression import Expression, Field, Since, Source
from dsl.expression import Until as Before
from dsl.fact_kinds import Fact
from dsl.facts import Customer, Payload
from dsl.ir import IR, Answer, Until
from dsl.predicate import Predicate
from dsl.problems import meant
from dsl.said import event_word
from dsl.values import from_json_value

__all__ = ["Given", "check_customer", "check_payload", "named"]

Given = Mapping[str, Any] | Mapping[str | Fact, Any]
"""Values by name, or by the fact itself, which a rename by an editor reaches: `{Member.tier: "gold"}`."""

_HERS: Final[tuple[Source, ...]] = ("customer", "attribute")
_MOMENT: Final = "a moment, datetime(2026, 3, 1, tzinfo=UTC)"
_TAKES: Final = {
    "text": "a text",
    "number": "a number",
    "flag": "True or False",
    "moment": f'{_MOMENT}, or "2026-03-01"',
}

_DECLARE: Final = "; one of your own is declared: class Member(Customer): tier = text()"


def named(given: Given, *, of: Iterable[Source] = _HERS, also: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The values by name, and those of `also`. Raises TypeError for a fact of something else, ValueError for one that is said twice."""
    found = dict(also or {})
    if not isinstance(cast("object", given), Mapping):
        raise TypeError(
            f'values are given by their names, {{"total": 45}}, or by the facts themselves; not as {given!r}'
        )
    for key, value in cast("Mapping[object, Any]", given).items():
        name = _name(key, tuple(of))
        if name in found:
            raise ValueError(f"`{name}` is said twice: {found[name]!r}, and {value!r}")
        found[name] = value
    return found


def check_customer(ir: IR, given: Mapping[str, Any]) -> None:
    """Raises ValueError for a fact that is neither declared nor read, TypeError for a value of another kind."""
    read = [field for field in _read(ir) if field.source in _HERS]
    names = {field.name for field in read}
    declared = [field for field in _declared(Customer) if field.name not in names]  # what is read decides the kind
    facts = [*declared, *read]
    own = given.get("attributes")
    for name, value in {**given, **(cast("Mapping[str, Any]", own) if isinstance(own, Mapping) else {})}.items():
        if name != "attributes":
            _check(name, value, facts, f"no fact of a customer is called `{name}`", _DECLARE)


def check_payload(ir: IR, event: str, carries: type[Payload] | None, given: Mapping[str, Any]) -> None:
    """The same of an event's payload. One that declares nothing may carry anything, of the kinds that are read."""
    heard = [arrow.on for arrow in ir.arrows if isinstance(arrow.on, Answer) and arrow.on.event == event]
    known = [field for on in heard if on.where is not None for field in _asked(on.where)]
    names = {field.name for field in known}
    keys = {on.by for on in heard}
    if carries is not None:
        known += _declared(carries)
    for name, value in given.items():
        if name in names or (carries is not None and name not in keys):
            _check(name, value, known, f"{event_word(event)} carries no `{name}`")


def _check(name: str, value: object, known: Iterable[Field], what: str, way_out: str = "") -> None:
    fields = [field for field in known if field.name == name]
    if not fields:
        names = sorted({field.name for field in known})
        raise ValueError(f"{what}: {meant(name, names)}{way_out}")
    if value is not None and not any(_fits(field, value) for field in fields):
        takes = _MOMENT if fields[0].source == "customer" and fields[0].of == "moment" else _TAKES[fields[0].of]
        raise TypeError(f"{name}= takes {takes}, not {value!r}")


def _fits(field: Field, value: object) -> bool:
    if isinstance(value, datetime) and value.tzinfo is None:
        return False
    if field.source == "customer" and field.of == "moment":
        return isinstance(value, datetime)
    return from_json_value(field.of, value) is not None


def _name(key: object, of: tuple[Source, ...]) -> str:
    if isinstance(key, str):
        return key
    field = key.expression if isinstance(key, Fact) else None
    if not isinstance(field, Field) or field.source not in of:
        raise TypeError(f"a value is given by a name, or by a declared fact of {_whose(of)}, not by {key!r}")
    return field.name


def _whose(of: tuple[Source, ...]) -> str:
    return "a payload, Purchase.total" if "payload" in of else "a customer, Customer.country"


def _declared(cls: type) -> Iterator[Field]:
    """The facts of a class, its bases and its heirs."""
    for each in (*cls.__mro__, *_heirs(cls)):
        for value in vars(each).values():
            if isinstance(value, Fact) and isinstance(value.expression, Field):
                yield value.expression


def _heirs(cls: type) -> Iterator[type]:
    for heir in cls.__subclasses__():
        yield heir
        yield from _heirs(heir)


def _read(ir: IR) -> Iterator[Field]:
    """The fields that a journey's conditions and waits ask for."""
    for asked in (ir.entry.audience, *(arrow.guard for arrow in ir.arrows)):
        if asked is not None:
            yield from _asked(asked)
    for arrow in ir.arrows:
        if isinstance(arrow.on, Until):
            yield from _asked(arrow.on.moment)


def _asked(node: Predicate | Expression) -> Iterator[Field]:
    for leaf in node.operands():
        if isinstance(leaf, Since | Before):
            yield leaf.moment
        elif isinstance(leaf, Field):
            yield leaf
