"""What is learnt later about a send, by its provider or by what comes back of it: the row, its time-line and an event, once each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from engine import consent, events, went
from engine.db import insert_new, table
from engine.tables import Message, MessageEvent

__all__ = ["Told", "came_out", "settle_by_provider"]

_FINAL = {
    "delivered": ("delivered", "failed"),
    "failed": ("delivered", "failed"),
    "sent": ("sent", "delivered", "failed"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """A provider's word: `status` is sent, delivered or failed; `dead` says that the address is no good.

    `unsubscribed`: she has told the carrier that she wants no more.
    """

    channel: str
    provider_id: str
    status: str
    detail: str | None = None
    dead: str | None = None
    unsubscribed: bool = False


def settle_by_provider(conn: Connection, told: Told, now: datetime, key: str | None = None) -> bool:
    """Keep what the provider says; what says less than is known already changes nothing. False: no such send.

    The send is found by the provider's id, or by its key, where the provider was faster than our own record.
    """
    message = table(Message)
    where = message.c.key == key if key is not None else message.c.provider_id == told.provider_id
    row = conn.execute(
        select(message.c.key, message.c.status, message.c.address, message.c.customer_id, message.c.provider_id)
        .where(message.c.channel == told.channel, where)
        .with_for_update()
    ).first()
    if row is None or (row.provider_id is not None and row.provider_id != told.provider_id):
        return False
    if row.status in _FINAL[told.status]:
        return True
    conn.execute(
        update(message)
        .where(message.c.key == row.key)
        .values(
            status=told.status,
            provider_id=told.provider_id,
            reason="failed" if told.status == "failed" else None,
            detail={"provider": told.detail} if told.status == "failed" and told.detail else None,
            settled_at=now,
        )
    )
    insert_new(conn, MessageEvent, [{"key": row.key, "status": told.status, "detail": told.detail, "at": now}])
    if told.status != "failed":  # it may be known from here alone that it went out
        went.tell_of(conn, [row.key], now)
    if told.status != "sent":
        what = "delivered" if told.status == "delivered" else "undelivered"
        answered = events.Answered(row.key, row.customer_id, told.channel, [])
        payload = {} if told.detail is None else {"detail": told.detail}
        events.answer(
            conn,
            answered,
            what,
            now,
            source="provider",
            payload=payload,
            event_id=f"{told.channel}:{told.provider_id}:{what}",
        )
    if told.dead is not None and row.address is not None:
        consent.suppress(conn, told.channel, row.address, told.dead, "provider", now)
    if told.unsubscribed:
        consent.withdraw(conn, row.customer_id, told.channel, "marketing", "provider", now, row.key)
    return True


def came_out(conn: Connection, key: str, by: str, now: datetime) -> None:
    """End the doubt about a mail (`unknown`): what came back of it, such as a click on its link, proves that it went out.

    When the doubt began stays in the row: it is the moment of the send. A text in doubt is looked up at its provider, which has its id.
    """
    message = table(Message)
    settled = conn.execute(
        update(message)
        .where(message.c.key == key, message.c.channel == "email", message.c.status == "unknown")
        .values(status="sent", reason=None, detail=None)
    )
    if settled.rowcount:
        insert_new(conn, MessageEvent, [{"key": key, "status": "sent", "detail": f"as {by} proves", "at": now}])
        went.tell_of(conn, [key], now)
