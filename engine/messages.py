"""Messages: one row a key, reserved before the provider is called and settled after; never two sends of a key."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, Integer, bindparam, case, exists, or_, select, update

from engine import consent, went
from engine.db import chunked, insert_new, table
from engine.gate import Candidate, No
from engine.lists import any_of, each, run
from engine.mail.soft import SoftBounces
from engine.outgoing import Outgoing, Receipt
from engine.tables import Event, Message, MessageEvent

__all__ = [
    "OPEN",
    "WITH_PROVIDER",
    "calling",
    "handed_over",
    "let_go",
    "mark_unknown",
    "message_key",
    "overdue",
    "read_key",
    "reasons",
    "refuse",
    "remake",
    "reserve",
    "settle",
    "statuses",
    "taken_by",
]

WITH_PROVIDER = ("sent", "unknown", "delivered")
"""What a time-line says of a message that was handed over, or may have been."""

OPEN = frozenset({"reserved", "deferred", "sending"})
"""Statuses of a message whose send is not finished."""


def handed_over() -> ColumnElement[bool]:
    """Whether a message was with its provider once, whatever became of it then: a mail that came back, a letter that was withdrawn.

    Her journey went on as after any that was sent. Only its time-line tells, since its status is what became of it at last.
    """
    message, event = table(Message), table(MessageEvent)
    return exists().where(event.c.key == message.c.key, event.c.status.in_(WITH_PROVIDER))


def message_key(enrolment: int, visit: int, action: int = 0) -> str:
    """The key of a send: also the call task's id, the feed item's and the letter's key, and the e-mail's Message-ID."""
    return f"{enrolment}-{visit}-{action}"


def read_key(key: str) -> tuple[int, int, int]:
    """(enrolment, visit, action) of a key. Raises ValueError for a text that is none."""
    try:
        enrolment, visit, action = key.split("-")
        return int(enrolment), int(visit), int(action)
    except ValueError:
        raise ValueError(f"{key!r} is no message key: expected <enrolment>-<visit>-<action>") from None


def statuses(conn: Connection, keys: Sequence[str]) -> dict[str, str]:
    """The statuses of the keys that are known."""
    rows = table(Message)
    found: dict[str, str] = {}
    for piece in chunked(keys):
        query = select(rows.c.key, rows.c.status).where(rows.c.key.in_(piece))
        found.update({row.key: row.status for row in conn.execute(query)})
    return found


def reasons(conn: Connection, keys: Sequence[str]) -> dict[str, str | None]:
    """Why the messages of the keys were not sent."""
    rows = table(Message)
    found: dict[str, str | None] = {}
    for piece in chunked(keys):
        query = select(rows.c.key, rows.c.reason).where(rows.c.key.in_(piece))
        found.update({row.key: row.reason for row in conn.execute(query)})
    return found


def overdue(conn: Connection, keys: Sequence[str], now: datetime, most: timedelta) -> set[str]:
    """Of messages that were put off: those that their provider has kept waiting for `most`, from its first refusal on.

    From one refusal to the next a day is counted at most. No provider is waited for longer, so the rest was the journey's own:
    hours in which it doesn't write.
    """
    event, waited = table(MessageEvent), dict[str, timedelta]()
    for piece in chunked(keys):
        query = select(event.c.key, event.c.at).where(event.c.key.in_(piece), event.c.status == "deferred")
        refusals: dict[str, list[datetime]] = {}
        for key, at in conn.execute(query):
            refusals.setdefault(key, []).append(at)
        for key, moments in refusals.items():
            moments.sort()
            gaps = (min(later - sooner, _LONGEST) for sooner, later in pairwise([*moments, now]))
            waited[key] = sum(gaps, timedelta())
    return {key for key, long in waited.items() if long >= most}


def reserve(
    conn: Connection,
    wanted: Iterable[tuple[Candidate, Outgoing, Mapping[str, Any]]],
    status: str,
    now: datetime,
) -> None:
    """Reserve the keys (status `reserved`), or write down that they are sent where our database is the channel."""
    rows = [
        _row(candidate, status, now)
        | _made(message, context)
        | {"reason": None, "detail": None, "settled_at": None if status == "reserved" else now}
        for candidate, message, context in wanted
    ]
    insert_new(conn, Message, rows)
    if status != "reserved":  # the row itself says when it was reserved: the time-line begins with what came of it
        _log(conn, [(str(row["key"]), status, None) for row in rows], now)


def remake(conn: Connection, wanted: Sequence[tuple[Outgoing, Mapping[str, Any]]]) -> None:
    """Write down what goes out now of messages that were put off, or reserved before a stop: they are made anew, on what is known.

    So the row says what she gets: its links lead where the mail's do, and its offers are those that she sees.
    """
    target = table(Message)
    if wanted:
        conn.execute(
            update(target)
            .where(target.c.key == bindparam("of"), _any_of({"deferred", "reserved"}))
            .values({name: bindparam(f"new_{name}") for name in _MADE}),
            [
                {"of": message.key, **{f"new_{name}": value for name, value in _made(message, context).items()}}
                for message, context in wanted
            ],
        )


def refuse(conn: Connection, refused: Sequence[tuple[Candidate, No]], now: datetime) -> None:
    """Write down the sends that were not made, because. Who is held out walks on as if hers had gone out."""
    rows = [
        _row(candidate, no.status, now)
        | {"reason": no.reason, "detail": dict(no.detail), "address": candidate.address, "settled_at": now}
        for candidate, no in refused
    ]
    insert_new(conn, Message, rows)
    went.tell(conn, (candidate for candidate, no in refused if no.status == "held_out"), now)
    target = table(Message)
    if rows:
        conn.execute(  # a message that was put off before, and is refused now
            update(target)
            .where(target.c.key == bindparam("of"), _any_of(OPEN))
            .values(status=bindparam("new"), reason=bindparam("why"), detail=bindparam("values"), settled_at=now),
            [{"of": row["key"], "new": row["status"], "why": row["reason"], "values": row["detail"]} for row in rows],
        )


def settle(
    conn: Connection,
    receipts: Sequence[tuple[str, Receipt]],
    now: datetime,
    awaited: Collection[str] = (),
    soft: SoftBounces | None = None,
) -> None:
    """Write down what became of sends. A message that a webhook settled meanwhile keeps what the webhook said.

    Of `awaited` keys the journey is told that they went out, when they did.
    `reason` is a rule, by which reports group; the provider's own words are in `detail` and on the time-line. What a message
    is going to cost stays while nobody knows whether it went. `soft`: by which mailboxes that have no room are counted.
    """
    if not receipts:
        return
    words = {"rejected": "failed"}
    each(
        conn,
        _SETTLE,
        [
            {
                "of": key,
                "now": now,
                "new": words.get(receipt.status, receipt.status),
                "why": _RULES.get(receipt.status),
                "said": {"provider": receipt.detail} if receipt.detail and receipt.status != "sent" else None,
                "their_id": receipt.provider_id,
                "price": receipt.cost,
                "known": receipt.status in _PRICED,
            }
            for key, receipt in receipts
        ],
    )
    _log(conn, [(key, words.get(receipt.status, receipt.status), receipt.detail) for key, receipt in receipts], now)
    if awaited:
        went.tell_of(conn, [key for key, receipt in receipts if receipt.status == "sent" and key in awaited], now)
    for key, receipt in receipts:
        if receipt.dead is not None or receipt.unsubscribed or receipt.full:
            _tells_of_her(conn, key, receipt, now, soft)


def calling(conn: Connection, keys: Sequence[str], process: str) -> set[str]:
    """Take these keys for a call of the provider, by a process of this name; returns those that were free to take.

    Of two attempts at one batch, which may overlap, one gets a key. Whoever finds it taken after a crash can't know whether
    the provider was called.
    """
    taken: set[str] = set()
    for piece in chunked(keys):
        taken.update(row.key for row in run(conn, _CLAIM, {"keys": piece, "process": [process]}))
    return taken


def taken_by(conn: Connection, key: str, process: str) -> bool:
    """Whether the key is taken by this process still, and nothing was written down of its call."""
    of = table(Message)
    query = select(of.c.key).where(of.c.key == key, of.c.taken == process, of.c.status.in_(("sending", "unknown")))
    return conn.execute(query).first() is not None


def let_go(conn: Connection, keys: Sequence[str]) -> None:
    """Give back keys that were taken for a call which was never made."""
    for piece in chunked(keys):
        run(conn, _GIVE_BACK, {"keys": piece})


def mark_unknown(conn: Connection, keys: Sequence[str], now: datetime) -> None:
    """A crash came between the provider's call and our record, and the provider takes no key: never sent again.

    Where something of a mail has come back meanwhile, it is known to have gone out.
    """
    event = table(Event)
    for piece in chunked(keys):
        answers = event.c.name.like("email.%") & event.c.name.not_in(_NO_PROOF)
        query = select(event.c.message_key, event.c.name).where(event.c.message_key.in_(piece), answers)
        proofs = {row.message_key: row.name for row in conn.execute(query)}
        doubt = Receipt("unknown", detail="the worker stopped during the send")
        settle(
            conn,
            [(key, Receipt("sent", detail=f"as {proofs[key]} proves") if key in proofs else doubt) for key in piece],
            now,
            proofs,
        )


def _tells_of_her(conn: Connection, key: str, receipt: Receipt, now: datetime, soft: SoftBounces | None) -> None:
    """The address is dead or its mailbox full, or she has unsubscribed elsewhere."""
    message = table(Message)
    query = select(message.c.channel, message.c.address, message.c.customer_id).where(message.c.key == key)
    row = conn.execute(query).first()
    if row is None:
        return
    if row.address is not None and receipt.dead is not None:
        consent.suppress(conn, row.channel, row.address, receipt.dead, "provider", now)
    elif row.address is not None and receipt.full and soft is not None:
        soft.refused(conn, key, row.address, receipt.detail or "", now)
    if receipt.unsubscribed:
        consent.withdraw(conn, row.customer_id, row.channel, "marketing", "provider", now, key)


def _any_of(wanted: Iterable[str]) -> ColumnElement[bool]:
    """The status is one of these; spelt out, since an IN list can't stand in a statement for many rows."""
    return or_(*(table(Message).c.status == status for status in sorted(wanted)))


_CLAIM = (  # statements that are run for a few messages at a time: to make them anew would cost more than to run them
    update(table(Message))
    .where(
        table(Message).c.key.in_(any_of("keys")),
        table(Message).c.status.in_(("reserved", "deferred")),
    )
    .values(status="sending", taken=bindparam("process"))
    .returning(table(Message).c.key)
)
_GIVE_BACK = (
    update(table(Message))
    .where(table(Message).c.key.in_(any_of("keys")), table(Message).c.status == "sending")
    .values(status="reserved")
    .returning(table(Message).c.key)
)
_SETTLE = (
    update(table(Message))
    .where(table(Message).c.key == bindparam("of"), _any_of(OPEN | {"unknown"}))
    .values(
        status=bindparam("new"),
        reason=bindparam("why"),
        detail=bindparam("said"),
        provider_id=bindparam("their_id"),
        cost=case(
            (bindparam("known", type_=Boolean()), bindparam("price", type_=Integer())), else_=table(Message).c.cost
        ),
        settled_at=bindparam("now"),
    )
)
_NO_PROOF = ("email.sent", "email.not_sent", "email.bounced")
_LONGEST = timedelta(days=1)
_RULES = {"rejected": "failed", "unknown": "unknown", "deferred": "deferred"}
_PRICED = frozenset({"sent", "rejected"})
_MADE = ("address", "template", "template_hash", "context", "content_hash", "links", "code", "sender", "cost")


def _made(message: Outgoing, context: Mapping[str, Any]) -> dict[str, Any]:
    """What a row tells of a message as it was made."""
    content = message.content
    links = [{"name": link.name, "url": link.url} for link in content.links]
    values = (message.address, content.template, content.template_hash, dict(context), content.hash, links,
              content.code or None, content.sender or None, content.cost)  # fmt: skip
    return dict(zip(_MADE, values, strict=True))


def _row(candidate: Candidate, status: str, now: datetime) -> dict[str, Any]:
    return {
        "key": candidate.key,
        "enrolment_id": candidate.enrolment_id,
        "customer_id": candidate.customer_id,
        "journey": candidate.journey,
        "hash": candidate.hash,
        "state": candidate.state,
        "visit": candidate.visit,
        "arm": candidate.arm,
        "channel": candidate.channel,
        "sent_awaited": candidate.sent_awaited or None,
        "purpose": candidate.purpose,
        "status": status,
        "cost": 0,
        "reserved_at": now,
    }


def _log(conn: Connection, entries: Sequence[tuple[str, str, str | None]], now: datetime) -> None:
    insert_new(
        conn,
        MessageEvent,
        [{"key": key, "status": status, "detail": detail, "at": now} for key, status, detail in entries],
    )
