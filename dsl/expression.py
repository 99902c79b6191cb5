"""Expressions: the values that a predicate compares, as frozen nodes: facts, aggregates over orders, constants.

Money is in cents and time in seconds here; authors write currency units and durations (`dsl.facts`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast, get_args

from dsl.nodes import Node
from dsl.values import Kind, Scalar, checked, from_json_value, in_utc, one_of, seconds_between

if TYPE_CHECKING:
    from dsl.predicate import Predicate

__all__ = [
    "Aggregate",
    "Constant",
    "Expression",
    "Facts",
    "Field",
    "Function",
    "Leaf",
    "Resolve",
    "Since",
    "Source",
    "Times",
    "Until",
]

Source = Literal["customer", "attribute", "order", "payload", "journey"]
"""`journey` is what her own enrolment knows (`visits.call`);
`order` is a line in hand, inside `Orders.where(...)`; what is counted over a customer's lines is `orders`."""
Function = Literal["count", "sum", "min", "max", "avg", "recency", "rhythm"]
Resolve = Callable[["Expression"], Scalar | None]
"""Gives the value of an operand (a leaf): from facts in memory, or from what SQL has computed."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one customer when a predicate is evaluated in memory.

    `customer` has the columns of the customer by name; own facts stand in its `attributes`.
    `orders` are purchase lines (`order_id`, `at`, `category`, `product`, `quantity`, `total` in cents). `payload` is the event's.
    """

    customer: Mapping[str, Any] = field(default_factory=dict[str, Any])
    orders: Sequence[Mapping[str, Any]] = ()
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    line: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The purchase line in hand, inside `Orders.where(...)`."""
    journey: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the enrolment itself knows: how often each box was entered."""


class Expression(Node):
    """A value: of a customer, of her orders, of an event's payload, or a constant."""

    __slots__ = ()
    role = "expression"

    @property
    @abstractmethod
    def kind(self) -> Kind:
        """What its value is."""

    @abstractmethod
    def operands(self) -> Iterator[Expression]:
        """The leaves whose values come from outside, in the order of reading."""

    def sources(self) -> frozenset[str]:
        """Where its operands are kept."""
        return frozenset(source for leaf in self.operands() for source in leaf.sources())

    @abstractmethod
    def resolved(self, resolve: Resolve) -> Scalar | None:
        """Its value, given those of its operands."""

    def value(self, facts: Facts, now: datetime) -> Scalar | None:
        """Its value for this customer at `now`, or None where it is missing."""
        return self.resolved(lambda leaf: cast("Leaf", leaf).read(facts, now))


class Leaf(Expression):
    """An expression that reads the facts itself."""

    __slots__ = ()

    @abstractmethod
    def read(self, facts: Facts, now: datetime) -> Scalar | None: ...

    def operands(self) -> Iterator[Expression]:
        yield self

    def sources(self) -> frozenset[str]:
        return frozenset({"orders"})

    def resolved(self, resolve: Resolve) -> Scalar | None:
        return resolve(self)


@dataclass(frozen=True, slots=True)
class Constant(Expression):
    """A value that the author wrote; money in cents, time in seconds."""

    tag: ClassVar[str] = "constant"
    of: Kind
    literal: Scalar

    def __post_init__(self) -> None:
        object.__setattr__(self, "literal", checked(self.of, self.literal))

    @property
    def kind(self) -> Kind:
        return self.of

    def operands(self) -> Iterator[Expression]:
        return iter(())

    def resolved(self, resolve: Resolve) -> Scalar | None:
        del resolve
        return self.literal


class _Declared(Leaf):
    """What an author's class may declare."""

    __slots__ = ("owner",)
    owner: type
    """The class that does: for the compiler to ask. It is no field, so nothing that is kept, compared or copied has it."""


@dataclass(frozen=True, slots=True)
class Field(_Declared):
    """A fact as it is kept: a column of the customer, an own attribute, a column of a purchase line, a payload's field."""

    tag: ClassVar[str] = "field"
    source: Source
    name: str
    of: Kind

    def __post_init__(self) -> None:
        one_of("source of a fact", self.source, get_args(Source))
        one_of("kind of a fact", self.of, get_args(Kind))

    @property
    def kind(self) -> Kind:
        return self.of

    def sources(self) -> frozenset[str]:
        return frozenset({self.source})

    def read(self, facts: Facts, now: datetime) -> Scalar | None:
        del now
        match self.source:
            case "customer":
                return _column(facts.customer.get(self.name))
            case "order":
                return _column(facts.line.get(self.name))
            case "attribute":
                own: Mapping[str, Any] = facts.customer.get("attributes") or {}
                return from_json_value(self.of, own.get(self.name))
            case "journey":
                return facts.journey.get(self.name)
            case "payload":
                return from_json_value(self.of, facts.payload.get(self.name))


@dataclass(frozen=True, slots=True)
class Aggregate(Leaf):
    """A number over the customer's purchase lines up to now: those which meet `where`, of the `last` seconds.

    count: distinct orders · sum, min, max, avg: of `field` over the lines · recency: seconds since the newest line ·
    rhythm: mean seconds between two distinct days (UTC) with an order, missing with fewer than three such days.
    Without lines count and sum are 0, the others missing.
    """

    tag: ClassVar[str] = "orders"
    children: ClassVar[Mapping[str, str]] = {"field": "field", "where": "predicate"}
    function: Function
    field: Field | None = None
    where: Predicate | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        one_of("function over orders", self.function, get_args(Function))
        if (self.field is not None) != (self.function in ("sum", "min", "max", "avg")):
            raise ValueError(
                f"{self.function} over orders {'takes no field' if self.field is not None else 'needs a field'}"
            )
        inside = (self.field, *(self.where.operands() if self.where is not None else ()))
        for leaf in inside:
            if leaf is not None and not (isinstance(leaf, Field) and leaf.source == "order"):
                raise ValueError(f"Orders.where(...) takes facts of the order lines only, not: {leaf.sentence()}")
        if self.last is not None and self.last <= 0:
            raise ValueError("Orders.last(...) must look back for some time, not for none")

    @property
    def kind(self) -> Kind:
        if self.field is not None:
            return self.field.of
        return "number" if self.function == "count" else "seconds"

    def read(self, facts: Facts, now: datetime) -> Scalar | None:
        lines = [line for line in facts.orders if self._selects(line, now)]
        match self.function:
            case "count":
                return len({line["order_id"] for line in lines if line.get("order_id") is not None})
            case "recency":
                return min((seconds_between(line["at"], now) for line in lines), default=None)
            case "rhythm":
                dates = {line["at"].astimezone(UTC).date() for line in lines}
                return (max(dates) - min(dates)).days * 86400 / (len(dates) - 1) if len(dates) > 2 else None
            case _:
                name = cast("Field", self.field).name
                values: list[int | float] = [line[name] for line in lines if line.get(name) is not None]
                return _fold(self.function, values)

    def _selects(self, line: Mapping[str, Any], now: datetime) -> bool:
        at: datetime = line["at"]
        if at > now or (self.last is not None and at <= now - timedelta(seconds=self.last)):
            return False
        return self.where is None or self.where.evaluate(Facts(line=line), now)


@dataclass(frozen=True, slots=True)
class _Span(Leaf):
    """A length of time between a moment and now."""

    children: ClassVar[Mapping[str, str]] = {"moment": "field"}
    moment: Field

    def __post_init__(self) -> None:
        if self.moment.of != "moment":
            raise ValueError(f"time can be counted from a moment only, not from a {self.moment.of}: {self.moment.name}")

    @property
    def kind(self) -> Kind:
        return "seconds"

    def sources(self) -> frozenset[str]:
        return self.moment.sources()

    def _since(self, facts: Facts, now: datetime) -> float | None:
        at = self.moment.read(facts, now)
        return None if at is None else seconds_between(cast("datetime", at), now)


@dataclass(frozen=True, slots=True)
class Since(_Span):
    """Seconds from a moment to now; negative before it."""

    tag: ClassVar[str] = "since"

    def read(self, facts: Facts, now: datetime) -> Scalar | None:
        return self._since(facts, now)


@dataclass(frozen=True, slots=True)
class Until(_Span):
    """Seconds from now to a moment; negative after it."""

    tag: ClassVar[str] = "until"

    def read(self, facts: Facts, now: datetime) -> Scalar | None:
        seconds = self._since(facts, now)
        return None if seconds is None else -seconds


@dataclass(frozen=True, slots=True)
class Times(Expression):
    """An expression, multiplied by a constant: `Orders.rhythm() * 1.5`."""

    tag: ClassVar[str] = "times"
    children: ClassVar[Mapping[str, str]] = {"expression": "expression"}
    expression: Expression
    factor: float

    def __post_init__(self) -> None:
        if self.expression.kind not in ("number", "money", "seconds"):
            raise ValueError(f"only numbers can be multiplied, not {self.expression.sentence()!r}")
        if self.factor and not 1e-9 <= abs(self.factor) <= 1e9:
            raise ValueError(f"a factor is between 1e-9 and 1e9, not {self.factor!r}")
        object.__setattr__(self, "factor", checked("number", self.factor))

    @property
    def kind(self) -> Kind:
        return self.expression.kind

    def operands(self) -> Iterator[Expression]:
        return self.expression.operands()

    def resolved(self, resolve: Resolve) -> Scalar | None:
        value = self.expression.resolved(resolve)
        return None if value is None else float(cast("float", value)) * float(self.factor)


def _column(value: Any) -> Scalar | None:
    return in_utc(value) if isinstance(value, datetime) else cast("Scalar | None", value)


def _fold(function: str, values: list[int | float]) -> int | float | None:
    if function == "sum":
        return sum(values)
    if not values:
        return None
    return min(values) if function == "min" else max(values) if function == "max" else sum(values) / len(values)
