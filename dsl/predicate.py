"""The predicate: one frozen tree that is evaluated here, compiled to SQL by the engine, and printed by `dsl.sentences`.

Missing values follow SQL's three-valued logic, everywhere alike: a comparison with a missing value is *unknown*, `~unknown`
is unknown, `False & unknown` is false, `True | unknown` is true; in the end unknown counts as "does not hold". So neither
`Customer.country == "FR"` nor `~(Customer.country == "FR")` holds for a customer whose country nobody knows; who means
her too adds `| Customer.country.is_missing()`.

Money is in cents and time in seconds within the tree; authors write currency units and durations (`dsl.facts`).
"""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal, NoReturn, cast, get_args

from dsl.expression import Aggregate, Constant, Expression, Facts, Field, Leaf, Resolve, Since, Source, Times, Until
from dsl.nodes import Node, read_node
from dsl.patterns import check_pattern, found
from dsl.values import checked, one_of, shown

__all__ = [
    "Aggregate",
    "And",
    "Compare",
    "Constant",
    "Contains",
    "Expression",
    "Facts",
    "Field",
    "IsIn",
    "IsMissing",
    "Matches",
    "Not",
    "Operator",
    "Or",
    "Predicate",
    "Resolve",
    "Since",
    "Source",
    "Times",
    "Until",
    "expression_from_json",
    "predicate_from_json",
]

Operator = Literal["eq", "ne", "lt", "le", "gt", "ge"]
_OPERATORS = {op: getattr(operator, op) for op in get_args(Operator)}


class Predicate(Node):
    """A condition. Combine with `&`, `|` and `~`; Python's `and`, `or`, `not` can't be overloaded, and raise."""

    __slots__ = ()
    role = "predicate"

    @abstractmethod
    def operands(self) -> Iterator[Expression]:
        """The leaves whose values it depends on, in the order of reading."""

    @abstractmethod
    def holds(self, resolve: Resolve) -> bool | None:
        """True, false, or None for unknown, given the values of its operands."""

    def sources(self) -> frozenset[str]:
        """What it asks about.

        `customer`, `attribute` (own facts) and `orders` (aggregates) suit a decision; `payload` an event's arrow; `order`,
        a line in hand, the inside of `Orders.where(...)` alone.
        """
        return frozenset(source for leaf in self.operands() for source in leaf.sources())

    def evaluate(self, facts: Facts, now: datetime) -> bool:
        """Whether it holds for this customer at `now`; unknown counts as no."""
        return self.holds(lambda leaf: cast("Leaf", leaf).read(facts, now)) is True

    def inputs(self, facts: Facts, now: datetime) -> dict[str, Any]:
        """What it is decided on: the sentence of each operand with its value, fit for JSON and for reading."""
        return self.shown(lambda leaf: cast("Leaf", leaf).read(facts, now))

    def shown(self, resolve: Resolve) -> dict[str, Any]:
        """`inputs`, given the values: money in currency units, times in days, moments in ISO 8601."""
        values: dict[str, Any] = {}
        for leaf in dict.fromkeys(self.operands()):
            name = leaf.sentence()
            if name in values:  # a category and a product of one name
                name = f"{name} ({len(values) + 1})"
            values[name] = shown(leaf.kind, resolve(leaf))
        return values

    def __and__(self, other: Predicate) -> Predicate:
        return And((*_parts(And, self), *_parts(And, _condition(other, "&"))))

    def __or__(self, other: Predicate) -> Predicate:
        return Or((*_parts(Or, self), *_parts(Or, _condition(other, "|"))))

    def __invert__(self) -> Predicate:
        return self.part if isinstance(self, Not) else Not(self)

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"a condition has no truth value before it meets a customer: ({self.sentence()}). Combine conditions with & | ~ "
            "and put each comparison in parentheses: (a == 1) & (b > 2); don't chain (1 < a < 3), nor use and, or, not, if"
        )


@dataclass(frozen=True, slots=True)
class Compare(Predicate):
    """`left op right`, of one kind; unknown where either is missing."""

    tag: ClassVar[str] = "compare"
    children: ClassVar[Mapping[str, str]] = {"left": "expression", "right": "expression"}
    left: Expression
    op: Operator
    right: Expression

    def __post_init__(self) -> None:
        one_of("comparison", self.op, get_args(Operator))
        if self.left.kind != self.right.kind:
            raise ValueError(f"a {self.left.kind} can't be compared with a {self.right.kind}: {self.left.sentence()}")
        if self.left.kind in ("text", "flag") and self.op not in ("eq", "ne"):
            raise ValueError(f"a {self.left.kind} has no order, so {self.left.sentence()!r} can't be less or greater")

    def operands(self) -> Iterator[Expression]:
        yield from self.left.operands()
        yield from self.right.operands()

    def holds(self, resolve: Resolve) -> bool | None:
        left: Any = self.left.resolved(resolve)
        right: Any = self.right.resolved(resolve)
        if left is None or right is None:
            return None
        return bool(_OPERATORS[self.op](left, right))


@dataclass(frozen=True, slots=True)
class IsIn(Predicate):
    """Whether a value is one of `values`, which are kept sorted and once each; unknown where it is missing."""

    tag: ClassVar[str] = "is_in"
    children: ClassVar[Mapping[str, str]] = {"left": "expression", "values": "constant"}
    left: Expression
    values: tuple[Constant, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"is_in(...) needs at least one value: {self.left.sentence()}")
        for value in self.values:
            if value.kind != self.left.kind:
                raise ValueError(f"a {self.left.kind} can't be one of {value.literal!r}: {self.left.sentence()}")
        ordered = sorted({value.literal: value for value in self.values}.items(), key=lambda pair: cast("str", pair[0]))
        object.__setattr__(self, "values", tuple(value for _, value in ordered))

    def operands(self) -> Iterator[Expression]:
        return self.left.operands()

    def holds(self, resolve: Resolve) -> bool | None:
        left = self.left.resolved(resolve)
        return None if left is None else any(left == value.literal for value in self.values)


@dataclass(frozen=True, slots=True)
class Contains(Predicate):
    """Whether a text has `text` within (`anywhere`) or at its `start`; upper and lower case differ."""

    tag: ClassVar[str] = "contains"
    children: ClassVar[Mapping[str, str]] = {"left": "expression"}
    left: Expression
    text: str
    where: Literal["anywhere", "start"]

    def __post_init__(self) -> None:
        one_of("place in a text", self.where, ("anywhere", "start"))
        if self.left.kind != "text" or not self.text:
            raise ValueError(
                f"contains and starts_with look for some text in a text, not {self.text!r} in a {self.left.kind}"
            )
        checked("text", self.text)

    def operands(self) -> Iterator[Expression]:
        return self.left.operands()

    def holds(self, resolve: Resolve) -> bool | None:
        left = cast("str | None", self.left.resolved(resolve))
        if left is None:
            return None
        return self.text in left if self.where == "anywhere" else left.startswith(self.text)


@dataclass(frozen=True, slots=True)
class Matches(Predicate):
    """Whether a regular expression is found in the beginning of a payload's text, capitals or not (`dsl.patterns`).

    Python alone reads payloads, no database.
    """

    tag: ClassVar[str] = "matches"
    children: ClassVar[Mapping[str, str]] = {"left": "expression"}
    left: Expression
    pattern: str

    def __post_init__(self) -> None:
        if self.left.kind != "text" or self.left.sources() != frozenset({"payload"}):
            raise ValueError(
                f"a pattern is looked for in a text of an event's payload, not in {self.left.sentence()!r}"
            )
        checked("text", self.pattern)
        check_pattern(self.pattern)

    def operands(self) -> Iterator[Expression]:
        return self.left.operands()

    def holds(self, resolve: Resolve) -> bool | None:
        left = cast("str | None", self.left.resolved(resolve))
        return None if left is None else found(self.pattern, left)


@dataclass(frozen=True, slots=True)
class IsMissing(Predicate):
    """Whether a value is missing; never unknown."""

    tag: ClassVar[str] = "is_missing"
    children: ClassVar[Mapping[str, str]] = {"left": "expression"}
    left: Expression

    def operands(self) -> Iterator[Expression]:
        return self.left.operands()

    def holds(self, resolve: Resolve) -> bool | None:
        return self.left.resolved(resolve) is None


@dataclass(frozen=True, slots=True)
class And(Predicate):
    """All of them; of none: true, for everyone."""

    tag: ClassVar[str] = "and"
    children: ClassVar[Mapping[str, str]] = {"parts": "predicate"}
    parts: tuple[Predicate, ...]

    def operands(self) -> Iterator[Expression]:
        for part in self.parts:
            yield from part.operands()

    def holds(self, resolve: Resolve) -> bool | None:
        found = [part.holds(resolve) for part in self.parts]
        return False if False in found else None if None in found else True


@dataclass(frozen=True, slots=True)
class Or(Predicate):
    """Any of them; of none: false, for no one."""

    tag: ClassVar[str] = "or"
    children: ClassVar[Mapping[str, str]] = {"parts": "predicate"}
    parts: tuple[Predicate, ...]

    def operands(self) -> Iterator[Expression]:
        for part in self.parts:
            yield from part.operands()

    def holds(self, resolve: Resolve) -> bool | None:
        found = [part.holds(resolve) for part in self.parts]
        return True if True in found else None if None in found else False


@dataclass(frozen=True, slots=True)
class Not(Predicate):
    """The opposite; the opposite of unknown is unknown."""

    tag: ClassVar[str] = "not"
    children: ClassVar[Mapping[str, str]] = {"part": "predicate"}
    part: Predicate

    def operands(self) -> Iterator[Expression]:
        return self.part.operands()

    def holds(self, resolve: Resolve) -> bool | None:
        found = self.part.holds(resolve)
        return None if found is None else not found


def predicate_from_json(obj: Mapping[str, Any]) -> Predicate:
    """Read what `Predicate.to_json` wrote. Raises ValueError that names what is not understood."""
    return read_node(obj, Predicate, "predicate")


def expression_from_json(obj: Mapping[str, Any]) -> Expression:
    """Read what `Expression.to_json` wrote. Raises ValueError that names what is not understood."""
    return read_node(obj, Expression, "expression")


def _condition(other: object, sign: str) -> Predicate:
    if not isinstance(other, Predicate):
        raise TypeError(
            f"{sign} takes a condition on both sides, not {other!r}; put comparisons in parentheses: (a == 1) {sign} (b > 2)"
        )
    return other


def _parts(kind: type[And | Or], part: Predicate) -> tuple[Predicate, ...]:
    return part.parts if isinstance(part, kind) and part.parts else (part,)
