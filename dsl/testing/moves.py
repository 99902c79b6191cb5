"""Moves: what can be done to a customer on a walk. Each is done, and says itself as an author would write it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dsl.channels import Call, Email, Feed, Letter, Sending, Sms
from dsl.ir import Scope
from dsl.states import State
from dsl.testing.naming import event_name, named, span_said
from dsl.testing.purchases import Purchases
from dsl.times import Duration
from dsl.triggers import Event, Reason

if TYPE_CHECKING:
    from dsl.testing.driver import Why
    from dsl.testing.walk import Walk

__all__ = ["Change", "Move", "Refuse", "Take", "Tell", "Wait", "why_of", "why_said"]

_KINDS: Final[Mapping[str, type[Sending]]] = {kind.kind: kind for kind in (Email, Sms, Feed, Call, Letter)}


class Move:
    """Something that is done to a customer."""

    __slots__ = ()

    @abstractmethod
    def do(self, walk: Walk) -> None:
        """Do it."""

    @abstractmethod
    def said(self, journey: str) -> str:
        """The call, without its dot."""


@dataclass(frozen=True, slots=True)
class Tell(Move):
    """An event; `to` is the box whose message it answers, where it isn't the channel's last."""

    event: str
    scope: Scope
    to: State | None = None
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def do(self, walk: Walk) -> None:
        walk.tell(Event(name=self.event, scope=self.scope), to=self.to, **self.payload)

    def said(self, journey: str) -> str:
        to = [f"to={journey}.{self.to.name}"] if self.to is not None else []
        return f"tell({', '.join([event_name(self.event), *to, *named(self.payload)])})"


@dataclass(frozen=True, slots=True)
class Wait(Move):
    """Time passes, in seconds."""

    seconds: int

    def do(self, walk: Walk) -> None:
        walk.wait(Duration(self.seconds))

    def said(self, journey: str) -> str:
        del journey
        return f"wait({span_said(self.seconds)})"


@dataclass(frozen=True, slots=True)
class Change(Move):
    """Facts of hers change, or all that she has bought."""

    fields: Mapping[str, Any]
    purchases: Purchases | None = None

    def do(self, walk: Walk) -> None:
        orders = self.purchases.lines(walk.now) if self.purchases is not None else None
        walk.change(orders=orders, **self.fields)

    def said(self, journey: str) -> str:
        del journey
        own = named(self.fields)
        if self.purchases is not None:
            own.append(f"orders={self.purchases}")
        return f"change({', '.join(own)})"


@dataclass(frozen=True, slots=True)
class Refuse(Move):
    """A box sends nothing any more, each of its channels for a reason (None: that one's goes out); or it does again (none)."""

    box: State
    reasons: tuple[Reason | None, ...]

    def do(self, walk: Walk) -> None:
        if not self.reasons:
            walk.reach(self.box)
        else:
            walk.refuse(self.box, why_of(self.box, self.reasons))

    def said(self, journey: str) -> str:
        name = f"{journey}.{self.box.name}"
        if not self.reasons:
            return f"reach({name})"
        said = why_said(why_of(self.box, self.reasons))
        return f"refuse({name})" if said == '"address missing"' else f"refuse({name}, {said})"


def why_of(box: State, reasons: Sequence[Reason | None]) -> Why:
    """The reasons of a box's channels, as `refuse` takes them: one, if it is the same for all."""
    each: dict[type[Sending], Reason] = {
        _KINDS[channel]: why for channel, why in zip(box.channels, reasons, strict=True) if why is not None
    }
    alike = len(each) == len(reasons) and len(set(reasons)) == 1
    return next(iter(each.values())) if alike else each


def why_said(why: Why) -> str:
    """The same as an author writes it."""
    if isinstance(why, str):
        return f'"{why}"'
    each = [f'{channel.__name__}: "{reason}"' for channel, reason in why.items()]
    return f"{{{', '.join(each)}}}"


@dataclass(frozen=True, slots=True)
class Take(Move):
    """The lot at the next split falls on the share that leads to this box."""

    to: State

    def do(self, walk: Walk) -> None:
        walk.take(self.to)

    def said(self, journey: str) -> str:
        return f"take({journey}.{self.to.name})"
