"""Messages and what came of them; events, and answers that came too late."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, text
from sqlmodel import Field

from engine.tables.columns import BIG, Kept, json_column, moment_column

__all__ = ["Event", "LateAnswer", "Message", "MessageEvent", "RejectedEvent"]


class Message(Kept, table=True):
    """One send, or one that was not made, by its key `<enrolment>-<visit>-<action>`: never two of a key."""

    __table_args__ = (
        Index("message_customer", "customer_id", "reserved_at"),
        Index("message_enrolment", "enrolment_id"),
        Index("message_code", "code"),
        Index("message_provider", "channel", "provider_id"),
        Index(
            "message_number",
            "address",
            "reserved_at",
            sqlite_where=text("channel = 'sms'"),
            postgresql_where=text("channel = 'sms'"),
        ),
    )

    key: str = Field(primary_key=True)
    enrolment_id: int = Field(sa_column=Column(BIG, nullable=False))
    customer_id: str
    journey: str
    hash: str
    state: str
    visit: int
    """The number of the step that entered the box."""
    arm: str
    channel: str
    purpose: str
    status: str
    """`reserved`, `sending` (the provider is being called), `deferred` (put off, tried again), `sent`, `delivered`, `unknown`, `failed`,
    `not_sent`, `held_out`."""
    taken: str | None = None
    """The process that took it for a call last, by a name that no other process has."""
    reason: str | None = None
    """With `not_sent`, `held_out` and `failed`: the rule that said no."""
    detail: dict[str, Any] | None = json_column(null=True)
    """The values and the version that the rule was decided on, or the provider's words."""
    address: str | None = None
    template: str | None = None
    template_hash: str | None = None
    context: dict[str, Any] | None = json_column(null=True)
    """What the template was given: with its source, what she read can be made again."""
    content_hash: str | None = None
    links: list[dict[str, str]] | None = json_column(null=True)
    """Tracked links in order: `[{"name": …, "url": …}]`; a click names the index, so no redirect is open."""
    code: str | None = None
    """The code that it carries, where its template shows one: typed, scanned, told or redeemed, it is an answer."""
    sender: str | None = None
    """What it was sent from, where there may be several: an SMS's own number. A reply to it comes there."""
    provider_id: str | None = None
    sent_awaited: bool | None = None
    """Whether an arrow waits to hear that it went out; else nothing is told."""
    cost: int = 0
    """Thousandths of a cent (a hundred-thousandth of the currency)."""
    reserved_at: datetime = moment_column(index=True)
    settled_at: datetime | None = moment_column(null=True)


class MessageEvent(Kept, table=True):
    """A message's time-line: every status it came to, with the provider's words."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    key: str = Field(index=True)
    status: str
    detail: str | None = None
    at: datetime = moment_column()


class Event(Kept, table=True):
    """What came in: answers and business events. Accepted means kept; `id` is the sender's: a repeat is no second."""

    __table_args__ = (
        Index("event_new", "seq", sqlite_where=text("fate IS NULL"), postgresql_where=text("fate IS NULL")),
        Index(
            "event_waiting",
            "seq",
            sqlite_where=text("fate = 'waiting'"),
            postgresql_where=text("fate = 'waiting'"),
        ),
        Index("event_customer", "customer_id", "at"),
    )

    seq: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    id: str = Field(unique=True)
    name: str
    """`email.clicked`, `shop.purchased`, `consent.withdrawn` …"""
    customer_id: str | None = None
    message_key: str | None = Field(default=None, index=True)
    """The send that it answers, for answers of channels."""
    at: datetime = moment_column()
    received_at: datetime = moment_column()
    payload: dict[str, Any] = json_column()
    source: str
    """The public surface that it came by: `track`, `link`, `unsubscribe`, `sms`, `task`, `letter`, `import` …"""
    fate: str | None = None
    """Null: not dispatched yet; `waiting` for her profile; `delivered` to a workflow; `entered` (it began an enrolment);
    `queued` (it will, when the enrolment under way has ended);
    `late` (the enrolment that it answers has ended); `ambiguous` (she is in the journey several times, and it names none);
    `unheard` (nobody waits for it)."""


class LateAnswer(Kept, table=True):
    """An answer that reached an enrolment which did not move by it, because."""

    event_seq: int = Field(sa_column=Column(BIG, primary_key=True))
    enrolment_id: int = Field(sa_column=Column(BIG, primary_key=True))
    state: str | None = None
    """Where she was then."""
    reason: str
    """`ended`, `not awaited here`, `earlier send`, `too old`, `condition not met`, `limit reached`,
    `late arrow` (she took the arrow for late answers), `several enrolments` (it names none of them)."""
    at: datetime = moment_column()


class RejectedEvent(Kept, table=True):
    """A message of a batch that came in and can't be read: kept with the reason, for a person to look at."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    sha256: str = Field(unique=True)
    """Of the sender and the message: the same one again is no second."""
    at: datetime = moment_column(index=True)
    """Wall-clock time."""
    sender: str
    """The name of the key that it came with."""
    customer_id: str | None = None
    message_id: str | None = None
    reason: str
    body: str
    """The message as JSON, its beginning if it is long."""
