"""Customers: what is known of them, what they allow, what they bought, and who else wrote to them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, text
from sqlmodel import Field

from engine.tables.columns import BIG, Kept, json_column, moment_column

__all__ = ["Consent", "Customer", "Exposure", "Purchase", "Suppression", "SuppressionLift"]


class Customer(Kept, table=True):
    """Who is addressed. `attributes` holds an author's own facts."""

    __table_args__ = (Index("customer_email", text("lower(email)")),)

    id: str = Field(primary_key=True)
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
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
    attributes: dict[str, Any] = json_column()
    created_at: datetime = moment_column()
    updated_at: datetime = moment_column()


class Consent(Kept, table=True):
    """The newest word of a customer on a channel and a purpose. No row: no consent to marketing."""

    customer_id: str = Field(primary_key=True)
    channel: str = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    granted: bool
    at: datetime = moment_column()
    source: str
    """Where the word was given: `import`, `unsubscribe link`, `sms STOP`, `api`, `task outcome` …"""


class Suppression(Kept, table=True):
    """An address that is never written to, for any journey and purpose: bounced, complained, do not call."""

    channel: str = Field(primary_key=True)
    address: str = Field(primary_key=True)
    """The address in the channel's normal form; her id for feeds; for letters her id and the mark of the place."""
    reason: str
    at: datetime = moment_column()
    source: str


class SuppressionLift(Kept, table=True):
    """A suppression that was taken back: what it was, who took it back, when and why."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    channel: str
    address: str = Field(index=True)
    reason: str
    suppressed_at: datetime = moment_column()
    source: str
    at: datetime = moment_column()
    who: str
    why: str


class Purchase(Kept, table=True):
    """A line of an order, as bought: the transactions that facts are computed from."""

    # With what conditions ask about most: decisions are made from the index alone, on SQLite six times faster.
    __table_args__ = (Index("purchase_customer_at", "customer_id", "at", "category", "order_id", "total"),)

    id: str = Field(primary_key=True)
    """Order id and line, unique in the source: reading a file twice adds nothing."""
    order_id: str
    customer_id: str
    at: datetime = moment_column()
    category: str | None = None
    product: str | None = None
    quantity: int = 1
    total: int
    """What was paid for this line, in cents."""


class Exposure(Kept, table=True):
    """A contact that somebody else made with a customer of ours: an agency's mailing, a letter of last year's campaign."""

    __table_args__ = (Index("exposure_customer", "customer_id", "at"),)

    id: str = Field(primary_key=True)
    """The source's own, or one made of the other fields: reading a file twice adds nothing."""
    customer_id: str
    campaign: str
    channel: str
    at: datetime = moment_column()
    cost: int = 0
    """Thousandths of a cent."""
    source: str
    """`import`, or who says so."""
