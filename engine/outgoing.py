"""What goes out: the types between the engine, which decides that a message is sent, and a channel, which sends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from sqlalchemy import Connection

__all__ = ["Channel", "Content", "Outgoing", "Receipt", "Recipient", "Send", "TrackedLink"]


@dataclass(frozen=True, slots=True)
class Recipient:
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
class TrackedLink:
    """A link of a message: `name` is what the journey says (`Email.clicked.link("shop")`), `url` where it leads."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Content:
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
    media: str = ""
    """The address of a text message's picture."""
    sender: str = ""
    """What it is sent from, where there may be several: an SMS's number."""
    cost: int = 0
    """What it will cost, as far as that is known before: thousandths of a cent."""
    links: tuple[TrackedLink, ...] = ()
    template: str = ""
    template_hash: str = ""
    hash: str = ""
    """The sha256 of what is sent."""


@dataclass(frozen=True, slots=True)
class Outgoing:
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
    journey_title: str = ""


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
    dead: str | None = None
    """With `rejected`: why the address is no good for anybody. It is suppressed (behaviour S5)."""


Send = Callable[[Outgoing], Awaitable[Receipt]]


class Channel(Protocol):
    """A way to reach a customer: the same shape for a real provider and for a local one."""

    name: str
    outside: bool
    """True where a provider outside our database is called; else `keep` is the whole send."""
    repeats: bool
    """What to do with a send that a crash left unknown: True, send again (the provider drops repeats by key); False, never."""
    at_once: int
    """How many messages of a batch it sends side by side: consent is asked for once more just before each such group."""

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
        """Write the channel's own rows (task, item, letter) in the transaction that reserves the keys."""
        ...

    def batch(self, run: str) -> AbstractAsyncContextManager[Send]:
        """Open what sends share (a connection, a print run named `run`), for the messages of one batch."""
        ...
