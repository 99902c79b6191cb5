"""What follows from what a mail says: the message's row and time-line, an event, suppression, consent. Once each.

Every saying is an event under its own id, `email.bounced` or one that no arrow hears (`email.delayed`): a repeat is no second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, func, or_, select, update

from engine import consent, went
from engine.clock import Clock, from_ms, to_ms
from engine.db import insert_new, table, upsert
from engine.events import OWN, Incoming, accept
from engine.mail.event import MailEvent
from engine.mail.soft import SoftBounces
from engine.receipts import came_out
from engine.settings import Settings
from engine.tables import Bounce, Customer, Message, MessageEvent

__all__ = ["Keeping", "Outcome"]

Outcome = Literal["kept", "repeat", "passed over", "unknown"]
"""`unknown`: there is no such send; `passed over`: our own links tell it already."""

_WENT_OUT = ("reserved", "sending", "deferred", "sent", "delivered", "unknown", "failed")
_ON_ITS_WAY = ("reserved", "sending", "deferred", "sent", "unknown")
_PROVIDERS = {"ses", "sendgrid", "mailgun", "postmark"}
_ONCE = {"delivered", "bounced", "complained"}
_TOLD = {"delivered", "delayed", "complained", "replied", "auto_replied", "unsubscribed"}
"""What stands in a message's time-line by its own name; a bounce is `failed`, opens and clicks are events alone."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """Keeps what mails say, with the project's clock and limits."""

    clock: Clock
    soft: SoftBounces

    @classmethod
    def of(cls, settings: Settings) -> Keeping:
        return cls(settings.clock, SoftBounces.of(settings))

    def keep(self, conn: Connection, event: MailEvent) -> Outcome:
        """Write down what follows, in the caller's transaction."""
        row = _send(conn, event)
        if row is None:
            if event.what == "unsubscribed" and event.recipient is not None and not event.signed:
                return self._left(conn, event, event.recipient)
            return "unknown"
        if event.what == "clicked" and row.links:
            return "passed over"
        now = self.clock.now()
        if event.what in _ONCE:  # whoever tells of it, and by how many ways
            event = replace(event, id=row.key)
        new = bool(accept(conn, [_incoming(event, row.customer_id, row.key, self._when(event, row, now))], now))
        if event.what == "bounced":  # also for a repeat: the second word may be the stronger one
            self._bounced(conn, event, row, now, new=new)
        if not new:
            return "repeat"
        _follow(conn, event, row, now)
        return "kept"

    def _bounced(self, conn: Connection, event: MailEvent, row: Any, now: datetime, *, new: bool) -> None:
        kind = event.kind or "undetermined"
        fact = {
            "kind": kind,
            "proved": event.signed,
            "code": event.code,
            "detail": event.detail,
            "source": event.source,
        }
        bounce = table(Bounce)
        if new:
            upsert(
                conn, Bounce, [{"key": row.key, "address": row.address, "at": now, **fact}]
            )  # over a refusal at the door
            _log(conn, row.key, "failed", _words(event), now)
            _settle(conn, row, "failed", f"{kind} bounce", {"code": event.code, "diagnostic": event.detail}, now)
        elif kind == "hard" and event.signed:
            conn.execute(update(bounce).where(bounce.c.key == row.key, bounce.c.kind != "hard").values(**fact))
        if kind == "hard" and event.signed:
            consent.suppress(conn, "email", row.address, "hard bounce", event.source, now)
        elif kind != "undetermined":
            self.soft.count(conn, row.address, event.source, now)

    def _left(self, conn: Connection, event: MailEvent, address: str) -> Outcome:
        """An unsubscribing without a token: it is for the customers who have this address."""
        people = _customers(conn, address)
        if not people:
            return "unknown"
        now = self.clock.now()
        if not accept(conn, [_incoming(event, people[0], None, now)], now):
            return "repeat"
        consent.record(conn, [consent.Word(person, "email", False) for person in people], "unsubscribe mail", now)
        return "kept"

    def _when(self, event: MailEvent, row: Any, now: datetime) -> datetime:
        """When it happened, in journey time: not before the send, not after now."""
        if event.at is None:
            return now
        return max(min(from_ms(self.clock.at(to_ms(event.at))), now), min(row.reserved_at, now))


def _follow(conn: Connection, event: MailEvent, row: Any, now: datetime) -> None:
    """The message's time-line and status, and what else follows but from bounces."""
    if event.what not in {"delivered", "bounced"} and event.key is not None:
        came_out(conn, row.key, f"email.{event.what}", now)
    if event.what in _TOLD:
        _log(conn, row.key, event.what, _words(event), now)
    match event.what:
        case "delivered":
            _settle(conn, row, "delivered", None, None, now)
            went.tell_of(conn, [row.key], now)
        case "complained":
            consent.suppress(conn, "email", row.address, "complaint", event.source, now)
            consent.withdraw(conn, row.customer_id, "email", "marketing", "complaint", now, row.key)
        case "unsubscribed":
            by = event.source if event.source in _PROVIDERS else "unsubscribe mail"
            consent.withdraw(conn, row.customer_id, "email", "marketing", by, now, row.key)
        case _:
            pass


def _send(conn: Connection, event: MailEvent) -> Any:
    """The message's row, locked; None if there is none that it can be about."""
    message = table(Message)
    what = select(
        message.c.key,
        message.c.customer_id,
        message.c.address,
        message.c.status,
        message.c.links,
        message.c.reserved_at,
    ).where(message.c.channel == "email", message.c.status.in_(_WENT_OUT))
    if event.key is not None:
        row = conn.execute(what.where(message.c.key == event.key).with_for_update()).first()
        if row is None or row.address is None:
            return None
        guessed = not event.signed and _normal(event.recipient or "") != _normal(row.address)
        return None if guessed else row
    if event.recipient is None or not event.signed:
        return None
    people = _customers(conn, event.recipient)
    same = func.lower(message.c.address) == _normal(event.recipient)
    newest = what.where(message.c.customer_id.in_(people), same).order_by(
        message.c.reserved_at.desc(), message.c.key.desc()
    )
    return conn.execute(newest.limit(1).with_for_update()).first() if people else None


def _customers(conn: Connection, address: str) -> list[str]:
    rows = table(Customer)
    query = select(rows.c.id, rows.c.email).where(func.lower(rows.c.email) == _normal(address))
    found = conn.execute(query).all()
    exact = [row.id for row in found if row.email in {address, _normal(address)}]
    return exact or [row.id for row in found]


def _settle(
    conn: Connection, row: Any, status: str, reason: str | None, detail: dict[str, Any] | None, now: datetime
) -> None:
    """The message's status. A server may take a mail and send it back later: `delivered` can still become `failed`."""
    message = table(Message)
    before = _ON_ITS_WAY if status == "delivered" else (*_ON_ITS_WAY, "delivered")
    conn.execute(
        update(message)
        .where(message.c.key == row.key, or_(*(message.c.status == each for each in before)))
        .values(status=status, reason=reason, detail=detail, settled_at=now)
    )


def _log(conn: Connection, key: str, status: str, detail: str | None, now: datetime) -> None:
    insert_new(conn, MessageEvent, [{"key": key, "status": status, "detail": detail, "at": now}])


def _incoming(event: MailEvent, customer: str, key: str | None, at: datetime) -> Incoming:
    payload: dict[str, Any] = dict(event.payload)
    if event.what == "bounced":
        payload |= {"kind": event.kind or "undetermined", "code": event.code or "", "diagnostic": event.detail or ""}
    elif event.detail:
        payload.setdefault("detail", event.detail)
    return Incoming(
        f"{OWN}email:{event.what}:{event.id}", f"email.{event.what}", at, customer, key, payload, event.source
    )


def _words(event: MailEvent) -> str | None:
    """For the time-line: `5.1.1 550 no such user`."""
    code = "" if event.code is None or event.code in (event.detail or "") else event.code
    return " ".join(filter(None, (code, event.detail))) or None


def _normal(address: str) -> str:
    return address.strip().strip("<>").lower()
