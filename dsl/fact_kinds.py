"""Kinds of facts as an author holds them: `Customer.country` is a `Text`, and comparing it gives a `Predicate`.

A fact wraps an expression: the expression is plain data (equal, hashed, stored), the fact has the operators. A comparison
with a value of another kind is refused by a type checker (the result is `bool`, which nothing takes), and raises.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, NoReturn, Protocol, Self, cast, runtime_checkable

from dsl.expression import Constant, Expression, Field, Since, Source, Times, Until
from dsl.in_words import in_words
from dsl.knobs import WHERE, Knob
from dsl.predicate import Compare, Contains, IsIn, IsMissing, Matches, Operator, Predicate
from dsl.problems import LanguageError
from dsl.times import Duration
from dsl.values import Kind

__all__ = ["Anniversary", "Day", "Elapsed", "Fact", "Flag", "Moment", "Money", "Number", "Text", "cents"]


@runtime_checkable
class _Holder(Protocol):
    """A class whose attributes are facts: it says where they are kept."""

    source_of_own_facts: ClassVar[Source]


class Fact:
    """What may be compared. Declared in a class of own facts or of a payload, it takes the attribute's name."""

    kind: ClassVar[Kind]
    __slots__ = ("_expression", "_key")

    def __init__(self, expression: Expression | None = None, *, key: str | None = None) -> None:
        if key is not None and not (isinstance(key, str) and key):  # pyright: ignore[reportUnnecessaryIsInstance]  # authors without pyright
            raise LanguageError(
                f"key= takes the name that the data has for it, not {key!r}",
                f'for example {self.kind}(key="loyaltyTier")',
            )
        self._expression = expression
        self._key = key

    def __set_name__(self, owner: type, name: str) -> None:
        if self._expression is None and isinstance(owner, _Holder):
            self._expression = Field(owner.source_of_own_facts, self._key or name, self.kind)
            object.__setattr__(self._expression, "owner", owner)  # frozen for everyone but its class

    @property
    def expression(self) -> Expression:
        """The node of the tree that it stands for."""
        if self._expression is None:
            raise TypeError(
                f"this {self.kind} has no name yet: declare it in the body of a class, "
                f"`class Member(Customer): tier = {self.kind}()`, or of a Payload"
            )
        return self._expression

    def is_missing(self) -> Predicate:
        """Holds where nobody knows the value. `~` of it: where it is known."""
        return IsMissing(self.expression)

    __hash__ = object.__hash__

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"a fact has no truth value before it meets a customer: {self.expression.sentence()}; compare it with something"
        )

    def __repr__(self) -> str:
        name = self._expression.sentence() if self._expression is not None else "not named yet"
        return f"<{type(self).__name__} {name}>"

    def _operand(self, other: object) -> Expression:
        """The other side of a comparison, as an expression of the same kind. Raises TypeError for another kind."""
        if isinstance(other, type(self)):
            return other.expression
        if isinstance(other, Knob):
            raise LanguageError("a condition takes no knob: tuning would not reach it", WHERE)
        if other is None:
            raise TypeError(f"compare with None? Say {self.expression.sentence()!r} is missing by .is_missing()")
        try:
            return Constant(self.kind, self._value(other))
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{self.expression.sentence()!r} is a {self.kind}, it can't be compared with {other!r}: {error}"
            ) from None

    def _value(self, other: object) -> Any:
        return other

    def _compare(self, op: Operator, other: object) -> Predicate:
        return Compare(self.expression, op, self._operand(other))

    def _among(self, values: Iterable[object]) -> Predicate:
        if isinstance(values, str):
            raise TypeError(f"is_in(...) takes a list of values, not one text: is_in([{values!r}])")
        operands = (self._operand(value) for value in values)
        return IsIn(self.expression, tuple(cast("Constant", operand) for operand in operands))


class Text(Fact):
    """A text: `==`, `!=`, `.is_in([...])`, `.contains(...)`, `.starts_with(...)`; upper and lower case differ."""

    kind = "text"
    __slots__ = ()
    __hash__ = Fact.__hash__

    def __eq__(self, other: str | Text) -> Predicate:  # pyright: ignore[reportIncompatibleMethodOverride]  # makes a condition
        return self._compare("eq", other)

    def __ne__(self, other: str | Text) -> Predicate:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._compare("ne", other)

    def is_in(self, values: Iterable[str]) -> Predicate:
        """Whether it is one of the values."""
        return self._among(values)

    def contains(self, text: str) -> Predicate:
        """Whether the text stands anywhere in it."""
        return Contains(self.expression, text, "anywhere")

    def starts_with(self, text: str) -> Predicate:
        """Whether it begins with the text."""
        return Contains(self.expression, text, "start")

    def matches(self, pattern: str) -> Predicate:
        """In an event's payload: whether a regular expression (Python's `re`) is found in it, capitals or not."""
        return Matches(self.expression, pattern)


class Flag(Fact):
    """Yes or no: `.is_true()`, `.is_false()`; neither holds where it is missing."""

    kind = "flag"
    __slots__ = ()

    def is_true(self) -> Predicate:
        return self._compare("eq", True)

    def is_false(self) -> Predicate:
        return self._compare("eq", False)


class _Numeric(Fact):
    __slots__ = ()
    __hash__ = Fact.__hash__

    def __eq__(self, other: float | Self) -> Predicate:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._compare("eq", other)

    def __ne__(self, other: float | Self) -> Predicate:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._compare("ne", other)

    def __lt__(self, other: float | Self) -> Predicate:
        return self._compare("lt", other)

    def __le__(self, other: float | Self) -> Predicate:
        return self._compare("le", other)

    def __gt__(self, other: float | Self) -> Predicate:
        return self._compare("gt", other)

    def __ge__(self, other: float | Self) -> Predicate:
        return self._compare("ge", other)

    def is_in(self, values: Iterable[float]) -> Predicate:
        """Whether it is one of the values."""
        return self._among(values)

    def __mul__(self, factor: float) -> Self:
        return type(self)(Times(self.expression, factor))

    __rmul__ = __mul__


class Number(_Numeric):
    """A number: compared with `==`, `!=`, `<`, `<=`, `>`, `>=`."""

    kind = "number"
    __slots__ = ()
    __hash__ = Fact.__hash__


class Money(_Numeric):
    """An amount, compared in currency units: `> 200` is more than 200.00."""

    kind = "money"
    __slots__ = ()
    __hash__ = Fact.__hash__

    def _value(self, other: object) -> int | float:
        if isinstance(other, bool) or not isinstance(other, int | float):
            raise TypeError("an amount is a number of currency units")
        return cents(other)


class Elapsed(Fact):
    """A length of time, compared with a duration: `Orders.recency() > days(90)`."""

    kind = "seconds"
    __slots__ = ()
    __hash__ = Fact.__hash__

    def __lt__(self, other: Duration | Elapsed) -> Predicate:
        return self._compare("lt", other)

    def __le__(self, other: Duration | Elapsed) -> Predicate:
        return self._compare("le", other)

    def __gt__(self, other: Duration | Elapsed) -> Predicate:
        return self._compare("gt", other)

    def __ge__(self, other: Duration | Elapsed) -> Predicate:
        return self._compare("ge", other)

    def __mul__(self, factor: float) -> Elapsed:
        return Elapsed(Times(self.expression, factor))

    __rmul__ = __mul__

    def _value(self, other: object) -> int:
        if not isinstance(other, Duration):
            raise TypeError("compare a length of time with a duration, for example days(90)")
        return other.seconds


class Day:
    """A moment of the customer's, moved by some time: `Member.birthday - days(3)`; what `until` waits for."""

    __slots__ = ("field", "knobs", "offset", "recurs")

    def __init__(
        self, field: Field, offset: int = 0, *, recurs: bool = False, knobs: tuple[tuple[str, Knob[Duration]], ...] = ()
    ) -> None:
        self.field = field
        self.offset = offset
        self.recurs = recurs
        self.knobs = knobs
        """By what it is moved, and whether `earlier` or `later`, if that can be tuned."""

    def _moved(self, span: object, sign: int) -> Self:
        if isinstance(span, Knob):
            knob = cast("Knob[Duration]", span)
            if self.offset or not isinstance(cast("object", knob.value), Duration):
                raise LanguageError(
                    f"a date is moved by one knob that is a duration, and by nothing else, not by {knob!r}",
                    "count the rest into the knob",
                )
            way = "later" if sign > 0 else "earlier"
            return type(self)(self.field, sign * knob.value.seconds, recurs=self.recurs, knobs=((way, knob),))
        if self.knobs:
            raise LanguageError("a date that a knob moves is moved by nothing else", "count it into the knob")
        if not isinstance(span, Duration):
            raise TypeError(f"a date is moved by a duration, for example days(3), not by {in_words(span)}")
        return type(self)(self.field, self.offset + sign * span.seconds, recurs=self.recurs)

    def __add__(self, span: Duration | Knob[Duration]) -> Self:
        return self._moved(span, 1)

    def __sub__(self, span: Duration | Knob[Duration]) -> Self:
        return self._moved(span, -1)


class Anniversary(Day):
    """The next time that a date comes round: never past."""

    __slots__ = ()


class Moment(Fact):
    """A moment: compared with an aware datetime; `.age()` counts the time since it, `.until()` the time to it."""

    kind = "moment"
    __slots__ = ()
    __hash__ = Fact.__hash__

    def __eq__(self, other: datetime | Moment) -> Predicate:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._compare("eq", other)

    def __ne__(self, other: datetime | Moment) -> Predicate:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._compare("ne", other)

    def __lt__(self, other: datetime | Moment) -> Predicate:
        return self._compare("lt", other)

    def __le__(self, other: datetime | Moment) -> Predicate:
        return self._compare("le", other)

    def __gt__(self, other: datetime | Moment) -> Predicate:
        return self._compare("gt", other)

    def __ge__(self, other: datetime | Moment) -> Predicate:
        return self._compare("ge", other)

    def __add__(self, span: Duration | Knob[Duration]) -> Day:
        return Day(self._field()) + span

    def __sub__(self, span: Duration | Knob[Duration]) -> Day:
        return Day(self._field()) - span

    def yearly(self) -> Anniversary:
        """Its next anniversary: a birthday. The 29th of February is the 28th in other years."""
        return Anniversary(self._field(), recurs=True)

    def age(self) -> Elapsed:
        """Time since it; negative while it is yet to come."""
        return Elapsed(Since(self._field()))

    def until(self) -> Elapsed:
        """Time to it; negative once it is past."""
        return Elapsed(Until(self._field()))

    def _value(self, other: object) -> datetime:
        if not isinstance(other, datetime):
            raise TypeError(
                "compare a moment with a datetime that has a zone, for example datetime(2026, 3, 1, tzinfo=UTC)"
            )
        return other

    def _field(self) -> Field:
        return cast("Field", self.expression)  # a moment is never computed


def cents(amount: float) -> int | float:
    """Currency units in cents, without the binary noise: 0.29 is 29, not 28.999."""
    exact = Decimal(str(amount)) * 100
    return int(exact) if exact == exact.to_integral_value() else float(exact)
