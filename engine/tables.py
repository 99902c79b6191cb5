"""The tables: everything Parcours keeps, as SQLModel classes. Rows are read by analysts: names are whole words.

Times are journey time in UTC. Money is in whole minor units (cents). Migrations live beside, in `engine/migrations`.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Computed, DateTime, Index, Integer, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import declared_attr
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel

__all__ = [
    "ApiKey",
    "Bounce",
    "CallAttempt",
    "CallDeferral",
    "CallEvent",
    "CallQueue",
    "CallTask",
    "Cohort",
    "Consent",
    "Customer",
    "Enrolment",
    "EntryRefusal",
    "Event",
    "Exposure",
    "Feed",
    "FeedItem",
    "FeedPost",
    "FeedSource",
    "ImportRun",
    "Journey",
    "JourneyToggle",
    "JourneyVersion",
    "KnobChange",
    "LateAnswer",
    "Lease",
    "Letter",
    "MailTally",
    "Message",
    "MessageEvent",
    "Offer",
    "OfferVersion",
    "Pace",
    "PrintRun",
    "Purchase",
    "QueuedEntry",
    "SegmentFeed",
    "SegmentItem",
    "SegmentToken",
    "Step",
    "StrayMail",
    "Suppression",
    "TemplateVersion",
    "Webhook",
    "WebhookDelivery",
    "WebhookToken",
    "WebhookTry",
]


class _Text(sqlite.DATETIME):
    """SQLite's moments are texts. A batch writes one moment hundreds of times: each is made into a text once."""

    def bind_processor(self, dialect: Dialect) -> Any:
        process = super().bind_processor(dialect)
        return process if process is None else lru_cache(maxsize=4096)(process)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC: refuses naive datetimes, and gives aware ones back also from SQLite, which forgets the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        return dialect.type_descriptor(_Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a datetime without a zone can't be stored: {value!r}; give it one (datetime.now(UTC))")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        return value if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


BIG = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts rows up on INTEGER alone


def _at(*, null: bool = False, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(Moment(), nullable=null, index=index))


def _json(*, null: bool = False) -> Any:
    return Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=null))


class Kept(SQLModel):
    """What every table shares: a row class's name in snake_case is its table's."""

    @declared_attr.directive
    def __tablename__(cls) -> str:  # type: ignore[override]  # noqa: N805  # SQLAlchemy calls it with the class
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


class Customer(Kept, table=True):
    """Who is addressed. `attributes` holds an author's own facts; erasing a customer empties this row."""

    id: str = Field(primary_key=True)
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = Field(default=None, index=True)
    phone: str | None = Field(default=None, index=True)
    """E.164."""
    address: str | None = None
    """Street and number, one line or more."""
    postcode: str | None = None
    city: str | None = None
    country: str | None = None
    """ISO 3166 alpha-2."""
    language: str | None = None
    """ISO 639-1."""
    zone: str | None = None
    """IANA time zone."""
    attributes: dict[str, Any] = _json()
    created_at: datetime = _at()
    updated_at: datetime = _at()


class Consent(Kept, table=True):
    """The newest word of a customer on a channel and a purpose. No row: no consent to marketing."""

    customer_id: str = Field(primary_key=True)
    channel: str = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    granted: bool
    at: datetime = _at()
    source: str
    """Where the word was given: `import`, `unsubscribe link`, `sms STOP`, `api`, `task outcome` …"""


class Suppression(Kept, table=True):
    """An address that is never written to, for any journey and purpose: bounced, complained, do not call."""

    channel: str = Field(primary_key=True)
    address: str = Field(primary_key=True)
    """The address in the channel's normal form; a customer's id for letters, calls by customer and feeds."""
    reason: str
    at: datetime = _at()
    source: str


class Purchase(Kept, table=True):
    """A line of an order, as bought: the transactions that facts are computed from."""

    # With what conditions ask about most: decisions are made from the index alone, on SQLite six times faster.
    __table_args__ = (Index("purchase_customer_at", "customer_id", "at", "category", "order_id", "total"),)

    id: str = Field(primary_key=True)
    """Order id and line, unique in the source: reading a file twice adds nothing."""
    order_id: str
    customer_id: str
    at: datetime = _at()
    category: str | None = None
    product: str | None = None
    quantity: int = 1
    total: int
    """What was paid for this line, in cents."""


class Journey(Kept, table=True):
    """A published journey: its newest version, and whether it is on."""

    name: str = Field(primary_key=True)
    title: str
    doc: str = ""
    hash: str
    version: int
    on: bool = Field(default=False, sa_column_kwargs={"name": "is_on"})
    code_hash: str
    """The version that the code says; `hash` is another where knobs are turned."""
    knobs: list[dict[str, Any]] = _json()
    """The knobs as the code has them, with its values and bounds."""
    audience_read_at: datetime | None = _at(null=True)
    """The due time of the audience's last reading that was finished; by each customer's clock: the moment of that reading."""


class JourneyVersion(Kept, table=True):
    """A version, content-addressed: `ir` never changes once it is stored."""

    hash: str = Field(primary_key=True)
    journey: str = Field(index=True)
    version: int
    ir: dict[str, Any] = _json()
    published_at: datetime = _at()
    published_by: str


class JourneyToggle(Kept, table=True):
    """Who turned a journey on or off, when and why."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    journey: str = Field(index=True)
    on: bool = Field(sa_column_kwargs={"name": "is_on"})
    at: datetime = _at()
    who: str
    why: str = ""


class KnobChange(Kept, table=True):
    """Who turned a journey's knob, when and why; the newest row of a knob holds, also when the code is published again."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    journey: str = Field(index=True)
    knob: str
    old: float
    """Seconds for a duration."""
    value: float | None = None
    """Null: back to what the code says."""
    version: int
    """The version that it made, or made current again."""
    at: datetime = _at()
    who: str
    why: str = ""


class TemplateVersion(Kept, table=True):
    """A template's source by content hash: what a message was made from, also after the file was edited."""

    hash: str = Field(primary_key=True)
    name: str
    channel: str
    language: str
    source: str
    at: datetime = _at()


class Offer(Kept, table=True):
    """What a customer may be offered; boxes that ask for offers choose among these."""

    id: str = Field(primary_key=True)
    name: str
    data: dict[str, Any] = _json()
    """What a template shows of it: price, picture, text …"""
    category: str
    """Of purchases: who buys there is offered this."""
    margin: int
    """What a purchase by it earns, in cents."""
    valid_from: datetime | None = _at(null=True)
    valid_to: datetime | None = _at(null=True)
    """From then on it is no longer offered."""
    on: bool = Field(default=True, sa_column_kwargs={"name": "is_on"})
    updated_at: datetime = _at()


class OfferVersion(Kept, table=True):
    """An offer as it was shown, by content hash: later edits rewrite no history."""

    hash: str = Field(primary_key=True)
    offer: str = Field(index=True)
    content: dict[str, Any] = _json()
    at: datetime = _at()


class Cohort(Kept, table=True):
    """A workflow's worth of enrolments: later entries join it while it has room. A row first, a workflow then."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    journey: str
    hash: str
    workflow_id: str = Field(unique=True)
    """The workflow's id in Temporal: random, so that a database that was made anew never meets an old one's workflows."""
    size: int
    """Places that are taken; a cohort whose workflow has ended counts as full."""
    created_at: datetime = _at()
    started_at: datetime | None = _at(null=True)
    """When the workflow was known to run; null: to be started (again)."""


class Enrolment(Kept, table=True):
    """A customer in a journey, active while `ended_at` is null: `entered = active + ended by reason` counts these."""

    __table_args__ = (
        UniqueConstraint("journey", "entry", name="enrolment_entry"),
        # One active enrolment a slot: the rule "while active: reject" is the database's, not a check before a write.
        Index(
            "enrolment_slot",
            "journey",
            "slot",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(
            "enrolment_waiting",
            "id",
            sqlite_where=text("joined_at IS NULL"),
            postgresql_where=text("joined_at IS NULL"),
        ),
        Index(
            "enrolment_untold",
            "id",
            sqlite_where=text("stop_owed_at IS NOT NULL"),
            postgresql_where=text("stop_owed_at IS NOT NULL"),
        ),
        Index("enrolment_customer", "customer_id"),
        Index("enrolment_state", "journey", "hash", "state"),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    journey: str
    hash: str
    customer_id: str
    slot: str
    """The customer's id, or with `parallel` the id and the key's value."""
    entry: str
    """What made it: `event:<seq>`, `audience:<due time>:<customer>`, `api:<request key>`; unique, so never twice."""
    arm: str
    """`treated` or `held_out`."""
    cohort_id: int | None = Field(default=None, sa_column=Column(BIG, nullable=True, index=True))
    joined_at: datetime | None = _at(null=True)
    """When her workflow was known to carry her; null: she is to join it (again)."""
    entered_at: datetime = _at()
    """When she was let in; with an event, when that happened: what she did since then counts."""
    state: str | None = None
    """The box where she is, or where she ended; null until the first step."""
    state_since: datetime | None = _at(null=True)
    seq: int = 0
    """The number of the newest step that is recorded."""
    ended_at: datetime | None = _at(null=True)
    end_reason: str | None = None
    """The end's name (`won`, `lapsed` …), or what ended it from outside (`rejected: off`, `restarted`, `killed`)."""
    stop_owed_at: datetime | None = _at(null=True)
    """When it was ended from outside, until its workflow was told."""


class QueuedEntry(Kept, table=True):
    """An entry that waits until the enrolment under way has ended."""

    __table_args__ = (
        UniqueConstraint("journey", "entry", name="queued_entry_entry"),
        Index(
            "queued_entry_waiting",
            "journey",
            "slot",
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    journey: str
    customer_id: str
    slot: str
    key: str | None = None
    """The value of a parallel journey's key."""
    entry: str
    reason: str
    """Why it waits: `active`."""
    at: datetime = _at()
    settled_at: datetime | None = _at(null=True)
    outcome: str | None = None
    """What became of it: `entered`, or the refusal."""


class EntryRefusal(Kept, table=True):
    """An entry that was not made, because."""

    __table_args__ = (UniqueConstraint("journey", "entry", name="entry_refusal_entry"),)

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    journey: str
    customer_id: str
    entry: str
    reason: str
    """`off`, `active`, `never again`, `too soon`."""
    at: datetime = _at()


class Step(Kept, table=True):
    """One step of an enrolment: the box that was entered (or rested in before another try), when, and why."""

    enrolment_id: int = Field(sa_column=Column(BIG, primary_key=True))
    seq: int = Field(primary_key=True)
    state: str
    cause: str
    """`entry`, `answer`, `timer`, `decided`, `share`, `then`, `not_sent`, `retry`."""
    event_seq: int | None = Field(default=None, sa_column=Column(BIG, nullable=True, index=True))
    """The event that caused it, where one did."""
    detail: dict[str, Any] | None = _json(null=True)
    """For a decision: each predicate as a sentence, its result, and the values it was decided on."""
    at: datetime = _at()
    hash: str
    arm: str


class Message(Kept, table=True):
    """One send, or one that was not made, by its key `<enrolment>-<visit>-<action>`: never two of a key."""

    __table_args__ = (
        Index("message_customer", "customer_id", "reserved_at"),
        Index("message_enrolment", "enrolment_id"),
        Index("message_code", "code"),
        Index("message_provider", "channel", "provider_id"),
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
    """`reserved`, `sending` (the provider is being called), `sent`, `delivered`, `unknown`, `failed`, `not_sent`, `held_out`."""
    reason: str | None = None
    """With `not_sent`, `held_out` and `failed`: the rule that said no."""
    detail: dict[str, Any] | None = _json(null=True)
    """The values and the version that the rule was decided on, or the provider's words."""
    address: str | None = None
    template: str | None = None
    template_hash: str | None = None
    context: dict[str, Any] | None = _json(null=True)
    """What the template was given: with its source, what she read can be made again."""
    content_hash: str | None = None
    links: list[dict[str, str]] | None = _json(null=True)
    """Tracked links in order: `[{"name": …, "url": …}]`; a click names the index, so no redirect is open."""
    code: str | None = None
    """The code that it carries, where its template shows one: typed, scanned, told or redeemed, it is an answer."""
    sender: str | None = None
    """What it was sent from, where there may be several: an SMS's own number. A reply to it comes there."""
    provider_id: str | None = None
    cost: int = 0
    """Thousandths of a cent (a hundred-thousandth of the currency)."""
    reserved_at: datetime = _at(index=True)
    settled_at: datetime | None = _at(null=True)


class MessageEvent(Kept, table=True):
    """A message's time-line: every status it came to, with the provider's words."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    key: str = Field(index=True)
    status: str
    detail: str | None = None
    at: datetime = _at()


class Event(Kept, table=True):
    """What came in: answers and business events. Accepted means kept; `id` is the sender's: a repeat is no second."""

    __table_args__ = (
        Index("event_new", "seq", sqlite_where=text("fate IS NULL"), postgresql_where=text("fate IS NULL")),
        Index("event_customer", "customer_id", "at"),
    )

    seq: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    id: str = Field(unique=True)
    name: str
    """`email.clicked`, `shop.purchased`, `consent.withdrawn` …"""
    customer_id: str | None = None
    message_key: str | None = Field(default=None, index=True)
    """The send that it answers, for answers of channels."""
    at: datetime = _at()
    received_at: datetime = _at()
    payload: dict[str, Any] = _json()
    source: str
    """The public surface that it came by: `track`, `link`, `unsubscribe`, `sms`, `task`, `letter`, `import` …"""
    fate: str | None = None
    """Null: not dispatched yet; `waiting` for her profile; `delivered` to a workflow; `entered` (it began an enrolment);
    `queued` (it will, when the enrolment under way has ended);
    `late` (the enrolment that it answers has ended); `unheard` (nobody waits for it)."""


class LateAnswer(Kept, table=True):
    """An answer that reached an enrolment which did not move by it, because."""

    event_seq: int = Field(sa_column=Column(BIG, primary_key=True))
    enrolment_id: int = Field(sa_column=Column(BIG, primary_key=True))
    state: str | None = None
    """Where she was then."""
    reason: str
    """`ended`, `not awaited here`, `earlier send`, `too old`, `condition not met`, `limit reached`."""
    at: datetime = _at()


class Lease(Kept, table=True):
    """Which process does a job that one process does at a time."""

    name: str = Field(primary_key=True)
    holder: str
    expires_at: datetime = _at()
    """Wall-clock time, not journey time."""


class Pace(Kept, table=True):
    """How fast a provider is called by all workers together: until when its rate is given out (`engine.pace`)."""

    name: str = Field(primary_key=True)
    until: float
    """Seconds since 1970, by the database's clock."""
    planned_until: float
    """The same, of the share that mass sends may have."""


class CallTask(Kept, table=True):
    """A task of the call center: pending → reserved → assigned → wrapping → completed, or withdrawn."""

    __table_args__ = (
        Index("call_task_queue", "queue", "status", "rank", "due_at", "id"),
        Index("call_task_changed", "updated_at", "id"),
        Index(
            "call_task_lease",
            "lease_until",
            sqlite_where=text("lease_until IS NOT NULL"),
            postgresql_where=text("lease_until IS NOT NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    """The message's key."""
    customer_id: str = Field(index=True)
    enrolment_id: int = Field(sa_column=Column(BIG, nullable=False, index=True))
    journey: str
    state: str
    queue: str
    status: str
    priority: int = 5
    """1 (first) to 9."""
    value: int = Field(default=0, sa_column=Column(BIG, nullable=False, server_default="0"))
    """What the call is expected to bring, in cents; of equal priorities the highest comes first."""
    rank: int = Field(
        default=None,
        sa_column=Column(BIG, Computed("priority * 1000000000000 - value", persisted=True), nullable=False),
    )
    """The order in which agents get tasks: by priority, then by value. The database computes it, for its index."""
    skills: list[str] = Field(default=None, sa_column=Column(JSON(), nullable=False, server_default="[]"))
    """What an agent must know who takes it: the box's, and the customer's language as `language:fr`."""
    zone: str | None = None
    """The customer's time zone (IANA); null: the project's."""
    country: str | None = None
    language: str | None = None
    script: str
    """HTML, rendered for this customer."""
    title: str
    phone: str
    outcomes: list[str] = _json()
    """The outcome codes that an agent may choose from."""
    created_at: datetime = _at()
    updated_at: datetime = _at()
    due_at: datetime = _at()
    slot_at: datetime | None = _at(null=True)
    """The beginning of the slot in which it has its place, where its queue has a capacity."""
    not_before: datetime | None = _at(null=True)
    """After an attempt or for a call back: no sooner than then."""
    callback_at: datetime | None = _at(null=True)
    """The time that she asked for: the task keeps it, whoever else is worth more."""
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    """Calls that were made for it, without the one that completed it."""
    worker: str | None = None
    lease_hash: str | None = None
    """sha256 of the lease token."""
    lease_until: datetime | None = _at(null=True)
    """Wall-clock time: an agent's minutes are not scaled."""
    lapsed_at: datetime | None = _at(null=True)
    """When it was noticed, and told, that the lease ran out."""
    outcome: str | None = None
    answers: dict[str, Any] | None = _json(null=True)
    notes: str | None = None
    duration_s: float | None = None
    completed_at: datetime | None = _at(null=True)
    withdrawn_at: datetime | None = _at(null=True)
    """When the journey withdrew it; a call under way then goes on, `assigned`, and its agent is told."""
    past_leases: list[dict[str, str]] | None = _json(null=True)
    """Leases that ran out, newest first, `{"hash", "worker"}`: their outcome still counts if nobody else finished."""


class CallQueue(Kept, table=True):
    """What a call center says of a queue: when it works, with how many agents, how often a customer is tried."""

    name: str = Field(primary_key=True)
    zone: str
    country: str
    shifts: list[dict[str, Any]] = _json()
    """`{"days", "opens", "closes", "agents"}`, on the clock of `zone`; none: always open."""
    holidays: bool
    """Whether it works on public holidays of its country."""
    slot_minutes: int
    calls_per_agent: int
    """In a slot."""
    call_from: str
    """No customer is rung before this time on her own clock …"""
    call_until: str
    """… nor from this one on."""
    attempts: int
    """Most calls for one task."""
    retry_minutes: int
    """After a call that reached nobody."""
    planned_slot: datetime | None = _at(null=True)
    """The slot that was running when the queue was planned last."""
    updated_at: datetime = _at()


class CallAttempt(Kept, table=True):
    """A call that did not complete its task: nobody was reached, or she asked for another time."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    task_id: str = Field(index=True)
    number: int
    outcome: str
    worker: str
    lease_hash: str = Field(unique=True)
    """Of the lease that it was made under: the same report again is no second attempt."""
    at: datetime = _at()
    next_at: datetime | None = _at(null=True)
    """When the task is due again; null: this was the last attempt."""


class CallDeferral(Kept, table=True):
    """A task that was moved to a later slot, because."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    task_id: str = Field(index=True)
    queue: str
    from_at: datetime = _at()
    to_at: datetime = _at()
    reason: str
    """`no capacity` when it came, or `outranked` by tasks that came later and count for more."""
    priority: int
    value: int = Field(sa_column=Column(BIG, nullable=False))
    at: datetime = _at()


class CallEvent(Kept, table=True):
    """What happened to a call task, written in the transaction that did it: streams and webhooks tell it."""

    __table_args__ = (Index("call_event_order", "xact", "seq"),)

    seq: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    xact: int = Field(sa_column=Column(BIG, nullable=False))
    """On PostgreSQL its transaction: a reader passes over what came before only once that is certain. 0 on SQLite."""
    type: str
    """`call_task.created`, `reserved`, `completed`, `withdrawn`, `expired`."""
    task_id: str = Field(index=True)
    queue: str
    data: dict[str, Any] = _json()
    """The task as it was: ids, status, times and outcome, nothing personal."""
    at: datetime = _at()


class Webhook(Kept, table=True):
    """A subscription: which events are told to which address. Its times are wall-clock time."""

    id: str = Field(primary_key=True)
    url: str
    events: list[str] = _json()
    queue: str | None = None
    """Only this queue's; null: every one's."""
    secret: str
    """Signs what is sent (`whsec_…`, Standard Webhooks): it is needed in the clear, and shown once."""
    created_at: datetime = _at()
    disabled_at: datetime | None = _at(null=True)
    disabled_why: str | None = None


class WebhookDelivery(Kept, table=True):
    """An event on its way to a subscription. Written with the event, sent by a worker. Its times are wall-clock time."""

    __table_args__ = (
        Index(
            "webhook_delivery_due",
            "due_at",
            sqlite_where=text("status = 'pending'"),
            postgresql_where=text("status = 'pending'"),
        ),
        Index("webhook_delivery_log", "webhook_id", "id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    webhook_id: str
    message_id: str
    """`webhook-id` on the wire: the same in every try, so that the receiver can drop repeats."""
    type: str
    body: str
    """What is sent, to the byte: the signature is over it."""
    status: str
    """`pending`, `delivered`, `failed` (given up), `dropped` (the subscription is gone)."""
    tries: int = 0
    created_at: datetime = _at()
    due_at: datetime = _at()
    settled_at: datetime | None = _at(null=True)


class WebhookTry(Kept, table=True):
    """One call of a subscriber's address, and what came of it. Wall-clock time."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    delivery_id: int = Field(sa_column=Column(BIG, nullable=False, index=True))
    at: datetime = _at()
    status: int | None = None
    """The HTTP status; null: no answer came."""
    error: str | None = None
    ms: int


class Feed(Kept, table=True):
    """A personal feed's secret URL: the token is kept as its sha256, and can be revoked."""

    token_hash: str = Field(primary_key=True)
    customer_id: str = Field(index=True)
    created_at: datetime = _at()
    revoked_at: datetime | None = _at(null=True)


class FeedItem(Kept, table=True):
    """An item of a customer's feed. Its guid never changes."""

    key: str = Field(primary_key=True)
    """The message's key."""
    guid: str
    customer_id: str = Field(index=True)
    title: str
    html: str
    link: str
    at: datetime = _at()
    withdrawn_at: datetime | None = _at(null=True)


class SegmentFeed(Kept, table=True):
    """A feed of the operator's: one secret address for all who may read it."""

    name: str = Field(primary_key=True)
    title: str
    description: str = ""
    segment: dict[str, Any] | None = _json(null=True)
    """The predicate that says whom it is for; null: for everybody."""
    generation: int = 0
    """How often its address was changed."""
    created_at: datetime = _at()
    revoked_at: datetime | None = _at(null=True)


class SegmentToken(Kept, table=True):
    """An address that a segment feed has or had: the token is kept as its sha256."""

    token_hash: str = Field(primary_key=True)
    feed: str = Field(index=True)
    created_at: datetime = _at()
    revoked_at: datetime | None = _at(null=True)


class SegmentItem(Kept, table=True):
    """An item of a segment feed. Its guid never changes."""

    feed: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    """The poster's own, unique in its feed."""
    guid: str
    title: str
    html: str
    link: str
    at: datetime = _at()
    updated_at: datetime = _at()
    withdrawn_at: datetime | None = _at(null=True)


class FeedSource(Kept, table=True):
    """A feed of somebody's that is read: its posts are for templates, and an event for whom it concerns."""

    name: str = Field(primary_key=True)
    """Also the family of its event: `blog` makes `blog.posted`."""
    url: str
    segment: dict[str, Any] | None = _json(null=True)
    """The predicate that says whose event a new post is; null: nobody's."""
    minutes: int
    """Between two readings."""
    etag: str | None = None
    last_modified: str | None = None
    next_at: datetime = _at(index=True)
    """Wall-clock time, as the web's."""
    read_at: datetime | None = _at(null=True)
    """When it was last read without a fault; null: never, so what it holds then is not new."""
    failures: int = 0
    """In a row."""
    error: str | None = None
    created_at: datetime = _at()


class FeedPost(Kept, table=True):
    """A post of a feed that is read, cleaned: no script, no markup but a few plain tags."""

    source: str = Field(primary_key=True)
    guid: str = Field(primary_key=True)
    url: str
    title: str
    html: str
    text: str
    picture: str = ""
    tags: list[str] = _json()
    published_at: datetime = _at()
    found_at: datetime = _at()


class Letter(Kept, table=True):
    """A piece on paper: open until its run's cut-off, then handed over with it; or withdrawn before."""

    __table_args__ = (Index("letter_run", "run", "status"),)

    key: str = Field(primary_key=True)
    """The message's key."""
    code: str = Field(unique=True)
    """Short, typed by hand from the paper: no vowels, no look-alikes."""
    customer_id: str = Field(index=True)
    enrolment_id: int = Field(sa_column=Column(BIG, nullable=False, index=True))
    run: str
    """The print run, named by its cut-off."""
    status: str
    """`open`, `closed` (its run is being printed), `handed over`, `withdrawn`, `failed`, `returned`."""
    reason: str | None = None
    """Why it was withdrawn, failed, or came back."""
    template_hash: str
    data: dict[str, Any] = _json()
    """What its template is given: with both, the same bytes are made again."""
    lines: list[str] = _json()
    """The address lines as printed."""
    country: str
    postcode: str
    missing: str = ""
    """Characters of the customer's own that the letter can't show, and leaves out."""
    at: datetime = _at()
    file: str | None = None
    """In the run's folder; with the place in it, once it was printed."""
    sequence: int | None = None
    first_page: int | None = None
    pages: int | None = None
    provider_id: str | None = None
    """The print provider's own, where one takes letters singly."""
    settled_at: datetime | None = _at(null=True)
    """When it was handed over, withdrawn, or failed."""
    answered_at: datetime | None = _at(null=True)
    returned_at: datetime | None = _at(null=True)


class PrintRun(Kept, table=True):
    """Letters that are printed together: open until the cut-off, closed then, and handed over."""

    name: str = Field(primary_key=True)
    """The cut-off on the project's clocks: `2026-03-02-1600`."""
    status: str
    """`open`, `closed`, `handed over`."""
    cut_off_at: datetime = _at(index=True)
    closed_at: datetime | None = _at(null=True)
    handed_at: datetime | None = _at(null=True)
    letters: int = 0
    pages: int = 0
    files: list[dict[str, Any]] | None = _json(null=True)
    """`[{"name", "letters", "pages", "sha256"}]`, and the manifest."""


class ApiKey(Kept, table=True):
    """A key of the API: kept as its sha256; `prefix` is shown."""

    hash: str = Field(primary_key=True)
    prefix: str
    name: str
    scopes: list[str] = _json()
    created_at: datetime = _at()
    revoked_at: datetime | None = _at(null=True)
    last_used_at: datetime | None = _at(null=True)


class Exposure(Kept, table=True):
    """A contact that somebody else made with a customer of ours: an agency's mailing, a letter of last year's campaign."""

    __table_args__ = (Index("exposure_customer", "customer_id", "at"),)

    id: str = Field(primary_key=True)
    """The source's own, or one made of the other fields: reading a file twice adds nothing."""
    customer_id: str
    campaign: str
    channel: str
    at: datetime = _at()
    cost: int = 0
    """Thousandths of a cent."""
    source: str
    """`import`, or who says so."""


class ImportRun(Kept, table=True):
    """How far a file was read, kept with each chunk of its rows: after a kill the reading goes on where it stopped."""

    key: str = Field(primary_key=True)
    """sha256 over the file's content, its place, and how it is read."""
    kind: str
    """`customers`, `consents`, `orders`, `exposures`, `outcomes`."""
    file: str
    rows: int
    new: int
    rejected: int
    rejected_bytes: int
    """The size of the file of rejected rows, when these rows were kept."""
    updated_at: datetime = _at()
    finished_at: datetime | None = _at(null=True)


class Bounce(Kept, table=True):
    """A mail that did not arrive, and why: one row a send, whoever told of it."""

    __table_args__ = (Index("bounce_address", "address", "at"),)

    key: str = Field(primary_key=True)
    """The message's key."""
    address: str
    kind: str
    """`hard` (the address is dead), `soft` (counted), `undetermined` (not its doing)."""
    proved: bool
    """Whether the report proved that it is about this send; one that did not counts as soft."""
    code: str | None = None
    """The enhanced status code (RFC 3463)."""
    detail: str | None = None
    """The receiving server's words."""
    source: str
    at: datetime = _at()


class StrayMail(Kept, table=True):
    """A mail that came in and could not be put to a send: kept whole, with the reason, for a person to look at."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    sha256: str = Field(unique=True)
    """Of the recipient and the mail: the same one again is no second."""
    reason: str
    source: str
    sender: str
    """The SMTP sender; empty: the null sender."""
    recipient: str
    subject: str
    raw: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    at: datetime = _at(index=True)
    """Wall-clock time."""


class MailTally(Kept, table=True):
    """What was refused or passed over at the door for mail and providers' webhooks, counted by its reason."""

    source: str = Field(primary_key=True)
    reason: str = Field(primary_key=True)
    count: int
    first_at: datetime = _at()
    last_at: datetime = _at()
    """Wall-clock time, as `first_at`."""
    example: str
    """The newest: an address, an event's id."""


class WebhookToken(Kept, table=True):
    """A token that a provider signed a webhook with, once: a second webhook with it is a replay."""

    id: str = Field(primary_key=True)
    at: datetime = _at(index=True)
    """Wall-clock time; it is forgotten when the signature's time is too old to be taken anyway."""
