"""What goes out: the types between the engine, which decides that a message is sent, and a channel, which sends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, runtime_checkable

from sqlalchemy import Connection

if TYPE_CHECKING:
    from engine.gate import No

__all__ = [
    "Bounded",
    "CarriedFile",
    "Channel",
    "Closing",
    "Content",
    "Mass",
    "Outgoing",
    "Outside",
    "Paced",
    "Paper",
    "Receipt",
    "Recipient",
    "Send",
    "TrackedLink",
    "Way",
]


class _Posted:
    """Goes to another process as its class and its values: field by field, as dataclasses with slots do it, takes longer."""

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        return type(self), _values(type(self))(self)


@cache
def _values(kind: type[_Posted]) -> Callable[[_Posted], tuple[object, ...]]:
    return attrgetter(*kind.__match_args__)


@dataclass(frozen=True, slots=True)
class Recipient(_Posted):
    """A customer as a channel sees her: what stands in her row, with the project's defaults filled in."""

    id: str
    language: str
    zone: str
    first_name: str = ""
    last_name: str = ""
    email: str | None = None
    phone: str | None = None
    address: str | None = None
    postcode: str | None = None
    city: str | None = None
    country: str | None = None
    attributes: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class TrackedLink(_Posted):
    """A link of a message: `name` is what the journey says (`Email.clicked.link("shop")`), `url` where it leads."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class CarriedFile:
    """A file in a mail. `content_id` is what `cid:` links name; attachments have none."""

    name: str
    type: str
    hash: str
    content_id: str = ""
    data: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Content(_Posted):
    """A rendered message. `title` is an e-mail's subject, an item's or a task's title; unused parts are empty."""

    title: str = ""
    html: str = ""
    text: str = ""
    pdf: bytes = b""
    pages: int = 0
    lines: tuple[str, ...] = ()
    """A letter's address lines, as printed."""
    code: str = ""
    """Its answer code, where it shows one: every letter does."""
    data: Mapping[str, Any] | None = None
    """What a letter's template is given: a run sets many letters at once, after their cut-off."""
    country: str = ""
    postcode: str = ""
    """What a letter is sorted by for postage."""
    missing: str = ""
    """Characters of the customer's own that a letter can't show."""
    media: str = ""
    """The address of a text message's picture."""
    sender: str = ""
    """What it is sent from, where there may be several: an SMS's number."""
    cost: int = 0
    """What it will cost, as far as that is known before: thousandths of a cent."""
    links: tuple[TrackedLink, ...] = ()
    files: tuple[CarriedFile, ...] = ()
    """What a mail carries: pictures that stand in it, and attachments."""
    to_feed: bool = False
    """Whether it leads to the customer's own feed."""
    raw: bytes = b""
    """The whole mail, where it was encoded as soon as it was rendered; `html` and `text` are in it, and empty here."""
    template: str = ""
    template_hash: str = ""
    hash: str = ""
    """The sha256 of what is sent."""


@dataclass(frozen=True, slots=True)
class Outgoing(_Posted):
    """One message, reserved under its key, on its way to the provider."""

    key: str
    """`<enrolment>-<visit>-<action>`: also the provider's idempotency key where it takes one."""
    channel: str
    enrolment_id: int
    journey: str
    state: str
    purpose: str
    recipient: Recipient
    address: str
    content: Content
    at: datetime
    """When it was reserved, in journey time."""
    queue: str = ""
    outcomes: Sequence[str] = ()
    """For a call task: the outcomes that its box has arrows for."""
    skills: Sequence[str] = ()
    """For a call task: what an agent must know who takes it."""
    priority: int | None = None
    """For a call task: 1 (first) to 9, where its box says so."""
    substitute: bool = False
    """For a call task: whether its box has something else for when there is no capacity."""
    journey_title: str = ""
    last: bool = False
    """Whether its provider has put it off for so long that it is given up where it does so once more."""

    def come_to(self, receipt: Receipt) -> Receipt:
        """What a provider's answer means for it: to be put off once too often is to be refused."""
        if not self.last or receipt.status != "deferred":
            return receipt
        detail = f"given up, it was put off for too long; at last: {receipt.detail or ''}"[:300]
        return Receipt("rejected", detail=detail, full=receipt.full)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a send. `deferred` asks for another try later; `unknown` is settled by a webhook or a look-up."""

    status: Literal["sent", "rejected", "deferred", "unknown"]
    provider_id: str | None = None
    detail: str | None = None
    cost: int = 0
    """Thousandths of a cent."""
    retry_after: float | None = None
    """Seconds, with `deferred`, where the provider says."""
    full: bool = False
    """With `rejected` or `deferred`: the mailbox has no room for now. Counted as a soft bounce, unless it takes this one later."""
    dead: str | None = None
    """With `rejected`: why the address is no good for anybody. It is suppressed (behaviour S5)."""
    unsubscribed: bool = False
    """With `rejected`: she has told the carrier that she wants no more. Her consent to this channel is withdrawn."""


Send = Callable[[Outgoing], Awaitable[Receipt]]
Way = Callable[[], AbstractAsyncContextManager[Send]]
"""Waits until a message can be handed over this very moment."""


@runtime_checkable
class Paced(Protocol):
    """A Send whose provider takes so much at a time (lines, a rate): each message waits for its turn, then for a free line.

    In its turn its key is taken; consent is looked at when the line is free, not before the wait (behaviour C2).
    """

    async def __call__(self, message: Outgoing) -> Receipt: ...

    def turn(self, *, planned: bool) -> AbstractAsyncContextManager[Way]:
        """Wait for a place among the next ones. `planned`: a mass send, which lets others pass (behaviour S6)."""
        ...


@runtime_checkable
class Closing(Protocol):
    """A channel that keeps something open from batch to batch."""

    async def close(self) -> None: ...


class Channel(Protocol):
    """A way to reach a customer: the same shape for a real provider and for a local one."""

    name: str

    def address(self, recipient: Recipient) -> str | None:
        """Where this channel reaches her, in normal form (suppressions are kept in it), or None: missing or unusable."""
        ...

    def speaks_of(self, template: str, name: str) -> bool:
        """Whether the template uses the name (`orders`): facts that it does not use are not looked up."""
        ...

    def render(self, recipient: Recipient, template: str, key: str, facts: Mapping[str, Any]) -> Content:
        """Make the message from its template. CPU only: it is called in a thread, and may be called again."""
        ...

    def keep(self, conn: Connection, messages: Sequence[Outgoing]) -> None:
        """Write the channel's own rows (task, item, letter) in the transaction that reserves the keys.

        That is the whole send, but for a channel that is Outside.
        """
        ...


@runtime_checkable
class Outside(Protocol):
    """A channel that calls a provider outside our database, which would not notice a repeat."""

    at_once: int
    """How many messages of a batch it sends side by side."""

    def batch(self) -> AbstractAsyncContextManager[Paced]:
        """Open what sends share (a provider's connections), for the messages of one batch."""
        ...


@runtime_checkable
class Mass(Protocol):
    """A channel that makes many messages together, quicker than one by one."""

    def render_all(
        self, template: str, wanted: Sequence[tuple[Outgoing, Mapping[str, Any]]]
    ) -> Sequence[Content | str]:
        """The contents of messages that have none yet, from their facts (see Channel.render); or why one can't be made."""
        ...


@runtime_checkable
class Bounded(Protocol):
    """A channel that has no room for every message at once, as a call center has not."""

    def full(self, conn: Connection, messages: Sequence[Outgoing]) -> dict[str, No]:
        """Of messages that may go out, those that are not made since there is no room: by key, with the reason."""
        ...


@runtime_checkable
class Paper(Protocol):
    """What a channel of printed matter does besides: its messages are composed singly, and tried together."""

    def lacks(self, recipient: Recipient) -> str:
        """Why `address` gave none."""
        ...

    def proof(self, messages: Sequence[Outgoing]) -> Mapping[str, str]:
        """The messages that can't be printed, by key, and why. CPU only, in a thread."""
        ...
