"""Answers that come back off line: a code typed, scanned, told on the phone, redeemed in an order, or given at a till.

One model for all of them: an answer belongs to a send, and is the event `<channel>.answered` with `via` in its payload. Each
is kept once, by what its sender calls it; a send is answered as often as it truly is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from engine import events
from engine.db import chunked, table
from engine.errors import Invalid, NotFound
from engine.links import ForgedLink, Links
from engine.receipts import came_out
from engine.tables import Event, Letter, Message

__all__ = ["VIAS", "Answer", "Recorded", "Send", "answered", "by_code", "find", "record", "redeem"]

VIAS: Mapping[str, str] = {
    "code": "the code was typed on our page",
    "qr": "the letter's QR code was scanned",
    "link": "the code's link was followed",
    "coupon": "the code was redeemed in an order",
    "phone": "she called, and an agent recorded it",
    "till": "the code was given at a point of sale",
}
"""Every way by which an answer comes back."""

_OUT = ("reserved", "sending", "sent", "delivered", "unknown")
_SHORT = 200
_LONG = 2000


@dataclass(frozen=True, slots=True)
class Send:
    """The send that is answered."""

    key: str
    customer_id: str
    channel: str
    journey: str
    code: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `id` is the sender's own for it (a receipt, a call): the same again is no second answer."""

    via: str
    id: str = ""
    amount: float | None = None
    """In currency units."""
    order_id: str | None = None
    by: str | None = None
    """The agent, or the till."""
    value: str | None = None
    """What she answered, in the words of whoever asks."""
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of it: the event's name, and whether it is new."""

    send: Send
    event: str
    new: bool


def by_code(conn: Connection, typed: str) -> Send:
    """The send that carries a code; small letters, blanks and dashes are forgiven. Raises NotFound."""
    try:
        code = Links.read_letter(typed)
    except ForgedLink as error:
        raise NotFound("code_not_found", str(error)) from None
    found = _carrying(conn, [code]).get(code)
    if found is None:
        raise NotFound("code_not_found", "no message of ours has this code; is every character right?")
    return found


def find(
    conn: Connection,
    *,
    code: str | None = None,
    key: str | None = None,
    customer_id: str | None = None,
    channel: str | None = None,
    journey: str | None = None,
) -> Send:
    """The send by its code, by its key, or the newest that went out to a customer. Raises NotFound, Invalid."""
    given = [name for name, value in (("code", code), ("message_key", key), ("customer_id", customer_id)) if value]
    if len(given) != 1:
        raise Invalid("code", ", ".join(given) or None, "name the send by one of code, message_key, customer_id")
    if code:
        return by_code(conn, code)
    rows = table(Message)
    query = select(*_columns()).where(rows.c.status.in_(_OUT))
    if key:
        found = conn.execute(query.where(rows.c.key == key)).first()
        if found is None:
            raise NotFound("message_not_found", f"no message {key!r} went out")
        return Send(*found)
    query = query.where(rows.c.customer_id == customer_id)
    if channel:
        query = query.where(rows.c.channel == channel)
    if journey:
        query = query.where(rows.c.journey == journey)
    found = conn.execute(query.order_by(rows.c.reserved_at.desc(), rows.c.key.desc()).limit(1)).first()
    if found is None:
        raise NotFound("message_not_found", f"nothing like that was sent to customer {customer_id!r}")
    return Send(*found)


def record(conn: Connection, send: Send, answer: Answer, now: datetime) -> Recorded:
    """Keep an answer to a send. Raises Invalid for one that can't be kept."""
    _check(answer)
    payload = {"via": answer.via, "code": send.code, "amount": answer.amount, "order_id": answer.order_id,
               "by": answer.by, "value": answer.value, "note": answer.note}  # fmt: skip
    about = events.Answered(send.key, send.customer_id, send.channel, [])
    new = events.answer(
        conn,
        about,
        "answered",
        now,
        source=answer.via,
        payload={name: value for name, value in payload.items() if value is not None},
        event_id=f"answer:{send.key}:{answer.id or answer.via}",
    )
    if answer.via != "phone":  # she has its code; an agent may have looked it up
        came_out(conn, send.key, f"the answer by {answer.via}", now)
    if send.channel == "letter":
        letter = table(Letter)
        conn.execute(
            update(letter).where(letter.c.key == send.key, letter.c.answered_at.is_(None)).values(answered_at=now)
        )
    return Recorded(send, f"{send.channel}.answered", new)


def redeem(conn: Connection, orders: Sequence[Mapping[str, Any]], now: datetime) -> int:
    """Answer the sends whose codes these orders redeem (`coupon` of the order, or of a product in it); how many are new.

    Whoever redeems it, it is that send's answer. A coupon that is no code of ours (`TEA10`) is the shop's own affair.
    """
    wanted = [(code, order) for order in orders for code in _coupons(order)]
    sends = _carrying(conn, sorted({code for code, _ in wanted}))
    new = 0
    for code, order in wanted:
        if code in sends:
            ident, total = str(order.get("order_id") or ""), order.get("total")
            amount = float(total) if isinstance(total, int | float) else None
            answer = Answer("coupon", id=f"order:{ident}"[:_SHORT], amount=amount, order_id=ident or None)
            new += record(conn, sends[code], answer, now).new
    return new


def answered(conn: Connection, key: str) -> bool:
    """Whether a send was answered so already, by whatever way."""
    rows = table(Event)
    query = select(rows.c.seq).where(rows.c.message_key == key, rows.c.name.like("%.answered")).limit(1)
    return conn.execute(query).first() is not None


def _columns() -> Sequence[Any]:
    rows = table(Message)
    return rows.c.key, rows.c.customer_id, rows.c.channel, rows.c.journey, rows.c.code


def _carrying(conn: Connection, codes: Sequence[str]) -> dict[str, Send]:
    rows = table(Message)
    found: dict[str, Send] = {}
    for piece in chunked(codes):
        query = select(*_columns()).where(rows.c.code.in_(piece), rows.c.status.in_(_OUT))
        found.update({row.code: Send(*row) for row in conn.execute(query)})
    return found


def _coupons(order: Mapping[str, Any]) -> list[str]:
    """The codes of an order that have the shape of ours, each once."""
    given = [order.get("coupon")]
    products = order.get("products")
    if isinstance(products, list):
        given += [each.get("coupon") for each in products if isinstance(each, dict)]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    codes: dict[str, None] = {}
    for text in given:
        if isinstance(text, str) and len(text) <= _SHORT:
            try:
                codes[Links.read_letter(text)] = None
            except ForgedLink:
                continue
    return list(codes)


def _check(answer: Answer) -> None:
    if answer.via not in VIAS:
        raise Invalid("via", answer.via, f"it must be one of {', '.join(VIAS)}")
    for name, most in (("id", _SHORT), ("order_id", _SHORT), ("by", _SHORT), ("value", _SHORT), ("note", _LONG)):
        text = getattr(answer, name)
        if text and len(text) > most:
            raise Invalid(name, text, f"it may have {most} characters")
