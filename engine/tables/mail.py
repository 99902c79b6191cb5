"""Mail that came back."""

from datetime import datetime

from sqlalchemy import Column, Index, LargeBinary
from sqlmodel import Field

from engine.tables.columns import BIG, Kept, moment_column

__all__ = ["Bounce", "MailTally", "StrayMail", "WebhookToken"]


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
    at: datetime = moment_column()


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
    at: datetime = moment_column(index=True)
    """Wall-clock time."""


class MailTally(Kept, table=True):
    """What was refused or passed over at the door for mail and providers' webhooks, counted by its reason."""

    source: str = Field(primary_key=True)
    reason: str = Field(primary_key=True)
    count: int
    last_at: datetime = moment_column()
    """Wall-clock time."""
    example: str
    """The newest: an address, an event's id."""


class WebhookToken(Kept, table=True):
    """A token that a provider signed a webhook with, once: a second webhook with it is a replay."""

    id: str = Field(primary_key=True)
    at: datetime = moment_column(index=True)
    """Wall-clock time; it is forgotten when the signature's time is too old to be taken anyway."""
