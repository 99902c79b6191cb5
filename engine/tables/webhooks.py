"""Webhooks out: who is told what, and how that went."""

from datetime import datetime

from sqlalchemy import Column, Index, text
from sqlmodel import Field

from engine.tables.columns import BIG, Kept, json_column, moment_column

__all__ = ["Webhook", "WebhookDelivery", "WebhookTry"]


class Webhook(Kept, table=True):
    """A subscription: which events are told to which address. Its times are wall-clock time."""

    id: str = Field(primary_key=True)
    url: str
    events: list[str] = json_column()
    queue: str | None = None
    """Only this queue's; null: every one's."""
    secret: str
    """Signs what is sent (`whsec_…`, Standard Webhooks): it is needed in the clear, and shown once."""
    created_at: datetime = moment_column()
    disabled_at: datetime | None = moment_column(null=True)
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
    created_at: datetime = moment_column()
    due_at: datetime = moment_column()
    settled_at: datetime | None = moment_column(null=True)


class WebhookTry(Kept, table=True):
    """One call of a subscriber's address, and what came of it. Wall-clock time."""

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    delivery_id: int = Field(sa_column=Column(BIG, nullable=False, index=True))
    at: datetime = moment_column()
    status: int | None = None
    """The HTTP status; null: no answer came."""
    error: str | None = None
    ms: int
